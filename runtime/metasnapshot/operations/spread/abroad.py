"""Batches of objects by the workers of a scheduler. Each is asked what it sees of the places before
the first batch; one that comes later looks before its own first; and what each copied first is
looked for in our target.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from metasnapshot.errors import UsageError
from metasnapshot.operations.crew import MEMORY_MIN, Pace
from metasnapshot.operations.spread.batch import Batch, BatchResult
from metasnapshot.operations.spread.errand import (
    Errand,
    Here,
    Witness,
    errand_over,
    open_sides,
)
from metasnapshot.operations.spread.scheduler import Scheduler
from metasnapshot.operations.spread.sides import Side
from metasnapshot.operations.spread.spec import Spec
from metasnapshot.operations.spread.threads import ThreadSpread
from metasnapshot.store.context import Context


class DaskSpread:
    """The workers of a scheduler."""

    def __init__(
        self,
        scheduler: Scheduler,
        pace: Pace,
        context: Context,
        source: Side,
        target: Side | None = None,
    ) -> None:
        """See Spread.

        Args:
            scheduler: of the workers.
            pace: how fast, all together.
            context: how stores are reached.
            source: where the objects are.
            target: where they go.
        """
        self._scheduler, self._pace, self._context = scheduler, pace, context
        self._source, self._target = source, target
        self._trusted = set[str]()

    def run(self, spec: Spec, batches: Iterable[Batch]) -> Iterator[BatchResult]:
        """See Spread.

        Raises:
            UsageError: a worker sees other places; nothing was begun, unless it came later.
            SchedulerUnavailable: the scheduler or its workers cannot be reached.
        """
        from metasnapshot.operations.spread import on_dask  # noqa: PLC0415 - an extra

        todo = iter(batches)
        first = next(todo, None)
        if first is None:
            return
        known = dict[int, Batch]()

        def noted() -> Iterator[Batch]:
            for batch in chain((first,), todo):
                known[batch.number] = batch
                yield batch

        source, target, pace = self._source, self._target, self._pace
        sides = (source,) if target is None else (source, target)
        files = (Witness(source.path_of(first[0]), first.sizes[0]), None)[: len(sides)]
        with (
            errand_over(sides, files, self._context) as errand,
            on_dask.connected(self._scheduler) as client,
        ):
            fleet = on_dask.Fleet(client, pace.limit)
            fleet.require_same(errand)
            words = (errand, spec, pace.jobs, pace.memory_size)
            for worker, result in fleet.work(carry_out, words, noted(), errand.token):
                self._trust(worker, known.pop(result.number), result)
                yield result

    def _trust(self, worker: str, batch: Batch, result: BatchResult) -> None:
        """See that what a worker copied first is in our target.

        Raises:
            UsageError: it is not: it has another store under this name.
        """
        target = self._target
        bad = {*result.vanished, *(found.at for found in result.damaged)}
        at = next((at for at in range(len(batch)) if at not in bad), None)
        if target is None or at is None or worker in self._trusted:
            return
        path = target.path_of(batch[at])
        head = target.store.head(path)
        if head is None or head.size != batch.sizes[at]:
            raise UsageError(
                f"worker {worker} copied {path}, and it is not in {target.place.url}",
                hint="it has another store under this name: see what is mounted there, and "
                f"{target.place.variable} in its environment",
            )
        self._trusted.add(worker)


def carry_out(
    here: Here, errand: Errand, spec: Spec, jobs: int, memory: int, batch: Batch
) -> BatchResult:
    """Work on a batch: what a worker does.

    Args:
        here: the worker.
        errand: which places it must see.
        spec: what to do.
        jobs: objects at a time.
        memory: bytes of objects in memory, which all threads of the worker share.
        batch: the objects.

    Raises:
        UsageError: it does not see what the sender sees; it has done nothing.
        MetasnapshotError: as Spread.
    """
    share = max(memory // here.threads, MEMORY_MIN)
    pace = Pace(jobs, str(share), str(here.rate) if here.rate else None)
    source, *others = open_sides(errand, here.worker)
    spread = ThreadSpread(pace, source, others[0] if others else None)
    (result,) = spread.run(spec, [batch])
    return result
