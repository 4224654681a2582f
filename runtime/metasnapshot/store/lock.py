"""The lock of a local directory, with the name of who holds it.

The lock is the system's (flock on `.metasnapshot.lock`): it is gone when its holder is, however
that died, so a lock that can be taken is free whatever the file says. The text in the file is for
people: who holds it, or held it and died.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec

from metasnapshot.errors import ConflictError, DamageError, NoObject, StorageError
from metasnapshot.store.document import decode_document
from metasnapshot.store.retry import LOCK_WAIT_S

LOCK_NAME = ".metasnapshot.lock"
POLL_MAX_S = 0.02
HOLDER_SIZE_MAX = 4096
PID_MAX = (1 << 31) - 1
"""The largest number that a process can have. 0 and what is negative mean groups of them."""


class NoLocks(StorageError):
    """The file system has no locks, as some network mounts have none."""


class Holder(msgspec.Struct, frozen=True):
    """Who holds a lock, or is at work on something: process, host, since when (UTC, ISO 8601)."""

    pid: Annotated[int, msgspec.Meta(ge=1, le=PID_MAX)]
    host: str
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since}"

    @property
    def is_here(self) -> bool:
        """Whether it is a process of this host."""
        return self.host == os.uname().nodename

    @property
    def is_gone(self) -> bool:
        """Whether it was a process of this host that is no more. Of another host nobody knows."""
        if not self.is_here:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False


class _Held(threading.local):
    """Directories whose lock this thread holds."""

    def __init__(self) -> None:
        self.directories: set[Path] = set()


_held = _Held()
_decoder = msgspec.json.Decoder(Holder)


def this_holder() -> Holder:
    """This process."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Holder(os.getpid(), os.uname().nodename, now)


def parse_holder(data: bytes) -> Holder | None:
    """The holder that a lock or reservation names, or None if it names none."""
    try:
        return decode_document("holder", data, _decoder)
    except DamageError:
        return None


@contextmanager
def locked(directory: Path, wait_s: float = LOCK_WAIT_S) -> Generator[None]:
    """Hold the lock of a directory; a thread that holds it already goes on.

    Raises:
        ConflictError: somebody else holds it, and goes on doing so; the message says who.
        NoLocks: nobody can hold any there.
    """
    if directory in _held.directories:
        yield
        return
    with _opened(directory / LOCK_NAME) as file:
        _acquire(file, directory, wait_s)
        file.truncate(0)
        file.write(msgspec.json.encode(this_holder()))
        file.flush()
        _held.directories.add(directory)
        try:
            yield
        finally:
            _held.directories.discard(directory)
            file.truncate(0)


def _opened(path: Path) -> BinaryIO:
    """The lock's file, made if need be; a link in its place leads to another file, which must
    not be emptied.

    Raises:
        NoObject: it is a link, or no regular file.
    """
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o666)
    except OSError as error:
        if error.errno not in {errno.ELOOP, errno.EISDIR, errno.ENXIO}:
            raise
        raise NoObject(f"{path} is no file of ours", hint="remove it") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NoObject(f"{path} is no file of ours", hint="remove it")
    return os.fdopen(descriptor, "a+b")


def _acquire(file: BinaryIO, directory: Path, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                file.seek(0)
                holder = parse_holder(file.read(HOLDER_SIZE_MAX)) or "somebody"
                raise ConflictError(
                    f"{directory} is locked by {holder}",
                    hint="try again when it has ended; --retry-lock 10m waits",
                ) from error
            import random  # noqa: PLC0415 - only for who has to wait

            time.sleep(random.uniform(0.001, POLL_MAX_S))  # noqa: S311 - no secret
        except OSError as error:
            if error.errno not in {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}:
                raise
            raise NoLocks(
                f"the file system of {directory} has no locks: {error.strerror}"
            ) from error
        else:
            return
