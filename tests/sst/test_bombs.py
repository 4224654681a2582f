"""Few bytes that would take much memory: each is an error, before it does."""

from __future__ import annotations

import functools
import struct
import tracemalloc
from collections.abc import Callable

import pytest
import zstandard
from sst_writer import LZ4, NONE, ZSTD, Block, Sst, body, compress, put, seal

from metasnapshot.errors import DamageError, UsageError
from metasnapshot.hummock.scan import Scan, SstRef
from metasnapshot.hummock.table_blocks import ObjectStore
from metasnapshot.rows.fit import Fit
from metasnapshot.rows.lines import lines_of
from metasnapshot.rows.table import TableRead
from metasnapshot.sst.content import read_content
from metasnapshot.sst.schema import Column, KeyColumn, TableSchema
from metasnapshot.sst.types import Field, Kind, Type
from metasnapshot.store.memory import MemoryStore

TABLE = 7
EPOCH = 9 << 16
LIMIT = 64 << 20
NOTHING = bytes(80 << 20)
INTS = Type(Kind.LIST, (Field("element", Type(Kind.INT)),))


def key(number: int) -> bytes:
    return struct.pack(">HBQ", 0, 0, number)


def one(value: bytes = b"\x01" + struct.pack("<I", 0)) -> Sst:
    """An SST with one row."""
    sst = Sst()
    sst.add(TABLE, [put(key(1), EPOCH, value)], LZ4)
    return sst


def read_of(sst: Sst, type_: Type, memory: int = 1 << 30) -> TableRead:
    store = MemoryStore()
    store.put_if_absent("d/1.data", sst.data())
    objects = ObjectStore(lambda: store, "d", prefixed=False)
    scan = Scan(TABLE, EPOCH, 0, ((SstRef(1, len(sst.data()), 0),),))
    column = Column("c", 1, type_)
    columns = (column, Column("k", 2, Type(Kind.BIGINT)))
    schema = TableSchema(TABLE, "t", columns, (KeyColumn(1),), (0,), is_versioned=False)
    return TableRead(objects, scan, schema, (0,), memory=memory, ahead=False)


def with_block(stored: bytes, size: int, count: int = 1) -> Sst:
    sst = one()
    first = sst.blocks[0].smallest_key
    sst.blocks = [Block(stored, first, size, count)]
    sst.key_count = count
    return sst


def layout_bomb(types: int, restarts: int) -> Sst:
    """A block whose end claims so many entries of types and restarts."""
    data = body([put(key(1), EPOCH, b"\x00")], TABLE)[:-13]
    data += struct.pack("<I", restarts) + b"\0\0\0\0\x11" + struct.pack("<II", types, TABLE)
    return with_block(seal(data, NONE), len(data))


def stated_zstd(size: int) -> bytes:
    return zstandard.ZstdCompressor().compress(bytes(size))


@functools.cache
def one_restart(count: int, said: int) -> Sst:
    """A block of so many entries with one restart."""
    entries = [put(key(n), EPOCH, b"\x00") for n in range(count)]
    data = body(entries, TABLE, interval=count)
    return with_block(seal(compress(data, LZ4), LZ4), len(data), said)


def list_of(count: int) -> bytes:
    return b"\x01" + struct.pack("<I", count) + b"\x01\x00\x00\x00\x00"


BOMBS: dict[str, Callable[[], Sst]] = {
    "a frame of lz4 that holds more than is said": lambda: with_block(
        seal(compress(NOTHING, LZ4), LZ4), 100
    ),
    "a frame of zstd that holds more than is said": lambda: with_block(
        seal(compress(NOTHING, ZSTD), ZSTD), 100
    ),
    "a frame of lz4 that holds less than is said": lambda: with_block(
        seal(compress(b"x", LZ4), LZ4), 3 << 30
    ),
    "a frame of zstd that holds less than is said": lambda: with_block(
        seal(compress(b"x", ZSTD), ZSTD), 3 << 30
    ),
    "a frame of zstd that states another size": lambda: with_block(
        seal(stated_zstd(80 << 20), ZSTD), 100
    ),
    "a million entries behind one restart, said to be one": lambda: one_restart(1_000_000, 1),
    "more types than bytes": lambda: layout_bomb((1 << 32) - 1, 1),
    "more restarts than bytes": lambda: layout_bomb(1, (1 << 32) - 1),
    "a list of 2^32 - 1": lambda: one(list_of((1 << 32) - 1)),
    "a text of 2^32 - 1": lambda: one(b"\x01" + b"\xff" * 4 + b"x"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_an_error_in_little_memory(name: str) -> None:
    """A read ends with damage, and takes less than 64 MiB on its way."""
    read = read_of(BOMBS[name](), Type(Kind.VARCHAR) if "text" in name else INTS)
    tracemalloc.start()
    try:
        with pytest.raises(DamageError):
            list(read.batches())
        assert tracemalloc.get_traced_memory()[1] < LIMIT
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", [name for name in BOMBS if " of 2^32" not in name])
def test_a_content_check_takes_little_memory(name: str) -> None:
    """The content check, which knows no values, finds the same and takes as little."""
    data = BOMBS[name]().data()
    store = MemoryStore()
    store.put_if_absent("x", data)
    tracemalloc.start()
    try:
        with store.open_reader("x") as file, pytest.raises(DamageError):
            read_content(file, len(data))
        assert tracemalloc.get_traced_memory()[1] < LIMIT
    finally:
        tracemalloc.stop()


def test_a_million_entries_behind_one_restart() -> None:
    """Where they are as many as is said they are rows; with little memory the read ends before."""
    with pytest.raises(UsageError, match="cannot be cut"):
        list(read_of(one_restart(1_000_000, 1_000_000), INTS, LIMIT).batches())
    read = read_of(one_restart(50_000, 50_000), INTS)
    assert sum(batch.num_rows for batch in read.batches()) == 50_000


def nested(depth: int) -> tuple[Type, bytes]:
    """A list in lists, and a value of it."""
    type_, value = Type(Kind.INT), struct.pack("<i", 7)
    for _ in range(depth):
        type_, value = Type(Kind.LIST, (Field("element", type_),)), b"\1\0\0\0\1" + value
    return type_, b"\x01" + value


def test_nesting_of_200() -> None:
    """A type 200 deep is read into a line of JSON, 200 deep; what claims to be deeper is damage."""
    type_, value = nested(200)
    ((count, line),) = list(lines_of(read_of(one(value), type_), "jsonl"))
    assert (count, line.count(b"["), b"7" in line) == (1, 200, True)
    with pytest.raises(DamageError):
        list(read_of(one(value[:-8]), type_).batches())
    assert Fit().arrow_type(type_) is not None
