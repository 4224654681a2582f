"""Whether a store keeps the promises that a catalogue rests on, tried before they are trusted.

Not every service that speaks S3 refuses a second create or a stale etag: some answer 200 and
overwrite; others look before they write, so that two at once both win. So the first conditional
write of a process tries all that on an object of its own; a store that fails gets its conditional
writes from a lease instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO, Protocol
from uuid import uuid4

from metasnapshot.errors import ConflictError, MetasnapshotError, StorageError
from metasnapshot.store.lease import LeasedStore, PlainStore
from metasnapshot.store.port import Store, join, normalise
from metasnapshot.store.retry import LOCK_WAIT_S

TRIAL_PREFIX = "metasnapshot.trial-"
CREATE, STALE, RACE = "create-only", "stale swap refused", "one swap of several wins"
MENDED = {CREATE, STALE, RACE}
"""Promises that a lease makes up for."""
RACERS = 8
"""Swaps at once: of a service that looks before it writes several win."""


class ConditionalStore(PlainStore, Store, Protocol):
    """A store that promises conditional writes, and can overwrite too."""


@dataclass(frozen=True)
class Promise:
    """One thing that was tried, whether it held, and what came instead."""

    name: str
    held: bool
    found: str = ""


def try_store(store: Store, directory: str) -> list[Promise]:
    """Try every guarantee on an object of our own, which is gone afterwards.

    Raises:
        MetasnapshotError: the store cannot be reached, or not be written.
    """
    path = join(directory, f"{TRIAL_PREFIX}{uuid4().hex}")
    try:
        store.put_if_absent(path, b"first")
        return [
            _expect("read after write", lambda: store.read(path).data, b"first"),
            _expect("list after write", lambda: _listed(store, directory, path), path),
            _expect("ranged read", lambda: _middle(store, path), b"ir"),
            _expect_conflict(CREATE, lambda: store.put_if_absent(path, b"second")),
            *_try_swap(store, path),
            _expect("delete", lambda: _delete(store, path), None),
        ]
    finally:
        store.delete(path)


def _try_swap(store: Store, path: str) -> Iterator[Promise]:
    etag = store.read(path).etag

    def swap() -> bytes:
        store.put_if_match(path, b"third", etag)
        return store.read(path).data

    yield _expect("swap", swap, b"third")
    stale = _expect_conflict(STALE, lambda: store.put_if_match(path, b"fourth", etag))
    yield stale
    if stale.held:
        yield _race(store, path)


def _race(store: Store, path: str) -> Promise:
    """Several swaps of one and the same state at once: one wins."""
    etag = store.read(path).etag
    with ThreadPoolExecutor(RACERS) as pool:
        runs = [
            pool.submit(store.put_if_match, path, b"racer %d" % number, etag)
            for number in range(RACERS)
        ]
    errors = [run.exception() for run in runs]
    for error in errors:
        if error is not None and not isinstance(error, ConflictError):
            return Promise(RACE, held=False, found=str(error))
    won = errors.count(None)
    return Promise(RACE, won == 1, "" if won == 1 else f"{won} of {RACERS} won")


def _expect_conflict(name: str, write: Callable[[], object]) -> Promise:
    try:
        write()
    except ConflictError:
        return Promise(name, held=True)
    except MetasnapshotError as error:
        return Promise(name, held=False, found=str(error))
    return Promise(name, held=False, found="it was overwritten")


def _expect(name: str, look: Callable[[], object], wanted: object) -> Promise:
    try:
        found = look()
    except MetasnapshotError as error:
        return Promise(name, held=False, found=str(error))
    return Promise(name, found == wanted, "" if found == wanted else repr(found))


def _listed(store: Store, directory: str, path: str) -> str:
    """The path, if a list of its directory has it."""
    return next((head.path for head in store.names(directory).objects if head.path == path), "")


def _delete(store: Store, path: str) -> object:
    store.delete(path)
    return store.head(path)


def _middle(store: Store, path: str) -> bytes:
    with store.open_reader(path) as file:
        file.seek(1)
        return file.read(2)


class TriedStore:
    """A store whose conditional writes are trusted once they were tried; `untried` is without."""

    def __init__(self, inner: ConditionalStore, lock_wait_s: float = LOCK_WAIT_S) -> None:
        self.untried = inner
        self._lock_wait_s = lock_wait_s
        self._chosen: Store | None = None
        self.head = inner.head
        self.read = inner.read
        self.open_reader = inner.open_reader
        self.list = inner.list
        self.names = inner.names
        self.leftovers = inner.leftovers
        self.delete = inner.delete

    @property
    def url(self) -> str:
        """See Store."""
        return self.untried.url

    def open_writer(self, path: str) -> AbstractContextManager[BinaryIO]:
        """See Store."""
        return self._writer(path).open_writer(path)

    def put_if_absent(self, path: str, data: bytes) -> str:
        """See Store."""
        return self._writer(path).put_if_absent(path, data)

    def put_if_match(self, path: str, data: bytes, etag: str) -> str:
        """See Store."""
        return self._writer(path).put_if_match(path, data, etag)

    def exclusive(self, path: str) -> AbstractContextManager[None]:
        """See Store."""
        return self._writer(path).exclusive(path)

    def _writer(self, path: str) -> Store:
        if self._chosen is None:
            directory = normalise(path).rpartition("/")[0]
            failed = [item for item in try_store(self.untried, directory) if not item.held]
            if not {item.name for item in failed} <= MENDED:
                said = ", ".join(f"{item.name}: {item.found}" for item in failed)
                raise StorageError(f"{self.url} is no store to rely on: {said}")
            self._chosen = LeasedStore(self.untried, self._lock_wait_s) if failed else self.untried
            if failed:
                self.read = self._chosen.read  # its etags are others
        return self._chosen
