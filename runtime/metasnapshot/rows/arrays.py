"""Values as Arrow arrays, each exactly as it is or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Context, Decimal
from typing import Any

import numpy as np

from metasnapshot.rows.arrow import Array, pa
from metasnapshot.rows.fit import DECIMAL_DIGITS, NANOS, Fit, Unfit
from metasnapshot.rows.text import decimal_text, text_of, time_text, timestamp_text
from metasnapshot.sst.leap import Leap
from metasnapshot.sst.types import Kind, Type

Values = Sequence[Any]
MICRO = 1000
DAY_NANOS = 86_400_000_000_000
I64_MIN, I64_MAX = -(1 << 63), (1 << 63) - 1
I32_MIN, I32_MAX = -(1 << 31), (1 << 31) - 1
_EXACT = Context(prec=100)
TEXT_OPTION = "--on-unfit text"


def array_of(values: Values, type_: Type, fit: Fit) -> Array:
    """A column.

    Args:
        values: as sst.values has them; None is NULL.
        type_: of them.
        fit: what types become.

    Raises:
        Unfit: the Arrow type cannot hold a value.
    """
    if fit.is_text(type_):
        texts = [None if value is None else text_of(value, type_) for value in values]
        return pa.array(texts, pa.string())
    return _array(values, type_, fit)


def _array(values: Values, type_: Type, fit: Fit) -> Array:
    make = _MAKERS.get(type_.kind)
    return pa.array(values, fit.arrow_of(type_)) if make is None else make(values, type_, fit)


def _text(values: Values, _: Type, __: Fit) -> Array:
    return pa.array([None if value is None else str(value) for value in values], pa.string())


def _nulls(values: Values) -> Any:
    return np.fromiter((value is None for value in values), bool, len(values))


def _floats(values: Values, type_: Type, _: Fit) -> Array:
    """By their bits: no NaN is changed."""
    bits, kind = (np.uint32, np.float32) if type_.kind is Kind.REAL else (np.uint64, np.float64)
    numbers = np.fromiter((value or 0 for value in values), bits, len(values)).view(kind)
    return pa.array(numbers, mask=_nulls(values), from_pandas=False)


def _decimals(values: Values, type_: Type, fit: Fit) -> Array:
    if fit.decimal_scale is None:
        texts = [None if value is None else decimal_text(value) for value in values]
        return pa.array(texts, pa.string())
    scale = fit.decimal_scale
    found = [None if value is None else _scaled(value, scale) for value in values]
    return pa.array(found, fit.arrow_of(type_))


def _scaled(value: Decimal, scale: int) -> Decimal:
    """The same number with that many digits behind the point."""
    place = Decimal(1).scaleb(-scale)
    if not value.is_finite():
        raise Unfit(f"{value} is no number of Arrow's decimals", "--decimal text")
    scaled = value.quantize(place, context=_EXACT)
    if scaled != value:
        reason = f"{decimal_text(value)} has more than {scale} digits behind its point"
        raise Unfit(reason, "--decimal text")
    if len(scaled.as_tuple().digits) > DECIMAL_DIGITS:
        whole = DECIMAL_DIGITS - scale
        reason = f"{decimal_text(value)} has more than {whole} digits before its point"
        raise Unfit(reason, "--decimal text")
    return scaled


def _dates(values: Values, _: Type, __: Fit) -> Array:
    for value in values:
        if value is not None and not I32_MIN <= value <= I32_MAX:
            raise Unfit(f"a date {value} days from 1970", TEXT_OPTION)
    return pa.array(values, pa.int32()).cast(pa.date32())


def _refuse_leap(values: Values, shown: Callable[[int], str]) -> None:
    """A second of 60 is none of Arrow's, and no other one."""
    for value in values:
        if isinstance(value, Leap):
            raise Unfit(f"{shown(value)} is a leap second", TEXT_OPTION)


def _times(values: Values, type_: Type, fit: Fit) -> Array:
    _refuse_leap(values, time_text)
    if fit.time == NANOS:
        return pa.array(values, pa.int64()).cast(fit.arrow_of(type_))
    found = [None if value is None else _micros(value, time_text, "--time ns") for value in values]
    return pa.array(found, pa.int64()).cast(fit.arrow_of(type_))


def _micros(nanos: int, shown: Callable[[int], str], option: str) -> int:
    micros, rest = divmod(nanos, MICRO)
    if rest:
        raise Unfit(f"{shown(nanos)} has digits below the microsecond", option)
    return micros


def _timestamps(values: Values, type_: Type, fit: Fit) -> Array:
    _refuse_leap(values, timestamp_text)
    is_nanos = fit.timestamp == NANOS
    found = [
        value if value is None or is_nanos else _micros(value, timestamp_text, "--timestamp ns")
        for value in values
    ]
    for value in found:
        if value is not None and not I64_MIN < value <= I64_MAX:
            option = "--timestamp us" if is_nanos else TEXT_OPTION
            nanos = value if is_nanos else value * MICRO
            raise Unfit(f"{timestamp_text(nanos)} is too far from 1970", option)
    return pa.array(found, pa.int64()).cast(fit.arrow_of(type_))


def _timestamptzs(values: Values, type_: Type, fit: Fit) -> Array:
    return pa.array(values, pa.int64()).cast(fit.arrow_of(type_))


def _intervals(values: Values, type_: Type, fit: Fit) -> Array:
    names = ("months", "days", "microseconds")
    found = [None if value is None else dict(zip(names, value, strict=True)) for value in values]
    return pa.array(found, fit.arrow_of(type_))


def _structs(values: Values, type_: Type, fit: Fit) -> Array:
    if not type_.fields:
        raise Unfit("a struct without fields", TEXT_OPTION)
    children = [
        _array([None if value is None else value[place] for value in values], field.type, fit)
        for place, field in enumerate(type_.fields)
    ]
    fields = list(fit.arrow_of(type_))
    return pa.StructArray.from_arrays(children, fields=fields, mask=pa.array(_nulls(values)))


def _offsets(values: Values) -> Array:
    sizes = np.fromiter((len(value or ()) for value in values), np.int32, len(values))
    return pa.array(np.concatenate(([0], np.cumsum(sizes, dtype=np.int32))).astype(np.int32))


def _lists(values: Values, type_: Type, fit: Fit) -> Array:
    items = [item for value in values if value is not None for item in value]
    inner = _array(items, type_.fields[0].type, fit)
    mask = pa.array(_nulls(values))
    return pa.ListArray.from_arrays(_offsets(values), inner, fit.arrow_of(type_), mask=mask)


def _maps(values: Values, type_: Type, fit: Fit) -> Array:
    entries = [item for value in values if value is not None for item in value]
    keys, items = (
        _array([entry[place] for entry in entries], field.type, fit)
        for place, field in enumerate(type_.fields)
    )
    mask = pa.array(_nulls(values))
    kind = fit.arrow_of(type_)
    return pa.MapArray.from_arrays(_offsets(values), keys, items, kind, mask=mask)


def _vectors(values: Values, type_: Type, fit: Fit) -> Array:
    flat = [item for value in values for item in (value or (0,) * type_.size)]
    numbers = pa.array(np.array(flat, np.uint32).view(np.float32), from_pandas=False)
    mask = pa.array(_nulls(values))
    return pa.FixedSizeListArray.from_arrays(numbers, type=fit.arrow_of(type_), mask=mask)


_MAKERS: dict[Kind, Callable[[Values, Type, Fit], Array]] = {
    Kind.INT256: _text,
    Kind.REAL: _floats,
    Kind.DOUBLE: _floats,
    Kind.DECIMAL: _decimals,
    Kind.DATE: _dates,
    Kind.TIME: _times,
    Kind.TIMESTAMP: _timestamps,
    Kind.TIMESTAMPTZ: _timestamptzs,
    Kind.INTERVAL: _intervals,
    Kind.STRUCT: _structs,
    Kind.LIST: _lists,
    Kind.MAP: _maps,
    Kind.VECTOR: _vectors,
}
