"""A rehearsal writes nothing: every call of a store and every statement of a database is recorded
while the command runs, and every file is hashed before and after.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa
from shell import BACKUPS, STATE, STORE, TARGET, UNLOOKED, Shell
from sqlalchemy import event

from metasnapshot.cli.app import main
from metasnapshot.store import url as urls
from metasnapshot.store.local import LocalStore
from metasnapshot.store.port import Store

STORE_READS = {"head", "read", "open_reader", "list", "names"}
"""What a rehearsal may ask of a store; every other method of the port writes or locks."""
HARMLESS = {"SELECT", "PRAGMA", "BEGIN", "COMMIT", "ROLLBACK"}
BACKUP = ("backup", *STORE, *BACKUPS)
RESTORE = ("restore", "9", *TARGET, *BACKUPS, *STATE, UNLOOKED)
REHEARSALS = [
    (*BACKUP, "--dry-run"),
    (*BACKUP, "--dry-run", "--json"),
    (*RESTORE, "--plan"),
    (*RESTORE, "--dry-run", "--json"),
    (*RESTORE, "--plan", "--bump-sequences"),
]


class Recorder:
    """What stores were asked for and what databases were told; a write fails the test, if it may
    not be."""

    def __init__(self, *, may_write: bool) -> None:
        self.may_write = may_write
        self.calls: list[str] = []
        self.statements: list[str] = []

    def call(self, name: str, path: str) -> None:
        self.calls.append(name)
        if name not in STORE_READS and not self.may_write:
            pytest.fail(f"a rehearsal called {name} of {path}")

    def execute(self, *arguments: Any) -> None:
        """Called before a cursor executes; the statement is the third argument."""
        kind = str(arguments[2]).split()[0].upper()
        self.statements.append(kind)
        if kind not in HARMLESS and not self.may_write:
            pytest.fail(f"a rehearsal executed {arguments[2]}")


class RecordingStore:
    """A store that tells a recorder of each call, of whatever method, and passes it on."""

    def __init__(self, store: Store, recorder: Recorder) -> None:
        self._store = store
        self._recorder = recorder

    @property
    def url(self) -> str:
        return self._store.url

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._store, name)

        def call(path: str, *arguments: Any, **options: Any) -> Any:
            self._recorder.call(name, path)
            return method(path, *arguments, **options)

        return call


@contextmanager
def recorded(*, may_write: bool) -> Generator[Recorder]:
    """Records all stores and all engines that are opened in the block."""
    recorder = Recorder(may_write=may_write)

    def open_store(root: Path, lock_wait_s: float, file_mode: int) -> Store:
        store = LocalStore(root, lock_wait_s, file_mode)
        return cast("Store", RecordingStore(store, recorder))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(urls, "LocalStore", open_store)
        event.listen(sa.Engine, "before_cursor_execute", recorder.execute)
        try:
            yield recorder
        finally:
            event.remove(sa.Engine, "before_cursor_execute", recorder.execute)


@pytest.fixture(autouse=True)
def _backed_up(shell: Shell) -> None:
    """The directory of `cluster`, with backup 9."""
    assert shell.run(*BACKUP).code == 0


def fingerprint() -> dict[str, str]:
    """A hash of every file, and the names of all folders."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in Path().rglob("*")
    }


def set_journal_mode(mode: str) -> None:
    for name in ("meta.db", "empty.db"):
        with closing(sqlite3.connect(name)) as connection:
            assert connection.execute(f"PRAGMA journal_mode = {mode}").fetchone() == (mode,)


@pytest.mark.parametrize("command", REHEARSALS, ids=" ".join)
def test_a_rehearsal_writes_nothing(command: tuple[str, ...]) -> None:
    """It reads stores and databases, executes nothing but reads, and no file or folder changes."""
    before = fingerprint()
    with recorded(may_write=False) as recorder:
        assert main(command) == 0
    assert "read" in recorder.calls
    assert {"BEGIN", "SELECT"} <= set(recorder.statements) <= HARMLESS
    assert fingerprint() == before


@pytest.mark.parametrize("command", [(*BACKUP, "--dry-run"), (*RESTORE, "--plan")], ids=" ".join)
def test_a_rehearsal_writes_nothing_beside_a_store_in_wal_mode(command: tuple[str, ...]) -> None:
    """A meta store at rest, in the mode in which SQLite's readers make files of their own: no file
    appears, none changes."""
    set_journal_mode("wal")
    before = fingerprint()
    with recorded(may_write=False):
        assert main(command) == 0
    assert fingerprint() == before


@pytest.mark.parametrize("command", [(*BACKUP, "--dry-run"), (*RESTORE, "--plan")], ids=" ".join)
def test_a_rehearsal_writes_nothing_under_a_living_meta_node(command: tuple[str, ...]) -> None:
    """A store in WAL mode that somebody has open: nothing changes but the memory that SQLite's
    readers share (-shm)."""
    set_journal_mode("wal")
    with (
        closing(sqlite3.connect("meta.db")) as node,
        closing(sqlite3.connect("empty.db")) as other,
    ):
        node.execute("UPDATE cluster SET created_at = created_at")
        node.commit()
        other.execute("SELECT count(*) FROM cluster").fetchall()
        before = fingerprint()
        with recorded(may_write=False):
            assert main(command) == 0
        after = fingerprint()
    assert after.keys() == before.keys()
    assert all(after[name] == before[name] for name in before if not name.endswith("-shm"))


def test_a_rehearsal_that_fails_writes_nothing() -> None:
    """A plan whose checks fail, and a dry run that finds an unknown table."""
    with closing(sqlite3.connect("meta.db")) as connection, connection:
        connection.execute("CREATE TABLE brand_new (id integer)")
    with closing(sqlite3.connect("empty.db")) as connection, connection:
        connection.execute("INSERT INTO catalog_version VALUES ('NOTIFICATION', 1)")
    before = fingerprint()
    with recorded(may_write=False) as recorder:
        assert main((*BACKUP, "--dry-run")) == 14
        assert main((*RESTORE, "--plan")) == 13
    assert set(recorder.statements) <= HARMLESS
    assert fingerprint() == before


@pytest.mark.parametrize(
    ("command", "calls", "statements"),
    [
        (BACKUP, {"open_writer", "put_if_absent", "put_if_match", "delete"}, set[str]()),
        (RESTORE, {"put_if_absent", "put_if_match"}, {"INSERT"}),
        ((*RESTORE, "--clean", "--yes"), {"put_if_absent", "put_if_match"}, {"INSERT", "DELETE"}),
    ],
    ids=["backup", "restore", "restore --clean"],
)
def test_the_recorder_sees_what_the_same_command_writes(
    command: tuple[str, ...], calls: set[str], statements: set[str]
) -> None:
    """Without the flag the same command writes, the recorder has it, and files change."""
    if "--clean" in command:
        with closing(sqlite3.connect("empty.db")) as connection, connection:
            connection.execute("INSERT INTO catalog_version VALUES ('NOTIFICATION', 1)")
    before = fingerprint()
    with recorded(may_write=True) as recorder:
        assert main(command) == 0
    assert calls <= set(recorder.calls) - STORE_READS
    assert statements <= set(recorder.statements) - HARMLESS
    assert fingerprint() != before


@pytest.mark.parametrize("command", [BACKUP, RESTORE], ids=" ".join)
def test_the_recorder_fails_a_command_that_writes(command: tuple[str, ...]) -> None:
    """What would fail a rehearsal does: the same commands, with writes forbidden."""
    with recorded(may_write=False), pytest.raises(pytest.fail.Exception, match="a rehearsal"):
        main(command)
