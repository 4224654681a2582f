"""Rows of user tables -> keys and values of Hummock, and back: integers and text, which are enough
for the tables of upstream's tests.

A key is the vnode and the primary key in memcomparable form; a value is column-aware for tables,
which can be altered, and basic for materialized views (src/common/src/util/memcmp_encoding.rs,
value_encoding/mod.rs and column_aware_row_encoding.rs at v3.0.3).
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator, Sequence
from typing import NamedTuple

INT32, INT64, VARCHAR = 2, 3, 7
"""data.DataType.TypeName."""
WIDTHS = {INT32: 4, INT64: 8}
VNODES = 256
COLUMN_AWARE = 0x80
"""The flag of its header; the low bits say how wide an offset is, 2 for two bytes."""
CHUNK = 8

Value = int | str | None


class Column(NamedTuple):
    """A column of a table, as the catalogue has it."""

    name: str
    id: int
    type: int
    is_hidden: bool = False


def encode_key(columns: Sequence[Column], values: Sequence[Value]) -> bytes:
    """The table key of a primary key: vnode, then each column ascending with nulls largest."""
    encoded = b"".join(map(_encode_key_part, columns, values))
    vnode = binascii.crc32(encoded) % VNODES
    return vnode.to_bytes(2, "big") + encoded


def _encode_key_part(column: Column, value: Value) -> bytes:
    if value is None:
        return b"\1"
    if isinstance(value, int):
        width = WIDTHS[column.type]
        flipped = value ^ (1 << (8 * width - 1))
        return b"\0" + (flipped & ((1 << 8 * width) - 1)).to_bytes(width, "big")
    return b"\0" + _encode_chunks(value.encode())


def _encode_chunks(data: bytes) -> bytes:
    if not data:
        return b"\0"
    parts = [b"\1"]
    for first in range(0, len(data), CHUNK):
        chunk = data[first : first + CHUNK]
        more = first + CHUNK < len(data)
        parts.append(chunk.ljust(CHUNK, b"\0") + bytes([CHUNK + 1 if more else len(chunk)]))
    return b"".join(parts)


def encode_aware(columns: Sequence[Column], values: Sequence[Value]) -> bytes:
    """A column-aware row; an empty slice is NULL."""
    data, offsets = b"", b""
    for column, value in zip(columns, values, strict=True):
        offsets += len(data).to_bytes(2, "little")
        data += b"" if value is None else _encode_scalar(column, value)
    ids = b"".join(column.id.to_bytes(4, "little") for column in columns)
    return bytes([COLUMN_AWARE | 2]) + len(columns).to_bytes(4, "little") + ids + offsets + data


def encode_basic(columns: Sequence[Column], values: Sequence[Value]) -> bytes:
    """A row of a tag and a scalar each."""
    return b"".join(
        b"\0" if value is None else b"\1" + _encode_scalar(column, value)
        for column, value in zip(columns, values, strict=True)
    )


def decode(columns: Sequence[Column], data: bytes) -> tuple[Value, ...]:
    """A row in either form: the first byte tells which."""
    if not data or not data[0] & COLUMN_AWARE:
        return tuple(_decode_basic(columns, data))
    assert data[0] == COLUMN_AWARE | 2, "offsets of two bytes are all that is written here"
    count = int.from_bytes(data[1:5], "little")
    ids = [int.from_bytes(data[5 + 4 * n : 9 + 4 * n], "little") for n in range(count)]
    start = 5 + 6 * count
    ends = [
        int.from_bytes(data[5 + 4 * count + 2 * n : 7 + 4 * count + 2 * n], "little")
        for n in range(count)
    ]
    ends.append(len(data) - start)
    parts = {
        number: data[start + ends[place] : start + ends[place + 1]]
        for place, number in enumerate(ids)
    }
    return tuple(
        _decode_scalar(column, part) if (part := parts.get(column.id, b"")) else None
        for column in columns
    )


def _decode_basic(columns: Sequence[Column], data: bytes) -> Iterator[Value]:
    place = 0
    for column in columns:
        is_there = data[place]
        place += 1
        if not is_there:
            yield None
            continue
        size = WIDTHS.get(column.type)
        if size is None:
            size = 4 + int.from_bytes(data[place : place + 4], "little")
        yield _decode_scalar(column, data[place : place + size])
        place += size


def _encode_scalar(column: Column, value: int | str) -> bytes:
    if isinstance(value, int):
        return value.to_bytes(WIDTHS[column.type], "little", signed=True)
    data = value.encode()
    return len(data).to_bytes(4, "little") + data


def _decode_scalar(column: Column, data: bytes) -> Value:
    if column.type in WIDTHS:
        return int.from_bytes(data, "little", signed=True)
    return data[4:].decode()
