from __future__ import annotations

import itertools
import struct
from typing import Any

import pytest
from arrow_values import back, same
from exhaustive import thin
from golden_rows import CASES, Case, objects, schema, shown, shown_key, version
from hypothesis import given
from hypothesis import strategies as st
from sst_writer import (
    LZ4,
    NONE,
    NOTHING,
    ZSTD,
    Entry,
    RangeEvent,
    Sst,
    delete,
    in_order,
    put,
    tombstones,
)

from metasnapshot.hummock.merge import table_versions
from metasnapshot.hummock.partitions import Partitions
from metasnapshot.hummock.scan import Scan, SstRef, Watermark, plan_scan
from metasnapshot.hummock.table_blocks import ObjectStore
from metasnapshot.hummock.visible import Range
from metasnapshot.rows.fit import Fit
from metasnapshot.rows.names import unique_names
from metasnapshot.rows.table import TableRead
from metasnapshot.sst.row import decode_row
from metasnapshot.sst.schema import Column, KeyColumn, TableSchema
from metasnapshot.sst.types import Kind, Type
from metasnapshot.store.memory import MemoryStore

FIT = Fit(unfit_as_text=True)
TABLE = 7


@pytest.mark.parametrize("case", thin(case for case in CASES if case.rows), ids=str)
def test_golden_rows_by_lanes(case: Case) -> None:
    """Every golden table at every epoch, in ranges of any size, has the rows that went in, and
    their columns as Arrow are the values that they were."""
    table = schema(case.tag, case.table)
    epoch = case.epoch_number
    scan = plan_scan(version(case.tag), case.table, epoch=epoch, retention_s=table.retention_s)
    for target in (1, 4000, 1 << 22):
        partitions = Partitions(objects(case.tag), scan, target)
        found = [rows for item in partitions.ranges if (rows := partitions.rows(item)) is not None]
        keys = [shown_key(rows.key(n)) for rows in found for n in range(len(rows))]
        assert keys == [row["key"] for row in case.rows]
        epochs = [str(number) for rows in found for number in rows.epoch.tolist()]
        assert epochs == [row["epoch"] for row in case.rows]
    places = tuple(range(len(table.columns)))
    read = TableRead(objects(case.tag), scan, table, places, fit=FIT)
    values = [column for _, columns in read.values() for column in columns]
    known = zip(*(row["v"] for row in case.rows), strict=True)
    for column, expected, here in zip(table.columns, known, values, strict=True):
        assert [shown(value, column.type) for value in here] == list(expected)
    (batch,) = read.batches()
    for number, column in enumerate(table.columns):
        arrow = back(batch.column(number), column.type, FIT)
        pairs = list(zip(values[number], arrow, strict=True))
        assert [pair for pair in pairs if not same(*pair, column.type, FIT)] == [], column.name


KINDS = (Kind.BIGINT, Kind.VARCHAR, Kind.BOOLEAN, Kind.DECIMAL)
COLUMNS = tuple(Column(f"c{n}", n + 1, Type(kind)) for n, kind in enumerate(KINDS))
VALUES = st.tuples(
    st.one_of(st.none(), st.integers(-(1 << 63), (1 << 63) - 1)),
    st.one_of(st.none(), st.text(max_size=20)),
    st.one_of(st.none(), st.booleans()),
    st.one_of(st.none(), st.integers(0, 1 << 96)),
)


def _wide(digits: int) -> bytes:
    return (digits % (1 << 96)).to_bytes(12, "little")


def encoded(values: tuple[Any, ...]) -> list[bytes]:
    number, text, flag, digits = values
    data = b"" if text is None else text.encode()
    return [
        b"" if number is None else struct.pack("<q", number),
        b"" if text is None else struct.pack("<I", len(data)) + data,
        b"" if flag is None else bytes([flag]),
        b"" if digits is None else struct.pack("<I", 3 << 16) + _wide(digits),
    ]


def basic(values: tuple[Any, ...]) -> bytes:
    return b"".join(b"\x01" + part if part else b"\x00" for part in encoded(values))


def versioned(values: tuple[Any, ...], ids: tuple[int, ...]) -> bytes:
    """A column-aware row; the columns of a smaller release may be missing."""
    parts = [encoded(values)[number - 1] for number in ids]
    offsets, at = b"", 0
    for part in parts:
        offsets += struct.pack("<H", at)
        at += len(part)
    head = b"\x82" + struct.pack(f"<I{len(ids)}i", len(ids), *ids)
    return head + offsets + b"".join(parts)


WRITES = st.lists(
    st.tuples(
        st.integers(0, 3),  # vnode
        st.binary(min_size=1, max_size=12),
        st.integers(1, 6),  # epoch
        st.integers(0, 2),  # spill offset
        st.one_of(st.none(), VALUES),
        st.integers(0, 4),  # SST
    ),
    min_size=1,
    max_size=80,
    unique_by=lambda item: (item[0], item[1], item[2], item[3]),
)


class World:
    """A table in a store of memory."""

    def __init__(self, data: st.DataObject) -> None:
        self.is_versioned = data.draw(st.booleans())
        self.writes = data.draw(WRITES)
        self.limit = data.draw(st.integers(0, 7)) << 16
        self.least = data.draw(st.sampled_from([0, 0, 2 << 16]))
        mark = data.draw(st.one_of(st.none(), st.binary(min_size=1, max_size=4)))
        self.watermarks = {} if mark is None else {1: Watermark(mark, is_ascending=True)}
        self.events = [data.draw(st.one_of(st.just([]), self._events())) for _ in range(5)]
        self.store = MemoryStore()
        self.sources = [self._write(data, number) for number in range(5)]

    def _write(self, data: st.DataObject, number: int) -> tuple[SstRef, ...]:
        mine = [item for item in self.writes if item[5] == number]
        if not mine and not self.events[number]:
            return ()
        found = in_order(map(self._entry, mine))
        size = data.draw(st.integers(1, 30))
        sst = Sst()
        for start in range(0, len(found), size):
            algorithm = data.draw(st.sampled_from([NONE, LZ4, ZSTD]))
            sst.add(TABLE, found[start : start + size], algorithm)
        sst.tombstones = tombstones(self.events[number])
        self.store.put_if_absent(f"d/{number}.data", sst.data())
        return (SstRef(number, len(sst.data()), 0),)

    def _events(self) -> st.SearchStrategy[list[RangeEvent]]:
        """Range deletes of an SST, in order, some of the tables before and behind this one."""
        keys = st.sampled_from([self.key(*item[:2]) for item in self.writes])
        own = st.tuples(st.just(TABLE), keys, st.booleans())
        other = st.tuples(st.sampled_from([TABLE - 1, TABLE + 1]), st.just(b"x"), st.booleans())
        epochs = st.one_of(st.just(NOTHING), st.integers(0, 7).map(lambda number: number << 16))
        return st.dictionaries(st.one_of(own, own, other), epochs, max_size=5).map(
            lambda found: [(*bound, found[bound]) for bound in sorted(found)]
        )

    def is_deleted(self, key: bytes, epoch: int) -> bool:
        """Whether a range delete that the read sees takes a version of a key away."""
        for events in self.events:
            for one, after in itertools.pairwise(events):
                if one[:3] <= (TABLE, key, False) < after[:3]:
                    delete = one[3]
                    if epoch >> 16 << 16 <= delete <= self.limit:
                        return True
        return False

    def _entry(self, item: tuple[Any, ...]) -> Entry:
        vnode, key, epoch, gap, values, _ = item
        number = epoch << 16 | gap
        table_key = self.key(vnode, key)
        if values is None:
            return delete(table_key, number)
        ids = (1, 2, 3, 4) if epoch > 2 else (2, 1)
        row = versioned(values, ids) if self.is_versioned else basic(values)
        return put(table_key, number, row)

    @staticmethod
    def key(vnode: int, key: bytes) -> bytes:
        """Keys of a table are prefix-free: a chunk of nine bytes says where each ends."""
        padded = b"".join(
            key[at : at + 8].ljust(8, b"\0") + bytes([min(len(key) - at, 9)])
            for at in range(0, len(key), 8)
        )
        return vnode.to_bytes(2, "big") + b"\x00\x01" + padded

    @property
    def scan(self) -> Scan:
        sources = tuple(source for source in self.sources if source)
        return Scan(TABLE, self.limit, self.least, sources, self.watermarks)

    @property
    def objects(self) -> ObjectStore:
        return ObjectStore(lambda: self.store, "d", prefixed=False)

    @property
    def schema(self) -> TableSchema:
        return TableSchema(TABLE, "t", COLUMNS, (KeyColumn(1),), (0, 1, 2, 3), self.is_versioned)

    def newest(self) -> dict[bytes, tuple[int, Any]]:
        """The rows, worked out from what was written."""
        found: dict[bytes, tuple[int, Any]] = {}
        for vnode, key, epoch, gap, values, _ in self.writes:
            number, table_key = epoch << 16 | gap, self.key(vnode, key)
            if not self.least <= epoch << 16 <= self.limit:
                continue
            if table_key not in found or found[table_key][0] < number:
                found[table_key] = number, values
        return {
            key: (number, self._shown(number, values))
            for key, (number, values) in sorted(found.items())
            if values is not None
            and not self.scan.hides(key, number)
            and not self.is_deleted(key, number)
        }

    def _shown(self, number: int, values: tuple[Any, ...]) -> tuple[Any, ...]:
        is_old = self.is_versioned and number >> 16 <= 2
        return (*values[:2], None, None) if is_old else values


@given(st.data())
def test_any_table(data: st.DataObject) -> None:
    """Any writes to any SSTs, at any epoch, with versions, deletes of keys and of ranges of keys,
    retention and watermarks, in ranges of any size: the rows are the newest of each key, by both
    ways and in both encodings."""
    world = World(data)
    expected = world.newest()
    one_by_one = list(table_versions(world.objects, world.scan))
    assert [item.table_key for item in one_by_one] == list(expected)
    assert [item.epoch for item in one_by_one] == [number for number, _ in expected.values()]
    target = data.draw(st.sampled_from([1, 300, 1 << 20]))
    partitions = Partitions(world.objects, world.scan, target)
    rows = [rows for item in partitions.ranges if (rows := partitions.rows(item)) is not None]
    assert [part.key(n) for part in rows for n in range(len(part))] == list(expected)
    wanted = data.draw(st.sampled_from([(0, 1, 2, 3), (1,), (3, 0)]))
    read = TableRead(world.objects, world.scan, world.schema, wanted, fit=Fit(decimal_scale=None))
    batches = list(read.batches())
    for number, place in enumerate(wanted):
        column = COLUMNS[place]
        found = [value for batch in batches for value in batch.column(number).to_pylist()]
        known = [values[place] for _, values in expected.values()]
        if column.type.kind is Kind.DECIMAL:
            known = [None if v is None else f"{v % (1 << 96):04}" for v in known]
            known = [None if v is None else f"{v[:-3]}.{v[-3:]}" for v in known]
        assert found == known
    for item in one_by_one:
        row = decode_row(item.table_key, item.value, world.schema, (0,), item.place)
        assert row[0] == expected[item.table_key][1][0]


def test_names_are_made_different() -> None:
    """Columns of one name are numbered, and no number makes a name that is there."""
    names = ["a", "a", "a_1", "b", "a"]
    assert unique_names(names) == ("a", "a_2", "a_1", "b", "a_3")
    assert unique_names(["x", "y"]) == ("x", "y")


def test_ranges_cover_all_keys() -> None:
    """Ranges lie one behind the other, the first from the start and the last without an end."""
    case = next(case for case in CASES if case.table % 100 == 6)
    scan = plan_scan(version(case.tag), case.table, epoch=case.epoch_number)
    ranges = Partitions(objects(case.tag), scan, 1).ranges
    assert (ranges[0].start, ranges[-1].end, len(ranges) > 1) == (b"", None, True)
    assert [item.end for item in ranges[:-1]] == [item.start for item in ranges[1:]]
    assert Partitions(objects(case.tag), Scan(TABLE, 1, 0, ()), 1).ranges == []
    assert Range(b"", None) == Partitions(objects(case.tag), scan, 1 << 30).ranges[0]
