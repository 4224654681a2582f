"""A meta store in a SQLite file: transactions on it. Reading can never write, and never makes a
file that is not there.

The driver sends no BEGIN before a SELECT, so a reader would see what others commit meanwhile: every
transaction here begins explicitly. A SQLite file in WAL mode that a process has open is read where
it is. Any other is copied first: without WAL a long read would block the meta node's commits, and
with it even a read-only connection makes files beside the store, which would be ours.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import event, exc

from metasnapshot.errors import ConflictError, DatabaseError, InconsistentStore, UsageError
from metasnapshot.metastore.engines.sqlite_busy import busy_named
from metasnapshot.metastore.engines.sqlite_copy import (
    LOCKING,
    connect,
    copy_store,
    has_name,
    is_in_wal_mode,
    needs_rollback,
)
from metasnapshot.metastore.engines.sqlite_drill import drilled
from metasnapshot.metastore.results import closing_results
from metasnapshot.metastore.url_options import require_sqlite_options
from metasnapshot.store.scratch import scratch_directory

OPEN_ATTEMPTS_MAX = 100


class SqliteStore:
    """A SQLite file. `url` names it."""

    def __init__(self, path: Path, lock_wait_s: float) -> None:
        self._path = path
        self._lock_wait_s = lock_wait_s
        self.url = f"sqlite:///{path}"

    @contextmanager
    def read_transaction(self, *, is_brief: bool = False) -> Generator[sa.Connection]:
        """One consistent cut: all reads in the block see the same state, whatever is committed
        meanwhile.

        Args:
            is_brief: the block reads a few rows and ends; who wants to commit can wait for it.

        Raises:
            ConflictError: somebody else goes on writing, and lets nobody read.
            DatabaseError: the store cannot be read.
        """
        with _translated(self.url), busy_named(self._path, self.url), ExitStack() as stack:
            path = self._path
            if is_brief and (connection := self._begin_in_place(stack)):
                yield connection
                return
            if self.is_missing:
                path = stack.enter_context(_scratch()) / "empty.db"
                sqlite3.connect(path).close()
            elif not self._is_open_in_wal_mode():
                scratch = stack.enter_context(_scratch())
                with _files_translated(self.url):
                    path = copy_store(self._path, scratch / "meta.db", self._lock_wait_s)
            with transaction(path, "ro", "BEGIN", self._lock_wait_s) as connection:
                yield connection

    def _begin_in_place(self, stack: ExitStack) -> sa.Connection | None:
        """A transaction on the file itself, which keeps others from committing; None where reading
        would make files beside it, or a writer that was killed left a journal.
        """
        with _files_translated(self.url):
            if self.is_missing or is_in_wal_mode(self._path):
                return None
        with ExitStack() as attempt:
            reading = transaction(self._path, "ro", "BEGIN", self._lock_wait_s)
            try:
                connection = attempt.enter_context(reading)
                connection.exec_driver_sql(LOCKING)
            except exc.OperationalError as error:
                if not needs_rollback(error.orig):
                    raise
                return None
            stack.enter_context(attempt.pop_all())
            return connection

    @contextmanager
    def write_transaction(self) -> Generator[sa.Connection]:
        """One transaction that commits when the block ends well and rolls back when it does not.

        Foreign keys are enforced, at the commit.

        Raises:
            ConflictError: somebody else goes on writing.
            DatabaseError: the store cannot be written.
            InconsistentStore: rows refer to rows that are not there.
        """
        with _translated(self.url), busy_named(self._path, self.url), ExitStack() as stack:
            connection = self._begin_writing(stack)
            connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
            yield connection
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            if broken:
                tables = ", ".join(sorted({f"{row[0]} -> {row[2]}" for row in broken}))
                raise InconsistentStore(f"{len(broken)} rows break foreign keys: {tables}")

    @contextmanager
    def drilling(self) -> Generator[None]:
        """See MetaStore."""
        with drilled(self._path, self.url, self._lock_wait_s):
            yield

    @property
    def is_missing(self) -> bool:
        """Whether there is no such file yet."""
        return not self._path.exists()

    def _begin_writing(self, stack: ExitStack) -> sa.Connection:
        """A transaction on the file that has the path now: one that fails may take away the empty
        file that it made, and then one that waited for it holds the lock of a file without a name.

        Raises:
            ConflictError: the file goes away again and again.
        """
        for _ in range(OPEN_ATTEMPTS_MAX):
            with ExitStack() as attempt, _files_translated(self.url):
                is_made = self._make()
                try:
                    own = attempt.enter_context(_pinned(self._path))
                except FileNotFoundError:
                    continue
                if is_made:
                    attempt.enter_context(self._unmade_on_failure(own))
                writing = transaction(self._path, "rw", "BEGIN IMMEDIATE", self._lock_wait_s)
                try:
                    connection = attempt.enter_context(writing)
                except exc.OperationalError:
                    if has_name(own, self._path):
                        raise
                    continue
                if has_name(own, self._path):
                    stack.enter_context(attempt.pop_all())
                    return connection
        raise ConflictError(f"{self.url} is made and removed by others", hint="try again")

    def _make(self) -> bool:
        """Make the file if there is none; whether we did."""
        try:
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return False
        return True

    @contextmanager
    def _unmade_on_failure(self, own: int) -> Generator[None]:
        """Remove the file that we made if the block fails, and it still is ours and empty. SQLite's
        lock keeps others out meanwhile; who has it open already looks for its name, as above.
        """
        try:
            yield
        except BaseException:
            with suppress(sqlite3.Error, OSError), closing(connect(self._path, "rw", 0)) as found:
                found.execute("BEGIN EXCLUSIVE")
                if has_name(own, self._path) and not os.fstat(own).st_size:
                    self._path.unlink()
            raise

    def _is_open_in_wal_mode(self) -> bool:
        """In WAL mode readers block nobody; the process that has the store open made the file."""
        with _files_translated(self.url):
            return is_in_wal_mode(self._path) and Path(f"{self._path}-shm").exists()


def open_sqlite(url: sa.URL, *, may_create: bool, lock_wait_s: float) -> SqliteStore:
    """Find the file of a SQLite URL, or with `may_create` the directory that it may be made in.

    Raises:
        UsageError: the URL names none.
        DatabaseError: there is no such file.
    """
    if not url.database or url.database == ":memory:":
        raise UsageError("a SQLite meta store needs a path", hint="--meta-store sqlite:///path")
    if url.host:
        raise UsageError("a SQLite URL has three slashes", hint="--meta-store sqlite:///path")
    require_sqlite_options(url.query)
    path = Path(url.database)
    try:
        is_file = path.is_file()
    except (OSError, ValueError) as error:
        raise DatabaseError(f"cannot open {str(path)!r:.200}: {error}") from error
    if not is_file and not (may_create and path.parent.is_dir() and not path.exists()):
        raise DatabaseError(
            f"no such SQLite file: {path}",
            hint="check --meta-store; create-schema and restore --create-schema make a new file",
        )
    return SqliteStore(path, lock_wait_s)


@contextmanager
def transaction(path: Path, mode: str, begin: str, lock_wait_s: float) -> Generator[sa.Connection]:
    """One on a file: mode ro or rw, and the statement that it begins with."""
    engine = sa.create_engine(
        "sqlite://", creator=lambda: connect(path, mode, lock_wait_s), poolclass=sa.NullPool
    )

    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "begin", _begin)
    try:
        with engine.begin() as connection, closing_results(connection):
            yield connection
    finally:
        engine.dispose()


@contextmanager
def _pinned(path: Path) -> Generator[int]:
    """Hold a file, so that no other gets its number. To close a file that was opened for reading
    would end all locks that this process has on it; O_PATH opens nothing.
    """
    number = os.open(path, getattr(os, "O_PATH", os.O_RDONLY))
    try:
        yield number
    finally:
        os.close(number)


@contextmanager
def _translated(url: str) -> Generator[None]:
    try:
        yield
    except exc.DBAPIError as error:
        raise DatabaseError(f"{url}: {error.orig}") from error
    except sqlite3.Error as error:
        raise DatabaseError(f"{url}: {error}", hint=_hint(error)) from error
    except UnicodeDecodeError as error:
        raise DatabaseError(f"{url}: the schema is damaged: {error}") from error


@contextmanager
def _files_translated(url: str) -> Generator[None]:
    """The same for files that are read and copied without SQLite."""
    try:
        yield
    except OSError as error:
        text = f"{url}: {error.strerror or error}"
        raise DatabaseError(
            text, hint="the copy that is read lies in TMPDIR: is there room?"
        ) from error


def _hint(error: sqlite3.Error) -> str:
    full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return "the copy that is read lies in TMPDIR: is there room?" if full else ""


@contextmanager
def _scratch() -> Generator[Path]:
    """A temporary directory, gone after the block."""
    with ExitStack() as stack:
        try:
            directory = stack.enter_context(scratch_directory("meta"))
        except OSError as error:
            raise DatabaseError(
                f"no room for a copy of the meta store: {error}", hint="set TMPDIR to a directory"
            ) from error
        yield directory
