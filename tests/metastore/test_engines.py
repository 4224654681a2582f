"""What differs from engine to engine stands in metastore/engines, and nobody else asks."""

from __future__ import annotations

import ast
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from metasnapshot.errors import UsageError
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.metastore.engines import ENGINES, engine_named, engine_of, find_engine
from metasnapshot.metastore.engines.mysql import Mysql

RUNTIME = Path(__file__).parents[2] / "runtime" / "metasnapshot"
HOME = RUNTIME / "metastore" / "engines"
NAMES = {scheme for engine in ENGINES for scheme in engine.schemes}
ASKS = re.compile(rf"({'|'.join(sorted(NAMES))})(\+\w+)?[:_]?")
ROWS = RUNTIME / "metastore" / "kinds.py"
"""A row for each engine, for who must not load one."""
NO_META_STORE = {RUNTIME / "cli/verbs/export.py", RUNTIME / "library/exporting.py"}
"""A file of SQLite's is also a form of export."""


def asked(source: str) -> Iterator[tuple[int, str]]:
    """Where a module has an engine's name by itself, or an attribute of that name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if ASKS.fullmatch(node.value):
                yield node.lineno, node.value
        elif isinstance(node, ast.Attribute) and node.attr in NAMES:
            yield node.lineno, node.attr


def test_nobody_else_asks_for_an_engines_name() -> None:
    """A new engine is a file beside the others, and a line that lists it."""
    found = [
        f"{path.relative_to(RUNTIME)}:{line}: {name}"
        for path in sorted(RUNTIME.rglob("*.py"))
        if HOME not in path.parents and path not in {ROWS, *NO_META_STORE}
        for line, name in asked(path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        'if connection.dialect.name == "postgresql": pass',
        'MYSQL = "mysql"',
        'FORMS = {"sqlite": 1}',
        'match engine:\n    case "mariadb": pass',
        'x = url.startswith("sqlite:")',
        'driver = "postgresql+psycopg"',
        "x = item.postgres",
        'def f(engine="mysql"): pass',
    ],
)
def test_a_question_is_seen(source: str) -> None:
    """Wherever a name stands."""
    assert len(list(asked(source))) == 1


@pytest.mark.parametrize(
    "source",
    ['"""SQLite, mysql."""', 'open(f"sqlite:///{path}")', 'hint = "sqlite, postgres, mysql"'],
)
def test_other_words_are_none(source: str) -> None:
    """Sentences and URLs that are opened."""
    assert list(asked(source)) == []


def test_every_scheme_is_one_engines() -> None:
    """MariaDB is reached as MySQL; nobody is two."""
    assert len(NAMES) == sum(len(engine.schemes) for engine in ENGINES)
    assert engine_named("mariadb") is engine_named("mysql")
    assert find_engine("oracle") is None
    with pytest.raises(UsageError, match="oracle is not supported"):
        engine_named("oracle")


def test_a_connection_knows_its_engine(tmp_path: Path) -> None:
    """By SQLAlchemy's dialect, whatever the URL said."""
    url = f"sqlite:///{tmp_path / 'meta.db'}"
    with open_meta_store(url, may_create=True) as store, store.read_transaction() as connection:
        assert engine_of(connection) is engine_named("sqlite")


class _Answer:
    """What an execution gives."""

    def __init__(self, row: tuple[Any, ...]) -> None:
        self.row = row

    def one(self) -> tuple[Any, ...]:
        return self.row

    def scalar(self) -> Any:
        return self.row[0]

    def scalars(self) -> list[Any]:
        return []

    def fetchall(self) -> list[Any]:
        return []


class _MysqlConnection:
    """A connection to a database of a server that folds names or does not."""

    def __init__(self, database: str, *, folds: bool) -> None:
        self.database, self.folds = database, folds
        self.locks: list[str] = []
        self.info: dict[str, Any] = {}
        self.dialect = SimpleNamespace(
            loaded_dbapi=sqlite3, identifier_preparer=SimpleNamespace(quote_identifier=repr)
        )

    def begin(self) -> AbstractContextManager[None]:
        return nullcontext()

    def exec_driver_sql(self, statement: str, values: Sequence[str] = ()) -> _Answer:
        if "GET_LOCK" in statement:
            self.locks += values
            return _Answer((1,))
        return _Answer((self.database, int(self.folds)))


def _lock_of(database: str, *, folds: bool = False) -> str:
    connection: Any = _MysqlConnection(database, folds=folds)
    with Mysql().writing(connection):
        (found,) = connection.locks
    return found


def test_mysqls_restore_lock_is_a_databases() -> None:
    """Its locks are the whole server's and have 64 characters at most: each database has one, whose
    name knows case where names of databases do."""
    names = ["meta", "Meta", "meta2", "m" * 64, "m" * 63, "мета", "a-b", ""]
    found = [_lock_of(name) for name in names]
    assert len(set(found)) == len(names)
    assert max(map(len, found)) <= 64
    assert _lock_of("Meta", folds=True) == _lock_of("META", folds=True)
