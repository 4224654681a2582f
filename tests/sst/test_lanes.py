from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from golden_ssts import IDS, OBJECTS, facts, path
from hypothesis import given
from hypothesis import strategies as st
from sst_writer import body, in_order, put

from metasnapshot.errors import SstDamage
from metasnapshot.sst.block import Bytes, read_block
from metasnapshot.sst.buffer import Buffer, Entries
from metasnapshot.sst.lanes import walk_lanes
from metasnapshot.sst.place import Place
from metasnapshot.sst.scalar import read_layout, walk

HERE = Place("x")
TABLE = 7


def by_lanes(bodies: Sequence[Bytes], table: int = TABLE) -> list[Any] | None:
    """Key, epoch and value of every entry."""
    buffer = Buffer(bodies)
    found = walk_lanes(buffer, bodies, table, [None] * len(bodies))
    return None if found is None else shown(buffer, found)


def shown(buffer: Buffer, found: Entries) -> list[Any]:
    data = buffer.data.tobytes()
    spans = zip(found.start.tolist(), found.size.tolist(), strict=True)
    return [
        (found.key(n) + int(found.epoch[n]).to_bytes(8, "big"), data[start : start + size])
        for n, (start, size) in enumerate(spans)
    ]


def one_by_one(bodies: Sequence[Bytes], table: int = TABLE) -> list[Any] | None:
    found: list[Any] = []
    try:
        for data in bodies:
            found += [(e.key, bytes(data[e.start : e.end])) for e in walk(data, HERE, table)]
    except SstDamage:
        return None
    return found


@pytest.mark.parametrize(("tag", "number"), OBJECTS, ids=IDS)
def test_golden_blocks_by_lanes(tag: str, number: int) -> None:
    """Lanes give the entries that the walk one by one gives; blocks with long keys they leave."""
    data = path(tag, number).read_bytes()
    by_table: dict[int, list[Bytes]] = {}
    for block in facts(tag)[number]["blocks"]:
        stored = data[block["offset"] : block["offset"] + block["len"]]
        unpacked = read_block(stored, block["uncompressed_size"], HERE)
        by_table.setdefault(read_layout(unpacked, HERE).table_id, []).append(unpacked)
    for table, bodies in by_table.items():
        expected = one_by_one(bodies, table)
        found = by_lanes(bodies, table)
        is_long = any(len(key) > 248 for key, _ in expected or [])
        assert (found is None) == is_long
        assert is_long or found == expected


KEYS = st.binary(min_size=0, max_size=40).map(lambda key: b"\0\1" + key)
ENTRIES = st.lists(
    st.tuples(KEYS, st.integers(1, 1 << 20), st.binary(max_size=300)),
    min_size=1,
    max_size=60,
    unique_by=lambda item: item[:2],
)


def made(entries: list[tuple[bytes, int, bytes]], interval: int = 16) -> bytes:
    return body(in_order(put(*entry) for entry in entries), TABLE, interval)


@given(st.lists(ENTRIES, min_size=1, max_size=4), st.sampled_from([1, 2, 16, 64]))
def test_blocks_by_lanes(blocks: list[list[tuple[bytes, int, bytes]]], interval: int) -> None:
    """Any blocks, with keys of any length, many versions and wide values, come out the same."""
    bodies = [made(entries, interval) for entries in blocks]
    assert by_lanes(bodies) == one_by_one(bodies)


@given(ENTRIES, st.data())
def test_mutated_blocks(entries: list[tuple[bytes, int, bytes]], data: st.DataObject) -> None:
    """Whatever bytes a block has: where lanes give entries they are those of the walk one by one,
    and where that finds damage they give nothing."""
    block = bytearray(made(entries, data.draw(st.sampled_from([2, 16]))))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(block) - 5))
        block[at] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del block[data.draw(st.integers(0, len(block) - 1)) :]
    bodies = [bytes(block), made(entries)]
    found = by_lanes(bodies)
    assert found is None or found == one_by_one(bodies)


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes(data: bytes, ends_well: bool) -> None:  # noqa: FBT001
    """Bytes that are no block are none to either walk."""
    block = data + TABLE.to_bytes(4, "little") if ends_well else data
    with suppress(SstDamage):
        list(walk(block, HERE, TABLE))
    found = by_lanes([block])
    assert found is None or found == one_by_one([block])


@given(ENTRIES, KEYS)
def test_keys_before_a_bound(entries: list[tuple[bytes, int, bytes]], bound: bytes) -> None:
    """Keys are compared as bytes are."""
    bodies = [made(entries)]
    found = walk_lanes(Buffer(bodies), bodies, TABLE, [None])
    assert found is not None
    keys = [found.key(n) for n in range(len(found.epoch))]
    assert [key < bound for key in keys] == found.is_before(bound).tolist()
    assert np.array_equal(found.pick(np.arange(len(keys))).epoch, found.epoch)


def test_counts_and_tables_that_differ() -> None:
    """Lanes give nothing where a block has another count of entries, or is of another table."""
    bodies = [made([(b"\0\1a", 1 << 16, b"x")]), made([(b"\0\1b", 1 << 16, b"x")])]
    buffer = Buffer(bodies)
    assert walk_lanes(buffer, bodies, TABLE, [1, 1]) is not None
    assert walk_lanes(buffer, bodies, TABLE, [1, 2]) is None
    assert walk_lanes(buffer, bodies, TABLE + 1, [1, 1]) is None
