from __future__ import annotations

import datetime as dt

import pytest
from golden_rows import CASES, Case, objects, schema, shown_text, version
from hypothesis import given
from hypothesis import strategies as st

from metasnapshot.hummock.merge import table_versions
from metasnapshot.hummock.scan import plan_scan
from metasnapshot.rows.days import date_of, days_of
from metasnapshot.rows.text import float_text, jsonb_text, text_of
from metasnapshot.sst.row import decode_row


@pytest.mark.parametrize("case", [case for case in CASES if "t" in (case.rows or [{}])[0]], ids=str)
def test_golden_texts(case: Case) -> None:
    """Every value of every golden table is printed as RisingWave prints it."""
    table = schema(case.tag, case.table)
    epoch = case.epoch_number
    scan = plan_scan(version(case.tag), case.table, epoch=epoch, retention_s=table.retention_s)
    wanted = tuple(range(len(table.columns)))
    for row, item in zip(case.rows, table_versions(objects(case.tag), scan), strict=True):
        values = decode_row(item.table_key, item.value, table, wanted, item.place)
        for text, value, column in zip(row["t"], values, table.columns, strict=True):
            found = None if value is None else shown_text(text_of(value, column.type))
            assert text == found, column.name


@given(st.dates())
def test_days_are_those_of_the_calendar(date: dt.date) -> None:
    """Days and dates are the same as Python's where it has them, and go to and fro everywhere."""
    days = date.toordinal() - dt.date(1970, 1, 1).toordinal()
    assert date_of(days) == (date.year, date.month, date.day)
    for far in (days, days * 300, days * -300):
        assert days_of(*date_of(far)) == far


@pytest.mark.parametrize(
    ("bits", "size", "text"),
    [
        (0x3DCCCCCD, 32, "0.1"),
        (0x33D6BF95, 32, "1e-07"),
        (0x358637BD, 32, "0.000001"),
        (0x501502F9, 32, "10000000000"),
        (0x56B5E621, 32, "1e+14"),
        (0x3F1A36E2EB1C432D, 64, "0.0001"),
        (0x3EE4F8B588E368F1, 64, "0.00001"),
        (0x3EB0C6F7A0B5ED8D, 64, "1e-06"),
        (0x430C6BF526340000, 64, "1000000000000000"),
        (0x4341C37937E08000, 64, "1e+16"),
        (0x4376345785D8A000, 64, "1e+17"),
        (0x8000000000000000, 64, "-0"),
        (0xFFF0000000000000, 64, "-Infinity"),
    ],
)
def test_numbers_in_the_fewest_digits(bits: int, size: int, text: str) -> None:
    """Numbers have an exponent where ryu gives them one, of two digits at least."""
    assert float_text(bits, size) == text


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        ('{"a":1,"b":[1,2]}', '{"a": 1, "b": [1, 2]}'),
        ('"a:b,c\\":,"', '"a:b,c\\":,"'),
        ('{"\\\\":":",",":[]}', '{"\\\\": ":", ",": []}'),
        ("[]", "[]"),
    ],
)
def test_json_gets_spaces(stored: str, text: str) -> None:
    """A space follows each colon and comma that is not in a string."""
    assert jsonb_text(stored) == text
