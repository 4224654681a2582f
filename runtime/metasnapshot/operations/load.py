"""How busy threads of this process are: would one more of them find anything to do?

Time counts in which a thread runs, or waits for a processor that others have; asleep it waits for
a disk, a line, or another thread. Only Linux tells; elsewhere everybody counts as idle.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

BUSY = 0.7
"""Of the time of a processor; a thread that is as busy leaves too little to another."""
_TASKS = Path("/proc/self/task")


class Load:
    """What threads want of the processors from now on."""

    def __init__(self, ids: Iterable[int | None]) -> None:
        """Look at the clock.

        Args:
            ids: of the threads, as the system has them.
        """
        self._ids = [str(number) for number in ids if number is not None]
        self._began = time.monotonic_ns()
        self._mine, self._all = _wanted(self._ids), _wanted(_tasks())

    def is_idle(self, *, alone: bool) -> bool:
        """Whether one more thread would find something to do.

        Args:
            alone: only one of the threads can work at a time; else as many as there are processors,
                and what others of this process do counts too.
        """
        mine, everybody = _wanted(self._ids), _wanted(_tasks())
        if not everybody:
            return True
        took = time.monotonic_ns() - self._began
        if alone:
            return mine - self._mine < BUSY * took
        return everybody - self._all < BUSY * took * len(os.sched_getaffinity(0))


def _tasks() -> list[str]:
    try:
        return [path.name for path in _TASKS.iterdir()]
    except OSError:
        return []


def _wanted(ids: Iterable[str]) -> int:
    """Nanoseconds that threads have run or waited for a processor; 0 if the system does not say."""
    total = 0
    for number in ids:
        try:
            ran, waited, _ = (_TASKS / number / "schedstat").read_text().split()
        except (OSError, ValueError):  # it has ended, or this is another system
            continue
        total += int(ran) + int(waited)
    return total
