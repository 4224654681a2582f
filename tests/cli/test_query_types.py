"""What becomes of the types of a query's columns in files."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq  # pyright: ignore[reportMissingTypeStubs]
import pytest
from asking import PLACES, asked
from shell import Shell

TYPES = {
    "170141183460469231731687303715884105727::HUGEINT": "170141183460469231731687303715884105727",
    "340282366920938463463374607431768211455::UHUGEINT": "340282366920938463463374607431768211455",
    "9007199254740993": "9007199254740993",
    "9007199254740992": 9007199254740992,
    "'NaN'::DOUBLE": "NaN",
    "'-inf'::FLOAT": "-Infinity",
    "1.50::DECIMAL(9, 2)": "1.50",
    "'101'::BIT": "101",
    "DATE '5000-01-02'": "5000-01-02",
    "TIMESTAMP '290000-01-01 00:00:01'": "290000-01-01 00:00:01",
    "TIMETZ '10:00:00+01'": "10:00:00+01",
    "[1, NULL, 9007199254740993]": [1, None, 9007199254740993],
    "{'a': DATE '2000-01-01', 'b': [true]}": {"a": "2000-01-01", "b": [True]},
    "['NaN'::DOUBLE, '-inf'::DOUBLE, 'inf'::DOUBLE, 1.5]": ["NaN", "-Infinity", "Infinity", 1.5],
    "{'a': 'NaN \"-Infinity\\', 'NaN': ['inf'::FLOAT]}": {
        "a": 'NaN "-Infinity\\',
        "NaN": ["Infinity"],
    },
    "MAP {'k': 1}": {"k": 1},
    "NULL::INTEGER[]": None,
    "'x\\xFF'::BLOB": "x\\xFF",
    "INTERVAL '-14 months 3 days'": "-1 year -2 months 3 days",
    "true": True,
    "NULL": None,
}


@pytest.mark.parametrize("value", TYPES)
def test_types_of_results_in_lines(world: Shell, value: str) -> None:
    """What JSON lacks is text, exactly; the rest is as it is."""
    assert asked(world, f"SELECT {value} AS v") == [{"v": TYPES[value]}]


def test_numbers_that_arrow_lacks(world: Shell) -> None:
    """A HUGEINT of 38 digits goes into Parquet, one of 39 ends the query: it is never another
    number."""
    text = "SELECT 99999999999999999999999999999999999999::HUGEINT AS v"
    assert world.run("query", "9", text, *PLACES, "--to", "a.parquet").code == 0
    (row,) = pq.read_table("a.parquet").to_pylist()
    assert str(row["v"]) == "9" * 38
    for value in ("170141183460469231731687303715884105727::HUGEINT", "2e38::UHUGEINT"):
        code, _, err = world.run("query", "9", f"SELECT {value} AS v", *PLACES, "--to", "b.parquet")
        assert (code, "DECIMAL(38,0)" in err, Path("b.parquet").exists()) == (2, True, False)
