"""Many new files in a local directory, durable all at once: at the end of a block, by one syncfs.

Each gets its name by link when its bytes are complete, as ever, and nothing is overwritten. Until
the block ends a loss of power may take some of them, which a listing then shows; so nobody may call
them written before.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager, suppress

from metasnapshot.errors import ConflictError
from metasnapshot.store.content import Buffer
from metasnapshot.store.context import OURS
from metasnapshot.store.local import TEMPORARY_PREFIX, LocalStore, storage_error, translated
from metasnapshot.store.modes import STATE_SUFFIXES
from metasnapshot.store.port import Store, etag_of, normalise

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


@contextmanager
def in_bulk(store: Store) -> Generator[Store]:
    """The store, with cheaper creates in the block where it can have them; what was created is
    durable when the block ends.
    """
    inner = getattr(store, "local", store)
    if not isinstance(inner, LocalStore):
        yield store
        return
    bulk = _BulkStore(inner)
    yield bulk
    bulk.sync()


class _BulkStore(LocalStore):
    """A local store that syncs what it creates later."""

    def __init__(self, inner: LocalStore) -> None:
        super().__init__(inner.root)
        self._made = set[str]()
        self._token = secrets.token_hex(8)
        self._numbers = itertools.count()
        self._place = str(inner.root)

    def put_if_absent(self, path: str, data: bytes) -> str:
        self.create(path, data)
        return etag_of(data)

    def create(self, path: str, data: Buffer) -> None:
        """The same without an etag."""
        target = f"{self._place}/{normalise(path)}"
        directory, _, name = target.rpartition("/")
        temporary = f"{directory}/{TEMPORARY_PREFIX}{self._token}-{next(self._numbers)}"
        mode = 0o666 if name.endswith(STATE_SUFFIXES) else OURS
        if directory not in self._made:
            with translated(path):
                os.makedirs(directory, exist_ok=True)  # noqa: PTH103 - paths cost more than files
            self._made.add(directory)
        try:
            try:
                _write(os.open(temporary, _NEW, mode), data)
                os.link(temporary, target)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(temporary)  # noqa: PTH108
        except FileExistsError as error:
            raise ConflictError(f"{normalise(path)} exists already") from error
        except PermissionError:  # a file system without hard links
            super().put_if_absent(path, bytes(data))
        except OSError as error:
            raise storage_error(path, error) from error

    def sync(self) -> None:
        """Have the file system write all that it holds back."""
        if not self._made:
            return
        with translated(""):
            descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
            try:
                _syncfs(descriptor)
            finally:
                os.close(descriptor)


def _write(descriptor: int, data: Buffer) -> None:
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    finally:
        os.close(descriptor)


def _syncfs(descriptor: int) -> None:
    """One file system's, where the system has the call; else of all."""
    try:
        syncfs = ctypes.CDLL(None, use_errno=True).syncfs
    except (OSError, AttributeError):
        os.sync()
        return
    if syncfs(descriptor):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
