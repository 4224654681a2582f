"""Threads that work through many objects, a bounded number of bytes at a time.

Each takes the next place, waits until its object fits into what memory is left, works, and goes on.
The first error ends them all: what they are at is finished or dropped, nothing new is begun. Bytes
are read no faster than the limit says, by all of them together.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from metasnapshot.errors import UsageError
from metasnapshot.operations.load import Load
from metasnapshot.operations.spread.scheduler import Workers

JOBS_MAX = 256
ROUNDS = 5
"""How often a backup with objects is done again, at most, when objects vanish."""
MEMORY_MIN = 1 << 20
SIZE_MAX = 1 << 50
FIRST_LOOK_S, LAST_LOOK_S = 0.02, 1.0
"""How long after a thread is started it is seen whether another one would find work."""
LARGE_MIN = 256 << 10
"""Mean bytes of objects that are work for the processors more than for the interpreter."""
T = TypeVar("T")
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_SIZE = re.compile(r"(?P<number>\d{1,15})(?P<unit>[KMG]?)(i?B)?", re.ASCII)


@dataclass(frozen=True)
class Pace(Workers):
    """How fast objects are read.

    Attributes:
        jobs: objects at a time.
        memory: bytes of objects in memory at a time, as 64M.
        bwlimit: bytes to read a second at most, as 200M; by all together.
        scheduler: Dask scheduler whose workers read them, as tls://host:8786; by default this
            process does. Each worker has so many jobs, and so much memory.
        scheduler_ca_file: who signed its certificate; by default as Dask's configuration says.
        scheduler_cert_file: certificate to show it; by default the same.
        scheduler_key_file: key of that certificate; by default the same.
        insecure_scheduler: speak to it without TLS, also on another machine.

    Raises:
        UsageError: one of them is no such number, or the scheduler is not to be trusted.
    """

    jobs: int = 8
    memory: str = "64M"
    bwlimit: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.jobs <= JOBS_MAX:
            raise UsageError(f"not a number of jobs: {self.jobs}", hint=f"from 1 to {JOBS_MAX}")
        if self.memory_size < MEMORY_MIN:
            raise UsageError(f"--memory {self.memory} is too little", hint="at least 1M")
        if self.limit == 0:
            raise UsageError("--bwlimit 0 would never end", hint="leave it out for no limit")

    @property
    def memory_size(self) -> int:
        """Bytes of memory."""
        return parse_size(self.memory)

    @property
    def limit(self) -> int | None:
        """Bytes a second, None for no limit."""
        return None if self.bwlimit is None else parse_size(self.bwlimit)


def parse_size(text: str) -> int:
    """`500`, `64K`, `64M`, `2G`: bytes, of which a K is 1,024.

    Raises:
        UsageError: it is not a size.
    """
    match = _SIZE.fullmatch(text)
    size = int(match["number"]) * _UNITS[match["unit"]] if match else SIZE_MAX + 1
    if size > SIZE_MAX:
        raise UsageError(f"not a size: {text!r:.60}", hint="a number, or one and K, M or G: 64M")
    return size


class Stopped(Exception):
    """Another thread failed, or somebody interrupted."""


@dataclass
class Crew:
    """Threads at work.

    Attributes:
        pace: how fast.
        is_over: set once nothing new is begun.
    """

    pace: Pace
    _error: BaseException | None = None
    is_over: threading.Event = field(default_factory=threading.Event)
    _ready: float = 0.0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)
        self._memory_max = self._memory = self.pace.memory_size
        self._begun = self._bytes_begun = 0

    def take(self, size: int) -> None:
        """Wait until so many bytes may be read.

        Raises:
            Stopped: there is no more work.
        """
        if self.is_over.is_set():
            raise Stopped
        limit = self.pace.limit
        if limit is None:
            return
        with self._lock:
            now = time.monotonic()
            self._ready = max(self._ready, now) + size / limit
            pause = self._ready - now
        if self.is_over.wait(pause):
            raise Stopped

    def work_through(
        self, places: Iterable[T], cost: Callable[[T], int], work: Callable[[T], None]
    ) -> None:
        """Do some work at each place.

        Args:
            places: where.
            cost: bytes of memory that it takes there.
            work: does it.

        Raises:
            BaseException: the first that any of the threads met.
        """
        todo = iter(places)
        threads = [
            threading.Thread(target=self._run, args=(todo, cost, work), name=f"job {number}")
            for number in range(self.pace.jobs)
        ]
        try:
            self._start(threads)
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
        except BaseException:
            self.is_over.set()
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
            raise
        if self._error is not None:
            raise self._error

    def _run(self, todo: Iterator[T], cost: Callable[[T], int], work: Callable[[T], None]) -> None:
        try:
            while (taken := self._next(todo, cost)) is not None:
                place, size = taken
                try:
                    work(place)
                finally:
                    self._give_back(size)
        except Stopped:
            return
        except BaseException as error:  # noqa: BLE001 - raised where the crew was sent to work
            with self._lock:
                self._error = self._error or error
            self.is_over.set()

    def _next(self, todo: Iterator[T], cost: Callable[[T], int]) -> tuple[T, int] | None:
        """The next place, and the memory for it: what is larger than all there is takes all of
        it.
        """
        with self._room:
            place = None if self.is_over.is_set() else next(todo, None)
            if place is None:
                return None
            size = min(cost(place), self._memory_max)
            while self._memory < size:
                self._room.wait()
            self._memory -= size
            self._begun += 1
            self._bytes_begun += size
            return place, size

    def _give_back(self, size: int) -> None:
        with self._room:
            self._memory += size
            self._room.notify_all()

    def _start(self, threads: Sequence[threading.Thread]) -> None:
        """Start threads while they find something to do that those at work leave. Small objects
        are work for the interpreter, which one thread does at a time: where nothing else is waited
        for, more threads only wait for each other, and each wait costs more than a small file.
        """
        started, pause = 1, FIRST_LOOK_S
        threads[0].start()
        while started < len(threads):
            at_work = [thread for thread in threads[:started] if thread.is_alive()]
            if not at_work:
                return
            load = Load([thread.native_id for thread in at_work])
            at_work[0].join(pause)
            is_large = self._bytes_begun >= LARGE_MIN * self._begun
            if load.is_idle(alone=not is_large):
                more = threads[started : 2 * started]
                for thread in more:
                    thread.start()
                started += len(more)
            else:
                pause = min(2 * pause, LAST_LOOK_S)
