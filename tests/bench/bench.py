"""`make bench`: how fast, beside baselines measured in the same run, and how much memory.

Prints Markdown tables; docs/benchmarks.md keeps the last that were looked at. Every figure is the
best of a few runs, in MB of JSON a second; the ratio is to the orjson baseline of the same line.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import baselines
import data

MIB = 1 << 20
SIZE = 256 * MIB
REPEATS = 3
HERE = Path(__file__).parent
MEMORY_SIZES = (64 * MIB, 512 * MIB)
MEMORY_JOBS = ("verify", "restore", "backup")


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="metasnapshot-bench-") as scratch:
        os.chdir(scratch)
        speed(Path(scratch))
        memory(Path(scratch))
    return 0


def speed(folder: Path) -> None:
    """Each operation on one snapshot of SIZE."""
    path = folder / "backup" / "2.snapshot"
    path.parent.mkdir()
    data.write_snapshot(path, SIZE)
    size = path.stat().st_size
    data.write_manifest(path)
    rows = baselines.raw_rows(path)
    models = baselines.models(path)
    documents = [baselines.decode_orjson(section, row) for section, row in rows]
    print(
        f"snapshot of {size / MIB:.0f} MiB, blobs of {data.BLOB_SIZE} bytes, {os.cpu_count()} "
        "cores\n"
    )
    print("| operation | json + list | orjson + bytes() | metasnapshot | ratio |")
    print("|---|---|---|---|---|")
    decode = line(
        "decode to rows, blobs as bytes",
        size,
        lambda: baselines.decode_all(rows, baselines.decode_json),
        lambda: baselines.decode_all(rows, baselines.decode_orjson),
        lambda: baselines.decode_file(path),
    )
    line(
        "encode from rows",
        size,
        lambda: baselines.encode_all(documents, baselines.encode_json),
        lambda: baselines.encode_all(documents, baselines.encode_orjson),
        lambda: baselines.encode_models(models),
    )
    verify_file = line("verify, level file", size, None, None, lambda: data.verify("file"))
    line("verify, level rows", size, None, None, lambda: data.verify("rows"))
    line("restore into SQLite", size, None, None, lambda: data.restore(folder))
    line("backup from SQLite", size, None, None, lambda: data.backup(folder))
    print(f"\nverify at level file is {verify_file / decode:.1f} times as fast as decode\n")


def line(name: str, size: int, *jobs: Callable[[], object] | None) -> float:
    """Measure and print one line; returns our MB/s. Jobs take turns, so that all meet the same "
    "machine."""
    times: list[list[float]] = [[] for _ in jobs]
    for _ in range(REPEATS):
        for job, found in zip(jobs, times, strict=True):
            if job is not None:
                start = time.perf_counter()
                job()
                found.append(time.perf_counter() - start)
    rates = [size / min(found) / 1e6 if found else 0.0 for found in times]
    shown = [f"{rate:.0f}" if rate else "" for rate in rates]
    ratio = f"{rates[2] / rates[1]:.2f}" if rates[1] else ""
    print(f"| {name} | {' | '.join(shown)} | {ratio} |", flush=True)
    return rates[2]


def memory(folder: Path) -> None:
    """Peak RSS of one job in a process of its own, at two sizes."""
    print(f"| peak RSS, MiB | {' | '.join(f'{size // MIB} MiB' for size in MEMORY_SIZES)} |")
    print("|---|---|---|")
    peaks: dict[str, list[int]] = {job: [] for job in MEMORY_JOBS}
    for size in MEMORY_SIZES:
        shutil.rmtree(folder / "backup")
        path = folder / "backup" / "2.snapshot"
        path.parent.mkdir()
        data.write_snapshot(path, size)
        data.write_manifest(path)
        for job in MEMORY_JOBS:
            peaks[job].append(peak_rss(job, folder))
    for job, found in peaks.items():
        print(f"| {job} | {' | '.join(map(str, found))} |")


def peak_rss(job: str, folder: Path) -> int:
    """Peak RSS of a job in MiB."""
    command = [sys.executable, str(HERE / "data.py"), job, str(folder)]
    shown = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return int(json.loads(shown.stdout)["peak_kib"]) // 1024


if __name__ == "__main__":
    sys.exit(main())
