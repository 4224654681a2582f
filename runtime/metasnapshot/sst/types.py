"""The types of RisingWave's columns, as far as their bytes need them. Knows no protobuf."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property


class Kind(StrEnum):
    """Kinds of types, by their names in SQL."""

    SMALLINT = "smallint"
    INT = "int"
    BIGINT = "bigint"
    SERIAL = "serial"
    INT256 = "rw_int256"
    REAL = "real"
    DOUBLE = "double"
    BOOLEAN = "boolean"
    VARCHAR = "varchar"
    BYTEA = "bytea"
    DECIMAL = "decimal"
    INTERVAL = "interval"
    DATE = "date"
    TIME = "time"
    TIMESTAMP = "timestamp"
    TIMESTAMPTZ = "timestamptz"
    JSONB = "jsonb"
    STRUCT = "struct"
    LIST = "list"
    MAP = "map"
    VECTOR = "vector"


WIDTHS = {
    Kind.SMALLINT: 2,
    Kind.INT: 4,
    Kind.BIGINT: 8,
    Kind.SERIAL: 8,
    Kind.INT256: 32,
    Kind.REAL: 4,
    Kind.DOUBLE: 8,
    Kind.BOOLEAN: 1,
    Kind.DECIMAL: 16,
    Kind.INTERVAL: 16,
    Kind.DATE: 4,
    Kind.TIME: 8,
    Kind.TIMESTAMP: 12,
    Kind.TIMESTAMPTZ: 8,
}
"""Bytes of a value of each kind that has a fixed width, but for vectors, whose type says it."""
TEXTS = frozenset({Kind.VARCHAR, Kind.BYTEA, Kind.JSONB})
"""Kinds whose value is a u32 length and bytes."""
INTEGERS = frozenset({Kind.SMALLINT, Kind.INT, Kind.BIGINT, Kind.SERIAL, Kind.INT256})
F32_SIZE = 4


@dataclass(frozen=True)
class Field:
    """A part of a nested type: of a struct with its name, and its id where it has one."""

    name: str
    type: Type
    id: int | None = None


@dataclass(frozen=True)
class Type:
    """A type.

    Attributes:
        kind: of it.
        fields: of a struct; the element of a list; key and value of a map.
        size: elements of a vector.
    """

    kind: Kind
    fields: tuple[Field, ...] = ()
    size: int = 0

    @cached_property
    def width(self) -> int | None:
        """Bytes of each value, if they are always as many."""
        return self.size * F32_SIZE if self.kind is Kind.VECTOR else WIDTHS.get(self.kind)

    @cached_property
    def is_alterable(self) -> bool:
        """Whether values in column-aware rows are rows themselves: the type is a struct whose
        fields have ids, a list of such or a map to such (since 2.4).
        """
        if self.kind is Kind.STRUCT:
            return bool(self.fields) and all(field.id is not None for field in self.fields)
        return self.kind in (Kind.LIST, Kind.MAP) and self.fields[-1].type.is_alterable

    def __str__(self) -> str:
        """As in SQL."""
        parts = [str(field.type) for field in self.fields]
        match self.kind:
            case Kind.STRUCT:
                named = (f"{field.name} {field.type}" for field in self.fields)
                return f"struct<{', '.join(named)}>"
            case Kind.LIST:
                return f"{parts[0]}[]"
            case Kind.MAP:
                return f"map({parts[0]},{parts[1]})"
            case Kind.VECTOR:
                return f"vector({self.size})"
            case _:
                return self.kind.value
