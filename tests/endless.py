"""A table of any size that lies nowhere: SSTs that overlap, whose blocks are made when they are
read, all out of one block under rewritten keys. Run as a program it reads tables of some sizes into
Parquet, one after the other, and prints the peak of its RSS after each.
"""

from __future__ import annotations

import io
import json
import random
import struct
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rows_made import A_KINDS, row_of, schema
from sst_writer import Block, Sst, body, put, seal

from metasnapshot.heap import return_large_blocks
from metasnapshot.hummock.scan import Scan, SstRef
from metasnapshot.hummock.table_blocks import ObjectStore
from metasnapshot.rows.table import TableRead
from metasnapshot.rows.writers import write_parquet
from metasnapshot.sst.schema import Column, KeyColumn, TableSchema
from metasnapshot.sst.types import Kind, Type

TABLE_ID = 5
EPOCH = 9 << 16
TEXT_ROWS, TEXT_SIZE, EIGHT_ROWS = 150, 400, 370
"""Rows of a block of either table, and bytes of a text."""
TEXTS = TableSchema(
    TABLE_ID,
    "endless",
    (Column("id", 1, Type(Kind.BIGINT)), Column("t", 2, Type(Kind.VARCHAR))),
    (KeyColumn(0),),
    (0, 1),
    is_versioned=False,
)


def text_row(row: int, _: random.Random) -> bytes:
    text = f"{row:04}".encode() * (TEXT_SIZE // 4)
    return struct.pack("<BqBI", 1, row, 1, len(text)) + text


class RowKind(NamedTuple):
    """What rows are like."""

    schema: TableSchema
    rows: int
    make: Callable[[int, random.Random], bytes]


EIGHT = schema(A_KINDS, is_versioned=True)
KINDS = {
    "texts": RowKind(TEXTS, TEXT_ROWS, text_row),
    "eight": RowKind(EIGHT, EIGHT_ROWS, partial(row_of, EIGHT)),
}


def block_body(kind: RowKind, place: int, sst: int) -> Any:
    """A block with rows (place, 0, sst), (place, 1, sst), …: those of all SSTs are interleaved."""
    rng = random.Random(1)  # noqa: S311
    entries = [
        put(struct.pack(">HBIHH", 0, 0, place, row, sst), EPOCH, kind.make(row, rng))
        for row in range(kind.rows)
    ]
    return np.frombuffer(body(entries, TABLE_ID), np.uint8)


class Template:
    """One block, and where in it its place and its SST stand."""

    def __init__(self, kind: RowKind) -> None:
        self._body = block_body(kind, 0, 0)
        self._places = np.flatnonzero(self._body != block_body(kind, (1 << 32) - 1, 0))
        self._ssts = np.flatnonzero(self._body != block_body(kind, 0, (1 << 16) - 1))
        self.size = len(self._body)
        self.stored_size = len(self.block(0, 0))

    def block(self, place: int, sst: int) -> bytes:
        data = self._body.copy()
        for places, number in ((self._places, struct.pack(">I", place)), (self._ssts, sst)):
            found = number if isinstance(number, bytes) else struct.pack(">H", number)
            data[places] = np.resize(np.frombuffer(found, np.uint8), len(places))
        return seal(data.tobytes(), 0)


class Endless:
    """A store whose objects are made as they are read."""

    def __init__(self, ssts: int, blocks: int, kind: str = "texts") -> None:
        self.ssts, self.blocks, self._kind = ssts, blocks, kind
        self.kind = KINDS[kind]
        self.rows = ssts * blocks * self.kind.rows
        self.template = Template(self.kind)
        self.meta_offset = blocks * self.template.stored_size

    @cached_property
    def size(self) -> int:
        return self.meta_offset + len(self.meta(0))

    def meta(self, sst: int) -> bytes:
        rows = self.kind.rows
        found = Sst(key_count=self.blocks * rows)
        for place in range(self.blocks):
            key = struct.pack(">IHBIHHQ", TABLE_ID, 0, 0, place, 0, sst, EPOCH)
            offset, size = place * self.template.stored_size, self.template.stored_size
            found.blocks.append(Block(b"", key, self.template.size, rows, 0, offset, size))
        found.smallest_key = found.blocks[0].smallest_key
        found.largest_key = struct.pack(
            ">IHBIHHQ", TABLE_ID, 0, 0, self.blocks - 1, rows - 1, sst, EPOCH
        )
        return found.meta(self.meta_offset)

    @contextmanager
    def open_reader(self, path: str) -> Generator[Any]:
        yield EndlessFile(self, int(Path(path).stem))

    def read(self, memory: int = 1 << 30) -> TableRead:
        refs = tuple((SstRef(number, self.size, 0),) for number in range(self.ssts))
        connect: Any = partial(Endless, self.ssts, self.blocks, self._kind)
        objects = ObjectStore(connect, "d", prefixed=False)
        scan = Scan(TABLE_ID, EPOCH, 0, refs)
        places = tuple(range(len(self.kind.schema.columns)))
        return TableRead(objects, scan, self.kind.schema, places, memory=memory)


class EndlessFile:
    """One object."""

    def __init__(self, store: Endless, sst: int) -> None:
        self._store, self._sst, self._at = store, sst, 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (self._store.size if whence else 0)
        return self._at

    def read(self, size: int = -1) -> bytes:
        store, at = self._store, self._at
        end = store.size if size < 0 else min(at + size, store.size)
        out = io.BytesIO()
        while at < end and at < store.meta_offset:
            place, skipped = divmod(at, store.template.stored_size)
            data = store.template.block(place, self._sst)[skipped : skipped + end - at]
            out.write(data)
            at += len(data)
        if at < end:
            meta = store.meta(self._sst)
            out.write(meta[at - store.meta_offset : end - store.meta_offset])
        self._at = end
        return out.getvalue()


def peak() -> int:
    """Bytes of RSS at most, of this program alone."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def _cost(read: TableRead) -> int:
    """Of the range that takes most. What is cut for that is gone before anything is read."""
    partitions = read.cut()
    return max(map(partitions.cost, partitions.ranges))


def main() -> int:
    """Sizes in MB; the number of SSTs comes first. The process is like one of the command."""
    return_large_blocks()
    ssts, *sizes = map(int, sys.argv[1:])
    found: list[dict[str, int]] = [{"peak": peak()}]
    for size in sizes:
        store = Endless(ssts, max(1, size * 1_000_000 // ssts // Endless(1, 1).template.size))
        read = store.read()
        cost = _cost(read)
        with Path("/dev/null").open("wb") as file:
            rows = write_parquet(read, file, {}, lambda _: None)
        assert rows == store.rows
        size_all = ssts * store.blocks * store.template.size
        found.append({"size": size_all, "cost": cost, "peak": peak()})
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
