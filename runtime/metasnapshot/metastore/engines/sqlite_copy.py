"""A copy of a SQLite file, with all that was committed to it and nothing else; the original is
never written to.

Without WAL the file is copied under SQLite's own lock: a commit waits for the copy, not for
what is read out of it later. In WAL mode, and where a writer was killed, the files are copied
together, and once more if they changed meanwhile; what the last writer left is replayed or rolled
back in the copy.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from metasnapshot.errors import DatabaseError

COPY_ATTEMPTS_MAX = 10
COPY_SIZE = 1 << 20
"""Bytes copied at once."""
LOCKING = "SELECT count(*) FROM sqlite_master"
"""What takes the lock that a BEGIN only announces."""
SUFFIXES = ("", "-wal", "-journal")
"""Of the files that make up a store; what is in -shm can be made anew."""
WAL = "wal"
"""What SQLite calls that mode."""
WAL_OFFSET, WAL_VERSIONS = 18, b"\x02\x02"
"""Where a SQLite file says its write and read version, and what they are in WAL mode."""


def connect(path: Path, mode: str, lock_wait_s: float) -> sqlite3.Connection:
    """Open by URI: with mode ro or rw a missing file is an error, not a new file."""
    connection = sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode={mode}",
        uri=True,
        isolation_level=None,
        timeout=lock_wait_s,
    )
    connection.execute("PRAGMA foreign_keys=ON")
    return connection


def is_in_wal_mode(path: Path) -> bool:
    """Whether its header says so."""
    with path.open("rb") as file:
        file.seek(WAL_OFFSET)
        return file.read(len(WAL_VERSIONS)) == WAL_VERSIONS


def has_name(own: int, path: Path) -> bool:
    """Whether a path names the file that we hold."""
    try:
        return os.path.samestat(os.fstat(own), path.stat())
    except FileNotFoundError:
        return False


def needs_rollback(error: BaseException | None) -> bool:
    """Whether a reader met a journal that only a writer may roll back."""
    return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY_ROLLBACK


def copy_store(path: Path, target: Path, lock_wait_s: float) -> Path:
    """Copy a store, with what its last writer may have left to be replayed or rolled back.

    Returns:
        The target.

    Raises:
        DatabaseError: it goes on changing meanwhile.
    """
    for _ in range(COPY_ATTEMPTS_MAX):
        for suffix in SUFFIXES:  # a journal of an earlier try would be rolled back in this one
            Path(f"{target}{suffix}").unlink(missing_ok=True)
        if not is_in_wal_mode(path) and _copy_locked(path, target, lock_wait_s):
            return target
        before = _state(path)
        for suffix in SUFFIXES:
            source = Path(f"{path}{suffix}")
            if source.exists():
                shutil.copyfile(source, f"{target}{suffix}")
        if _state(path) == before:
            with closing(connect(target, "rw", lock_wait_s)) as copy:
                copy.execute(LOCKING)  # replays, rolls back
            return target
    raise DatabaseError(
        f"sqlite:///{path} changed {COPY_ATTEMPTS_MAX} times while it was copied", hint="try again"
    )


def _copy_locked(path: Path, target: Path, lock_wait_s: float) -> bool:
    """Copy the file while SQLite's lock keeps writers from it; False if a writer that was killed
    left a journal, which a copy of both files rolls back, never the original, or if the file was
    replaced or got into WAL mode meanwhile.
    """
    with path.open("rb") as file:  # closed last: that ends our locks on it
        try:
            with closing(connect(path, "ro", lock_wait_s)) as source:
                source.execute("BEGIN")
                source.execute(LOCKING)
                mode = source.execute("PRAGMA journal_mode").fetchone()
                if mode == (WAL,) or not has_name(file.fileno(), path):
                    return False
                with target.open("wb") as copy:
                    shutil.copyfileobj(file, copy, COPY_SIZE)
        except sqlite3.OperationalError as error:
            if not needs_rollback(error):
                raise
            return False
    return True


def _state(path: Path) -> list[tuple[int, int, int] | None]:
    """Which files the store has now, their sizes and times of change."""
    found: list[tuple[int, int, int] | None] = []
    for suffix in SUFFIXES:
        file = Path(f"{path}{suffix}")
        stat = file.stat() if file.exists() else None
        found.append(stat and (stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return found
