"""Directories for what is only needed for a while, such as a copy of a meta store.

Whoever is killed leaves his behind. Each directory has a lock that its process holds (flock on
`.alive`): it is gone when the process is, however that died, so a directory whose lock can be taken
is dead, and whoever makes the next one removes it. It gets its name when the lock is held: a
directory that is being made is never taken for a dead one.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

ALIVE = ".alive"
NEW = "new-"
"""Behind the prefix, while a directory is being made."""


@contextmanager
def scratch_directory(prefix: str, parent: Path | None = None) -> Generator[Path]:
    """A new directory that only this user reads, gone after the block.

    Args:
        prefix: of its name, which says whose it is; dead ones of this prefix are removed.
        parent: where; TMPDIR or what stands for it by default.

    Raises:
        OSError: it cannot be made.
    """
    place = Path(tempfile.gettempdir()) if parent is None else parent
    remove_dead(prefix, place)
    made = Path(tempfile.mkdtemp(prefix=f"{prefix}{NEW}", dir=place))
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


def remove_dead(prefix: str, parent: Path) -> None:
    """Remove the directories of processes of this user that are no more."""
    with suppress(OSError), os.scandir(parent) as entries:
        named = [entry for entry in entries if entry.name.startswith(prefix)]
        for path in [entry.path for entry in named if not entry.name.startswith(f"{prefix}{NEW}")]:
            with suppress(OSError):  # somebody was faster, or it is nobody's business of ours
                _remove_if_dead(Path(path))


def _remove_if_dead(path: Path) -> None:
    state = path.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.geteuid():
        return
    lock = os.open(path / ALIVE, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(lock)
