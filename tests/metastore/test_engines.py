"""What differs from engine to engine stands in metastore/engines, and nobody else asks."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from metasnapshot.errors import UsageError
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.metastore.engines import ENGINES, engine_named, engine_of, find_engine

RUNTIME = Path(__file__).parents[2] / "runtime" / "metasnapshot"
HOME = RUNTIME / "metastore" / "engines"
NAMES = {scheme for engine in ENGINES for scheme in engine.schemes}
ASKS = re.compile(rf"({'|'.join(sorted(NAMES))})(\+\w+)?[:_]?")
NO_META_STORE = {RUNTIME / "cli/verbs/export.py"}
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
        if HOME not in path.parents and path not in NO_META_STORE
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
