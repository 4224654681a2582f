"""`metasnapshot list` of a directory with very many snapshots: its time beside that of reading and
parsing the same manifest with JSON libraries, each in a process of its own, and its memory.
"""

from __future__ import annotations

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


def report(folder: Path) -> bool:
    """Print the best of a few rounds; returns whether it is as fast and small as is wanted."""
    path = folder / "backup" / "manifest.json"
    write_manifest(path)
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
    return all(
        best[name].seconds < SECONDS_MAX and best[name].peak_mib < RSS_MAX
        for name in ("list", "list --json")
    )


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="metasnapshot-bench-") as scratch:
        return 0 if report(Path(scratch)) else 1


if __name__ == "__main__":
    sys.exit(main())
