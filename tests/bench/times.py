"""`make bench-time`: what a snapshot of every minute costs when it is kept as a delta, and what a
restore from the 60th one costs beside a restore from a plain snapshot.

Between two minutes three fragments change, all of random bytes, one row goes, and another comes.
Each figure is of a process of its own: seconds of its processor, and MiB of peak memory over what
it held before. With `--gate` it fails where a figure misses what is wanted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import data
import measure
import numpy as np

from metasnapshot.catalogue.delta_changes import create_delta, delta_bytes
from metasnapshot.catalogue.manifest import parse
from metasnapshot.format.delta import Opened
from metasnapshot.format.framing import FrameWriter
from metasnapshot.format.reader import SnapshotReader

MB = 1_000_000
SIZES = (5, 50, 250)
BASE = 2
CHANGED = 3
"""Fragments that change in a minute."""
MINUTES = 60
RESTORED = 50
"""MB of the snapshot that is restored."""
ROUNDS = 3
SIZE_MAX, RSS_MAX, RATIO_MAX = 100_000, 150, 1.3


def main() -> int:
    """Measure all, or do one job for it."""
    if sys.argv[1:2] == ["--job"]:
        JOBS[sys.argv[2]](Path(sys.argv[3]), int(sys.argv[4]))
        return 0
    missed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="metasnapshot-bench-") as scratch:
        missed += minutes(Path(scratch))
        missed += restores(Path(scratch))
    for text in missed:
        print(f"\nmissed: {text}")
    return 1 if missed and "--gate" in sys.argv else 0


def minutes(scratch: Path) -> list[str]:
    """The table of sizes; what is not as wanted."""
    print("| snapshot | delta | made in | written, read back | peak memory |")
    print("|---|---|---|---|---|")
    missed: list[str] = []
    for megabytes in SIZES:
        folder = scratch / f"of-{megabytes}"
        fill(folder, megabytes, 1)
        found = job("make", folder, 1)
        size = (folder / "backup" / f"{BASE + 1}.delta").stat().st_size
        print(
            f"| {megabytes} MB | {size / 1000:.0f} kB | {found['made']:.2f} s "
            f"| {found['written']:.2f} s | {found['mib']:.0f} MiB |"
        )
        if size > SIZE_MAX or found["mib"] > RSS_MAX:
            missed.append(f"{megabytes} MB: {size} bytes, {found['mib']:.0f} MiB")
    return missed


def restores(scratch: Path) -> list[str]:
    """The ratio of restores; what is not as wanted."""
    folder = scratch / "restored"
    fill(folder, RESTORED, MINUTES)
    job("make", folder, MINUTES)
    numbers = (BASE, BASE + MINUTES)
    rounds = [
        [job("restore", folder, number)["seconds"] for number in numbers] for _ in range(ROUNDS)
    ]
    plain, delta = (min(found) for found in zip(*rounds, strict=True))
    print(
        f"\nrestore of {RESTORED} MB into SQLite: {plain:.2f} s from the plain snapshot, "
        f"{delta:.2f} s from the {MINUTES}th delta, {delta / plain:.2f} times as long"
    )
    return [] if delta / plain <= RATIO_MAX else [f"a restore takes {delta / plain:.2f} times"]


def fill(folder: Path, megabytes: int, changes: int) -> None:
    """A directory with a plain snapshot, and beside it the file of so many minutes later."""
    (folder / "backup").mkdir(parents=True)
    path = folder / "backup" / f"{BASE}.snapshot"
    data.write_snapshot(path, megabytes * MB)
    data.write_manifest(path)
    write_later(path, folder / "later.snapshot", changes)


def write_later(before: Path, after: Path, minutes: int) -> None:
    """The snapshot of some minutes later."""
    random = np.random.default_rng(11)
    with before.open("rb") as file, after.open("wb") as made:
        reader = SnapshotReader(file)
        frames = FrameWriter(made)
        frames.header(2, BASE + minutes)
        for place in reader.places:
            rows = [row for _, row in reader.raw_rows(place.name)]
            if place.name == "fragments":
                del rows[-1]
                rows.append(rows.pop(len(rows) // 2))  # one goes, one stands elsewhere
                count = min(CHANGED * minutes, len(rows))
                for number in random.choice(len(rows), count, replace=False):
                    rows[int(number)] = changed(rows[int(number)], random)
            frames.count(len(rows))
            for row in rows:
                frames.row(row)
        frames.finish()


def changed(row: bytes, random: np.random.Generator) -> bytes:
    """A fragment with another plan."""
    document: dict[str, Any] = json.loads(row)
    size = len(document["stream_node"])
    document["stream_node"] = random.integers(0, 256, size, dtype=np.uint8).tolist()
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def job(name: str, folder: Path, number: int) -> dict[str, float]:
    """What a process of its own came to."""
    command = [sys.executable, __file__, "--job", name, str(folder), str(number)]
    shown = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(shown.stdout.splitlines()[-1])


def make(folder: Path, minutes: int) -> None:
    """Keep the later snapshot as a delta."""
    os.chdir(folder)
    found = data.repository()
    before, start = measure.own_peak_kib(), time.process_time()
    (entry,) = parse(Path("backup/manifest.json").read_bytes()).entries
    with Path("later.snapshot").open("rb") as file:
        made = delta_bytes(found, BASE, Opened(SnapshotReader(file), file), entry)
    assert made is not None
    done = time.process_time()
    create_delta(found, BASE + minutes, BASE, made)
    written = time.process_time() - done
    mib = (measure.own_peak_kib() - before) / 1024
    print(json.dumps({"made": done - start, "written": written, "mib": mib}))


def restore(folder: Path, number: int) -> None:
    """Restore one into a new SQLite file."""
    os.chdir(folder)
    start = time.process_time()
    data.restore(folder, number)
    print(json.dumps({"seconds": time.process_time() - start}))


JOBS: dict[str, Callable[[Path, int], None]] = {"make": make, "restore": restore}

if __name__ == "__main__":
    sys.exit(main())
