from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sst_writer import NOTHING, RangeEvent, Sst, put, tombstones

from metasnapshot.errors import SstDamage, SstTruncated
from metasnapshot.sst.deletes import Bound, Event
from metasnapshot.sst.frame import check_frame
from metasnapshot.sst.meta import read_meta

EVENTS: list[RangeEvent] = [
    (6, b"q", False, 9),
    (7, b"a", True, 8),
    (7, b"b", False, NOTHING),
    (7, b"c", False, 5),
    (9, b"", False, 7),
]
START = Bound(b"", is_behind=False)
OF_TABLE = {
    5: [],
    6: [Event(Bound(b"q", is_behind=False), 9)],
    7: [
        Event(START, 9),
        Event(Bound(b"a", is_behind=True), 8),
        Event(Bound(b"b", is_behind=False), NOTHING),
        Event(Bound(b"c", is_behind=False), 5),
    ],
    8: [Event(START, 5)],
    9: [Event(START, 5), Event(START, NOTHING)],
    10: [],
}


def object_with(events: bytes) -> bytes:
    sst = Sst(tombstones=events)
    sst.add(7, [put(b"\x00\x01k", 1 << 16, b"v")])
    return sst.data()


@pytest.mark.parametrize("table_id", OF_TABLE)
def test_events_of_a_table(table_id: int) -> None:
    """Range deletes, as 0.19 to 1.7 wrote them, are counted, and those of a table kept: one that
    reaches into it from a table before begins at its start, and the last one ends all."""
    data = object_with(tombstones(EVENTS))
    assert check_frame(io.BytesIO(data), len(data)).tombstone_count == len(EVENTS)
    meta = read_meta(io.BytesIO(data), len(data), table_id=table_id)
    assert list(meta.deletes) == OF_TABLE[table_id]
    assert meta.tombstone_count == len(EVENTS)


ORDER = "out of order"
ONE = (7, b"a", False, 1)
WRONG: dict[str, tuple[bytes, type[Exception], str]] = {
    "fewer": (struct.pack("<I", 3) + tombstones([ONE, ONE])[4:], SstTruncated, "claims"),
    "more": (struct.pack("<I", 1) + tombstones([ONE, ONE])[4:], SstDamage, "does not end"),
    "keys": (tombstones([(7, b"b", False, 1), ONE]), SstDamage, ORDER),
    "behind": (tombstones([(7, b"a", True, 1), ONE]), SstDamage, ORDER),
    "tables": (tombstones([(8, b"a", False, 1), ONE]), SstDamage, ORDER),
    "flag": (struct.pack("<I", 1) + struct.pack(">IIBQ", 7, 0, 2, 0), SstDamage, ORDER),
    "long key": (struct.pack("<I", 1) + struct.pack(">II", 7, 1 << 31), SstTruncated, "claims"),
    "very many": (struct.pack("<I", (1 << 32) - 1), SstTruncated, "claims"),
}


@pytest.mark.parametrize("name", WRONG)
def test_events_that_are_none(name: str) -> None:
    """Events that no release writes are damage, whatever the hash over them says."""
    events, kind, words = WRONG[name]
    data = object_with(events)
    with pytest.raises(kind, match=words):
        check_frame(io.BytesIO(data), len(data))


USER_KEYS = st.tuples(st.integers(1, 1 << 20), st.binary(max_size=40)).map(
    lambda found: found[0].to_bytes(4, "big") + found[1]
)


@given(st.lists(st.tuples(USER_KEYS, USER_KEYS, st.integers(0, 1 << 62)), min_size=1, max_size=5))
def test_ranges_of_0_18_are_refused(ranges: list[tuple[bytes, bytes, int]]) -> None:
    """0.18 wrote pairs of keys and a sequence: they are taken neither for events nor for none."""
    pairs = (
        b"".join(struct.pack("<I", len(key)) + key for key in (start, end))
        + struct.pack("<Q", sequence)
        for start, end, sequence in ranges
    )
    data = object_with(struct.pack("<I", len(ranges)) + b"".join(pairs))
    with pytest.raises(SstDamage):
        check_frame(io.BytesIO(data), len(data))
