"""kill -9 at any step of a job: what counts the steps, dies at one of them, and spreads the deaths.

A first run counts: every call of a local store, every call of module os that its writes come down
to, and every SQL statement. Then a process of its own dies at a step, before it or after it: at
some of them, spread evenly, with the first and the last among them; or at every one, as
`make exhaustive` does.
"""

from __future__ import annotations

import faulthandler
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import sqlalchemy as sa
from exhaustive import WHOLE
from sqlalchemy import event

from metasnapshot.store.local import LocalStore

STEPS = ("fsync", "link", "replace", "unlink", "mkdir", "open")
"""Calls of module os that LocalStore's writes come down to."""
STORE_CALLS = (
    "head",
    "read",
    "put_if_absent",
    "put_if_match",
    "list",
    "names",
    "leftovers",
    "delete",
)
"""Of its methods, those that are no blocks."""
POINTS_MIN = 24
"""Of a job that has as many."""
PARTS = range(4 if WHOLE else 1)
"""Of the deaths of a long job, so that several processes share them."""
HANGS_S = 300
"""A job that takes as long hangs, however busy the machine is. SIGALRM ends it; it says where."""
World = TypeVar("World")


class Steps:
    """Counts steps, and dies at one of them: 2n before step n, 2n + 1 after it."""

    def __init__(self, die_at: int | None) -> None:
        self.die_at = die_at
        self.count = 0

    def point(self) -> None:
        if self.count == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.count += 1

    def watch(self) -> None:
        """Hook into module os and SQLAlchemy; for the rest of this process."""
        for name in STEPS:
            setattr(os, name, self._watched(getattr(os, name)))
        event.listen(sa.Engine, "before_cursor_execute", lambda *_: self.point())
        event.listen(sa.Engine, "after_cursor_execute", lambda *_: self.point())
        event.listen(sa.Engine, "commit", lambda *_: self.point())

    def watch_store(self) -> None:
        """Hook into the calls of local stores; for the rest of this process."""
        for name in STORE_CALLS:
            setattr(LocalStore, name, self._watched(getattr(LocalStore, name)))

    def _watched(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **options: Any) -> Any:
            self.point()
            result = call(*arguments, **options)
            self.point()
            return result

        return watched


def in_child(job: Callable[[], object], die_at: int | None) -> int:
    """Run a job in a forked process that dies at a step; returns its steps, or -1 if it died.

    It has scratch of its own: what others left dead there would be cleared by it, in more steps.
    """
    reader, writer = os.pipe()
    with tempfile.TemporaryDirectory() as scratch:
        child = os.fork()
        if child == 0:
            tempfile.tempdir = scratch
            _run(job, die_at, writer)
        os.close(writer)
        with os.fdopen(reader, "rb") as file:
            said = file.read()
        _, status = os.waitpid(child, 0)
    assert status == (0 if said else signal.SIGKILL)
    return int(said) if said else -1


def _run(job: Callable[[], object], die_at: int | None, writer: int) -> NoReturn:
    """The forked process: it says its steps if it lives."""
    faulthandler.register(signal.SIGALRM, chain=True)
    signal.alarm(HANGS_S)
    steps = Steps(die_at)
    steps.watch()
    steps.watch_store()
    try:
        job()
        os.write(writer, str(steps.count).encode())
    finally:
        os._exit(0)


def deaths(
    make: Callable[[Path], World],
    job: Callable[[World], object],
    tmp_path: Path,
    part: int | None = None,
) -> tuple[Sequence[int], Callable[[int], World]]:
    """Places to die in a job, or a part of them, and what makes a world in which it died there.

    A world is a folder that `make` fills. Each death has it as it was then, in the same place.
    """
    place, kept = tmp_path / "world", tmp_path / "kept"
    world = make(place)
    shutil.copytree(place, kept)
    count = in_child(lambda: job(world), None)

    def died(number: int) -> World:
        shutil.rmtree(place)
        shutil.copytree(kept, place)
        assert in_child(lambda: job(world), number) == -1
        return world

    points = spread(count)
    return points if part is None else points[part :: len(PARTS)], died


def spread(count: int) -> Sequence[int]:
    """Numbers below a count: all, or some with the first and the last."""
    if WHOLE or count <= POINTS_MIN:
        return range(count)
    return [step * (count - 1) // (POINTS_MIN - 1) for step in range(POINTS_MIN)]
