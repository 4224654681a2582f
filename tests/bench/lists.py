"""`metasnapshot list` of a directory with very many snapshots: its time beside that of reading and
parsing the same manifest with JSON libraries, each in a process of its own, and its memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import measure
import msgspec
import numpy as np

SNAPSHOTS = 1_000
OBJECTS = 10_000
"""Object ids of each snapshot."""
TABLES = 100
"""State tables of each snapshot."""
EPOCH = 7_654_321_458_752_000
SECONDS_MAX = 5.0
RSS_MAX = 300
"""MiB that are wanted at most."""
BASELINE = (
    "import sys, {0}; from pathlib import Path; "
    "print(len({0}.loads(Path(sys.argv[1]).read_bytes())['snapshot_metadata']))"
)


RATIO_MAX = 1.2
"""Of the seconds to those of a decoder that only finds where entries end."""
SHARE_MAX = 1.4
"""Of the manifest's size that is held beyond what was held before."""
READS = {
    "msgspec, list[Raw]": "import msgspec; kind = list[msgspec.Raw]; "
    "read = lambda data: msgspec.json.decode(data[data.index(b'['):-1], type=kind)",
    "parse": "import numpy; from metasnapshot.catalogue.long_manifest import parse_long; "
    "from metasnapshot.catalogue.manifest import parse as read",
}
"""What is loaded beforehand is no part of the figures."""
MEASURED = """
import json, sys, time
from pathlib import Path
{setup}
sys.path.insert(0, {benches!r})
from measure import own_peak_kib
before, start = own_peak_kib(), time.process_time()
found = read(Path(sys.argv[1]).read_bytes())
print(json.dumps([time.process_time() - start, (own_peak_kib() - before) / 1024]))
"""


class Figures(NamedTuple):
    """What a process came to; the seconds of its processor are not disturbed by other processes."""

    seconds: float
    cpu_seconds: float
    peak_mib: int


def write_manifest(path: Path, objects: int = OBJECTS) -> None:
    """Snapshots of a cluster that grows: each needs most of the objects of the one before."""
    random = np.random.default_rng(7)
    ids = np.sort(random.choice(10 * objects, objects, replace=False)) + 1_000_000
    entries: list[msgspec.Raw] = []
    for number in range(1, SNAPSHOTS + 1):
        tables = {
            str(table): {"committed_epoch": EPOCH + (number << 16), "compaction_group_id": 2}
            for table in range(TABLES)
        }
        document = {
            "id": number,
            "hummock_version_id": 100 * number,
            "ssts": (ids + 50 * number).tolist(),
            "format_version": 2,
            "remarks": None,
            "state_table_info": tables,
            "rw_version": "3.0.3",
        }
        entries.append(msgspec.Raw(msgspec.json.encode(document)))
    manifest = {"manifest_id": SNAPSHOTS, "snapshot_metadata": entries}
    path.parent.mkdir()
    path.write_bytes(msgspec.json.encode(manifest))


def run(*command: str) -> Figures:
    """Run a command whose output nobody wants."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    assert status == 0
    seconds = time.perf_counter() - start
    return Figures(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss // 1024)


def read_figures(setup: str, path: Path) -> tuple[float, float]:
    """Seconds of the processor and MiB over the start of reading a manifest once."""
    command = [
        sys.executable,
        "-c",
        MEASURED.format(setup=setup, benches=str(Path(__file__).parent)),
        str(path),
    ]
    found = subprocess.run(command, capture_output=True, check=True)
    seconds, held = json.loads(found.stdout)
    return seconds, held


def report_reads(path: Path) -> bool:
    """The same of reading alone, in turns."""
    rounds = [
        {name: read_figures(setup, path) for name, setup in READS.items()}
        for _ in range(measure.REPEATS)
    ]
    best = {
        name: tuple(map(min, zip(*(item[name] for item in rounds), strict=True))) for name in READS
    }
    size = path.stat().st_size / (1 << 20)
    base = best["msgspec, list[Raw]"][0]
    print("\n| reading it | of the processor | ratio | RSS over the start, of its size |")
    print("|---|---|---|---|")
    for name, (seconds, held) in best.items():
        print(f"| {name} | {seconds:.2f} | {seconds / base:.2f} | {held / size:.2f} |")
    seconds, held = best["parse"]
    return seconds <= RATIO_MAX * base and held <= SHARE_MAX * size


def report(folder: Path) -> bool:
    """Print the best of a few rounds; returns whether it is as fast and small as is wanted."""
    path = folder / "backup" / "manifest.json"
    # In a process of its own: a child's peak is at least what its parent held when it forked.
    subprocess.run([sys.executable, __file__, str(path)], check=True)
    command = str(Path(sys.executable).parent / "metasnapshot")
    ours = (command, "list", "--backup-storage-url", f"fs://{folder}")
    commands = {
        "json": (sys.executable, "-c", BASELINE.format("json"), str(path)),
        "orjson": (sys.executable, "-c", BASELINE.format("orjson"), str(path)),
        "list": ours,
        "list --json": (*ours, "--json"),
    }
    rounds = [
        {name: run(*words) for name, words in commands.items()} for _ in range(measure.REPEATS)
    ]
    size = path.stat().st_size / (1 << 20)
    print(f"\nmanifest of {size:.0f} MiB: {SNAPSHOTS} snapshots of {OBJECTS} object ids\n")
    print("| | seconds | of the processor | of orjson's | RSS, MiB |")
    print("|---|---|---|---|---|")
    best = {
        name: Figures(*map(min, zip(*(item[name] for item in rounds), strict=True)))
        for name in commands
    }
    for name, found in best.items():
        ratio = found.cpu_seconds / best["orjson"].cpu_seconds
        times = f"{found.seconds:.2f} | {found.cpu_seconds:.2f} | {ratio:.2f}"
        print(f"| {name} | {times} | {found.peak_mib} |")
    return report_reads(path) and all(
        best[name].seconds < SECONDS_MAX and best[name].peak_mib < RSS_MAX
        for name in ("list", "list --json")
    )


def main() -> int:
    if sys.argv[1:]:
        write_manifest(Path(sys.argv[1]))
        return 0
    with tempfile.TemporaryDirectory(prefix="metasnapshot-bench-") as scratch:
        return 0 if report(Path(scratch)) else 1


if __name__ == "__main__":
    sys.exit(main())
