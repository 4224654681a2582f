"""Directories for what is only needed for a while, such as a copy of a meta store.

A process that is killed leaves its files behind. Each directory has a lock that its process holds
(flock on `.alive`). The lock is gone when the process is, however that died, so a directory whose
lock can be taken is dead, and the next run that makes one removes it. It gets its name when the
lock is held: a directory that is being made is never taken for a dead one.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

ALIVE = ".alive"
OURS = "metasnapshot-"
"""What the name of each begins with, in TMPDIR. Beside what an operator sees it has a dot too."""
NEW = "new-"
"""Behind that, while a directory is being made: it has no lock yet and holds nothing."""
NEW_MAX_S = 3600.0
LOOKED_AT_MAX = 10_000
REMOVED_MAX = 20
"""Clearing up is a courtesy, and must not keep anybody waiting: the rest is for the next run."""


@contextmanager
def scratch_directory(purpose: str, parent: Path | None = None) -> Generator[Path]:
    """A new directory that only this user reads, gone after the block. What is dead is removed,
    whatever it was for: from TMPDIR, and from where this one is made.

    Args:
        purpose: what its name says that it is for.
        parent: where; TMPDIR or what stands for it by default.

    Raises:
        OSError: it cannot be made.
    """
    temporary = Path(tempfile.gettempdir())
    place = temporary if parent is None else parent
    for cleared in {temporary, place}:
        remove_dead(cleared)
    prefix = OURS if parent is None else f".{OURS}"
    made = Path(tempfile.mkdtemp(prefix=f"{prefix}{NEW}{purpose}-", dir=place))
    lock = -1
    try:
        lock = os.open(made / ALIVE, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        named = made.with_name(made.name.replace(NEW, "", 1))
        made.rename(named)
        made = named
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        if lock >= 0:
            os.close(lock)


def remove_dead(parent: Path) -> None:
    """Remove the scratch of processes of this user that are no more."""
    removed = 0
    for path in _ours(parent):
        with suppress(OSError):  # it lives, somebody was faster, or it is none of ours
            _remove_if_dead(path)
            removed += 1
        if removed == REMOVED_MAX:
            return


def _ours(parent: Path) -> Iterator[Path]:
    """What has a name of ours, of the first entries of a directory."""
    with suppress(OSError), os.scandir(parent) as entries:
        looked_at = islice(entries, LOOKED_AT_MAX)
        yield from [Path(entry) for entry in looked_at if _name(entry.name).startswith(OURS)]


def _name(name: str) -> str:
    return name.removeprefix(".")


def _remove_if_dead(path: Path) -> None:
    """Remove it.

    Raises:
        OSError: it is not ours, not dead, or cannot be removed.
    """
    state = path.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.geteuid():
        raise NotADirectoryError(path)
    if _name(path.name).startswith(f"{OURS}{NEW}"):
        _remove_if_never_made(path, state.st_mtime)
        return
    lock = os.open(path / ALIVE, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path)
    finally:
        os.close(lock)


def _remove_if_never_made(path: Path, since: float) -> None:
    """Remove one whose process died while it was made: long ago, and with nothing in it.

    Raises:
        OSError: it is young, or has something in it.
    """
    if time.time() - since < NEW_MAX_S:
        raise BlockingIOError(path)
    (path / ALIVE).unlink(missing_ok=True)
    path.rmdir()
