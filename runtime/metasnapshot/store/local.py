"""Files below a directory as an object store (`fs://root`).

A write goes to a temporary file in the same directory, is synced, and gets its name by link
(create) or rename (replace); then the directory is synced. Replacing compares etags, hashes of the
bytes, under the directory's lock, so that processes on one machine, or on a file system with
working locks, lose no update; where there are no locks, under a lease, as in buckets. Names that
start with a dot are ours and never listed.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from metasnapshot.errors import ConflictError, NoObject, ObjectMissing, StorageError
from metasnapshot.store.context import OURS
from metasnapshot.store.durability import UNKNOWN_CALL, sync_directory, sync_file
from metasnapshot.store.lease import LeasedStore, leased, require_fence
from metasnapshot.store.local_listing import head_of, names_in, walk
from metasnapshot.store.lock import NoLocks, locked
from metasnapshot.store.modes import give_mode
from metasnapshot.store.plain_file import read_plain_file
from metasnapshot.store.port import (
    READ_MAX,
    Names,
    ObjectHead,
    StoredObject,
    etag_of,
    folder,
    join,
    normalise,
    pass_over,
    read_file,
)
from metasnapshot.store.retry import LOCK_WAIT_S
from metasnapshot.store.tidying import tidied

BUFFER_SIZE = 1 << 16
"""A larger buffer would only be copied twice: rows larger than it go around it."""
TEMPORARY_PREFIX = ".metasnapshot-"
logger = logging.getLogger(__name__)
_told = set[str]()
"""Directories whose lack of locks was told of."""


class LocalStore:
    """An object store in a local directory, which is made when something is first written."""

    def __init__(self, root: Path, lock_wait_s: float = LOCK_WAIT_S, file_mode: int = OURS) -> None:
        self._root = root
        self._lock_wait_s = lock_wait_s
        self._file_mode = file_mode

    @property
    def local(self) -> LocalStore:
        """This store, whatever is wrapped around it."""
        return self

    @property
    def root(self) -> Path:
        """Where it is."""
        return self._root

    @property
    def url(self) -> str:
        return f"fs://{self._root}"

    def head(self, path: str) -> ObjectHead | None:
        target = self._path(path)
        with translated(path):
            try:
                _require_file(target)
            except (FileNotFoundError, NotADirectoryError):
                return None
            return head_of(target, normalise(path))

    def read(self, path: str, size_max: int = READ_MAX) -> StoredObject:
        with self.open_reader(path) as file:
            size = os.fstat(file.fileno()).st_size
            data = read_file(file, normalise(path), size, size_max)
        return StoredObject(data, etag_of(data))

    def content(self, path: str, size_max: int) -> bytes:
        """All bytes of an object, by few calls (see read_content)."""
        try:
            data = read_plain_file(f"{self._root}/{normalise(path)}", size_max)
        except OSError:
            data = None
        return self.read(path, size_max).data if data is None else data

    @contextmanager
    def open_reader(self, path: str) -> Generator[BinaryIO]:
        target = self._path(path)
        try:
            file = _opened(target)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ObjectMissing(normalise(path), where=self.url) from error
        except OSError as error:
            raise storage_error(path, error) from error
        with file, translated(path):
            yield file

    @contextmanager
    def open_writer(self, path: str) -> Generator[BinaryIO]:
        target = self._path(path)
        with self._temporary(path) as (file, temporary):
            yield file
            sync_file(file, target.parent)
            if not _linked(temporary, target, path):
                with self._guarded(path):
                    require_fence(self.url, path)
                    _rename(temporary, target, path)
            sync_directory(target.parent)

    def put(self, path: str, data: bytes) -> str:
        """Write a small object, whatever is there; returns its etag."""
        target = self._path(path)
        with self._temporary(path) as (file, temporary):
            file.write(data)
            sync_file(file, target.parent)
            temporary.replace(target)
            sync_directory(target.parent)
        return etag_of(data)

    def put_if_absent(self, path: str, data: bytes) -> str:
        with self.open_writer(path) as file:
            file.write(data)
        return etag_of(data)

    def put_if_match(self, path: str, data: bytes, etag: str) -> str:
        try:
            return self._swap(path, data, etag)
        except NoLocks:
            return LeasedStore(self, self._lock_wait_s).put_if_match(path, data, etag)

    def _swap(self, path: str, data: bytes, etag: str) -> str:
        target = self._path(path)
        with self._temporary(path) as (file, temporary), locked(target.parent, self._lock_wait_s):
            file.write(data)
            sync_file(file, target.parent)
            if not _has_etag(target, etag):
                raise ConflictError(f"{normalise(path)} changed meanwhile", hint="try again")
            temporary.replace(target)
            sync_directory(target.parent)
        return etag_of(data)

    def list(self, prefix: str) -> Iterator[ObjectHead]:
        wanted = normalise(prefix) if prefix.strip("/") else ""
        if prefix.endswith("/") and wanted:
            wanted += "/"
        with translated(prefix):
            found = walk(self._root, wanted.rpartition("/")[0], wanted)
            yield from pass_over(self.url, found)

    def names(self, directory: str) -> Names:
        with translated(directory):
            place = self._path(directory) if directory.strip("/") else self._root
            return names_in(place, folder(directory))

    def leftovers(self, directory: str) -> Iterator[ObjectHead]:
        with translated(directory):
            place = self._path(directory) if directory.strip("/") else self._root
            for target in sorted(place.glob(f"{TEMPORARY_PREFIX}*")):
                if head := head_of(target, join(directory, target.name)):
                    yield head

    def delete(self, path: str) -> None:
        target = self._path(path)
        with translated(path), suppress(FileNotFoundError, NotADirectoryError):
            target.unlink()
            sync_directory(target.parent)

    @contextmanager
    def exclusive(self, path: str) -> Generator[None]:
        directory = self._path(path).parent
        with translated(path):
            _make_directory(directory)
            with self._guarded(path):
                yield

    @contextmanager
    def _guarded(self, path: str) -> Generator[None]:
        """Hold the lock of a path's directory; its lease where the file system has no locks."""
        directory = self._path(path).parent
        with ExitStack() as stack:
            try:
                stack.enter_context(locked(directory, self._lock_wait_s))
            except NoLocks as error:
                if str(error) not in _told:
                    _told.add(str(error))
                    logger.warning("%s; changes are made under a lease", error)
                place = normalise(path).rpartition("/")[0]
                stack.enter_context(leased(self, place, self._lock_wait_s))
            yield

    def _path(self, path: str) -> Path:
        if self._root.exists() and not self._root.is_dir():
            raise StorageError(f"{self.url} is a file, not a directory", hint="check the URL")
        return self._root / normalise(path)

    @contextmanager
    def _temporary(self, path: str) -> Generator[tuple[BinaryIO, Path]]:
        """A temporary file beside the target, gone after the block whatever happens."""
        directory = self._path(path).parent
        with translated(path):
            _make_directory(directory)
            temporary = directory / f"{TEMPORARY_PREFIX}{os.urandom(8).hex()}"
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OURS)
            with (
                tidied(lambda: temporary.unlink(missing_ok=True)),
                os.fdopen(descriptor, "wb", buffering=BUFFER_SIZE) as file,
            ):
                give_mode(descriptor, self._path(path), self._file_mode)
                yield file, temporary


def _require_file(target: Path) -> None:
    """Look before opening: a pipe would never answer, a device may do anything.

    Raises:
        NoObject: something has the name that is no regular file.
        FileNotFoundError: nothing has.
    """
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        if target.is_symlink():
            raise NoObject(f"{target} is a link to nothing", hint="remove it") from None
        raise
    if not stat.S_ISREG(mode):
        raise NoObject(f"{target} is {_kind(mode)}, not a file", hint="remove it")


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a directory"
    if stat.S_ISFIFO(mode):
        return "a pipe"
    return "a socket" if stat.S_ISSOCK(mode) else "a device"


def _opened(target: Path) -> BinaryIO:
    """A file to read; nobody is waited for at the other end, should it be a pipe
    since we looked.
    """
    _require_file(target)
    descriptor = os.open(target, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    return os.fdopen(descriptor, "rb", buffering=BUFFER_SIZE)


def _has_etag(target: Path, etag: str) -> bool:
    """Whether a file has this etag; no more of it is read than that says."""
    size = int(etag.rpartition("-")[2] or 0)
    if not target.is_file() or target.stat().st_size != size:
        return False
    with target.open("rb") as file:
        return etag_of(file.read(size + 1)) == etag


def _linked(temporary: Path, target: Path, path: str) -> bool:
    """Give a file its name if nothing has that name; whether the file system has such a call."""
    try:
        os.link(temporary, target)
    except FileExistsError as error:
        raise ConflictError(f"{normalise(path)} exists already") from error
    except OSError as error:
        if error.errno not in {errno.EPERM, errno.EMLINK, errno.EXDEV, *UNKNOWN_CALL}:
            raise
        return False
    return True


def _rename(temporary: Path, target: Path, path: str) -> None:
    """The same on a file system without hard links: look, then rename; nobody else may."""
    if target.exists():
        raise ConflictError(f"{normalise(path)} exists already")
    temporary.replace(target)


def _make_directory(directory: Path) -> None:
    """Make a directory and those above it; each is on the disk before anything is put into it."""
    missing = [one for one in (directory, *directory.parents) if not one.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    for made in reversed(missing):
        sync_directory(made.parent)


@contextmanager
def translated(path: str) -> Generator[None]:
    """Translate the system's errors; a broken pipe of the caller's own output is not ours."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise storage_error(path, error) from error


def storage_error(path: str, error: OSError) -> StorageError:
    """The error that the system's is to us."""
    name = error.filename or path
    hint = "free some space" if _is_full(error) else ""
    return StorageError(f"{name}: {error.strerror or error}", hint=hint)


def _is_full(error: OSError) -> bool:
    """Whether a disk, a quota or the largest size of a file is used up."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
