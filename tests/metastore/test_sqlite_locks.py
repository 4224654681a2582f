"""Writers of one SQLite file: none takes from another what it wrote, and whoever waits is told for
whom."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import goldens
import pytest
import sqlalchemy as sa

from metasnapshot.errors import ConflictError, DatabaseError, MetasnapshotError, TargetNotEmpty
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.metastore.engines import sqlite_file, sqlite_holder
from metasnapshot.operations.restore.plan import RestoreOptions
from metasnapshot.operations.restore.restoration import restore

TAG = goldens.SHIPPED / "v3.0.3"


class Boom(Exception):
    """What ends a transaction badly."""


@contextmanager
def writing(path: Path) -> Generator[sa.Connection]:
    with (
        open_meta_store(f"sqlite:///{path}", may_create=True) as store,
        store.write_transaction() as connection,
    ):
        yield connection


def fill(path: Path) -> None:
    """What another process does that ends well."""
    with writing(path) as connection:
        connection.exec_driver_sql("CREATE TABLE t (a integer)")
        connection.exec_driver_sql("INSERT INTO t VALUES (7)")


def rows(path: Path) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT a FROM t").fetchall()


def before_begin(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Let somebody act between the making of the file and the first BEGIN after it."""
    honest, left = sqlite_file.transaction, [act]

    @contextmanager
    def stopped(path: Path, mode: str, begin: str) -> Generator[sa.Connection]:
        if begin == "BEGIN IMMEDIATE" and left:
            left.pop()()
        with honest(path, mode, begin) as connection:
            yield connection

    monkeypatch.setattr(sqlite_file, "transaction", stopped)


def after_begin(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """The same once the first transaction has begun."""
    honest, left = sqlite_file.transaction, [act]

    @contextmanager
    def stopped(path: Path, mode: str, begin: str) -> Generator[sa.Connection]:
        with honest(path, mode, begin) as connection:
            if begin == "BEGIN IMMEDIATE" and left:
                left.pop()()
            yield connection

    monkeypatch.setattr(sqlite_file, "transaction", stopped)


@pytest.mark.parametrize("failure", [Boom, KeyboardInterrupt, DatabaseError, SystemExit])
def test_who_fails_leaves_what_another_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: type[BaseException]
) -> None:
    """A makes the file, B fills it, A fails: the file and its rows are B's."""
    path = tmp_path / "meta.db"
    before_begin(monkeypatch, lambda: fill(path))
    with pytest.raises(failure), writing(path):
        raise failure("on purpose")
    assert rows(path) == [(7,)]


@pytest.mark.parametrize("act", ["nothing", "rows", "table"])
def test_who_fails_alone_removes_the_file_that_it_made(tmp_path: Path, act: str) -> None:
    """Whatever it had written by then: nothing of it was committed."""
    path = tmp_path / "meta.db"
    with pytest.raises(Boom), writing(path) as connection:
        if act != "nothing":
            connection.exec_driver_sql("CREATE TABLE t (a integer)")
        if act == "rows":
            connection.exec_driver_sql("INSERT INTO t VALUES (7)")
        raise Boom
    assert not list(tmp_path.iterdir())


def test_an_empty_file_that_was_there_stays(tmp_path: Path) -> None:
    """It is somebody else's, empty or not."""
    path = tmp_path / "meta.db"
    path.touch()
    with pytest.raises(Boom), writing(path):
        raise Boom
    assert path.read_bytes() == b""


@pytest.mark.parametrize("moment", [before_begin, after_begin])
def test_who_waited_for_a_file_that_goes_away_makes_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: Any
) -> None:
    """The file that A made and B opened is removed when A fails: B writes into one with a name."""
    path = tmp_path / "meta.db"
    path.touch()
    moment(monkeypatch, path.unlink)
    with writing(path) as connection:
        connection.exec_driver_sql("CREATE TABLE t (a integer)")
        connection.exec_driver_sql("INSERT INTO t VALUES (9)")
    assert rows(path) == [(9,)]


def test_who_fails_leaves_a_file_that_took_the_place_of_its_own(tmp_path: Path) -> None:
    """Another file under the same name is not ours, empty or not."""
    path = tmp_path / "meta.db"
    with pytest.raises(Boom), writing(path):
        path.unlink()
        path.touch()
        raise Boom
    assert path.exists()


@pytest.mark.parametrize("first", [2, 7])
def test_two_restores_into_a_file_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    """The one that fails removes nothing of the one that ended well."""
    path = tmp_path / "target.db"
    backups = goldens.copy_backups(TAG, tmp_path)
    goldens.point_to_state(backups, tmp_path / "state", (2, 7))

    def run(number: int) -> None:
        with open_meta_store(f"sqlite:///{path}", may_create=True) as store:
            options = RestoreOptions(f"fs://{tmp_path}/state", create_schema=True)
            restore(backups, store, number, options)

    before_begin(monkeypatch, lambda: run(first))
    with pytest.raises(TargetNotEmpty):
        run(9 - first)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute('SELECT count(*) FROM "user"').fetchone() == (4,)


def test_who_writes_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 11, with the process, its host, and since when it runs."""
    monkeypatch.setattr(sqlite_file, "BUSY_TIMEOUT_S", 0.0)
    path = tmp_path / "meta.db"
    fill(path)
    with (
        writing(path),
        pytest.raises(ConflictError, match=rf"process {os.getpid()} on .+ since 20") as caught,
        writing(path),
    ):
        pytest.fail("both write")
    assert caught.value.exit_code == 11
    assert str(path) in str(caught.value)


def test_a_host_without_a_list_of_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nobody knows who it is, and it is an error all the same."""
    monkeypatch.setattr(sqlite_file, "BUSY_TIMEOUT_S", 0.0)
    monkeypatch.setattr(sqlite_holder, "LOCKS", tmp_path / "no such list")
    path = tmp_path / "meta.db"
    fill(path)
    with writing(path), pytest.raises(MetasnapshotError, match="another process"), writing(path):
        pytest.fail("both write")
