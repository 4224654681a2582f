"""A store that fails on purpose, around one that does not: at the n-th call of a method, or by the
dice of a seed. Each failure is one that an object store really shows, and every one is counted, so
that a test knows whether an operation had a reason to fail. `meanwhile` is called before each
call, so that a test can let others act at that very moment.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from io import BytesIO
from typing import BinaryIO

from metasnapshot.errors import ConflictError, StorageError
from metasnapshot.store.port import READ_MAX, Names, ObjectHead, Store, StoredObject, sorted_names

CHANCE = 0.01
STORM_CALLS = 3
STALE_WRITES_MAX = 5
PAUSE_S = 0.00001


class Fault(StrEnum):
    """What can go wrong with a call."""

    BEFORE = "an error, and nothing happened"
    AFTER = "an error, though it happened: the answer got lost"
    SHORT = "an object that seems to end early"
    CUT = "an object of the right size whose bytes end early"
    STALE = "a list as it was some writes ago"
    SLOW = "a pause"
    STORM = "an error, and at the next calls too"
    CONFLICT = "a precondition that failed though nobody changed anything"


ALWAYS = (Fault.BEFORE, Fault.SLOW, Fault.STORM)
FAULTS: dict[str, tuple[Fault, ...]] = {
    "head": ALWAYS,
    "read": (*ALWAYS, Fault.SHORT),
    "open_reader": (*ALWAYS, Fault.SHORT, Fault.CUT),
    "open_writer": (*ALWAYS, Fault.AFTER, Fault.CONFLICT),
    "put_if_absent": (*ALWAYS, Fault.AFTER, Fault.CONFLICT),
    "put_if_match": (*ALWAYS, Fault.AFTER, Fault.CONFLICT),
    "list": (*ALWAYS, Fault.STALE),
    "names": (*ALWAYS, Fault.STALE),
    "leftovers": ALWAYS,
    "delete": (*ALWAYS, Fault.AFTER),
    "exclusive": (*ALWAYS, Fault.AFTER, Fault.CONFLICT),
}
"""The faults that each method of a store can have."""


class _CutFile(BytesIO):
    """A file whose size is right and whose bytes end in the middle, as a lost connection's do."""

    def __init__(self, data: bytes, end: int) -> None:
        super().__init__(data)
        self._end = end

    def read(self, size: int | None = -1, /) -> bytes:
        left = max(0, self._end - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left))


class FaultyStore:
    """A store with faults.

    Attributes:
        calls: how often each method was called.
        counts: how often each fault happened, by method and fault.
        injected: how many faults happened that an operation may fail of, so neither SLOW nor STALE,
            without those that happened to `meanwhile`.
        meanwhile: what others do before a call.
    """

    def __init__(self, inner: Store) -> None:
        """Wrap a store; nothing goes wrong until something is planned, or dice are thrown."""
        self.inner = inner
        self.calls = Counter[str]()
        self.counts = Counter[tuple[str, Fault]]()
        self.injected = 0
        self.meanwhile: Callable[[], None] | None = None
        self._dice: random.Random | None = None
        self._chances = dict[str, float]()
        self._planned: dict[tuple[str, int], Fault] = {}
        self._storm_left = 0
        self._undo: list[tuple[str, ObjectHead | None]] = []

    def plan(self, method: str, nth: int, fault: Fault) -> None:
        """Let the n-th call of a method from the store's first on go wrong; the first is 1."""
        assert fault in FAULTS[method]
        self._planned[method, nth] = fault

    def throw_dice(self, seed: int, chances: Mapping[str, float] | None = None) -> None:
        """Let calls go wrong at random from now on.

        Args:
            seed: of the dice.
            chances: probability of a fault by method, where it is not CHANCE.
        """
        self._dice = random.Random(seed)  # noqa: S311 - dice
        self._chances = dict.fromkeys(FAULTS, CHANCE) | dict(chances or {})

    @property
    def url(self) -> str:
        return f"faulty {self.inner.url}"

    def head(self, path: str) -> ObjectHead | None:
        self._begin("head", path)
        return self.inner.head(path)

    def read(self, path: str, size_max: int = READ_MAX) -> StoredObject:
        fault = self._begin("read", path)
        found = self.inner.read(path, size_max)
        if fault is Fault.SHORT:
            return StoredObject(found.data[: self._part(len(found.data))], found.etag)
        return found

    @contextmanager
    def open_reader(self, path: str) -> Generator[BinaryIO]:
        fault = self._begin("open_reader", path)
        with self.inner.open_reader(path) as file:
            if fault is None:
                yield file
                return
            data = file.read()
            end = self._part(len(data))
            yield _CutFile(data, end) if fault is Fault.CUT else BytesIO(data[:end])

    @contextmanager
    def open_writer(self, path: str) -> Generator[BinaryIO]:
        fault = self._begin("open_writer", path)
        with self.inner.open_writer(path) as file:
            yield file
            self._let_others_act()
            if fault is Fault.CONFLICT:
                raise ConflictError(f"{path} exists already, says a faulty store")
            self._remember(path)
        self._end("open_writer", path, fault)

    def put_if_absent(self, path: str, data: bytes) -> str:
        fault = self._begin("put_if_absent", path)
        self._remember(path)
        etag = self.inner.put_if_absent(path, data)
        self._end("put_if_absent", path, fault)
        return etag

    def put_if_match(self, path: str, data: bytes, etag: str) -> str:
        fault = self._begin("put_if_match", path)
        self._remember(path)
        new = self.inner.put_if_match(path, data, etag)
        self._end("put_if_match", path, fault)
        return new

    def list(self, prefix: str) -> Iterator[ObjectHead]:
        fault = self._begin("list", prefix)
        if fault is not Fault.STALE:
            return self.inner.list(prefix)
        return self._stale_list(prefix)

    def names(self, directory: str) -> Names:
        fault = self._begin("names", directory)
        if fault is not Fault.STALE:
            return self.inner.names(directory)
        above = f"{directory}/" if directory else ""
        heads = list(self._stale_list(above))
        below = {head.path for head in heads if "/" in head.path.removeprefix(above)}
        return sorted_names(
            (head for head in heads if head.path not in below),
            {above + path.removeprefix(above).partition("/")[0] for path in below},
        )

    def leftovers(self, directory: str) -> Iterator[ObjectHead]:
        self._begin("leftovers", directory)
        return self.inner.leftovers(directory)

    def delete(self, path: str) -> None:
        fault = self._begin("delete", path)
        self._remember(path)
        self.inner.delete(path)
        self._end("delete", path, fault)

    @contextmanager
    def exclusive(self, path: str) -> Generator[None]:
        fault = self._begin("exclusive", path)
        with self.inner.exclusive(path):
            yield
        self._end("exclusive", path, fault)

    def _begin(self, method: str, path: str) -> Fault | None:
        """What goes wrong with a call; raises if all of it does."""
        self._let_others_act()
        self.calls[method] += 1
        if self._storm_left:
            self._storm_left -= 1
            self._count(method, Fault.STORM)
            raise StorageError(f"{method} {path}: 503, slow down")
        fault = self._planned.pop((method, self.calls[method]), None) or self._throw(method)
        if fault is None:
            return None
        self._count(method, fault)
        if fault is Fault.BEFORE:
            raise StorageError(f"{method} {path}: connection refused")
        if fault is Fault.STORM:
            self._storm_left = STORM_CALLS - 1
            raise StorageError(f"{method} {path}: 503, slow down")
        if fault is Fault.CONFLICT and method != "open_writer":  # a writer's comes at its end
            raise ConflictError(f"{path} changed meanwhile, says a faulty store")
        if fault is Fault.SLOW:
            time.sleep(PAUSE_S)
            return None
        return fault

    @staticmethod
    def _end(method: str, path: str, fault: Fault | None) -> None:
        if fault is Fault.AFTER:
            raise StorageError(f"{method} {path}: connection lost before the answer")

    def _throw(self, method: str) -> Fault | None:
        if self._dice is None or self._dice.random() >= self._chances[method]:
            return None
        return self._dice.choice(FAULTS[method])

    def _count(self, method: str, fault: Fault) -> None:
        self.injected += fault not in {Fault.SLOW, Fault.STALE}
        self.counts[method, fault] += 1

    def _let_others_act(self) -> None:
        if self.meanwhile is None:
            return
        injected = self.injected
        self.meanwhile()
        self.injected = injected

    def _part(self, size: int) -> int:
        """Where an object of this size ends early; at half of it without dice."""
        return self._dice.randrange(size) if self._dice and size else size // 2

    def _remember(self, path: str) -> None:
        """Keep what a list says of a path before it changes."""
        path = path.strip("/")
        self._undo = [*self._undo[1 - STALE_WRITES_MAX :], (path, self.inner.head(path))]

    def _stale_list(self, prefix: str) -> Iterator[ObjectHead]:
        """The list before the last writes; without dice, before as many as are remembered."""
        count = self._dice.randint(1, STALE_WRITES_MAX) if self._dice else STALE_WRITES_MAX
        heads = {head.path: head for head in self.inner.list(prefix)}
        for path, head in reversed(self._undo[-count:]):
            heads.pop(path, None)
            if head is not None and path.startswith(prefix.lstrip("/")):
                heads[path] = head
        return iter([heads[path] for path in sorted(heads)])
