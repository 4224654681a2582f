from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

import pyarrow as pa  # pyright: ignore[reportMissingTypeStubs]
import pyarrow.parquet as pq  # pyright: ignore[reportMissingTypeStubs]
import pytest
from arrow_values import back, same
from exhaustive import WHOLE
from golden_rows import CASES, Case, objects, schema, version

from metasnapshot.hummock.merge import table_versions
from metasnapshot.hummock.scan import plan_scan
from metasnapshot.rows.arrays import array_of
from metasnapshot.rows.fit import Fit, Unfit
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


@pytest.mark.parametrize(
    ("case", "name"),
    [
        pytest.param(case, name, id=f"{case}-{name}")
        for case in LAST
        for name in FITS
        if WHOLE or name == "usual" or case.table % 100 in (1, 14)
    ],
)
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
