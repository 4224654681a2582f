"""Who reads whom among the objects of a cluster, by their ids, whichever the format.

V2 has a table of dependencies; messages of V1 name what they depend on. A sink into a table feeds
it, and so does the source that a table with a connector has of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from metasnapshot.contents.cluster import Item
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.format.scalars import Blob

DEPENDENCIES_SECTION = "object_dependencies"

Edge = tuple[int, int]
"""Ids of what is read and of who reads it."""


def edges_of(reader: SnapshotReader, items: Iterable[Item]) -> Iterator[Edge]:
    """Every pair, as often as it is said; ids of users and of internal tables may be among them.

    Args:
        reader: an opened snapshot.
        items: its catalog.

    Raises:
        DamageError: a row does not decode.
    """
    if DEPENDENCIES_SECTION in reader.section_names:
        for row in reader.rows(DEPENDENCIES_SECTION):
            yield row.oid, row.used_by
    for item in items:
        row: Any = item.row.message if isinstance(item.row, Blob) else item.row
        for number in getattr(row, "dependent_relations", ()):
            yield number, item.id
        if item.kind == "sinks" and (target := _target(row)):
            yield item.id, target
        if item.kind == "tables" and (source := _own_source(row)):
            yield source, item.id


def _target(row: Any) -> int | None:
    """The table that a sink writes into."""
    target: int | None = getattr(row, "target_table", None)
    return target


def _own_source(row: Any) -> int | None:
    """The source that a table with a connector has of its own."""
    number: int | None = getattr(row, "optional_associated_source_id", None)
    if isinstance(number, int):
        return number
    of_message: int | None = getattr(row, "associated_source_id", None)
    return of_message
