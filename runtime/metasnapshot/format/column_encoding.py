"""Columns of plain values -> the bytes of rows, many at once.

What was encoded is decoded again: only then it is sure that these values, which came from a
database, are values that the shape allows and that a reader will see. Whatever is not so is for
the codec of single rows to judge, which also says what is wrong with which.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import starmap
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import UNSET

from metasnapshot.format import blobs
from metasnapshot.format.codec import FAILURES, RowCodec, is_blob
from metasnapshot.format.columns import Columns, checked_lines, columns_of, decode_columns
from metasnapshot.format.scalars import Blob

_encoder = msgspec.json.Encoder()
SHORT_BLOBS = 1024
"""Bytes of a row's blobs, on average, up to which they are encoded with it and decoded again."""
SHORT_ROW = 4096
"""The same, up to which rows are held together."""


def encode_columns(codec: RowCodec, columns: Columns) -> Iterable[bytes] | None:
    """Encode rows of a shape at once.

    Returns:
        Their bytes, those of short rows as a list, of others as they are asked for; None if they
        do not decode to the same values.
    """
    of_blobs = [
        values
        for column, values in zip(codec.shape.columns, columns, strict=True)
        if is_blob(column.type)
    ]
    size = sum(sum(map(len, [value for value in values if value])) for values in of_blobs)
    try:
        if size < SHORT_BLOBS * len(columns[0]):
            return _encode_short(codec, columns)
        rows = _encode_long(codec, columns)
        return list(rows) if rows and size < SHORT_ROW * len(columns[0]) else rows
    except (TypeError, ValueError, *FAILURES):
        return None


def encode_models(codec: RowCodec, rows: Sequence[Any]) -> Iterable[bytes] | None:
    """Encode models of a shape at once.

    Returns:
        As encode_columns; None also where a model is not one of the shape.
    """
    of_blobs = map(attrgetter, (column.name for column, _ in codec.blob_keys))
    if (
        not set(map(type, rows)) <= {codec.model}
        or any({*map(attrgetter(name), rows)} != {UNSET} for name in codec.absent)
        or any(not set(map(type, map(take, rows))) <= {Blob, type(None)} for take in of_blobs)
    ):
        return None
    return encode_columns(codec, columns_of(codec, rows))


def _encode_short(codec: RowCodec, columns: Columns) -> list[bytes] | None:
    """Encode rows whose blobs are not worth to be put in apart."""
    wires = [
        [None if value is None else list(value) for value in values]
        if is_blob(column.type)
        else values
        for column, values in zip(codec.shape.columns, columns, strict=True)
    ]
    rows = _lines(codec, wires)
    decoded = decode_columns(codec, rows)
    return rows if decoded is not None and _are_same(decoded, columns) else None


def _encode_long(codec: RowCodec, columns: Columns) -> Iterator[bytes] | None:
    """Encode rows with empty blobs, look at them, and put the blobs in."""
    wires: Columns = [
        [None if value is None else () for value in values] if is_blob(column.type) else values
        for column, values in zip(codec.shape.columns, columns, strict=True)
    ]
    rests = _lines(codec, wires)
    wanted: Columns = [
        [None if value is None else [] for value in values] if is_blob(column.type) else values
        for column, values in zip(codec.shape.columns, columns, strict=True)
    ]
    if not _are_same(checked_lines(codec, rests), wanted):
        return None
    by_name = {column.name: at for at, column in enumerate(codec.shape.columns)}
    keys = [(key, len(key) - 1) for _, key in codec.blob_keys]
    of_blobs = [columns[by_name[column.name]] for column, _ in codec.blob_keys]
    return (
        _with_blobs(rest, keys, values)
        for rest, values in zip(rests, zip(*of_blobs, strict=True), strict=True)
    )


def _with_blobs(
    rest: bytes, keys: Sequence[tuple[bytes, int]], values: Sequence[bytes | None]
) -> bytes:
    """A row with its blobs where it has empty arrays, behind their keys."""
    parts: list[bytes] = []
    position = 0
    for (key, size), value in zip(keys, values, strict=True):
        if value is not None:
            end = rest.index(key, position) + size
            parts += (rest[position:end], blobs.encode(value))
            position = end + 2
    parts.append(rest[position:])
    return b"".join(parts)


def _lines(codec: RowCodec, wires: Columns) -> list[bytes]:
    rows = list(starmap(_row_class(codec), zip(*wires, strict=True)))
    return _encoder.encode_lines(rows).split(b"\n")[:-1]


@cache
def _row_class(codec: RowCodec) -> type[msgspec.Struct]:
    """What a row is encoded from: made and encoded in half of a dict's time."""
    return msgspec.defstruct(
        codec.shape.name, [column.name for column in codec.shape.columns], gc=False
    )


def _are_same(some: Columns, others: Columns) -> bool:
    pairs = zip(some, others, strict=True)
    return all(list(one) == list(other) for one, other in pairs)
