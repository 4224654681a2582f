"""Create-only and compare-and-swap for stores that have neither, under a lease.

A lease on a directory is Lamport's bakery: who wants it puts a claim beside the others, takes a
number above all that he sees, and waits until every claim with a smaller one is gone. It is safe on
any store whose reads and lists see what was written. A process that waits renews its claim. A claim
that stays the same for a minute, by the clock of who waits, is of a process that died, and is taken
away. Who holds the lease writes only within half of that after his last renewal (the fence), by
requests that end within the other half, and looks afterwards whether what he wrote is there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import BinaryIO, Protocol
from uuid import uuid4

import msgspec

from metasnapshot.errors import (
    ConflictError,
    DamageError,
    InconsistentStore,
    ObjectMissing,
    StorageError,
)
from metasnapshot.store.document import decode_document, read_document
from metasnapshot.store.lock import Holder, this_holder
from metasnapshot.store.port import READ_MAX, StoredObject, etag_of, join, normalise
from metasnapshot.store.retry import LOCK_WAIT_S
from metasnapshot.store.through import ReadableStore, ReadThrough
from metasnapshot.store.tidying import tidied

LEASE_NAME = "metasnapshot.lease"
CLAIM_LIFE_S = 60.0
PUT_MAX_S = CLAIM_LIFE_S / 2
BEATS = 6
"""How often a claim is renewed in its life."""
POLL_S = 0.2


class PlainStore(ReadableStore, Protocol):
    """An object store that can only overwrite."""

    def open_writer(self, path: str) -> AbstractContextManager[BinaryIO]:
        """See Store."""
        ...

    def put(self, path: str, data: bytes) -> str:
        """Write a small object, whatever is there; returns its etag. It ends within PUT_MAX_S, if
        the driver can be told so.
        """
        ...


class Claim(msgspec.Struct, frozen=True):
    """A claim on a lease: its number (0 while it is chosen), its holder, its renewals."""

    number: int
    holder: Holder
    beat: int = 0


class _Held(threading.local):
    """Directories whose lease this thread holds, and when the claim was renewed last."""

    def __init__(self) -> None:
        self.since: dict[tuple[str, str], float] = {}


_held = _Held()
_decoder = msgspec.json.Decoder(Claim)


@contextmanager
def leased(store: PlainStore, directory: str, wait_s: float = LOCK_WAIT_S) -> Generator[None]:
    """Hold the lease of a directory; a thread that holds it already goes on.

    Raises:
        ConflictError: somebody else holds it, and goes on doing so; the message says who.
    """
    place = store.url, directory
    if place in _held.since:
        yield
        return
    own = _Own(store, directory)
    with tidied(lambda: store.delete(own.path)):
        own.write(0)
        own.write(max((claim.number for _, claim in _claims(store, directory)), default=0) + 1)
        _wait(store, directory, own, wait_s)
        _held.since[place] = own.renewed
        try:
            yield
        finally:
            del _held.since[place]


def require_fence(url: str, path: str) -> None:
    """See that the lease of a path's directory in a store is young enough to write under it.

    Raises:
        StorageError: too late.
    """
    since = _held.since.get((url, _directory(path)))
    if since is not None and time.monotonic() - since > CLAIM_LIFE_S / 2:
        raise StorageError(f"the lease for {path} is too old", hint="try again")


class _Own:
    """This process's claim."""

    def __init__(self, store: PlainStore, directory: str) -> None:
        self.token = uuid4().hex
        self.path = join(directory, f"{LEASE_NAME}/{self.token}")
        self.number = 0
        self.renewed = 0.0
        self._store = store
        self._holder = this_holder()
        self._beat = 0

    def write(self, number: int) -> None:
        """Make the claim, or renew it; its age counts from before the request."""
        self.number = number
        self.renewed = time.monotonic()
        self._beat += 1
        claim = Claim(number, self._holder, self._beat)
        self._store.put(self.path, msgspec.json.encode(claim))

    def renew(self) -> None:
        """Renew it in time."""
        if time.monotonic() - self.renewed > CLAIM_LIFE_S / BEATS:
            self.write(self.number)


def _wait(store: PlainStore, directory: str, own: _Own, wait_s: float) -> None:
    """Wait for all who come first."""
    deadline = time.monotonic() + wait_s
    place = own.number, own.token
    seen: dict[str, tuple[Claim, float]] = {}
    while True:
        before: Claim | None = None
        claims = _claims(store, directory)
        if own.token not in dict(claims):
            raise ConflictError(f"the lease of {directory} was taken away", hint="try again")
        for token, claim in claims:
            if token == own.token or (claim.number and (claim.number, token) > place):
                continue
            known = seen.get(token)
            if known is None or known[0] != claim:
                seen[token] = (claim, time.monotonic())
            elif time.monotonic() - known[1] > CLAIM_LIFE_S:
                store.delete(join(directory, f"{LEASE_NAME}/{token}"))  # of a process that died
                continue
            before = claim
        if before is None:
            return
        if time.monotonic() > deadline:
            raise ConflictError(
                f"{store.url}, {directory} is leased by {before.holder}",
                hint="try again when it has ended; --retry-lock 10m waits",
            )
        own.renew()
        time.sleep(POLL_S)


def _claims(store: PlainStore, directory: str) -> list[tuple[str, Claim]]:
    """The claims of a directory; what is none counts as one that is being chosen."""
    found: list[tuple[str, Claim]] = []
    for head in store.names(join(directory, LEASE_NAME)).objects:
        try:
            data = read_document(store, head.path).data
            claim = decode_document(head.path, data, _decoder)
        except ObjectMissing:
            continue
        except DamageError:
            claim = Claim(0, Holder(1, "somebody", "unknown"))
        found.append((head.path.rpartition("/")[2], claim))
    return found


class LeasedStore(ReadThrough):
    """A store that gets its conditional writes from a lease. An etag is a hash of the bytes."""

    def __init__(self, inner: PlainStore, wait_s: float = LOCK_WAIT_S) -> None:
        super().__init__(inner)
        self._inner = inner
        self._wait_s = wait_s

    def read(self, path: str, size_max: int = READ_MAX) -> StoredObject:
        """See Store."""
        data = self._inner.read(path, size_max).data
        return StoredObject(data, etag_of(data))

    @contextmanager
    def open_writer(self, path: str) -> Generator[BinaryIO]:
        """See Store; the writer has reserved the name."""
        with self._inner.open_writer(path) as file:
            yield file
            if self.head(path) is not None:
                raise ConflictError(f"{normalise(path)} exists already")

    def put_if_absent(self, path: str, data: bytes) -> str:
        """See Store."""
        with self.exclusive(path):
            if self.head(path) is not None:
                raise ConflictError(f"{normalise(path)} exists already")
            return self._put(path, data)

    def put_if_match(self, path: str, data: bytes, etag: str) -> str:
        """See Store."""
        with self.exclusive(path):
            try:
                found = self.read(path).etag
            except ObjectMissing:
                found = None
            if found != etag:
                raise ConflictError(f"{normalise(path)} changed meanwhile", hint="try again")
            return self._put(path, data)

    def exclusive(self, path: str) -> AbstractContextManager[None]:
        """See Store: the lease of the path's directory."""
        return leased(self._inner, _directory(path), self._wait_s)

    def _put(self, path: str, data: bytes) -> str:
        """Write behind the fence, and look. A driver that knows no time limit may have written
        when the lease was another's already: then nobody knows what was lost.
        """
        since = _held.since[self._inner.url, _directory(path)]
        require_fence(self._inner.url, path)
        self._inner.put(path, data)
        if (late := time.monotonic() - since - CLAIM_LIFE_S) > 0:
            raise InconsistentStore(
                f"{path} was written {late:.0f} s after the lease for it had ended: what others "
                "wrote meanwhile may be lost",
                hint="`metasnapshot rebuild-manifest` shows whether it is",
            )
        if not self._is_there(path, data):
            raise ConflictError(f"{normalise(path)} changed meanwhile", hint="try again")
        return etag_of(data)

    def _is_there(self, path: str, data: bytes) -> bool:
        try:
            return self._inner.read(path, len(data)).data == data
        except DamageError:  # it is larger
            return False


def _directory(path: str) -> str:
    return normalise(path).rpartition("/")[0]
