"""Values of columns out of bytes, one at a time. All integers are little-endian.

What they become: NULL None; integers int; real and double their IEEE bits as int, for Python would
change some NaN; boolean bool; varchar and jsonb str; bytea bytes; decimal Decimal with its scale;
date days since 1970; time nanoseconds since midnight; timestamp nanoseconds and timestamptz
microseconds since 1970; interval (months, days, microseconds); struct a tuple; list a list; map a
list of (key, value); vector a tuple of IEEE bits. Source: src/common/src/util/value_encoding/mod.rs
and column_aware_row_encoding.rs at 0.18.0 to 3.0.3.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from metasnapshot.sst.block import Bytes
from metasnapshot.sst.leap import nanoseconds
from metasnapshot.sst.place import Place
from metasnapshot.sst.types import TEXTS, Kind, Type

CE_DAYS = 719163
"""Days from 0001-01-01, which is 1, to 1970-01-01."""
DAY_S = 86_400
NANOS = 1_000_000_000
SCALE_MAX = 28
JSONB_TEXT = 1
ROW_FLAG = 0x80
OFFSET_WIDTHS = {1: 1, 2: 2, 3: 4}
_SPECIAL = {1: Decimal("NaN"), 2: Decimal("Infinity"), 3: Decimal("-Infinity")}
_U32 = struct.Struct("<I")
_DECIMAL_BITS = 0x80FF0000
"""Of a decimal's flags: sign and scale."""


class Cursor:
    """Reads values from a part of some bytes, and no further."""

    def __init__(self, data: Bytes, at: int, end: int, place: Place) -> None:
        """Begin at a place.

        Args:
            data: the bytes.
            at: where to begin.
            end: where the part ends.
            place: for errors.
        """
        self._data = data
        self.at = at
        self.end = end
        self.place = place

    def take(self, size: int) -> Bytes:
        """The next bytes.

        Raises:
            SstTruncated: fewer are left.
        """
        after = self.at + size
        if after > self.end:
            raise self.place.truncated(
                f"a value claims {size} bytes, {self.end - self.at} are left of its row"
            )
        data = self._data[self.at : after]
        self.at = after
        return data

    def count(self) -> int:
        """A count of elements, each of which has a byte at least."""
        count = self.number()
        if count > self.end - self.at:
            raise self.place.truncated(
                f"{count} elements in a value, {self.end - self.at} bytes are left of its row"
            )
        return count

    def number(self) -> int:
        """A u32."""
        (number,) = _U32.unpack(self.take(_U32.size))
        return int(number)

    def part(self, size: int) -> Cursor:
        """A cursor over the next bytes."""
        at = self.at
        self.take(size)
        return Cursor(self._data, at, self.at, self.place)

    def has_value(self) -> bool:
        """Read the tag before a value that may be NULL."""
        (tag,) = self.take(1)
        if tag > 1:
            raise self.place.damaged(f"the tag of a value is {tag}")
        return bool(tag)

    def finish(self) -> None:
        """See that all was read."""
        if self.at != self.end:
            raise self.place.damaged(f"{self.end - self.at} bytes are left behind a value")


def read_datum(cursor: Cursor, type_: Type) -> Any:
    """A value that may be NULL: a tag, then the value."""
    return read_value(cursor, type_) if cursor.has_value() else None


def read_value(cursor: Cursor, type_: Type) -> Any:
    """A value that is not NULL.

    Raises:
        SstDamage: the bytes are not of that type.
    """
    kind = type_.kind
    if kind in TEXTS:
        return _read_text(cursor, kind)
    if kind in _NESTED:
        return _NESTED[kind](cursor, type_)
    width = type_.width
    assert width is not None
    return _FIXED[kind](cursor.take(width), cursor.place)


def read_alterable(cursor: Cursor, type_: Type) -> Any:
    """A value whose structs are rows of their own, as in column-aware rows since 2.4."""
    if not type_.is_alterable:
        return read_value(cursor, type_)
    if type_.kind is Kind.STRUCT:
        stored = read_row(cursor.part(cursor.number()))
        return tuple(read_whole(stored.get(field.id or 0), field.type) for field in type_.fields)
    item = type_.fields[-1].type
    if type_.kind is Kind.LIST:
        return [
            read_alterable(cursor, item) if cursor.has_value() else None
            for _ in range(cursor.count())
        ]
    key = type_.fields[0].type
    return _checked_map(
        [
            (read_value(cursor, key), read_alterable(cursor, item) if cursor.has_value() else None)
            for _ in range(cursor.count())
        ],
        cursor.place,
    )


def read_whole(cursor: Cursor | None, type_: Type) -> Any:
    """The value in a slot of a column-aware row: NULL if there is none, or it is empty."""
    if cursor is None or cursor.at == cursor.end:
        return None
    value = read_alterable(cursor, type_)
    cursor.finish()
    return value


def read_row(cursor: Cursor) -> Mapping[int, Cursor]:
    """The slots of a column-aware row, by the ids of their columns.

    Raises:
        SstDamage: it is not such a row.
    """
    (flag,) = cursor.take(1)
    width = OFFSET_WIDTHS.get(flag ^ ROW_FLAG)
    if width is None:
        raise cursor.place.damaged(f"a row with flag {flag:#04x}")
    count = cursor.number()
    if count * (_U32.size + width) > cursor.end - cursor.at:
        raise cursor.place.truncated(f"{count} columns in a row of {cursor.end} bytes")
    ids = struct.unpack(f"<{count}i", cursor.take(count * _U32.size))
    table = cursor.take(count * width)
    offsets = [
        int.from_bytes(table[at : at + width], "little") for at in range(0, len(table), width)
    ]
    size = cursor.end - cursor.at
    if offsets and offsets[0]:
        raise cursor.place.damaged("the first column of a row does not start it")
    slots: dict[int, Cursor] = {}
    for number, start, end in zip(ids, offsets, [*offsets[1:], size], strict=True):
        if not start <= end <= size or number in slots:
            raise cursor.place.damaged(f"column {number} of a row lies from {start} to {end}")
        slots[number] = cursor.part(end - start)
    cursor.finish()
    return slots


def _read_text(cursor: Cursor, kind: Kind) -> str | bytes:
    data = cursor.take(cursor.number())
    if kind is Kind.BYTEA:
        return bytes(data)
    if kind is Kind.JSONB:
        if not data or data[0] != JSONB_TEXT:
            raise cursor.place.damaged("a jsonb value that is no text")
        data = data[1:]
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError as error:
        raise cursor.place.damaged(f"a text that is no UTF-8: {error}") from error


def _read_struct(cursor: Cursor, type_: Type) -> tuple[Any, ...]:
    return tuple(read_datum(cursor, field.type) for field in type_.fields)


def _read_list(cursor: Cursor, type_: Type) -> list[Any]:
    item = type_.fields[0].type
    return [read_datum(cursor, item) for _ in range(cursor.count())]


def _read_map(cursor: Cursor, type_: Type) -> list[tuple[Any, Any]]:
    key, value = (field.type for field in type_.fields)
    entries: list[tuple[Any, Any]] = []
    for _ in range(cursor.count()):
        if not cursor.has_value():
            raise cursor.place.damaged("an entry of a map is NULL")
        entries.append((read_datum(cursor, key), read_datum(cursor, value)))
    return _checked_map(entries, cursor.place)


def _checked_map(entries: list[tuple[Any, Any]], place: Place) -> list[tuple[Any, Any]]:
    seen = {repr(key) for key, _ in entries}
    if len(seen) != len(entries) or any(key is None for key, _ in entries):
        raise place.damaged("a key of a map is NULL, or stands twice")
    return entries


def _read_vector(cursor: Cursor, type_: Type) -> tuple[int, ...]:
    return struct.unpack(f"<{type_.size}I", cursor.take(type_.size * _U32.size))


def _integer(data: Bytes, _: Place) -> int:
    return int.from_bytes(data, "little", signed=True)


def _bits(data: Bytes, _: Place) -> int:
    return int.from_bytes(data, "little")


def _boolean(data: Bytes, place: Place) -> bool:
    if data[0] > 1:
        raise place.damaged(f"a boolean that is {data[0]}")
    return bool(data[0])


def _decimal(data: Bytes, place: Place) -> Decimal:
    flags, low, middle, high = struct.unpack("<4I", data)
    if flags in _SPECIAL:
        return _SPECIAL[flags]
    scale = flags >> 16 & 0xFF
    if flags & ~_DECIMAL_BITS or scale > SCALE_MAX:
        raise place.damaged(f"a decimal with flags {flags:#010x}")
    sign = "-" if flags >> 31 else ""
    return Decimal(f"{sign}{high << 64 | middle << 32 | low}E-{scale}")


def _interval(data: Bytes, _: Place) -> tuple[int, int, int]:
    months, days, micros = struct.unpack("<iiq", data)
    return months, days, micros


def _date(data: Bytes, _: Place) -> int:
    return int.from_bytes(data, "little", signed=True) - CE_DAYS


def _time(data: Bytes, place: Place) -> int:
    seconds, nanos = struct.unpack("<II", data)
    if seconds >= DAY_S:
        raise place.damaged(f"a time of {seconds} seconds and {nanos} nanoseconds")
    return nanoseconds(seconds, nanos, place)


def _timestamp(data: Bytes, place: Place) -> int:
    seconds, nanos = struct.unpack("<qI", data)
    return nanoseconds(seconds, nanos, place)


_FIXED: dict[Kind, Callable[[Bytes, Place], Any]] = {
    Kind.SMALLINT: _integer,
    Kind.INT: _integer,
    Kind.BIGINT: _integer,
    Kind.SERIAL: _integer,
    Kind.INT256: _integer,
    Kind.REAL: _bits,
    Kind.DOUBLE: _bits,
    Kind.BOOLEAN: _boolean,
    Kind.DECIMAL: _decimal,
    Kind.INTERVAL: _interval,
    Kind.DATE: _date,
    Kind.TIME: _time,
    Kind.TIMESTAMP: _timestamp,
    Kind.TIMESTAMPTZ: _integer,
}
_NESTED: dict[Kind, Callable[[Cursor, Type], Any]] = {
    Kind.STRUCT: _read_struct,
    Kind.LIST: _read_list,
    Kind.MAP: _read_map,
    Kind.VECTOR: _read_vector,
}
