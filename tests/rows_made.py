"""Tables for the benchmark of reading: SSTs of a given number of rows, written by the tests' own
writer. (a) is a table with eight columns, column-aware; (b) a materialized view with four, basic.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from sst_writer import Entry, Sst, delete, put

from metasnapshot.hummock.scan import Scan, SstRef
from metasnapshot.hummock.table_blocks import ObjectStore
from metasnapshot.sst.schema import Column, KeyColumn, TableSchema
from metasnapshot.sst.types import Kind, Type
from metasnapshot.store.local import LocalStore

TABLE_ID = 77
BLOCK_SIZE = 64 << 10
EPOCH = 1000 << 16
DIRECTORY = "data"
VNODES = 256
NULL_SHARE = 0.05
A_KINDS = (
    Kind.BIGINT,
    Kind.INT,
    Kind.DOUBLE,
    Kind.TIMESTAMP,
    Kind.VARCHAR,
    Kind.DECIMAL,
    Kind.BOOLEAN,
    Kind.JSONB,
)
B_KINDS = (Kind.BIGINT, Kind.VARCHAR, Kind.DOUBLE, Kind.TIMESTAMPTZ)
WORDS = ("amber", "birch", "cedar", "dune", "ember", "fjord", "grove", "heath")


class Made(NamedTuple):
    """A table in a directory."""

    objects: ObjectStore
    scan: Scan
    schema: TableSchema
    rows: int
    raw_size: int


def schema(kinds: tuple[Kind, ...], *, is_versioned: bool) -> TableSchema:
    columns = tuple(Column(f"c{n}", n + 1, Type(kind)) for n, kind in enumerate(kinds))
    return TableSchema(
        TABLE_ID, "made", columns, (KeyColumn(0),), tuple(range(len(kinds))), is_versioned
    )


def _text(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data


Maker = Callable[[int, random.Random], bytes]
_VALUES: dict[Kind, Maker] = {
    Kind.BIGINT: lambda number, _: struct.pack("<q", number),
    Kind.INT: lambda _, rng: struct.pack("<i", rng.randrange(-(1 << 31), 1 << 31)),
    Kind.DOUBLE: lambda _, rng: struct.pack("<d", rng.random() * 1e6),
    Kind.TIMESTAMP: lambda number, rng: struct.pack(
        "<qI", 1_600_000_000 + number, rng.randrange(1_000_000) * 1000
    ),
    Kind.TIMESTAMPTZ: lambda number, _: struct.pack("<q", 1_600_000_000_000_000 + number),
    Kind.VARCHAR: lambda number, rng: _text(
        f"{rng.choice(WORDS)} {rng.choice(WORDS)} {number % 1000}".encode()
    ),
    Kind.DECIMAL: lambda _, rng: struct.pack("<4I", 2 << 16, rng.randrange(1 << 30), 0, 0),
    Kind.BOOLEAN: lambda _, rng: bytes([rng.randrange(2)]),
    Kind.JSONB: lambda _, rng: _text(
        f'\x01{{"k":{rng.randrange(1000)},"w":"{rng.choice(WORDS)}"}}'.encode()
    ),
}


def row_of(table: TableSchema, number: int, rng: random.Random) -> bytes:
    values = [
        b"" if place and rng.random() < NULL_SHARE else _VALUES[column.type.kind](number, rng)
        for place, column in enumerate(table.columns)
    ]
    if not table.is_versioned:
        return b"".join(b"\x01" + value if value else b"\x00" for value in values)
    offsets, at = [], 0
    for value in values:
        offsets.append(at)
        at += len(value)
    width, code = (1, "B") if offsets[-1] <= 0xFF else (2, "H")
    count = len(values)
    ids = struct.pack(f"<{count}i", *(column.id for column in table.columns))
    head = bytes([0x80 | width]) + struct.pack("<I", count) + ids
    return head + struct.pack(f"<{count}{code}", *offsets) + b"".join(values)


def key_of(number: int, rows: int) -> bytes:
    """Vnode and bigint key; numbers ascend as keys do."""
    vnode = number * VNODES // max(rows, 1)
    return struct.pack(">HBQ", vnode, 0, (1 << 63) + number)


def entries(
    table: TableSchema,
    rows: int,
    numbers: Iterator[int],
    epoch: int,
    rng: random.Random,
    *,
    deletes: float,
) -> Iterator[Entry]:
    for number in numbers:
        key = key_of(number, rows)
        if rng.random() < deletes:
            yield delete(key, epoch)
        else:
            yield put(key, epoch, row_of(table, number, rng))


def _ssts(table: TableSchema, rows: int, count: int, algorithm: int) -> Iterator[Sst]:
    """One SST with all rows, or several that overlap: a tenth are deletes, and a tenth of the keys
    are there twice."""
    rng = random.Random(rows + count)  # noqa: S311
    for place in range(count):
        chosen = (
            range(rows)
            if count == 1
            else (
                n
                for n in range(rows)
                if n % count == place or (place and rng.random() < 0.1 / count)
            )
        )
        sst, waiting, size = Sst(), list[Entry](), 0
        found = entries(
            table,
            rows,
            iter(chosen),
            EPOCH - (count - place) * 65536,
            rng,
            deletes=0.1 if count > 1 else 0.0,
        )
        for key, value in found:
            waiting.append((key, value))
            size += len(key) + len(value)
            if size >= BLOCK_SIZE:
                sst.add(TABLE_ID, waiting, algorithm)
                waiting, size = [], 0
        if waiting:
            sst.add(TABLE_ID, waiting, algorithm)
        yield sst


def make(folder: Path, kind: str, rows: int, count: int, algorithm: int) -> Made:
    """Write table (a) or (b), with so many rows, in so many SSTs."""
    table = schema(A_KINDS if kind == "a" else B_KINDS, is_versioned=kind == "a")
    place = folder / DIRECTORY
    place.mkdir(parents=True, exist_ok=True)
    refs: list[SstRef] = []
    total = raw = 0
    for number, sst in enumerate(_ssts(table, rows, count, algorithm), 1):
        data = sst.data()
        (place / f"{number}.data").write_bytes(data)
        refs.append(SstRef(number, len(data), 0))
        total += sst.key_count
        raw += sum(block.uncompressed_size for block in sst.blocks)
    scan = Scan(TABLE_ID, EPOCH, 0, tuple((ref,) for ref in refs))
    connect: Callable[[], LocalStore] = partial(LocalStore, folder)
    return Made(ObjectStore(connect, DIRECTORY, prefixed=False), scan, table, total, raw)
