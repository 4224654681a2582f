from __future__ import annotations

import io
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa  # pyright: ignore[reportMissingTypeStubs]
import pyarrow.parquet as pq  # pyright: ignore[reportMissingTypeStubs]
import pytest
from golden_rows import CASES, Case, objects, schema, version

from metasnapshot.hummock.merge import table_versions
from metasnapshot.hummock.scan import plan_scan
from metasnapshot.rows.arrays import array_of
from metasnapshot.rows.fit import Fit, Unfit
from metasnapshot.rows.text import text_of
from metasnapshot.sst.row import decode_row
from metasnapshot.sst.types import Field, Kind, Type

LAST = [case for case in CASES if case.epoch == "E2" and case.rows]
FITS = {
    "usual": Fit(),
    "nanoseconds": Fit(time="ns", timestamp="ns"),
    "text": Fit(unfit_as_text=True),
    "decimals as text": Fit(decimal_scale=None),
}


def values_of(case: Case) -> list[list[Any]]:
    """The columns of a golden table."""
    table = schema(case.tag, case.table)
    epoch = case.epoch_number
    scan = plan_scan(version(case.tag), case.table, epoch=epoch, retention_s=table.retention_s)
    wanted = tuple(range(len(table.columns)))
    rows = [
        decode_row(item.table_key, item.value, table, wanted, item.place)
        for item in table_versions(objects(case.tag), scan)
    ]
    return [list(column) for column in zip(*rows, strict=True)]


def fits(value: Any, type_: Type, fit: Fit) -> bool:
    try:
        array_of([value], type_, fit)
    except Unfit:
        return False
    return True


def through_parquet(array: Any) -> Any:
    target = io.BytesIO()
    pq.write_table(pa.table({"c": array}), target, use_dictionary=False)
    target.seek(0)
    return pq.read_table(target)["c"].combine_chunks()


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


@pytest.mark.parametrize("name", FITS)
@pytest.mark.parametrize("case", LAST, ids=str)
def test_values_come_through_parquet_or_are_refused(case: Case, name: str) -> None:
    """Every golden value, of every type, is the same behind Arrow and Parquet, or does not fit."""
    fit = FITS[name]
    for column, values in zip(schema(case.tag, case.table).columns, values_of(case), strict=True):
        fitting = [value for value in values if fits(value, column.type, fit)]
        array = array_of(fitting, column.type, fit)
        assert array.type == fit.arrow_type(column.type)
        array.validate(full=True)
        for made in (array, through_parquet(array)):
            found = back(made, column.type, fit)
            pairs = zip(fitting, found, strict=True)
            wrong = [pair for pair in pairs if not same(*pair, column.type, fit)]
            assert wrong == [], column.name
        if fit.unfit_as_text:
            assert len(fitting) == len(values)


DECIMAL, TIME, TIMESTAMP = Type(Kind.DECIMAL), Type(Kind.TIME), Type(Kind.TIMESTAMP)
LIST = Type(Kind.LIST, (Field("element", DECIMAL),))
YEAR_NS = 31_556_952_000_000_000
UNFIT = [
    (DECIMAL, Decimal("NaN"), Fit(), "--decimal text"),
    (DECIMAL, Decimal("Infinity"), Fit(), "--decimal text"),
    (DECIMAL, Decimal("1E-11"), Fit(), "--decimal text"),
    (DECIMAL, Decimal("1E28"), Fit(), "--decimal text"),
    (DECIMAL, Decimal("0.5"), Fit(decimal_scale=0), "--decimal text"),
    (LIST, [None, Decimal("-Infinity")], Fit(), "--decimal text"),
    (TIME, 1, Fit(), "--time ns"),
    (TIMESTAMP, 1, Fit(), "--timestamp ns"),
    (TIMESTAMP, 300 * YEAR_NS, Fit(timestamp="ns"), "--timestamp us"),
    (Type(Kind.STRUCT), (), Fit(), "--on-unfit text"),
    (Type(Kind.DATE), 1 << 31, Fit(), "--on-unfit text"),
]


@pytest.mark.parametrize(("type_", "value", "fit", "option"), UNFIT)
def test_what_does_not_fit_names_what_helps(type_: Type, value: Any, fit: Fit, option: str) -> None:
    """A value that an Arrow type cannot hold is refused, with the option that holds it."""
    with pytest.raises(Unfit) as caught:
        array_of([None, value], type_, fit)
    assert caught.value.option == option
    if type_.kind is not Kind.DATE:
        helped = {
            "--decimal text": Fit(decimal_scale=None),
            "--time ns": Fit(time="ns"),
            "--timestamp ns": Fit(timestamp="ns"),
            "--timestamp us": Fit(),
            "--on-unfit text": Fit(unfit_as_text=True),
        }[option]
        array = array_of([None, value], type_, helped)
        assert same(value, back(array, type_, helped)[1], type_, helped)


@pytest.mark.parametrize(
    ("value", "fit"),
    [
        (Decimal("1.50000000000000"), Fit()),
        (Decimal("-0.00"), Fit()),
        (Decimal("9999999999999999999999999999.9999999999"), Fit()),
        (Decimal(-79228162514264337593543950335), Fit(decimal_scale=0)),
        (Decimal("0.0000000000000000000000000001"), Fit(decimal_scale=28)),
    ],
)
def test_decimals_that_fit(value: Decimal, fit: Fit) -> None:
    """A decimal fits if the number does, whatever zeros it ends with."""
    assert back(array_of([value], DECIMAL, fit), DECIMAL, fit) == [value]
