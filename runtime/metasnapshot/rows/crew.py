"""The ranges of a table in several processes, their rows in order.

Each process opens the store for itself; what the metas of objects say, it is given. No more
pieces of work are under way than there are processes, and one.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from metasnapshot.errors import MetasnapshotError
from metasnapshot.heap import return_large_blocks
from metasnapshot.hummock.partitions import Partitions
from metasnapshot.rows.arrow import RecordBatch, pa
from metasnapshot.rows.lines import Form, lines_of_piece

if TYPE_CHECKING:
    from metasnapshot.rows.table import TableRead


class _Work(NamedTuple):
    """What a process works on."""

    read: TableRead
    partitions: Partitions


TOGETHER = 4
"""Ranges that a process takes at once: neighbours share blocks."""
_given: list[_Work] = []
"""In a process of the crew, its work."""


def batches_of(read: TableRead) -> Iterator[RecordBatch]:
    """The rows of a table as Arrow.

    Raises:
        MetasnapshotError: what one of the processes raised.
    """
    for data in _in_order(read, _arrow):
        yield from pa.ipc.open_stream(data)


def lines_of(read: TableRead, form: Form) -> Iterator[tuple[int, bytes]]:
    """The rows of a table as lines: how many, and they.

    Raises:
        MetasnapshotError: what one of the processes raised.
    """
    for chunk in _in_order(read, _lines, form):
        yield from chunk


def _in_order(read: TableRead, work: Callable[..., Any], *words: Any) -> Generator[Any]:
    partitions = read.cut()
    count = len(partitions.ranges if read.ranges is None else read.ranges)
    alone = replace(read, jobs=1, ahead=False)
    context = multiprocessing.get_context("spawn")
    given = (alone, partitions)
    waiting: deque[Future[Any]] = deque()
    with ProcessPoolExecutor(min(read.jobs, count) or 1, context, _begin, given) as pool:
        try:
            for number in range(0, count, TOGETHER):
                waiting.append(pool.submit(work, number, *words))
                if len(waiting) > read.jobs:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise MetasnapshotError(
                f"table {read.schema.name}: one of the processes that read it was killed",
                hint="the system may lack memory: fewer --jobs, or less --memory",
            ) from error
        finally:
            for future in waiting:
                future.cancel()


def _begin(read: TableRead, partitions: Partitions) -> None:
    return_large_blocks()
    _given.append(_Work(read, partitions))


def _some_ranges(number: int) -> tuple[TableRead, Partitions]:
    ((read, partitions),) = _given
    ranges = partitions.ranges if read.ranges is None else read.ranges
    return replace(read, ranges=tuple(ranges[number : number + TOGETHER])), partitions


def _arrow(number: int) -> bytes:
    """Some ranges as an Arrow stream."""
    read, partitions = _some_ranges(number)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, read.arrow_schema) as writer:
        for batch in read.batches_of(partitions):
            writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def _lines(number: int, form: Form) -> list[tuple[int, bytes]]:
    """Some ranges as lines."""
    read, partitions = _some_ranges(number)
    return [lines_of_piece(read, piece, form) for piece in read.pieces_of(partitions)]
