"""A column of equal values is converted once; that changes no line and no digest, on any engine."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest
import sqlalchemy as sa

from metasnapshot.errors import ValueUnfit
from metasnapshot.format.columns import Columns
from metasnapshot.metastore.bulk.convert import Convert, once_if_alike, same
from metasnapshot.metastore.bulk.digest import TableDigest
from metasnapshot.metastore.bulk.table import fitted_batches
from metasnapshot.metastore.engines import engine_named
from metasnapshot.metastore.engines.mysql_literals import MysqlTable
from metasnapshot.metastore.engines.postgres_copy import JSONB, PostgresTable
from metasnapshot.metastore.engines.sqlite_rows import SqliteTable
from metasnapshot.metastore.values import Fit
from metasnapshot_models.definitions import Column, ColumnType

STATS = ("map", "u32", "hummock.TableStats")
UUID = "00000000-0000-0000-0000-0000000000ab"
COLUMNS: dict[str, tuple[ColumnType, list[Any]]] = {
    "integer": (ColumnType("i64", "integer", "i64"), [0, 1, -(2**63), 2**63 - 1, None]),
    "bool": (ColumnType("bool", "bool"), [False, True, None]),
    "string": (ColumnType("String", "string"), ["", "0", "a\\'\t\n\r\0\x1a;", "Weiß", None]),
    "enum": (
        ColumnType("Kind", "enum", members={"One": "ONE", "Two": "TWO"}),
        ["One", "Two", None],
    ),
    "timestamp": (
        ColumnType("DateTime", "timestamp"),
        ["2024-07-01T08:00:00", "2024-07-01T08:00:00.120", None],
    ),
    "uuid": (ColumnType("Uuid", "uuid"), [UUID, UUID.replace("b", "c"), None]),
    "bytes": (ColumnType("Vec<u8>", "bytes"), [b"", b"\0\xff'", None]),
    "numbers": (ColumnType("I32Array", "json", json=("list", "i32")), [[], [0], [1, -2], None]),
    "texts": (
        ColumnType("Property", "json", json=("map", "String", "String")),
        [{}, {"a": "1", "bb": "'\\\n"}, {"bb": "'\\\n", "a": "1"}, None],
    ),
    "stats": (
        ColumnType("TableStats", "json", json=STATS),
        [
            *({7: {"totalKeyCount": value}} for value in (True, 1, 1.0, "1", False, 0, 0.0, None)),
            None,
        ],
    ),
    "parallelism": (
        ColumnType("StreamingParallelism", "json", json="parallelism"),
        ["Adaptive", *({"Fixed": value} for value in (True, 1, 1.0, False, 0)), None],
    ),
}
"""A type of each kind, and plain values of it; of JSON also some that Python calls equal."""
PG_TYPES = {"integer": 20, "bool": 16, "timestamp": 1114, "uuid": 2950, "bytes": 17, "json": JSONB}
CASES = [
    pytest.param(kind, values, id=f"{kind}-{name}")
    for kind, (_, found) in COLUMNS.items()
    for name, values in {
        **{f"{found[at]!r:.40} alone": [found[at]] for at in (0, -1)},
        **{f"{at} alike": [value] * 5 for at, value in enumerate(found)},
        "all": found,
        "the ends alike": [found[0], *found[1:], found[0]],
        "but the last": [*[found[0]] * 3, found[1]],
        "but the first": [found[1], *[found[0]] * 3],
        "in pairs": [value for value in found for _ in range(2)],
    }.items()
]
Loaded = tuple[TableDigest, Any]
"""A digest, and what the engine was sent."""


class Driver:
    """A driver of PostgreSQL or MySQL that keeps what it is sent."""

    def __init__(self, type_code: int) -> None:
        self.description = [SimpleNamespace(type_code=type_code)]
        self.statements: list[Any] = []
        self.execute = self.write = self.statements.append

    @contextmanager
    def cursor(self) -> Generator[Driver]:
        yield self

    @contextmanager
    def copy(self, _: str) -> Generator[Driver]:
        yield self


def connected(driver: Driver, *types: tuple[str, str]) -> sa.Connection:
    """A connection to it, whose table has columns of these types."""
    preparer = SimpleNamespace(quote_identifier=str)
    found = SimpleNamespace(
        connection=SimpleNamespace(driver_connection=driver),
        dialect=SimpleNamespace(identifier_preparer=preparer),
        execute=lambda *_: types,
    )
    return cast("sa.Connection", found)


def to_postgres(column: Column, batches: Iterable[list[Any]]) -> Loaded:
    driver = Driver(PG_TYPES.get(column.type.kind, 25))
    table = PostgresTable(connected(driver), "t", [column])
    driver.statements.clear()
    digest = table.insert([values] for values in batches)
    return digest, b"".join(driver.statements)


def to_mysql(column: Column, batches: Iterable[list[Any]]) -> Loaded:
    driver = Driver(0)
    table = MysqlTable(connected(driver, ("c", "longtext")), "t", [column])
    digest = table.insert([values] for values in batches)
    start = b"INSERT INTO t (c) VALUES "
    assert all(statement.startswith(start) for statement in driver.statements)
    return digest, b",".join(statement.removeprefix(start) for statement in driver.statements)


def to_sqlite(column: Column, batches: Iterable[list[Any]]) -> Loaded:
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE t (c)")
        table = SqliteTable(connection, "t", [column])
        digest = table.insert([values] for values in batches)
        assert table.digest() == digest
        rows = connection.exec_driver_sql("SELECT c, typeof(c) FROM t ORDER BY rowid").all()
    engine.dispose()
    return digest, rows


ENGINES = [to_postgres, to_mysql, to_sqlite]


@pytest.mark.parametrize("load", ENGINES)
@pytest.mark.parametrize(("kind", "values"), CASES)
def test_a_batch_is_what_its_rows_are(
    load: Callable[[Column, Iterable[list[Any]]], Loaded], kind: str, values: list[Any]
) -> None:
    """The same lines in the same order, and the same digest, as of batches of one row each."""
    column = Column("c", COLUMNS[kind][0], nullable=True)
    together = load(column, [values])
    assert together == load(column, [[value] for value in values])
    assert together[0].count == len(values)


def test_true_is_not_one_in_json() -> None:
    """Nor 1.0, though Python calls them equal: each is its own text."""
    column = Column("c", COLUMNS["stats"][0])
    values = [{7: {"totalKeyCount": value}} for value in (True, 1, 1.0)]
    assert values[0] == values[1] == values[2]
    texts = [f'{{"7":{{"totalKeyCount":{text}}}}}' for text in ("true", "1", "1.0")]
    assert to_sqlite(column, [values])[1] == [(text, "text") for text in texts]
    assert to_mysql(column, [values])[1].decode() == ",".join(f"('{text}')" for text in texts)
    spaced = [text.replace(":", ": ") for text in texts]
    assert to_postgres(column, [values])[1].decode().splitlines() == spaced


def test_a_row_of_postgresql_is_a_line() -> None:
    """Whatever breaks lines in its text."""
    column = Column("c", COLUMNS["string"][0])
    breaking = "\n\r\v\f\x1c\x85\u2028"
    digest, sent = to_postgres(column, [[breaking, breaking], [breaking]])
    assert (digest.count, sent.count(b"\n"), sent[-1:]) == (3, 3, b"\n")
    lines = sent.split(b"\n")[:-1]
    expected = TableDigest()
    expected.add(line + b"\n" for line in lines)
    assert digest == expected


@pytest.mark.parametrize("kind", COLUMNS)
@pytest.mark.parametrize("count", [1, 2, 1000])
def test_equal_values_are_converted_once(kind: str, count: int) -> None:
    """Of all kinds but JSON of other than numbers, where equal is not alike."""
    calls: list[int] = []

    def convert(values: Sequence[Any]) -> Sequence[Any]:
        calls.append(len(values))
        return tuple(f"<{value}>" for value in values)

    type_, values = COLUMNS[kind]
    found = once_if_alike(Column("c", type_), convert)([values[1]] * count)
    assert list(found) == [f"<{values[1]}>"] * count
    is_exact = kind not in ("texts", "stats", "parallelism")
    assert calls == [1 if is_exact else count]


def test_other_values_are_converted_each() -> None:
    """By one call, whichever of them differs."""
    calls: list[Sequence[Any]] = []

    def convert(values: Sequence[Any]) -> Sequence[Any]:
        calls.append(values)
        return values

    once = once_if_alike(Column("c", COLUMNS["integer"][0]), convert)
    for values in ([0, 1, 0], [0, 0, 1], [1, 0, 0], [None, 0, None]):
        assert once(values) == values
    assert calls == [[0, 1, 0], [0, 0, 1], [1, 0, 0], [None, 0, None]]


def test_what_is_taken_as_it_is_is_not_counted() -> None:
    """There is nothing to save, and columns are long."""
    found: Convert = once_if_alike(Column("c", COLUMNS["string"][0]), same)
    assert found is same


def test_a_batch_without_rows_is_left_out() -> None:
    """As where only some objects are loaded at a time; rows are counted on behind it."""
    shape = [Column("text", ColumnType("String", "string"))]
    batches: list[Columns] = [[[]], [["a", "b"]], [()], [["\0"]]]
    found = fitted_batches(batches, "t", shape, Fit(engine_named("postgresql").forms))
    assert next(found) == [["a", "b"]]
    with pytest.raises(ValueUnfit, match="table t, row 2, column text"):
        next(found)
