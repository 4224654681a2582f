"""RisingWave's types as Arrow's, and what of their values Arrow's can hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from metasnapshot.rows.arrow import DataType, pa
from metasnapshot.sst.types import Kind, Type

DECIMAL_DIGITS = 38
DECIMAL_SCALE = 10
"""As RisingWave's own Iceberg sink."""
MICROS, NANOS = "us", "ns"
_PLAIN = {
    Kind.SMALLINT: pa.int16(),
    Kind.INT: pa.int32(),
    Kind.BIGINT: pa.int64(),
    Kind.SERIAL: pa.int64(),
    Kind.INT256: pa.string(),
    Kind.REAL: pa.float32(),
    Kind.DOUBLE: pa.float64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.VARCHAR: pa.string(),
    Kind.BYTEA: pa.binary(),
    Kind.DATE: pa.date32(),
    Kind.TIMESTAMPTZ: pa.timestamp("us", "UTC"),
    Kind.INTERVAL: pa.struct(
        [("months", pa.int32()), ("days", pa.int32()), ("microseconds", pa.int64())]
    ),
    Kind.JSONB: pa.string(),
}


class Unfit(Exception):
    """A value that its Arrow type cannot hold; `option` is what helps."""

    def __init__(self, reason: str, option: str) -> None:
        super().__init__(reason)
        self.option = option


@dataclass(frozen=True)
class Fit:
    """What types become.

    Attributes:
        unfit_as_text: whether columns whose values may not fit are text from the start.
        decimal_scale: digits behind the point of decimals; None for text.
        time: unit of times: us or ns.
        timestamp: unit of timestamps: us or ns.
    """

    unfit_as_text: bool = False
    decimal_scale: int | None = DECIMAL_SCALE
    time: str = MICROS
    timestamp: str = MICROS

    def is_text(self, type_: Type) -> bool:
        """Whether a column of this type is text as RisingWave prints it."""
        return self.unfit_as_text and self._may_not_fit(type_)

    def _may_not_fit(self, type_: Type) -> bool:
        match type_.kind:
            case Kind.DECIMAL:
                return self.decimal_scale is not None
            case Kind.TIME | Kind.TIMESTAMP:
                return True
            case Kind.STRUCT if not type_.fields:
                return True
            case _:
                return any(self._may_not_fit(field.type) for field in type_.fields)

    def arrow_type(self, type_: Type) -> DataType:
        """The Arrow type of a column."""
        return pa.string() if self.is_text(type_) else self.arrow_of(type_)

    def arrow_of(self, type_: Type) -> DataType:
        """The Arrow type of values that are not text."""
        parts = [pa.field(field.name, self.arrow_of(field.type)) for field in type_.fields]
        match type_.kind:
            case Kind.STRUCT:
                found: Any = pa.struct(parts)
            case Kind.LIST:
                found = pa.list_(parts[0].type)
            case Kind.MAP:
                found = pa.map_(parts[0].type, parts[1].type)
            case Kind.VECTOR:
                found = pa.list_(pa.float32(), type_.size)
            case _:
                found = self._plain(type_.kind)
        return found

    def _plain(self, kind: Kind) -> DataType:
        if kind is Kind.TIME:
            return pa.time64(self.time)
        if kind is Kind.TIMESTAMP:
            return pa.timestamp(self.timestamp)
        if kind is not Kind.DECIMAL:
            return _PLAIN[kind]
        if self.decimal_scale is None:
            return pa.string()
        return pa.decimal128(DECIMAL_DIGITS, self.decimal_scale)
