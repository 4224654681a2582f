"""SST objects: entries -> the bytes of a file and its SstableInfo, and back, as a release of today
writes them (src/storage/src/hummock/sstable/builder.rs, block.rs and mod.rs at v3.0.3).

The filter is left empty, which a reader takes for none. Reading checks every hash.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import lz4.frame  # pyright: ignore[reportMissingTypeStubs]
import xxhash
import zstandard

from metasnapshot.format import messages
from metasnapshot.hummock.keys import table_id

BLOCK_SIZE = 4096
RESTART_INTERVAL = 16
MAGIC, VERSION = 0x5785AB73, 2
PUT, DELETE = b"\0", b"\1"
NO_COMPRESSION, LZ4, ZSTD = 0, 1, 2
U8, U16, U32 = 1, 2, 3
"""How a block says the width of a length."""
WIDTHS = {U8: 1, U16: 2, U32: 4}
_lz4: Any = lz4.frame  # it has no type stubs


class Entry(NamedTuple):
    """A version of a row: its key without epoch, its epoch, and its value, None for a delete."""

    user_key: bytes
    epoch: int
    value: bytes | None

    @property
    def full_key(self) -> bytes:
        return self.user_key + self.epoch.to_bytes(8, "big")

    @property
    def table_id(self) -> int:
        return table_id(self.user_key)


def in_order(entries: Sequence[Entry]) -> list[Entry]:
    """By user key, the newest version first."""
    return sorted(entries, key=lambda entry: (entry.user_key, -entry.epoch))


class BuiltSst(NamedTuple):
    """An SST's file and its SstableInfo message."""

    data: bytes
    info: Any


def build(object_id: int, entries: Sequence[Entry], era: str) -> BuiltSst:
    """Write an SST of some entries in order, at least one."""
    blocks, metas = b"", b""
    count = 0
    for part in _blocks(entries):
        body = _encode_block(part)
        stored = zstandard.compress(body, 4) + bytes([ZSTD])
        stored += _u64(xxhash.xxh64_intdigest(stored))
        first = part[0].full_key
        numbers = (len(blocks), len(stored), len(body), len(part), 0)
        metas += b"".join(map(_u32, numbers)) + _sized(first)
        blocks += stored
        count += 1
    left, right = entries[0].full_key, entries[-1].full_key
    meta = _u32(count) + metas + _sized(b"")
    size = len(blocks) + len(meta) + 8 + _size(left) + _size(right) + 4 + 8 + 8 + 8
    meta += _u32(size) + _u32(len(entries)) + _sized(left) + _sized(right) + _u32(0)
    meta += _u64(len(blocks))
    meta += _u64(xxhash.xxh64_intdigest(meta)) + _u32(VERSION) + _u32(MAGIC)
    data = blocks + meta
    assert len(data) == size
    return BuiltSst(data, _info(object_id, entries, len(blocks), len(data), era))


def _info(object_id: int, entries: Sequence[Entry], meta_offset: int, size: int, era: str) -> Any:
    info = messages.message_class("hummock.SstableInfo", era)()
    info.object_id = info.sst_id = object_id
    info.key_range.left = entries[0].full_key
    info.key_range.right = entries[-1].full_key
    info.table_ids[:] = sorted({entry.table_id for entry in entries})
    info.file_size = info.sst_size = size
    info.uncompressed_file_size = size
    info.meta_offset, info.total_key_count = meta_offset, len(entries)
    info.min_epoch = min(entry.epoch for entry in entries)
    info.max_epoch = max(entry.epoch for entry in entries)
    return info


def _blocks(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """A block is full, or its table ends."""
    part: list[Entry] = []
    size = 0
    for entry in entries:
        if part and (size >= BLOCK_SIZE or part[0].table_id != entry.table_id):
            yield part
            part, size = [], 0
        part.append(entry)
        size += len(entry.full_key) + len(entry.value or b"")
    yield part


def _encode_block(entries: Sequence[Entry]) -> bytes:
    body, restarts, types = b"", b"", b""
    before, kinds, count, kinds_count = b"", (0, 0), 0, 0
    for number, entry in enumerate(entries):
        key = entry.full_key[4:]
        value = DELETE if entry.value is None else PUT + entry.value
        wanted = _kind(len(key)), _kind(len(value))
        if number % RESTART_INTERVAL == 0 or wanted != kinds:
            restarts += _u32(len(body))
            count += 1
            before = b""
        if wanted != kinds:
            types += _u32(len(body)) + bytes([wanted[0] << 4 | wanted[1]])
            kinds, kinds_count = wanted, kinds_count + 1
        shared = _shared(before, key)
        widths = WIDTHS[kinds[0]], WIDTHS[kinds[1]]
        body += shared.to_bytes(widths[0], "big") + (len(key) - shared).to_bytes(widths[0], "big")
        body += len(value).to_bytes(widths[1], "big") + key[shared:] + value
        before = key
    table = _u32(entries[0].table_id)
    return body + restarts + _u32(count) + types + _u32(kinds_count) + table


def _shared(one: bytes, other: bytes) -> int:
    """How many bytes both begin with."""
    places = range(min(len(one), len(other)))
    return next((place for place in places if one[place] != other[place]), len(places))


def _kind(size: int) -> int:
    return next(kind for kind, width in WIDTHS.items() if size < 1 << 8 * width)


def read(data: bytes, meta_offset: int) -> Iterator[Entry]:
    """Every entry of an SST, in order."""
    meta = data[meta_offset:]
    assert int.from_bytes(meta[-4:], "little") == MAGIC
    assert int.from_bytes(meta[-8:-4], "little") == VERSION
    assert int.from_bytes(meta[-16:-8], "little") == xxhash.xxh64_intdigest(meta[:-16])
    place = 4
    for _ in range(_number(meta, 0)):
        offset, size, plain_size = (_number(meta, place + 4 * n) for n in range(3))
        yield from _read_block(data[offset : offset + size], plain_size)
        place += 24 + _number(meta, place + 20)


def _read_block(stored: bytes, size: int) -> Iterator[Entry]:
    assert int.from_bytes(stored[-8:], "little") == xxhash.xxh64_intdigest(stored[:-8])
    body, algorithm = stored[:-9], stored[-9]
    if algorithm == LZ4:
        body = bytes(_lz4.decompress(body))
    elif algorithm == ZSTD:
        body = zstandard.ZstdDecompressor().decompressobj().decompress(body)
    assert len(body) == size
    table = body[-4:][::-1]
    types_count = _number(body, size - 8)
    types_at = size - 8 - 5 * types_count
    types = {
        _number(body, types_at + 5 * n): body[types_at + 5 * n + 4] for n in range(types_count)
    }
    restarts_count = _number(body, types_at - 4)
    end = types_at - 4 - 4 * restarts_count
    place, key, widths = 0, b"", (0, 0)
    while place < end:
        if place in types:
            widths = WIDTHS[types[place] >> 4], WIDTHS[types[place] & 0xF]
        shared, fresh, value_size = (
            int.from_bytes(body[start : start + width], "big")
            for start, width in (
                (place, widths[0]),
                (place + widths[0], widths[0]),
                (place + 2 * widths[0], widths[1]),
            )
        )
        place += 2 * widths[0] + widths[1]
        key = key[:shared] + body[place : place + fresh]
        value = body[place + fresh : place + fresh + value_size]
        place += fresh + value_size
        yield Entry(
            table + key[:-8],
            int.from_bytes(key[-8:], "big"),
            value[1:] if value[:1] == PUT else None,
        )


def _number(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 4], "little")


def _u32(number: int) -> bytes:
    return number.to_bytes(4, "little")


def _u64(number: int) -> bytes:
    return number.to_bytes(8, "little")


def _size(data: bytes) -> int:
    return 4 + len(data)


def _sized(data: bytes) -> bytes:
    return _u32(len(data)) + data
