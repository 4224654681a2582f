"""The schema of every release, as SQLite's catalogue tells it: RisingWave's own, to the letter."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import goldens
import pytest

from metasnapshot.errors import TargetNotEmpty, UnknownFormat
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.metastore.ddl import schema_of
from metasnapshot.metastore.engines import ENGINES
from metasnapshot.operations.create_schema import create_schema, release_named, script
from metasnapshot_models.layouts import RELEASES

NEW = "3.0.3"


def release(tag: Path) -> str:
    return tag.name.removeprefix("v")


def make(path: Path, version: str) -> tuple[str, ...]:
    """Make a release's schema in a file; returns the tables that were made."""
    with open_meta_store(f"sqlite:///{path}", may_create=True) as store:
        return create_schema(store, version).tables


def catalogue(path: Path) -> dict[str, Any]:
    """What SQLite knows of each table: columns, foreign keys, indexes, AUTOINCREMENT."""
    with closing(sqlite3.connect(path)) as connection:

        def ask(pragma: str, name: str) -> list[Any]:
            return connection.execute(f'PRAGMA {pragma}("{name}")').fetchall()

        found = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
        return {
            name: {
                "columns": ask("table_xinfo", name),
                "foreign keys": sorted(row[2:] for row in ask("foreign_key_list", name)),
                "indexes": sorted(
                    (row[1].removesuffix(str(row[0])), *row[2:], ask("index_xinfo", row[1]))
                    for row in ask("index_list", name)
                ),
                "counts": "AUTOINCREMENT" in sql,
            }
            for name, sql in found.fetchall()
        }


@pytest.mark.parametrize("tag", goldens.STORES, ids=goldens.name)
def test_the_schema_is_risingwaves_own(tag: Path, tmp_path: Path) -> None:
    """Columns with types and defaults in their order, keys, indexes, and what counts up."""
    make(tmp_path / "ours.db", release(tag))
    assert catalogue(tmp_path / "ours.db") == catalogue(tag / "meta.db")


@pytest.mark.parametrize("tag", goldens.STORES, ids=goldens.name)
def test_a_meta_node_finds_nothing_to_do(tag: Path, tmp_path: Path) -> None:
    """seaql_migrations names the migrations that the release's own store has."""
    make(tmp_path / "ours.db", release(tag))
    names = []
    for path in (tmp_path / "ours.db", tag / "meta.db"):
        with closing(sqlite3.connect(path)) as connection:
            rows = connection.execute("SELECT version FROM seaql_migrations").fetchall()
            names.append(sorted(row[0] for row in rows))
    assert names[0] == names[1]


@pytest.mark.parametrize("version", RELEASES)
def test_every_release_has_a_schema(version: str, tmp_path: Path) -> None:
    """Those without golden data too: SQLite takes every statement, other engines are written."""
    assert make(tmp_path / "ours.db", version)
    for engine in ENGINES:
        statements = list(schema_of(version, engine.syntax).statements())
        assert len(statements) > len(RELEASES[version].migrations) // 2


def test_the_script_makes_the_same(tmp_path: Path) -> None:
    """What --print prints for SQLite, run by SQLite."""
    make(tmp_path / "ours.db", NEW)
    with closing(sqlite3.connect(tmp_path / "printed.db")) as connection:
        connection.executescript(script(NEW, "sqlite"))
    assert catalogue(tmp_path / "printed.db") == catalogue(tmp_path / "ours.db")


def test_again_is_nothing_to_do(tmp_path: Path) -> None:
    """The second time no table is made."""
    assert make(tmp_path / "ours.db", NEW)
    assert make(tmp_path / "ours.db", NEW) == ()


def test_another_releases_tables_are_refused(tmp_path: Path) -> None:
    """Exit 13 with its migrations, exit 14 without."""
    path = tmp_path / "ours.db"
    make(path, "2.2.0")
    with pytest.raises(TargetNotEmpty):
        make(path, NEW)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM seaql_migrations")
    before = catalogue(path)
    with pytest.raises(UnknownFormat, match=r"table \w+ is there and not that of 3\.0\.3: "):
        make(path, NEW)
    assert catalogue(path) == before


def test_a_failure_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A SQLite file that was made for the schema goes with it."""
    monkeypatch.setattr("metasnapshot.operations.create_schema.write_migrations", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        make(tmp_path / "ours.db", NEW)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "found"),
    [("2.8.0", "2.8.0"), ("v2.8.0", "2.8.0"), ("main", "main-2026-08-21")],
)
def test_a_release_by_name(name: str, found: str) -> None:
    """With or without v; a branch by its own name."""
    assert release_named(name) == found


def test_an_unknown_release_is_refused() -> None:
    """Exit 14, with those that are known."""
    with pytest.raises(UnknownFormat, match=r"unknown release 0\.9$") as caught:
        release_named("0.9")
    assert "2.8.0" in caught.value.hint
