"""A SQLite file that is lent for a drill: one drill at a time, and the file afterwards as it was.

The lock is the system's (flock), on a file beside the store: to open and close the store itself
would end the locks that SQLite has on it. That file also remembers, beyond a drill that was killed,
that there was no store before.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from metasnapshot.errors import ConflictError, DatabaseError
from metasnapshot.metastore.engines.sqlite_copy import connect, has_name

SUFFIX = "-metasnapshot-drill"
"""Of the file beside the store."""
MADE = b"made"
"""What is in it if the drill made the store."""
_COUNT = "SELECT count(*) FROM sqlite_master WHERE substr(name, 1, 7) <> 'sqlite_'"
"""Tables but for SQLite's own, which nobody can drop."""


@contextmanager
def drilled(path: Path, url: str, lock_wait_s: float) -> Generator[None]:
    """Keep other drills out for the block. After it the store is without what deleted rows leave in
    it; one that was not there before is gone, unless somebody else has put a table into it.

    Raises:
        ConflictError: another drill is at work on it.
        DatabaseError: no file can be made beside it.
    """
    beside = Path(f"{path}{SUFFIX}")
    own = _locked(beside, url)
    try:
        if not path.exists():
            os.pwrite(own, MADE, 0)
        yield
    finally:
        is_made = os.pread(own, len(MADE), 0) == MADE
        if _leave(path, lock_wait_s, is_made=is_made) or not is_made:
            beside.unlink(missing_ok=True)
        os.close(own)


def _locked(beside: Path, url: str) -> int:
    while True:
        try:
            own = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DatabaseError(f"{url}: {beside.name}: {error.strerror or error}") from error
        try:
            fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(own)
            raise ConflictError(
                f"another drill is at work on {url}", hint="wait until it has ended"
            ) from error
        if has_name(own, beside):
            return own
        os.close(own)  # whoever had it has just ended, and removed it


def _leave(path: Path, lock_wait_s: float, *, is_made: bool) -> bool:
    """Leave a store as it was; returns whether nothing of the drill is in it."""
    if not path.exists():
        return True
    with suppress(sqlite3.Error), closing(connect(path, "rw", lock_wait_s)) as found:
        if found.execute(_COUNT).fetchone() == (0,):
            found.execute("VACUUM")
            if is_made:
                path.unlink()
            return True
    return False
