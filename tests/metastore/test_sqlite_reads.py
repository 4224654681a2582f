"""A SQLite store is read as it was committed, whoever writes meanwhile, and its files stay as they
are: in a copy made under its lock, or in place for a moment."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from metasnapshot.errors import DatabaseError
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.metastore.engines import sqlite_copy

COMMITTED = list(range(1, 200))
BRIEF = pytest.mark.parametrize("is_brief", [False, True])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return filled(tmp_path / "meta.db", COMMITTED)


def filled(path: Path, ids: list[int], mode: str = "delete") -> Path:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA journal_mode={mode}")
        connection.execute("CREATE TABLE t (id integer PRIMARY KEY, text text)")
        connection.executemany("INSERT INTO t VALUES (?, ?)", [(n, "x" * 500) for n in ids])
    return path


def read(path: Path, *, is_brief: bool = False, lock_wait_s: float = 30) -> list[int]:
    """What we read, while nothing of the store may change but what others make in it."""
    with (
        open_meta_store(f"sqlite:///{path}", lock_wait_s=lock_wait_s) as store,
        store.read_transaction(is_brief=is_brief) as connection,
    ):
        return list(connection.exec_driver_sql("SELECT id FROM t ORDER BY id").scalars())


def files(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.parent.iterdir()}


def killed(path: Path, folder: Path) -> Path:
    """The store as a writer leaves it that is killed with half of its pages written."""
    folder.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA cache_size=2")
        writer.execute("BEGIN")
        writer.execute("UPDATE t SET text = text || 'y', id = id + 1000")
        for suffix in ("", "-journal"):
            shutil.copyfile(f"{path}{suffix}", f"{folder / path.name}{suffix}")
        writer.execute("ROLLBACK")
    return folder / path.name


@BRIEF
def test_what_a_killed_writer_left_is_rolled_back_in_a_copy(
    path: Path, tmp_path: Path, *, is_brief: bool
) -> None:
    """The rows are those of the last commit; file and journal stay for the next writer."""
    left = killed(path, tmp_path / "left")
    before = files(left)
    assert sorted(before) == ["meta.db", "meta.db-journal"]
    assert before["meta.db"] != path.read_bytes()
    assert read(left, is_brief=is_brief) == COMMITTED
    assert files(left) == before


@BRIEF
@pytest.mark.parametrize("mode", ["delete", "truncate", "persist", "wal"])
def test_a_writer_in_the_middle_of_a_transaction(
    tmp_path: Path, mode: str, *, is_brief: bool
) -> None:
    """What it has not committed is not read, and it can commit afterwards."""
    path = filled(tmp_path / "meta.db", COMMITTED, mode)
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO t VALUES (7000, 'new')")
        assert read(path, is_brief=is_brief) == COMMITTED
        writer.execute("COMMIT")
    assert read(path, is_brief=is_brief) == [*COMMITTED, 7000]


@pytest.mark.parametrize("mode", ["delete", "truncate", "persist"])
def test_nobody_commits_while_the_file_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """A commit half-way waits for the copy and is not in it; a long read later blocks nobody."""
    path = filled(tmp_path / "meta.db", COMMITTED, mode)
    honest, refused = shutil.copyfileobj, list[str]()

    def copy(source: Any, target: Any, size: int) -> None:
        target.write(source.read(8192))
        code = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], timeout=0); "
        code += "c.execute('DELETE FROM t'); c.commit()"
        refused.append(said_by_another_process(code, path))
        honest(source, target, size)

    monkeypatch.setattr(sqlite_copy.shutil, "copyfileobj", copy)
    with (
        open_meta_store(f"sqlite:///{path}") as store,
        store.read_transaction() as connection,
    ):
        with closing(sqlite3.connect(path, timeout=0)) as writer:
            writer.execute("DELETE FROM t WHERE id = 5")
            writer.commit()
        rows = connection.exec_driver_sql("SELECT id FROM t ORDER BY id").scalars()
        assert list(rows) == COMMITTED
    assert len(refused) == 1
    assert "database is locked" in refused[0]


def said_by_another_process(code: str, path: Path) -> str:
    import subprocess  # noqa: PLC0415
    import sys  # noqa: PLC0415

    found = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=False
    )
    return found.stderr


def before_connect(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Let somebody act between the look at the file's header and SQLite's lock on it."""
    honest, left = sqlite_copy.connect, [act]

    def connect(path: Path, mode: str, lock_wait_s: float) -> sqlite3.Connection:
        if left:
            left.pop()()
        return honest(path, mode, lock_wait_s)

    monkeypatch.setattr(sqlite_copy, "connect", connect)


def test_a_file_that_is_replaced_before_the_lock(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is on another file than the one that was opened: the new one is copied."""
    other = filled(tmp_path / "other.db", [1, 2])
    before_connect(monkeypatch, lambda: other.replace(path))
    assert read(path) == [1, 2]


def test_a_file_that_gets_into_wal_mode_before_the_lock(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then what is committed stands in -wal, and is read."""
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:

        def act() -> None:
            writer.execute("PRAGMA journal_mode=wal")
            writer.execute("DELETE FROM t WHERE id > 2")

        before_connect(monkeypatch, act)
        assert read(path) == [1, 2]


def test_a_journal_of_an_earlier_try_is_not_rolled_back_in_a_later_one(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed writer's journal is copied, then the next writer rolls back and commits: the second
    copy is what it committed."""
    left = killed(path, tmp_path / "left")
    honest, acts = shutil.copyfile, ["once"]

    def copyfile(source: Any, target: Any) -> None:
        honest(source, target)
        if acts and str(source).endswith("-journal"):
            acts.pop()
            with closing(sqlite3.connect(left)) as writer:
                writer.execute("DELETE FROM t WHERE id > 3")
                writer.commit()

    monkeypatch.setattr(sqlite_copy.shutil, "copyfile", copyfile)
    assert read(left) == [1, 2, 3]
    assert not acts


def test_a_read_for_a_moment_copies_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup asks for parameters before it copies: that takes no second copy."""
    monkeypatch.setattr(sqlite_copy.shutil, "copyfileobj", None)
    before = files(path)
    assert read(path, is_brief=True) == COMMITTED
    assert files(path) == before


@BRIEF
def test_a_file_that_may_not_be_read(path: Path, *, is_brief: bool) -> None:
    """A typed error, whichever way it was to be read."""
    if os.geteuid() == 0:
        path.unlink()
        path.mkdir()
        with pytest.raises(DatabaseError):
            read(path, is_brief=is_brief)
        return
    path.chmod(0)
    with pytest.raises(DatabaseError, match="ermission"):
        read(path, is_brief=is_brief)
