"""`make bench-data`: how fast rows come out of SSTs, beside the plain loop of the same run.

CPU time, the best of several; ratios, not seconds, are what must hold, on any machine. Ends with 1
if one does not.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from endless import Endless
from rows_made import TABLE_ID, Made, make
from sst_writer import LZ4, NONE, ZSTD

from metasnapshot.hummock.merge import table_versions
from metasnapshot.hummock.partitions import Partitions
from metasnapshot.hummock.table_blocks import Body, read_bodies, table_meta
from metasnapshot.hummock.visible import Range, visible_rows
from metasnapshot.rows.table import PIECE_ROWS, TableRead
from metasnapshot.sst.buffer import Buffer
from metasnapshot.sst.content import read_content
from metasnapshot.sst.lanes import walk_lanes
from metasnapshot.sst.row import decode_row

ROWS = {"a": 200_000, "b": 400_000}
LOOP_ROWS = 20_000
TIMES = 5
WHOLE = Range(b"", None)
DECODE = {"a": 15.0, "b": 10.0}
PIPELINE = {1: {"a": 12.0, "b": 7.0}, 5: {"a": 8.0, "b": 5.0}}
TWO_COLUMNS = 28.0
CONTENT = 0.8
JOBS = 1.5
JOBS_BLOCKS = 4000
CODECS = {"none": NONE, "lz4": LZ4, "zstd": ZSTD}


def best(work: Callable[[], Any], times: int = TIMES) -> float:
    """Seconds of CPU."""
    found: list[float] = []
    for _ in range(times):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def columns_of(made: Made) -> tuple[int, ...]:
    return tuple(range(len(made.schema.columns)))


def loop_rate(made: Made) -> float:
    """Rows a second of the plain way, blocks, merge and all columns."""
    wanted = columns_of(made)

    def work() -> None:
        for item in islice(table_versions(made.objects, made.scan), LOOP_ROWS):
            decode_row(item.table_key, item.value, made.schema, wanted, item.place)

    return LOOP_ROWS / best(work, 3)


def bodies_of(made: Made) -> list[list[Body]]:
    """Unpacked blocks of each SST."""
    found: list[list[Body]] = []
    for (ref,) in made.scan.sources:
        metas = list(table_meta(made.objects, ref, TABLE_ID).blocks)
        found.append(list(read_bodies(made.objects, ref, metas)))
    return found


def decode_rate(made: Made) -> float:
    """Rows a second from unpacked blocks to Arrow, 4 MiB of blocks at a time."""
    read = TableRead(made.objects, made.scan, made.schema, columns_of(made))
    (bodies,) = bodies_of(made)
    parts = [bodies[at : at + 64] for at in range(0, len(bodies), 64)]

    def work() -> None:
        for part in parts:
            rows = visible_rows(part, made.scan, WHOLE, is_one_run=True)
            for start in range(0, len(rows), PIECE_ROWS):
                read.record_batch(rows.part(start, start + PIECE_ROWS))

    return made.rows / best(work)


def pipeline_rate(made: Made, places: tuple[int, ...] | None = None) -> float:
    """Entries a second of all of it: metas, reads, hashes, unpacking, merge, columns."""
    read = TableRead(made.objects, made.scan, made.schema, places or columns_of(made))
    return made.rows / best(lambda: sum(batch.num_rows for batch in read.batches()))


def content_ratio(made: Made) -> float:
    """The content check, beside reading, unpacking and walking alone."""
    (source,) = made.scan.sources
    (ref,) = source

    def check() -> None:
        with made.objects.open(ref) as file:
            read_content(file, ref.size)

    def walk() -> None:
        partitions = Partitions(made.objects, made.scan)
        assert partitions.ranges
        metas = list(table_meta(made.objects, ref, TABLE_ID).blocks)
        for at in range(0, len(metas), 64):
            data = [b.data for b in read_bodies(made.objects, ref, metas[at : at + 64])]
            counts = [meta.total_key_count for meta in metas[at : at + 64]]
            assert walk_lanes(Buffer(data), data, TABLE_ID, counts) is not None

    return best(walk) / best(check)


def jobs_ratio() -> tuple[float, float]:
    """Seconds of one process that reads nothing ahead, and how often those of two go into them.
    Seconds of a clock on the wall, with the start of the processes.
    """
    found: list[float] = []
    read = Endless(5, JOBS_BLOCKS, "eight").read()
    for jobs in (1, 2):
        start = time.monotonic()
        one = replace(read, jobs=jobs, ahead=False)
        assert sum(batch.num_rows for batch in one.batches())
        found.append(time.monotonic() - start)
    return found[0], found[0] / found[1]


def main() -> int:
    """Measure, print, and say whether all ratios hold."""
    load = os.getloadavg()[0]  # of others: what follows would count for one itself
    wrong: list[str] = []

    def tell(what: str, rate: float, ratio: float, least: float) -> None:
        print(f"{what:34} {rate:12,.0f} rows/s  {ratio:6.1f} times  (at least {least})")
        if ratio < least:
            wrong.append(what)

    with tempfile.TemporaryDirectory() as folder:
        for kind, rows in ROWS.items():
            made = make(Path(folder, f"{kind}1"), kind, rows, 1, LZ4)
            loop = loop_rate(made)
            print(f"({kind}) {rows:,} rows, loop {loop:,.0f} rows/s")
            rate = decode_rate(made)
            tell("decode", rate, rate / loop, DECODE[kind])
            rate = pipeline_rate(made)
            tell("whole, one SST", rate, rate / loop, PIPELINE[1][kind])
            if kind == "a":
                rate = pipeline_rate(made, (0, 4))
                tell("whole, two columns of eight", rate, rate / loop, TWO_COLUMNS)
            rate = pipeline_rate(make(Path(folder, f"{kind}5"), kind, rows, 5, LZ4))
            tell("whole, five SSTs", rate, rate / loop, PIPELINE[5][kind])
        for name, codec in CODECS.items():
            made = make(Path(folder, name), "a", ROWS["a"] // 2, 1, codec)
            ratio = content_ratio(made)
            print(f"content check beside the walk, {name:5} {ratio:6.2f}  (at least {CONTENT})")
            if ratio < CONTENT:
                wrong.append(f"content check, {name}")
    seconds, ratio = jobs_ratio()
    print(
        f"two processes beside one, {seconds:.1f} s: {ratio:.2f} times  "
        f"(at least {JOBS} where nothing else runs; load was {load:.1f})"
    )
    if ratio < JOBS and load < 1:
        wrong.append("two processes")
    for what in wrong:
        print(f"too slow: {what}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
