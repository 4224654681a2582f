"""What Arrow arrays say, in the form of sst.values, for tests."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa  # pyright: ignore[reportMissingTypeStubs]

from metasnapshot.rows.fit import Fit
from metasnapshot.rows.text import text_of
from metasnapshot.sst.types import Kind, Type


def back(array: Any, type_: Type, fit: Fit) -> list[Any]:
    """What an Arrow array says, in the form of sst.values."""
    if fit.is_text(type_):
        return array.to_pylist()
    valid = array.is_valid().to_pylist()
    found = BACK.get(type_.kind, lambda item, _, __: item.to_pylist())(array, type_, fit)
    return [item if ok else None for item, ok in zip(found, valid, strict=True)]


def _floats(array: Any, type_: Type, _: Fit) -> list[Any]:
    bits = np.uint32 if type_.kind is Kind.REAL else np.uint64
    return array.fill_null(0).to_numpy(zero_copy_only=False).view(bits).tolist()


def _struct(array: Any, type_: Type, fit: Fit) -> list[Any]:
    children = [back(array.field(n), f.type, fit) for n, f in enumerate(type_.fields)]
    return list(zip(*children, strict=True))


def _list(array: Any, type_: Type, fit: Fit) -> list[Any]:
    inner = back(array.values, type_.fields[0].type, fit)
    return [inner[a:b] for a, b in pairwise(array.offsets.to_pylist())]


def _map(array: Any, type_: Type, fit: Fit) -> list[Any]:
    parts = zip((array.keys, array.items), type_.fields, strict=True)
    inner = list(zip(*(back(part, field.type, fit) for part, field in parts), strict=True))
    return [inner[a:b] for a, b in pairwise(array.offsets.to_pylist())]


def _vector(array: Any, type_: Type, fit: Fit) -> list[Any]:
    flat = back(array.values, Type(Kind.REAL), fit)
    size = type_.size
    return [tuple(flat[n * size : n * size + size]) for n in range(len(array))]


def _interval(array: Any, _: Type, __: Fit) -> list[Any]:
    return list(zip(*(array.field(n).to_pylist() for n in range(3)), strict=True))


def _moments(array: Any, _: Type, __: Fit) -> list[Any]:
    unit = 1 if array.type.unit == "ns" else 1000
    numbers = array.cast(pa.int64()).to_pylist()
    return [None if number is None else number * unit for number in numbers]


def _int256(array: Any, _: Type, __: Fit) -> list[Any]:
    return [None if text is None else int(text) for text in array.to_pylist()]


BACK: dict[Kind, Callable[[Any, Type, Fit], list[Any]]] = {
    Kind.REAL: _floats,
    Kind.DOUBLE: _floats,
    Kind.STRUCT: _struct,
    Kind.LIST: _list,
    Kind.MAP: _map,
    Kind.VECTOR: _vector,
    Kind.INTERVAL: _interval,
    Kind.TIME: _moments,
    Kind.TIMESTAMP: _moments,
    Kind.DATE: lambda array, _, __: array.cast(pa.int32()).to_pylist(),
    Kind.TIMESTAMPTZ: lambda array, _, __: array.cast(pa.int64()).to_pylist(),
    Kind.INT256: _int256,
}


def same(value: Any, found: Any, type_: Type, fit: Fit) -> bool:
    """Whether a value came through; decimals lose their scale and the sign of zero, no more."""
    if value is None or found is None:
        return value is found
    if fit.is_text(type_) or (type_.kind is Kind.DECIMAL and fit.decimal_scale is None):
        return text_of(value, type_) == found
    types = [field.type for field in type_.fields]
    if type_.kind is Kind.STRUCT:
        return all(same(*pair, fit) for pair in zip(value, found, types, strict=True))
    if type_.kind in (Kind.LIST, Kind.MAP):
        item = types[0] if type_.kind is Kind.LIST else Type(Kind.STRUCT, type_.fields)
        return all(same(*pair, item, fit) for pair in zip(value, found, strict=True))
    return value == found
