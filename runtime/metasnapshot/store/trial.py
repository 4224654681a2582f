"""Whether a store keeps the promises that a catalogue rests on, tried before they are trusted.

Not every service that speaks S3 refuses a second create or a stale etag: some answer 200 and
overwrite; others look before they write, so that two at once both win. So the first conditional
write of a process tries all that on an object of its own; a store that fails gets its conditional
writes from a lease instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import BinaryIO, Protocol
from uuid import uuid4

from metasnapshot.errors import (
    AuthenticationError,
    ConflictError,
    MetasnapshotError,
    ObjectMissing,
    StorageError,
)
from metasnapshot.store.codes import Denied, Passing, Retained
from metasnapshot.store.deletes import TRIAL_PREFIX, delete_if_allowed, warn_of_key
from metasnapshot.store.lease import LeasedStore, PlainStore
from metasnapshot.store.port import READ_MAX, Store, StoredObject, join, normalise
from metasnapshot.store.retry import LOCK_WAIT_S
from metasnapshot.store.through import ReadThrough
from metasnapshot.store.tidying import tidied

TRIED_MAX = 1 << 10
"""Bytes of an object that is tried with, and of what else may have come in its place."""
CREATE, STALE, RACE = "create-only", "stale swap refused", "one swap of several wins"
SWAP, DELETE = "swap", "delete"
MENDED = {CREATE, STALE, RACE}
"""Promises that a lease makes up for, however they are broken."""
RACERS = 8
"""Swaps at once: of a service that looks before it writes several win."""
NO_ETAG = '"0123456789abcdef0123456789abcdef"\n1'
"""Of no object of ours; GCS goes by the generation behind it."""


class ConditionalStore(PlainStore, Store, Protocol):
    """A store that promises conditional writes, and can overwrite too."""

    def plain(self) -> PlainStore:
        """The same store, which asks for no conditions."""
        ...


@dataclass(frozen=True)
class Promise:
    """One thing that was tried.

    Attributes:
        name: what was promised.
        held: whether it was kept.
        found: what came instead.
        is_mended: whether one can go on without it.
    """

    name: str
    held: bool
    found: str = ""
    is_mended: bool = False


def is_reliable(found: Iterable[Promise]) -> bool:
    """Whether backups can rest on such a store, by itself or under a lease."""
    return all(item.held or item.is_mended for item in found)


def needs_lease(found: Iterable[Promise]) -> bool:
    """Whether its conditional writes must be made under a lease."""
    return any(not item.held and item.name != DELETE for item in found)


def try_store(store: Store, directory: str) -> list[Promise]:
    """Try every guarantee on an object of our own, which is gone afterwards. With a key that may
    not delete nothing is tried that would leave one.

    Raises:
        MetasnapshotError: the store cannot be reached, or not be written.
    """
    path = join(directory, f"{TRIAL_PREFIX}{uuid4().hex}")
    try:
        store.delete(path)
    except Denied as error:
        return [
            Promise(DELETE, held=False, found=str(error), is_mended=True),
            _refuses(store, path),
        ]
    with tidied(lambda: delete_if_allowed(store, path)):
        created = _create(store, path)
        return [
            _expect("read after write", lambda: store.read(path, TRIED_MAX).data, b"first"),
            _expect("list after write", lambda: _listed(store, directory, path), path),
            _expect("ranged read", lambda: _middle(store, path), b"ir"),
            created or _expect_conflict(CREATE, lambda: store.put_if_absent(path, b"second")),
            *_try_swap(store, path),
            _deletes(store, path),
        ]


def _create(store: Store, path: str) -> Promise | None:
    """Create an object; where that is refused and a plain write is not, the promise is broken."""
    try:
        store.put_if_absent(path, b"first")
    except StorageError as error:
        return _overwrite(CREATE, store, path, b"first", error)
    return None


def _overwrite(name: str, store: Store, path: str, data: bytes, error: StorageError) -> Promise:
    """Write without a condition, as one with a condition was refused.

    Raises:
        StorageError: that one, if it is not for the condition.
    """
    put = getattr(store, "put", None)
    if put is None or isinstance(error, (Passing, ObjectMissing)):
        raise error
    try:
        put(path, data)
    except MetasnapshotError:
        raise error from None
    return Promise(name, held=False, found=str(error), is_mended=True)


def _refuses(store: Store, path: str) -> Promise:
    """Whether a swap of what is not there is refused. It leaves nothing where it is; and where it
    is not there is no lease either, whose claims must be deleted.
    """
    found = _expect_conflict(STALE, lambda: store.put_if_match(path, b"first", NO_ETAG))
    return replace(found, is_mended=False)


def _try_swap(store: Store, path: str) -> Iterator[Promise]:
    etag = store.read(path, TRIED_MAX).etag
    try:
        store.put_if_match(path, b"third", etag)
        found = store.read(path, TRIED_MAX).data
    except (ConflictError, AuthenticationError) as error:
        yield Promise(SWAP, held=False, found=str(error))
        return
    except StorageError as error:
        yield _overwrite(SWAP, store, path, b"third", error)
        return
    yield Promise(SWAP, held=found == b"third", found="" if found == b"third" else repr(found))
    stale = _expect_conflict(STALE, lambda: store.put_if_match(path, b"fourth", etag))
    yield stale
    if stale.held:
        yield _race(store, path)


def _race(store: Store, path: str) -> Promise:
    """Several swaps of one and the same state at once: one wins."""
    etag = store.read(path, TRIED_MAX).etag
    with ThreadPoolExecutor(RACERS) as pool:
        runs = [
            pool.submit(store.put_if_match, path, b"racer %d" % number, etag)
            for number in range(RACERS)
        ]
    errors = [run.exception() for run in runs]
    for error in errors:
        if error is not None and not isinstance(error, ConflictError):
            return Promise(RACE, held=False, found=str(error), is_mended=True)
    won = errors.count(None)
    return Promise(RACE, won == 1, "" if won == 1 else f"{won} of {RACERS} won", is_mended=True)


def _expect_conflict(name: str, write: Callable[[], object]) -> Promise:
    try:
        write()
    except ConflictError:
        return Promise(name, held=True)
    except AuthenticationError:
        raise
    except MetasnapshotError as error:
        return Promise(name, held=False, found=str(error), is_mended=True)
    return Promise(name, held=False, found="it was overwritten", is_mended=True)


def _expect(name: str, look: Callable[[], object], wanted: object) -> Promise:
    try:
        found = look()
    except MetasnapshotError as error:
        return Promise(name, held=False, found=str(error))
    return Promise(name, found == wanted, "" if found == wanted else repr(found))


def _listed(store: Store, directory: str, path: str) -> str:
    """The path, if a list of its directory has it."""
    return next((head.path for head in store.names(directory).objects if head.path == path), "")


def _deletes(store: Store, path: str) -> Promise:
    """Whether what is deleted is gone, or stays because the service retains what is written."""
    try:
        store.delete(path)
    except Retained as error:
        return Promise(DELETE, held=True, found=error.why)
    except MetasnapshotError as error:
        return Promise(DELETE, held=False, found=str(error))
    return _expect(DELETE, lambda: store.head(path), None)


def _middle(store: Store, path: str) -> bytes:
    with store.open_reader(path) as file:
        file.seek(1)
        return file.read(2)


class TriedStore(ReadThrough):
    """A store whose conditional writes are trusted once they were tried; `untried` is without."""

    def __init__(self, inner: ConditionalStore, lock_wait_s: float = LOCK_WAIT_S) -> None:
        super().__init__(inner)
        self.untried = inner
        self._lock_wait_s = lock_wait_s
        self._chosen: Store | None = None

    def read(self, path: str, size_max: int = READ_MAX) -> StoredObject:
        """See Store; under a lease etags are others."""
        chosen = self.untried if self._chosen is None else self._chosen
        return chosen.read(path, size_max)

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
            self._chosen = self._choose(normalise(path).rpartition("/")[0])
        return self._chosen

    def _choose(self, directory: str) -> Store:
        found = try_store(self.untried, directory)
        if not is_reliable(found):
            said = ", ".join(f"{item.name}: {item.found}" for item in found if not item.held)
            raise StorageError(f"{self.url} is no store to rely on: {said}")
        if denied := [item.found for item in found if item.name == DELETE and not item.held]:
            warn_of_key(self.url, denied[0])
        if needs_lease(found):
            return LeasedStore(self.untried.plain(), self._lock_wait_s)
        return self.untried
