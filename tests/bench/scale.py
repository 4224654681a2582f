"""`make bench-scale`: objects by two workers of a Dask scheduler on loopback, beside this process
alone: seconds of processors on equal work, time beside one worker, and many tiny objects beside the
same loop without Dask.

Stores are directories in memory. A worker has one thread, and one job. What the scheduler and the
client take is printed apart: they grow with batches, not with bytes. Wall times are judged only
where nobody else is at work.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from dask_cluster import DaskCluster, dask_cluster
from objects import KIB, MIB, fill_folder, needed, sst_of

from metasnapshot.catalogue.area import make_area
from metasnapshot.operations.copy_objects import ObjectWork
from metasnapshot.operations.crew import Pace
from metasnapshot.operations.spread.sides import area_side, state_side
from metasnapshot.store.local import LocalStore

SHM = Path("/dev/shm")
LARGE = (400, 4 * MIB)
TINY = (100_000, 1 * KIB)
CPU_MAX, WALL_MIN, TINY_MIN = 1.25, 1.4, 0.8
LOAD_MAX = 1.0
ROUNDS = 2


class Figures(NamedTuple):
    """What a run came to: its time, and seconds of processors of those who read objects, and of
    those who only say which.
    """

    seconds: float
    readers: float
    tellers: float


class World:
    """A state store in memory, and backup directories."""

    def __init__(self, place: Path, count: int, size: int) -> None:
        made, meta_offset = sst_of(size)
        self.size = len(made)
        self._place, self._number = place, 0
        self.objects = needed(count, len(made), meta_offset)
        fill_folder(place / "state", count, made)

    def copy(self, pace: Pace, cluster: DaskCluster | None = None) -> Figures:
        """All objects into a new backup directory."""
        self._number += 1
        root = self._place / f"backup-{self._number}"
        target = LocalStore(root)
        make_area(target, "backup", None)
        source = state_side(LocalStore(self._place / "state"), "data", prefixed=True)
        work = ObjectWork(self.objects, pace)
        before = self._used(cluster)
        start, own = time.perf_counter(), time.process_time()
        work.copy(range(len(self.objects)), source, area_side(target, "backup"))
        seconds, own = time.perf_counter() - start, time.process_time() - own
        after = self._used(cluster)
        assert work.done == len(self.objects)
        shutil.rmtree(root)
        if cluster is None:
            return Figures(seconds, own, 0.0)
        return Figures(seconds, after[0] - before[0], after[1] - before[1] + own)

    @staticmethod
    def _used(cluster: DaskCluster | None) -> tuple[float, float]:
        if cluster is None:
            return 0.0, 0.0
        workers = sum(worker.cpu_seconds for worker in cluster.workers)
        return workers, cluster.scheduler.cpu_seconds


def best(found: list[Figures]) -> Figures:
    """The best of each figure."""
    return Figures(*(min(each) for each in zip(*found, strict=True)))


@contextmanager
def workers(place: Path, count: int) -> Generator[DaskCluster]:
    """A scheduler with so many workers, which have worked once."""
    with dask_cluster(place) as cluster:
        for _ in range(count):
            cluster.add()
        yield cluster


def pace(cluster: DaskCluster) -> Pace:
    """A job for each worker."""
    return Pace(1, scheduler=cluster.address)


def run(place: Path, world: World, count: int, alone: Pace) -> tuple[Figures, Figures]:
    """This process, and so many workers, in turns."""
    mine, its = list[Figures](), list[Figures]()
    with workers(place / f"dask-{count}-{time.monotonic_ns()}", count) as cluster:
        world.copy(pace(cluster), cluster)
        for _ in range(ROUNDS):
            mine.append(world.copy(alone))
            its.append(world.copy(pace(cluster), cluster))
    return best(mine), best(its)


def show(what: str, found: Figures) -> None:
    """A row of the table."""
    print(f"| {what} | {found.seconds:.2f} | {found.readers:.2f} | {found.tellers:.2f} |")


def judged(what: str, ratio: float, limit: float, *, is_most: bool) -> list[str]:
    """A line of the page; returns what is missed."""
    print(f"- {what}: {ratio:.2f}, {'at most' if is_most else 'at least'} {limit}")
    is_missed = ratio > limit if is_most else ratio < limit
    return [f"{what}: {ratio:.2f}"] if is_missed else []


def main() -> int:
    """Everything."""
    load = os.getloadavg()[0]
    missed = list[str]()
    print("| | seconds | cpu-s of readers | cpu-s of scheduler and client |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory(dir=SHM if SHM.is_dir() else None) as name:
        place = Path(name)
        world = World(place, *LARGE)
        words = f"{LARGE[0]} x 4 MiB"
        alone, two = run(place, world, 2, Pace(2))
        _, one = run(place, world, 1, Pace(2))
        shutil.rmtree(place / "state")
        tiny = World(place, *TINY)
        loop, by_two = run(place, tiny, 2, Pace(1))
    for what, found in (
        (f"{words}, this process", alone),
        (f"{words}, two workers", two),
        (f"{words}, one worker", one),
        (f"{TINY[0]} x 1 KiB, a loop", loop),
        (f"{TINY[0]} x 1 KiB, two workers", by_two),
    ):
        show(what, found)
    print()
    missed += judged(
        "processors of two workers beside this process",
        two.readers / alone.readers,
        CPU_MAX,
        is_most=True,
    )
    speed = one.seconds / two.seconds
    if load < LOAD_MAX:
        missed += judged("speed of two workers beside one", speed, WALL_MIN, is_most=False)
    else:
        print(f"- speed of two workers beside one: {speed:.2f}, not judged at a load of {load:.1f}")
    ratio = loop.seconds / by_two.seconds
    missed += judged("tiny objects a second beside the loop", ratio, TINY_MIN, is_most=False)
    print("\n".join(missed), file=sys.stderr)
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
