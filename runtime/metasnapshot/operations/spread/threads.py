"""Batches by the threads of this process, all of them together within one memory and one speed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from queue import SimpleQueue

from metasnapshot.catalogue.full import HASH_SIZE
from metasnapshot.errors import DamageError, ObjectMissing
from metasnapshot.hummock.paths import DATA
from metasnapshot.hummock.sst_facts import compare_reference
from metasnapshot.hummock.transfer import Original, check_object, copy_object, cost_of
from metasnapshot.operations.crew import Crew, Pace
from metasnapshot.operations.spread.batch import Batch, BatchResult, Damaged
from metasnapshot.operations.spread.sides import Side
from metasnapshot.operations.spread.spec import Spec
from metasnapshot.sst.content import read_content
from metasnapshot.store.bulk import in_bulk
from metasnapshot.store.port import Store
from metasnapshot.store.within import copier

Act = Callable[[Batch, int, Original], bytes]
"""Works on an object of a batch; gives the hash of its bytes."""


class ThreadSpread:
    """Threads of this process, whose stores are open."""

    def __init__(self, pace: Pace, source: Side, target: Side | None = None) -> None:
        """See Spread.

        Args:
            pace: how fast.
            source: where the objects are.
            target: where they go.
        """
        self._crew = Crew(pace)
        self._source, self._target = source, target

    def run(self, spec: Spec, batches: Iterable[Batch]) -> Iterator[BatchResult]:
        """See Spread."""
        source, target = self._source, self._target
        with nullcontext() if target is None else in_bulk(target.store) as store:
            act = self._checking(spec) if target is None else self._copying(target, store)
            yield from _Run(self._crew, source, act).results(batches)

    def _copying(self, target: Side, store: Store | None) -> Act:
        within = copier(self._source.store, target.store)
        into = target.store if store is None else store

        def act(_: Batch, __: int, original: Original) -> bytes:
            return copy_object(original, into, target.path_of(original.item), within)

        return act

    @staticmethod
    def _checking(spec: Spec) -> Act:
        def act(batch: Batch, at: int, original: Original) -> bytes:
            found = check_object(original)
            if spec.content == "data" and original.item.suffix == DATA:
                _look_at_data(batch, at, original)
            return found

        return act


def _look_at_data(batch: Batch, at: int, original: Original) -> None:
    """Walk all blocks of an SST, and compare what it holds with what the version says."""
    with original.store.open_reader(original.path) as file:
        content = read_content(file, original.item.size, original.path)
    for said in batch.said[at]:
        compare_reference(content, said, original.path)


class _Open:
    """A batch that is worked on."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.result = BatchResult(batch.number, bytearray(HASH_SIZE * len(batch)))
        self.left = len(batch)


class _Run:
    """Batches on their way through the threads of a crew."""

    def __init__(self, crew: Crew, source: Side, act: Act) -> None:
        self._crew, self._source, self._act = crew, source, act
        self._done = SimpleQueue[BatchResult | BaseException | None]()
        self._lock = threading.Lock()

    def results(self, batches: Iterable[Batch]) -> Iterator[BatchResult]:
        """What becomes of them, as it does."""
        foreman = threading.Thread(target=self._work, args=(batches,), name="foreman")
        foreman.start()
        try:
            while (found := self._done.get()) is not None:
                if isinstance(found, BaseException):
                    raise found
                yield found
        finally:
            self._crew.is_over.set()
            foreman.join()

    def _work(self, batches: Iterable[Batch]) -> None:
        try:
            self._crew.work_through(_each(batches), _cost, self._work_at)
        except BaseException as error:  # noqa: BLE001 - raised where the results are waited for
            self._done.put(error)
        else:
            self._done.put(None)

    def _work_at(self, place: tuple[_Open, int]) -> None:
        opened, at = place
        batch, result, store = opened.batch, opened.result, self._source.store
        item = batch[at]
        path = self._source.path_of(item)
        original = Original(store, path, item, batch.hash_of(at), self._crew.take)
        found = gone = damaged = None
        try:
            found = self._act(batch, at, original)
        except ObjectMissing as error:
            gone = error
        except DamageError as error:
            damaged = Damaged(at, str(error), error.hint)
        with self._lock:
            if found is not None:
                result.hashes[at * HASH_SIZE : (at + 1) * HASH_SIZE] = found
            elif gone is not None:
                result.vanished.append(at)
            elif damaged is not None:
                result.damaged.append(damaged)
            opened.left -= 1
            if not opened.left:
                self._done.put(result)


def _each(batches: Iterable[Batch]) -> Iterator[tuple[_Open, int]]:
    for batch in batches:
        opened = _Open(batch)
        for at in range(len(batch)):
            yield opened, at


def _cost(place: tuple[_Open, int]) -> int:
    opened, at = place
    return cost_of(opened.batch.sizes[at])
