"""An SST writer of the tests' own: what it writes is known, and each part may be made to lie."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import lz4.frame  # pyright: ignore[reportMissingTypeStubs]
import xxhash
import zstandard

NONE, LZ4, ZSTD = 0, 1, 2
RESTART_INTERVAL = 16
U16_MAX = 65535
MAGIC = 0x5785AB73
PUT, DELETE = b"\x00", b"\x01"

Entry = tuple[bytes, bytes]
"""Table key and epoch as in a block, and the value with its tag."""


RangeEvent = tuple[int, bytes, bool, int]
"""Of range deletes: table, table key, whether it is behind that key, and the epoch up to which
versions are deleted from there on."""
NOTHING = (1 << 64) - 1


def tombstones(events: Sequence[RangeEvent]) -> bytes:
    """The range deletes of a meta, as 0.19 to 1.7 wrote them."""
    return struct.pack("<I", len(events)) + b"".join(
        struct.pack(">II", table_id, len(key)) + key + struct.pack("<BQ", is_behind, epoch)
        for table_id, key, is_behind, epoch in events
    )


def key_of(table_key: bytes, epoch: int) -> bytes:
    return table_key + epoch.to_bytes(8, "big")


def put(table_key: bytes, epoch: int, value: bytes) -> Entry:
    return key_of(table_key, epoch), PUT + value


def delete(table_key: bytes, epoch: int) -> Entry:
    return key_of(table_key, epoch), DELETE


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """By user key, then by falling epoch."""
    return sorted(entries, key=lambda entry: (entry[0][:-8], -int.from_bytes(entry[0][-8:], "big")))


def width(size: int) -> int:
    """The code of the narrowest of u8, u16, u32."""
    return 1 if size <= 0xFF else 2 if size <= U16_MAX else 3


def _number(value: int, code: int) -> bytes:
    return value.to_bytes({1: 1, 2: 2, 3: 4}[code], "big")


def body(entries: Sequence[Entry], table_id: int, interval: int = RESTART_INTERVAL) -> bytes:
    """The unpacked bytes of a block."""
    out = bytearray()
    restarts: list[int] = []
    types: list[tuple[int, int]] = []
    last, now = b"", (0, 0)
    for number, (key, value) in enumerate(entries):
        wanted = (width(len(key)), width(len(value)))
        overlap = 0
        if wanted != now or number % interval == 0:
            restarts.append(len(out))
        else:
            limit = min(len(last), len(key), U16_MAX)
            while overlap < limit and last[overlap] == key[overlap]:
                overlap += 1
        if wanted != now:
            types.append((len(out), wanted[0] << 4 | wanted[1]))
            now = wanted
        out += _number(overlap, now[0]) + _number(len(key) - overlap, now[0])
        out += _number(len(value), now[1]) + key[overlap:] + value
        last = key
    out += b"".join(struct.pack("<I", offset) for offset in restarts)
    out += struct.pack("<I", len(restarts))
    out += b"".join(struct.pack("<IB", *item) for item in types)
    return bytes(out + struct.pack("<II", len(types), table_id))


def compress(data: bytes, algorithm: int) -> bytes:
    """As RisingWave: frames that do not say how much they hold."""
    if algorithm == LZ4:
        return lz4.frame.compress(
            data, compression_level=4, content_checksum=True, store_size=False, block_linked=True
        )
    if algorithm == ZSTD:
        target = io.BytesIO()
        with zstandard.ZstdCompressor(level=4).stream_writer(target, closefd=False) as writer:
            writer.write(data)
        return target.getvalue()
    return data


def seal(data: bytes, algorithm: int) -> bytes:
    """A block as stored, of its compressed bytes."""
    hashed = data + bytes([algorithm])
    return hashed + struct.pack("<Q", xxhash.xxh64_intdigest(hashed))


@dataclass
class Block:
    """A block and what the meta will say of it; fields may be set to lies."""

    stored: bytes
    smallest_key: bytes
    uncompressed_size: int
    total_key_count: int = 0
    stale_key_count: int = 0
    offset: int | None = None
    size: int | None = None


@dataclass
class Sst:
    """An object in the making."""

    blocks: list[Block] = field(default_factory=list)
    filter: bytes = b""
    smallest_key: bytes = b""
    largest_key: bytes = b""
    key_count: int = 0
    epochs: list[int] = field(default_factory=list)
    table_ids: set[int] = field(default_factory=set)
    tombstones: bytes = struct.pack("<I", 0)
    estimated_size: int | None = None
    version: int = 2

    def add(
        self,
        table_id: int,
        entries: Sequence[Entry],
        algorithm: int = NONE,
        *,
        interval: int = RESTART_INTERVAL,
        raw: bytes | None = None,
    ) -> Block:
        """Add a block of these entries; `raw` overrides its unpacked bytes."""
        prefix = struct.pack(">I", table_id)
        data = body(entries, table_id, interval) if raw is None else raw
        user_keys = [key[:-8] for key, _ in entries]
        stale = sum(
            value[:1] == DELETE or (i > 0 and user_keys[i] == user_keys[i - 1])
            for i, (_, value) in enumerate(entries)
        )
        block = Block(
            seal(compress(data, algorithm), algorithm),
            prefix + entries[0][0],
            len(data),
            len(entries),
            stale,
        )
        self.blocks.append(block)
        self.smallest_key = self.smallest_key or prefix + entries[0][0]
        self.largest_key = prefix + entries[-1][0]
        self.key_count += len(entries)
        self.epochs += [int.from_bytes(key[-8:], "big") for key, _ in entries]
        self.table_ids.add(table_id)
        return block

    def block_metas(self) -> bytes:
        out, at = b"", 0
        for block in self.blocks:
            offset = at if block.offset is None else block.offset
            size = len(block.stored) if block.size is None else block.size
            out += struct.pack("<III", offset, size, block.uncompressed_size)
            if self.version != 1:
                out += struct.pack("<II", block.total_key_count, block.stale_key_count)
            out += _sized(block.smallest_key)
            at += len(block.stored)
        return out

    def meta(self, meta_offset: int) -> bytes:
        before = struct.pack("<I", len(self.blocks)) + self.block_metas() + _sized(self.filter)
        after = struct.pack("<I", self.key_count) + _sized(self.smallest_key)
        after += _sized(self.largest_key) + self.tombstones + struct.pack("<Q", meta_offset)
        size = meta_offset + len(before) + 4 + len(after) + 16
        size = size if self.estimated_size is None else self.estimated_size
        return seal_meta(before + struct.pack("<I", size) + after, self.version)

    def data(self) -> bytes:
        """The whole object."""
        blocks = b"".join(block.stored for block in self.blocks)
        return blocks + self.meta(len(blocks))

    def info(self, message: Any, object_id: int, sst_id: int | None = None) -> Any:
        """Fill a SstableInfo message with what is true of the object."""
        data = self.data()
        meta_offset = sum(len(block.stored) for block in self.blocks)
        message.object_id, message.sst_id = object_id, sst_id or object_id
        message.key_range.left, message.key_range.right = self.smallest_key, self.largest_key
        message.file_size, message.meta_offset = len(data), meta_offset
        raw = sum(block.uncompressed_size for block in self.blocks)
        message.uncompressed_file_size = raw + len(data) - meta_offset
        message.total_key_count = self.key_count
        message.stale_key_count = sum(block.stale_key_count for block in self.blocks)
        pure = [epoch & ~0xFFFF for epoch in self.epochs]
        message.min_epoch, message.max_epoch = min(pure), max(pure)
        message.table_ids.extend(sorted(self.table_ids))
        return message


def seal_meta(hashed: bytes, version: int = 2) -> bytes:
    """A meta with its checksum, version and magic."""
    checksum = xxhash.xxh64_intdigest(hashed)
    return hashed + struct.pack("<QII", checksum, version, MAGIC)


def reseal(data: bytes, meta_offset: int) -> bytes:
    """An object whose meta was changed, with a hash that fits again."""
    return data[:-16] + struct.pack("<Q", xxhash.xxh64_intdigest(data[meta_offset:-16])) + data[-8:]


def _sized(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data
