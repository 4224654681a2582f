"""Ranges of a table one after the other: while one is worked on, a thread reads the next."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor

from metasnapshot.hummock.partitions import Partitions
from metasnapshot.hummock.table_blocks import Body
from metasnapshot.hummock.visible import Range, Rows


def rows_of(
    partitions: Partitions, ranges: Sequence[Range], name: str, *, ahead: bool = True
) -> Generator[Rows]:
    """The rows of each range that has some, in their order.

    Args:
        partitions: of the table.
        ranges: the wanted ones.
        name: of the table, for errors.
        ahead: whether the next range is read meanwhile; two are in memory then.

    Raises:
        SstDamage: a block is not as it was written.
        UsageError: a range does not fit into memory.
    """

    def load(found: Range) -> list[list[Body]]:
        partitions.require_room(found, name)
        return partitions.load(found)

    if not ahead:
        for found in ranges:
            rows = partitions.visible(found, load(found))
            if rows is not None:
                yield rows
        return
    with ThreadPoolExecutor(1, "read-ahead") as pool:
        coming = [pool.submit(load, found) for found in ranges[:1]]
        for number, found in enumerate(ranges):
            loaded = coming.pop().result()
            coming = [pool.submit(load, after) for after in ranges[number + 1 : number + 2]]
            rows = partitions.visible(found, loaded)
            del loaded
            if rows is not None:
                yield rows
