"""Connections to a SQLite meta store: one consistent cut, nothing made, nothing blocked."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from metasnapshot.errors import DatabaseError, InconsistentStore, UsageError
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.metastore.results import stream


@pytest.fixture(params=["delete", "wal"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A small database in either journal mode; its name has characters that a URI escapes."""
    path = tmp_path / "a b?#%.db"
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA journal_mode={request.param}")
        connection.execute("CREATE TABLE parent (id integer PRIMARY KEY)")
        connection.execute(
            "CREATE TABLE child (id integer PRIMARY KEY, parent_id integer REFERENCES parent (id))"
        )
        connection.execute("INSERT INTO parent VALUES (1)")
    connection.close()
    return path


def url(path: Path) -> str:
    return sa.URL.create("sqlite", database=str(path)).render_as_string()


def ids(connection: sa.Connection, table: str = "parent") -> list[int]:
    return [row[0] for row in connection.exec_driver_sql(f"SELECT id FROM {table} ORDER BY id")]


def test_a_read_sees_one_state(path: Path) -> None:
    """What another process commits during a read transaction is not seen in it, and it can
    commit."""
    with open_meta_store(url(path)) as store, store.read_transaction() as connection:
        assert ids(connection) == [1]
        with sqlite3.connect(path, timeout=0.1) as writer:
            writer.execute("INSERT INTO parent VALUES (2)")
        writer.close()
        assert ids(connection) == [1]
    with open_meta_store(url(path)) as store, store.read_transaction() as connection:
        assert ids(connection) == [1, 2]


def test_a_read_cannot_write(path: Path) -> None:
    """The source is opened read-only, or is a copy: it never changes."""
    before = path.read_bytes()
    with (
        pytest.raises(DatabaseError, match="readonly"),
        open_meta_store(url(path)) as store,
        store.read_transaction() as connection,
    ):
        connection.exec_driver_sql("INSERT INTO parent VALUES (3)")
    assert path.read_bytes() == before


def test_a_write_is_all_or_nothing(path: Path) -> None:
    """An error in the block rolls everything back."""
    with open_meta_store(url(path)) as store:
        with pytest.raises(RuntimeError, match="stop"), store.write_transaction() as connection:
            connection.exec_driver_sql("INSERT INTO parent VALUES (5)")
            raise RuntimeError("stop")
        with store.write_transaction() as connection:
            assert ids(connection) == [1]
            connection.exec_driver_sql("INSERT INTO parent VALUES (6)")
        with store.read_transaction() as connection:
            assert ids(connection) == [1, 6]


def test_foreign_keys_hold_at_the_commit(path: Path) -> None:
    """Rows may come in any order, but not without the rows that they refer to."""
    with open_meta_store(url(path)) as store:
        with store.write_transaction() as connection:
            connection.exec_driver_sql("INSERT INTO child VALUES (1, 7)")
            connection.exec_driver_sql("INSERT INTO parent VALUES (7)")
        with (
            pytest.raises(InconsistentStore, match="1 rows break foreign keys: child -> parent"),
            store.write_transaction() as connection,
        ):
            connection.exec_driver_sql("INSERT INTO child VALUES (2, 99)")
        with store.read_transaction() as connection:
            assert ids(connection, "child") == [1]


def test_a_missing_file_is_not_made(tmp_path: Path) -> None:
    """`sqlite:///missing.db` is an error, exit 18, and still missing afterwards."""
    missing = tmp_path / "missing.db"
    with (
        pytest.raises(DatabaseError, match=r"no such SQLite file") as caught,
        open_meta_store(url(missing)),
    ):
        pass
    assert (caught.value.exit_code, missing.exists()) == (18, False)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    """SQLite's own words, as a database error."""
    path = tmp_path / "text.db"
    path.write_text("this is no database at all, it is a text" * 10)
    with (
        pytest.raises(DatabaseError, match="file is not a database") as caught,
        open_meta_store(url(path)) as store,
        store.read_transaction(),
    ):
        pass
    assert caught.value.exit_code == 18


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "meta.db",
        "sqlite://",
        "sqlite:///:memory:",
        "nonsense://x",
        "oracle://u:secret@h/d",
    ],
)
def test_urls_that_name_no_sqlite_file(bad: str) -> None:
    """Usage errors, and no password in them."""
    with pytest.raises(UsageError) as caught, open_meta_store(bad):
        pass
    assert caught.value.hint
    assert "secret" not in str(caught.value)


def test_a_reader_that_stopped_half_way_is_closed_with_its_transaction(
    path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody may hold it for longer, as the traceback of an error does; nothing complains."""
    with sqlite3.connect(path) as writer:
        writer.executemany("INSERT INTO parent VALUES (?)", ((n,) for n in range(2, 1000)))
    writer.close()
    with open_meta_store(url(path)) as store, store.read_transaction() as connection:
        found = stream(connection, sa.text("SELECT id FROM parent ORDER BY id"), 32)
        assert next(found) == (1,)
    assert (found.closed, capfd.readouterr().err, caplog.text) == (True, "", "")
