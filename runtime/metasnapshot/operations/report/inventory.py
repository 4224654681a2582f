"""The named objects of an opened snapshot, read once and held: names, lineage, sizes of tables."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import cached_property
from typing import Any

from metasnapshot.contents.cluster import KINDS, catalog_of
from metasnapshot.contents.lineage import edges_of
from metasnapshot.contents.names import Named, label, name_all
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.operations.diff.sides import SnapshotSide
from metasnapshot.operations.report.model import KindNames, Lineage, Node, TableSize
from metasnapshot.operations.tables import sizes_by_table

NAMES_MAX = 1000
"""Names of a kind that a page lists."""
TABLES_MAX = 1000
"""Tables that a page lists with their sizes, the largest first."""
PICTURE_MAX = 60
"""Objects in the picture of the lineage."""
BUSIEST_MAX = 300
"""Objects in the table beside it."""
NAME_MAX = 160
"""Characters of a name that are shown."""
WITH_ROWS = ("tables", "materialized views")
IN_LINEAGE = (*WITH_ROWS, "views", "sources", "sinks")


def clipped(name: str) -> str:
    """A name as a page shows it: nobody reads more of one."""
    return name if len(name) <= NAME_MAX else f"{name[:NAME_MAX]}…"


class Inventory:
    """What an opened snapshot names."""

    def __init__(self, reader: SnapshotReader) -> None:
        self.reader = reader
        self.side = SnapshotSide(reader)
        self.items = tuple(catalog_of(reader).items())

    @cached_property
    def named(self) -> tuple[Named, ...]:
        """The same with full names, in the same order."""
        return tuple(name_all(lambda: self.items))

    @cached_property
    def version(self) -> Any:
        """The message of the Hummock version."""
        return self.reader.hummock_version.message

    def kinds(self) -> tuple[KindNames, ...]:
        """All names by kind."""
        found = defaultdict[str, list[str]](list)
        for item in self.named:
            found[item.kind].append(label(item.name, item.number))
        return tuple(
            KindNames(kind, len(found[kind]), tuple(map(clipped, sorted(found[kind])[:NAMES_MAX])))
            for kind in KINDS
        )

    def tables(self) -> tuple[tuple[TableSize, ...], int]:
        """The largest of what has rows, and how many there are."""
        sizes = sizes_by_table(self.version)
        found = [
            (*sizes.get(item.id, (0, 0)), named)
            for item, named in zip(self.items, self.named, strict=True)
            if item.kind in WITH_ROWS
        ]
        found.sort(key=lambda pair: (-pair[0], pair[2].name, pair[2].number))
        largest = tuple(
            TableSize(clipped(named.name), named.kind, size, keys)
            for size, keys, named in found[:TABLES_MAX]
        )
        return largest, len(found)

    def lineage(self) -> Lineage:
        """Who reads whom, and of a large cluster the busiest."""
        names = {
            item.id: named
            for item, named in zip(self.items, self.named, strict=True)
            if item.kind in IN_LINEAGE
        }
        edges = {
            (one, other)
            for one, other in edges_of(self.reader, self.items)
            if one != other and one in names and other in names
        }
        reads, readers = (Counter(edge[side] for edge in edges) for side in (1, 0))
        nodes = {
            number: Node(
                number,
                names[number].kind,
                clipped(names[number].name),
                reads[number],
                readers[number],
            )
            for edge in edges
            for number in edge
        }
        ranked = sorted(nodes.values(), key=lambda node: (-node.reads - node.readers, node.id))
        shown = {node.id for node in ranked[:PICTURE_MAX]}
        return Lineage(
            nodes=tuple(node for number, node in sorted(nodes.items()) if number in shown),
            edges=tuple(sorted(edge for edge in edges if shown.issuperset(edge))),
            node_count=len(nodes),
            edge_count=len(edges),
            alone=len(names) - len(nodes),
            busiest=tuple(ranked[:BUSIEST_MAX]),
        )
