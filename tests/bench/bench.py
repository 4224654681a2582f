"""`make bench`: how fast, beside baselines measured in the same run, and how much memory.

Prints Markdown tables, all of them or those named: speed, memory, replay; `make bench-docs` puts
them into docs/benchmarks.md. Every figure is the best of a few runs, in MB of JSON a second, the
ratio to the orjson baseline of the same line; and version deltas a second, the ratio to protobuf
alone.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import baselines
import data
import deltas
import measure

MIB = 1 << 20
SIZE = 256 * MIB
HERE = Path(__file__).parent
MEMORY_SIZES = (64 * MIB, 512 * MIB)
MEMORY_JOBS = ("verify", "restore", "backup")


def main() -> int:
    for name in sys.argv[1:] or PARTS:
        with tempfile.TemporaryDirectory(prefix="metasnapshot-bench-") as scratch:
            os.chdir(scratch)
            PARTS[name](Path(scratch))
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
    """Measure and print one line; returns our MB/s."""
    times = iter(measure.best_times(*(job for job in jobs if job is not None)))
    rates = [size / next(times) / 1e6 if job is not None else 0.0 for job in jobs]
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
        shutil.rmtree(folder / "backup", ignore_errors=True)
        path = folder / "backup" / "2.snapshot"
        path.parent.mkdir()
        data.write_snapshot(path, size)
        data.write_manifest(path)
        for job in MEMORY_JOBS:
            peaks[job].append(measure.peak_rss(HERE / "data.py", job, str(folder)))
    for job, found in peaks.items():
        print(f"| {job} | {' | '.join(map(str, found))} |")


PARTS: dict[str, Callable[[Path], None]] = {
    "speed": speed,
    "memory": memory,
    "replay": deltas.speed,
}


if __name__ == "__main__":
    sys.exit(main())
