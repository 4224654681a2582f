"""Many rows at once: the bytes of rows that follow each other <-> columns of plain values.

Plain values are what a row's JSON says: integers, truth values, text, lists and maps; enums,
timestamps and uuids as their text, blobs as bytes, null as None. Rows are decoded as lines, each
column is checked as a whole, and the lines, encoded again, must be the same bytes: a canonical row
has no line break in it, so equal lines are equal rows. Whatever is not so is for the codec of
single rows to judge, which also says what is wrong with which.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any
from uuid import UUID

import msgspec

from metasnapshot.format import blobs
from metasnapshot.format.codec import FAILURES, RowCodec, is_blob, wire_type
from metasnapshot.format.scalars import SECOND, TIMESTAMP, Blob, Timestamp
from metasnapshot_models.definitions import Column

Columns = list[Sequence[Any]]
"""Values by column, in the order of the shape; all columns are of equal length."""
SHORT_ROW = 4096
"""Bytes of rows, on average, up to which their blobs are decoded with them."""
_OBJECTS = ("timestamp", "uuid")
"""Kinds of columns whose values are objects in a model, and text as plain values."""
_TIMESTAMPS = re.compile(f"(?:{TIMESTAMP.pattern}\n)*", re.ASCII)

_encoder = msgspec.json.Encoder()


def decode_columns(codec: RowCodec, rows: Sequence[bytes]) -> Columns | None:
    """Decode rows of a shape at once.

    Returns:
        Their columns; None if they are not, all together, what the shape allows.
    """
    is_short = sum(map(len, rows)) < SHORT_ROW * len(rows)
    try:
        columns = _decode_short(codec, rows) if is_short else _decode_long(codec, rows)
        for column, values in zip(codec.shape.columns, columns, strict=True):
            _check(column, values)
    except (ValueError, *FAILURES):
        return None
    return columns


def _decode_short(codec: RowCodec, rows: Sequence[bytes]) -> Columns:
    """Decode rows whose blobs are not worth to be cut out."""
    columns = _decode_lines(_whole_decoder(codec), rows)
    for at, column in enumerate(codec.shape.columns):
        if is_blob(column.type):
            columns[at] = [None if value is None else bytes(value) for value in columns[at]]
    return columns


def _decode_long(codec: RowCodec, rows: Sequence[bytes]) -> Columns:
    found, rests = _cut(codec, rows)
    columns = _decode_lines(codec.decoder, rests)
    for at, column in enumerate(codec.shape.columns):
        if is_blob(column.type):
            columns[at] = _decode_blobs(columns[at], found[column.name])
    return columns


def _decode_lines(decoder: msgspec.json.Decoder[Any], rows: Sequence[bytes]) -> Columns:
    """The columns of rows that are all in the one form that their values have."""
    joined = b"\n".join(rows)
    wires = decoder.decode_lines(joined)
    # Encoding again is the one check that sees everything a decoder forgives: spaces, a key twice
    # or in another order, 007, escapes that need not be.
    if len(wires) != len(rows) or _encoder.encode_lines(wires) != joined + b"\n":
        raise ValueError("not in the form that RisingWave writes")
    return list(zip(*map(msgspec.structs.astuple, wires), strict=True))


def checked_lines(codec: RowCodec, rests: Sequence[bytes]) -> Columns:
    """The columns of rows whose blobs are empty.

    Raises:
        ValueError: they are not, all together, what the shape allows; or one of FAILURES.
    """
    columns = _decode_lines(codec.decoder, rests)
    for column, values in zip(codec.shape.columns, columns, strict=True):
        _check(column, values)
    return columns


@cache
def _whole_decoder(codec: RowCodec) -> msgspec.json.Decoder[Any]:
    """A decoder of rows with their blobs in them."""
    fields = [
        (column.name, _numbers(column) if is_blob(column.type) else wire_type(column))
        for column in codec.shape.columns
    ]
    wire = msgspec.defstruct(codec.shape.name, fields, kw_only=True, forbid_unknown_fields=True)
    return msgspec.json.Decoder(wire)


def _numbers(column: Column) -> Any:
    return list[int] | None if column.nullable else list[int]


def columns_of(codec: RowCodec, models: Iterable[Any]) -> Columns:
    """The columns of models."""
    rows = list(models)
    found: Columns = []
    for column in codec.shape.columns:
        values = list(map(attrgetter(column.name), rows))
        if is_blob(column.type) or column.type.kind in _OBJECTS:
            values = [value if value is None else _plain(value) for value in values]
        found.append(values)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Blob):
        return value.bytes
    if isinstance(value, (Timestamp, UUID)):
        return str(value)
    return value


def _cut(
    codec: RowCodec, rows: Sequence[bytes]
) -> tuple[dict[str, list[bytes | None]], Sequence[bytes]]:
    """Take the blobs out of rows: their texts by column, and what is left of the rows."""
    found: dict[str, list[bytes | None]] = {column.name: [] for column, _ in codec.blob_keys}
    if not found:
        return found, rows
    keys = [(key, len(key), found[column.name].append) for column, key in codec.blob_keys]
    rests: list[bytes] = []
    for row in rows:
        position = 0
        parts: list[bytes] = []
        for key, key_size, add in keys:
            # Within a JSON string every quote is escaped, so `"column":[` is found in no text, and
            # a blob's array holds numbers only: its first bracket ends it.
            at = row.find(key, position)
            if at < 0:
                add(None)
                continue
            start = at + key_size
            end = row.index(b"]", start)
            add(row[start:end])
            parts.append(row[position:start])
            position = end
        parts.append(row[position:])
        rests.append(b"".join(parts))
    return found, rests


def _decode_blobs(wires: Sequence[Any], texts: Sequence[bytes | None]) -> Sequence[bytes | None]:
    """The blobs of a column, which are there where its wire values are not null."""
    if any((wire is None) != (text is None) for wire, text in zip(wires, texts, strict=True)):
        raise ValueError("a blob that stands elsewhere")
    there = blobs.decode_many([text for text in texts if text is not None])
    if len(there) == len(texts):
        return there
    following = iter(there)
    return [None if text is None else next(following) for text in texts]


def _check(column: Column, values: Sequence[Any]) -> None:
    """Hold values to what the wire types cannot say."""
    if column.type.kind == "timestamp":
        # A regular expression over all of them at once, then the calendar for each distinct one:
        # a column often has few different times.
        texts = {text for text in values if text is not None}
        if _TIMESTAMPS.fullmatch("".join([f"{text}\n" for text in texts])) is None:
            raise ValueError("no timestamp")
        for text in texts:
            datetime.fromisoformat(text[:SECOND])
    elif column.type.kind == "uuid":
        for text in values:
            if text is not None and str(UUID(text)) != text:
                raise ValueError("no uuid")
