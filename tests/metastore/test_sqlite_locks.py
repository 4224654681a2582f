"""Writers of one SQLite file: none takes from another what it wrote, and whoever waits is told for
whom."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import goldens
import pytest
import sqlalchemy as sa

from metasnapshot.cli.app import main
from metasnapshot.errors import ConflictError, DatabaseError, MetasnapshotError, TargetNotEmpty
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.metastore.engines import sqlite_busy, sqlite_file
from metasnapshot.operations.restore.plan import RestoreOptions
from metasnapshot.operations.restore.restoration import restore

TAG = goldens.SHIPPED / "v3.0.3"


class Boom(Exception):
    """What ends a transaction badly."""


@contextmanager
def writing(path: Path, lock_wait_s: float = 30) -> Generator[sa.Connection]:
    url = f"sqlite:///{path}"
    with (
        open_meta_store(url, may_create=True, lock_wait_s=lock_wait_s) as store,
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
    def stopped(path: Path, mode: str, begin: str, wait_s: float) -> Generator[sa.Connection]:
        if begin == "BEGIN IMMEDIATE" and left:
            left.pop()()
        with honest(path, mode, begin, wait_s) as connection:
            yield connection

    monkeypatch.setattr(sqlite_file, "transaction", stopped)


def after_begin(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """The same once the first transaction has begun."""
    honest, left = sqlite_file.transaction, [act]

    @contextmanager
    def stopped(path: Path, mode: str, begin: str, wait_s: float) -> Generator[sa.Connection]:
        with honest(path, mode, begin, wait_s) as connection:
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
            options = RestoreOptions(
                f"fs://{tmp_path}/state", create_schema=True, no_object_check=True
            )
            restore(backups, store, number, options)

    before_begin(monkeypatch, lambda: run(first))
    with pytest.raises(TargetNotEmpty):
        run(9 - first)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute('SELECT count(*) FROM "user"').fetchone() == (4,)


def test_who_writes_is_named(tmp_path: Path) -> None:
    """Exit 11, with the process, its host, and since when it runs."""
    path = tmp_path / "meta.db"
    fill(path)
    with (
        writing(path),
        pytest.raises(ConflictError, match=rf"process {os.getpid()} on .+ since 20") as caught,
        writing(path, lock_wait_s=0),
    ):
        pytest.fail("both write")
    assert caught.value.exit_code == 11
    assert str(path) in str(caught.value)


def test_a_host_without_a_list_of_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nobody knows who it is, and it is an error all the same."""
    monkeypatch.setattr(sqlite_busy, "LOCKS", tmp_path / "no such list")
    path = tmp_path / "meta.db"
    fill(path)
    with (
        writing(path),
        pytest.raises(MetasnapshotError, match="another process"),
        writing(path, lock_wait_s=0),
    ):
        pytest.fail("both write")


_HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked_by_another_process(path: Path) -> Generator[int]:
    """A process's locks end when it closes any file of that name: so this is not ours."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        yield other.pid


@pytest.mark.parametrize("verb", ["coverage", "backup"])
def test_a_reader_waits_as_long_as_it_is_told(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A process that lets nobody read ends it with 11 and is named; it is not waited for without
    end.
    """
    path = tmp_path / "meta.db"
    shutil.copyfile(TAG / "meta.db", path)
    command = [verb, "--meta-store", f"sqlite:///{path}", "--meta-store-lock-wait", "100ms"]
    if verb == "backup":
        command += ["--backup-storage-url", f"fs://{tmp_path}", "--meta-node-stopped"]
        command += ["--hummock-storage-url", f"fs://{tmp_path}/state"]
    with locked_by_another_process(path) as number:
        assert main(command) == 11
    assert f"is locked by process {number} on " in capsys.readouterr().err
    assert not (tmp_path / "backup").exists()


@pytest.mark.parametrize("text", ["", "5", "-1s", "1y", "0x1s", "1.5s", "five", "9" * 30 + "d"])
def test_what_is_no_time_to_wait(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2, before anything is opened."""
    command = ["coverage", "--meta-store", "sqlite:///none.db", f"--meta-store-lock-wait={text}"]
    assert main(command) == 2
    assert "no such SQLite file" not in capsys.readouterr().err
