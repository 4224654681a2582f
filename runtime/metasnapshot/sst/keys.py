"""Columns out of keys: memcomparable bytes, whose order is that of the values.

Each column is a tag and a value; where it descends, every byte of both is inverted. What a key
loses stays lost: the scale of decimals, the sign of zero. Source: src/common/src/util/
memcmp_encoding.rs at 3.0.3 and memcomparable 0.2.0.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from metasnapshot.sst.leap import nanoseconds
from metasnapshot.sst.place import Place
from metasnapshot.sst.scalar import VNODE_SIZE
from metasnapshot.sst.schema import TableSchema
from metasnapshot.sst.types import Kind, Type
from metasnapshot.sst.values import CE_DAYS, JSONB_TEXT

CHUNK = 8
MORE = 9
_INVERTED = bytes(255 - byte for byte in range(256))
NEGATIVE_INFINITY, ZERO, INFINITY, NAN = 0x07, 0x15, 0x23, 0x24
NEGATIVE_LARGE, NEGATIVE_SMALL, POSITIVE_SMALL, POSITIVE_LARGE = 0x08, 0x14, 0x16, 0x22
POSITIVE, NEGATIVE = 0x17, 0x13
"""First bytes of decimals with exponent 0, of either sign."""
DAY_US = 86_400_000_000
MONTH_DAYS = 30


class KeyReader:
    """Reads columns from a key, one after the other."""

    def __init__(self, data: bytes, place: Place, *, is_inverted: bool = False) -> None:
        self._data = data.translate(_INVERTED) if is_inverted else data
        self.place = place
        self.at = 0

    def take(self, size: int) -> bytes:
        """The next bytes.

        Raises:
            SstTruncated: fewer are left.
        """
        data = self._data[self.at : self.at + size]
        if len(data) < size:
            raise self.place.truncated(f"a key ends within a column of it: {self._data.hex()}")
        self.at += size
        return data

    @property
    def is_done(self) -> bool:
        """Whether nothing is left."""
        return self.at == len(self._data)

    def datum(self, type_: Type, *, nulls_are_largest: bool = True) -> Any:
        """A value or NULL."""
        (tag,) = self.take(1)
        if tag > 1:
            raise self.place.damaged(f"the tag of a column of a key is {tag}")
        is_null = (tag == 1) == nulls_are_largest
        return None if is_null else self.value(type_)

    def value(self, type_: Type) -> Any:
        """A value, as sst.values has it.

        Raises:
            SstDamage: the bytes are not of that type.
        """
        return _READERS[type_.kind](self, type_)

    def unsigned(self, size: int) -> int:
        """A number."""
        return int.from_bytes(self.take(size), "big")

    def integer(self, size: int) -> int:
        """A signed number."""
        return self.unsigned(size) - (1 << (8 * size - 1))

    def below(self, limit: int) -> int:
        """A byte."""
        (value,) = self.take(1)
        if value >= limit:
            raise self.place.damaged(f"a byte {value} in a key, less than {limit} is due")
        return value

    def float(self, size: int) -> int:
        """The IEEE bits of a number."""
        bits = self.unsigned(size)
        top = 1 << (8 * size - 1)
        return bits ^ top if bits & top else bits ^ (top * 2 - 1)

    def bytes(self) -> bytes:
        """A string of bytes in chunks."""
        if not self.below(2):
            return b""
        parts: list[bytes] = []
        while True:
            chunk = self.take(CHUNK)
            (size,) = self.take(1)
            if not 1 <= size <= MORE or any(chunk[size:]):
                raise self.place.damaged(f"a chunk of a key with length {size}")
            parts.append(chunk[:size])
            if size != MORE:
                return b"".join(parts)

    def text(self, kind: Kind) -> str | bytes:
        """A text."""
        data = self.bytes()
        if kind is Kind.BYTEA:
            return data
        if kind is Kind.JSONB and data[:1] == bytes([JSONB_TEXT]):
            data = data[1:]
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise self.place.damaged(f"a text in a key that is no UTF-8: {error}") from error

    def interval(self) -> tuple[int, int, int]:
        """Months, days and microseconds of the same length."""
        days, micros = divmod(self.integer(16), DAY_US)
        months, days = divmod(days, MONTH_DAYS)
        return months, days, micros

    def decimal(self) -> Decimal:
        """A decimal: exponent and mantissa to the base 100."""
        (first,) = self.take(1)
        special = {NEGATIVE_INFINITY: "-Infinity", ZERO: "0", INFINITY: "Infinity", NAN: "NaN"}
        if first in special:
            return Decimal(special[first])
        if not NEGATIVE_LARGE <= first <= POSITIVE_LARGE:
            raise self.place.damaged(f"a decimal in a key that starts with {first:#04x}")
        is_negative = first <= NEGATIVE_SMALL
        if first in (NEGATIVE_LARGE, POSITIVE_SMALL):
            exponent = 255 - self.below(256)
        elif first in (NEGATIVE_SMALL, POSITIVE_LARGE):
            exponent = self.below(256)
        else:
            exponent = NEGATIVE - first if is_negative else first - POSITIVE
        if first in (NEGATIVE_SMALL, POSITIVE_SMALL):
            exponent = -exponent
        mantissa, digits = 0, 0
        is_last = False
        while not is_last:
            (byte,) = self.take(1)
            byte = 255 - byte if is_negative else byte
            is_last = not byte & 1
            mantissa, digits = mantissa * 100 + (byte >> 1), digits + 1
        sign = "-" if is_negative else ""
        return plain(Decimal(f"{sign}{mantissa}E{2 * (exponent - digits)}"))

    def elements(self, type_: Type) -> list[Any]:
        """A list, or the entries of a map."""
        inner = KeyReader(self.bytes(), self.place)
        found: list[Any] = []
        while not inner.is_done:
            if type_.kind is Kind.MAP:
                key, value = (inner.datum(field.type) for field in type_.fields)
                found.append((key, value))
            else:
                found.append(inner.datum(type_.fields[0].type))
        return found


_READERS: dict[Kind, Callable[[KeyReader, Type], Any]] = {
    Kind.SMALLINT: lambda reader, _: reader.integer(2),
    Kind.INT: lambda reader, _: reader.integer(4),
    Kind.BIGINT: lambda reader, _: reader.integer(8),
    Kind.SERIAL: lambda reader, _: reader.integer(8),
    Kind.INT256: lambda reader, _: reader.integer(32),
    Kind.REAL: lambda reader, _: reader.float(4),
    Kind.DOUBLE: lambda reader, _: reader.float(8),
    Kind.BOOLEAN: lambda reader, _: bool(reader.below(2)),
    Kind.VARCHAR: lambda reader, type_: reader.text(type_.kind),
    Kind.BYTEA: lambda reader, type_: reader.text(type_.kind),
    Kind.JSONB: lambda reader, type_: reader.text(type_.kind),
    Kind.DECIMAL: lambda reader, _: reader.decimal(),
    Kind.INTERVAL: lambda reader, _: reader.interval(),
    Kind.DATE: lambda reader, _: reader.integer(4) - CE_DAYS,
    Kind.TIME: lambda reader, _: nanoseconds(reader.unsigned(4), reader.unsigned(4), reader.place),
    Kind.TIMESTAMP: lambda reader, _: nanoseconds(
        reader.integer(8), reader.unsigned(4), reader.place
    ),
    Kind.TIMESTAMPTZ: lambda reader, _: reader.integer(8),
    Kind.STRUCT: lambda reader, type_: tuple(reader.datum(f.type) for f in type_.fields),
    Kind.LIST: lambda reader, type_: reader.elements(type_),
    Kind.MAP: lambda reader, type_: reader.elements(type_),
    Kind.VECTOR: lambda reader, type_: tuple(reader.float(4) for _ in range(type_.size)),
}


def plain(value: Decimal) -> Decimal:
    """A decimal without exponent and trailing zeros behind the point."""
    text = format(value, "f")
    return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)


def read_key(table_key: bytes, schema: TableSchema, place: Place) -> list[Any]:
    """The columns of a key, in its order.

    Args:
        table_key: vnode and key, without the epoch.
        schema: of the table.
        place: for errors.

    Raises:
        SstDamage: the bytes are no key of that table.
    """
    at, found = VNODE_SIZE, list[Any]()
    for item in schema.key:
        reader = KeyReader(table_key[at:], place, is_inverted=item.is_descending)
        type_ = schema.columns[item.index].type
        found.append(reader.datum(type_, nulls_are_largest=item.nulls_are_largest))
        at += reader.at
    if at != len(table_key):
        raise place.damaged(f"{len(table_key) - at} bytes follow the columns of a key")
    return found
