"""diff --data: which rows of a table were added, removed or changed from one snapshot to another.

Rows are compared by key, a range of keys after the other. What both snapshots read from the same
objects is equal: ranges that no other object reaches are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from metasnapshot.contents.data_tables import INTERNAL, DataTable, data_tables, find_table
from metasnapshot.errors import UsageError
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.hummock.scan import SstRef
from metasnapshot.hummock.table_blocks import ObjectStore
from metasnapshot.operations.diff.compare import ADDED, CHANGED, REMOVED
from metasnapshot.operations.read import Wish, plan_read
from metasnapshot.sst.place import Place
from metasnapshot.sst.row import decode_row
from metasnapshot.sst.schema import TableSchema
from metasnapshot.sst.types import Type

if TYPE_CHECKING:
    from metasnapshot.hummock.partitions import Partitions
    from metasnapshot.hummock.visible import Range, Rows
    from metasnapshot.rows.table import TableRead


class RowChange(NamedTuple):
    """A row that differs: its key as bytes, and its columns before and after, None where it was or
    is not.
    """

    change: str
    key: bytes
    before: list[Any] | None
    after: list[Any] | None


@dataclass(frozen=True)
class DataSide:
    """A snapshot and where its objects lie."""

    reader: SnapshotReader
    objects: ObjectStore


@dataclass
class TableDiff:
    """How the rows of a table differ.

    Attributes:
        table: as the later snapshot has it, or the earlier where that has none.
        counts: rows added, removed and changed.
        ranges: how many there were, and how many were passed over.
        not_compared: columns that only one of both has, or of another type.
        refusal: why its rows cannot be compared; "" if they were.
    """

    table: DataTable
    counts: dict[str, int] = field(default_factory=lambda: {ADDED: 0, REMOVED: 0, CHANGED: 0})
    ranges: tuple[int, int] = (0, 0)
    not_compared: tuple[str, ...] = ()
    refusal: str = ""
    pair: Pair | None = field(default=None, repr=False)
    _differing: list[Range] = field(default_factory=list[Any], repr=False)

    def rows(self) -> Iterator[RowChange]:
        """The rows that differ, by key; read once more, where they were found."""
        if self.pair is not None:
            for found in self._differing:
                yield from self.pair.changes(found)

    def shown_key(self, change: RowChange) -> str:
        """What tells a row from others, as people read it."""
        from metasnapshot.rows.names import shown_key  # noqa: PLC0415 - of the extra

        assert self.pair is not None
        return shown_key(change.key, self.pair.schema)

    def shown_values(self, values: list[Any] | None) -> dict[str, Any] | None:
        """The values of a row by their names, ready for JSON; None of a row that is not there."""
        from metasnapshot.rows.lines import plain  # noqa: PLC0415 - of the extra

        if values is None:
            return None
        pairs = zip(self.columns(), values, strict=True)
        return {name: plain(value, type_) for (name, type_), value in pairs}

    def columns(self) -> list[tuple[str, Type]]:
        """Names and types of the columns that rows have."""
        assert self.pair is not None
        return self.pair.named()

    def count(self) -> None:
        """Compare all rows, and count."""
        assert self.pair is not None
        ranges = self.pair.ranges()
        reached = [found for found in ranges if self.pair.is_reached(found)]
        for found in reached:
            differs = False
            for change in self.pair.changes(found):
                self.counts[change.change] += 1
                differs = True
            if differs:
                self._differing.append(found)
        self.ranges = (len(ranges), len(ranges) - len(reached))


class Pair:
    """A table in both snapshots."""

    def __init__(self, before: TableRead | None, after: TableRead | None) -> None:
        self.reads = (before, after)
        self._parts = [None if read is None else read.cut() for read in self.reads]
        self.columns = _common(before, after)
        self._spans = self._unshared()

    @property
    def schema(self) -> TableSchema:
        """Of the rows that are shown."""
        read = self.reads[1] or self.reads[0]
        assert read is not None
        return read.schema

    def named(self) -> list[tuple[str, Type]]:
        """Names and types of the columns that are compared."""
        side = 0 if self.reads[1] is None else 1
        from metasnapshot.rows.names import unique_names  # noqa: PLC0415 - of the extra

        columns = [self.schema.columns[pair[side]] for pair in self.columns]
        names = unique_names([column.name for column in columns])
        return [(name, column.type) for name, column in zip(names, columns, strict=True)]

    def ranges(self) -> list[Range]:
        """Ranges of keys, by the blocks of both."""
        found = [read for read in self.reads if read is not None]
        sources = tuple(dict.fromkeys(source for read in found for source in read.scan.sources))
        first = found[-1]
        return replace(first, scan=replace(first.scan, sources=sources)).cut().ranges

    def is_reached(self, found: Range) -> bool:
        """Whether an object that only one of both reads may have keys of a range."""
        return any(
            (found.end is None or start < found.end) and (end is None or end >= found.start)
            for start, end in self._spans
        )

    def _unshared(self) -> list[tuple[bytes, bytes | None]]:
        """The spans of keys of objects that are not read alike by both."""
        before, after = self.reads
        if before is None or after is None:
            return [(b"", None)]
        old, new = before.scan, after.scan
        if (old.epoch_min, old.watermarks) != (new.epoch_min, new.watermarks):
            return [(b"", None)]
        limit = min(old.epoch, new.epoch)
        shared = {
            ref
            for ref in {*old.refs} & {*new.refs}
            if old.epoch == new.epoch or 0 < ref.epoch_max <= limit
        }
        return [
            span
            for read in (before, after)
            for ref in read.scan.refs
            if ref not in shared
            for span in _span(read, ref)
        ]

    def changes(self, found: Range) -> Iterator[RowChange]:
        """The rows of a range that differ."""
        old, new = (
            _rows(part, read, found) for part, read in zip(self._parts, self.reads, strict=True)
        )
        left, right = _keys(old), _keys(new)
        for key in sorted({*left, *right}):
            one, other = left.get(key), right.get(key)
            if one is None or other is None:
                change = REMOVED if other is None else ADDED
                yield RowChange(change, key, self._row(0, old, one), self._row(1, new, other))
                continue
            assert old is not None
            assert new is not None
            if old.value(one) == new.value(other) and not self._has_defaults:
                continue
            before, after = self._row(0, old, one), self._row(1, new, other)
            if before != after:
                yield RowChange(CHANGED, key, before, after)

    @property
    def _has_defaults(self) -> bool:
        """Whether equal bytes may be different rows, for a default was changed."""
        before, after = self.reads
        assert before is not None
        assert after is not None
        return before.schema.columns != after.schema.columns

    def _row(self, side: int, rows: Rows | None, number: int | None) -> list[Any] | None:
        if rows is None or number is None:
            return None
        read = self.reads[side]
        assert read is not None
        places = tuple(pair[side] for pair in self.columns)
        place: Place = rows.place(number)
        row = decode_row(rows.key(number), rows.value(number), read.schema, places, place)
        return [row[place] for place in places]


def _rows(part: Partitions | None, read: TableRead | None, found: Range) -> Rows | None:
    if part is None or read is None:
        return None
    part.require_room(found, read.schema.name)
    return part.rows(found)


def _keys(rows: Rows | None) -> dict[bytes, int]:
    return {} if rows is None else {rows.key(number): number for number in range(len(rows))}


def _span(read: TableRead, ref: SstRef) -> list[tuple[bytes, bytes | None]]:
    """From where to where keys of the table lie in an object."""
    from metasnapshot.hummock.partitions import TABLE_ID_SIZE, user_key  # noqa: PLC0415
    from metasnapshot.hummock.table_blocks import table_meta  # noqa: PLC0415

    meta = table_meta(read.objects, ref, read.scan.table_id)
    if meta.deletes:
        return [(b"", None)]
    if not len(meta.blocks):
        return []
    is_last = int.from_bytes(meta.largest_key[:TABLE_ID_SIZE], "big") == read.scan.table_id
    end = user_key(meta.largest_key) if is_last else None
    return [(user_key(meta.blocks.keys[0]), end)]


def _common(before: TableRead | None, after: TableRead | None) -> list[tuple[int, int]]:
    """Places of the columns that both have, by id; of the one that there is, where it is alone."""
    if before is None or after is None:
        read = after or before
        assert read is not None
        return [(place, place) for place in read.places]
    old = {read.id: place for place, read in _columns(before)}
    return [
        (old[column.id], place)
        for place, column in _columns(after)
        if column.id in old and before.schema.columns[old[column.id]].type == column.type
    ]


def _columns(read: TableRead) -> Iterator[tuple[int, Any]]:
    return ((place, read.schema.columns[place]) for place in read.places)


def diff_tables(before: DataSide, after: DataSide, name: str | None = None) -> Iterator[TableDiff]:
    """Compare the rows of a table, or of all tables, each as it is done.

    Args:
        before: the earlier snapshot.
        after: the later one.
        name: of a table; None for all but internal ones.

    Raises:
        UsageError: there is no such table, or it cannot be read.
        ObjectMissing: an object is gone.
    """
    pairs = _pairs(before, after, name)
    for old, new in pairs:
        yield _diff(before, after, old, new, is_wanted=name is not None)


def _pairs(
    before: DataSide, after: DataSide, name: str | None
) -> list[tuple[DataTable | None, DataTable | None]]:
    sides: list[dict[int, DataTable]] = []
    for side in (before, after):
        tables = [table for table in data_tables(side.reader) if table.kind != INTERNAL]
        sides.append({table.id: table for table in tables})
    old, new = sides
    if name is None:
        return [(old.get(number), new.get(number)) for number in sorted({*old, *new})]
    try:
        number = find_table(after.reader, name).id
    except UsageError:
        number = find_table(before.reader, name).id
    return [(old.get(number), new.get(number))]


def _diff(
    before: DataSide,
    after: DataSide,
    old: DataTable | None,
    new: DataTable | None,
    *,
    is_wanted: bool,
) -> TableDiff:
    table = new or old
    assert table is not None
    found = TableDiff(table)
    wish = Wish(with_hidden=True)
    try:
        reads = [
            None if item is None else plan_read(side.reader, item, side.objects, wish)
            for side, item in ((before, old), (after, new))
        ]
    except UsageError as error:
        if is_wanted:
            raise
        found.refusal = str(error)
        return found
    for read in reads:
        if read is not None:
            read.objects.look_for(read.scan.refs)
    earlier, later = reads
    found.pair = Pair(earlier, later)
    found.not_compared = _left_out(earlier, later, found.pair.columns)
    found.count()
    return found


def _left_out(
    before: TableRead | None, after: TableRead | None, columns: list[tuple[int, int]]
) -> tuple[str, ...]:
    found: list[str] = []
    for side, read in enumerate((before, after)):
        if read is not None:
            compared = {pair[side] for pair in columns}
            found += [column.name for place, column in _columns(read) if place not in compared]
    return tuple(dict.fromkeys(found))
