"""kill -9 at any step of a job: what counts the steps, dies at one of them, and spreads the deaths.

A first run counts: every call of a local store, every call of module os that its writes come down
to, and every SQL statement. Before and after each it looks whether the files of the world are
others than a step ago: a process that dies where nothing changed leaves what the one before left,
byte for byte, so that one death stands for all of these. Then a process of its own dies at each
change; or at some of them, spread evenly, with the first and the last among them, where `make
exhaustive` does not ask for all.
"""

from __future__ import annotations

import faulthandler
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
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
POINTS = 12
"""How many of them, where not all are wanted."""
CHANGES_MIN = 5
"""A job that changes files less often is none that could die in the middle."""
PARTS = range(2 if WHOLE else 1)
"""Of the deaths of a long job, so that several processes share them."""
HANGS_S = 300
"""A job that takes as long hangs, however busy the machine is. SIGALRM ends it; it says where."""
World = TypeVar("World")
File = tuple[str, int, int, int, int, int]


def files_in(place: Path | str) -> Iterator[File]:
    """What would tell that a file or directory below a place is another one, or has other bytes."""
    with os.scandir(place) as entries:
        for entry in entries:
            found = entry.stat(follow_symlinks=False)
            yield (
                entry.path,
                found.st_ino,
                found.st_mode,
                found.st_size,
                found.st_mtime_ns,
                found.st_nlink,
            )
            if entry.is_dir(follow_symlinks=False):
                yield from files_in(entry.path)


class Steps:
    """Counts steps, and dies at one of them: 2n before step n, 2n + 1 after it."""

    def __init__(self, die_at: int | None, place: Path | None = None) -> None:
        """Count steps.

        Args:
            die_at: the point to die at; None lives.
            place: the world whose files are looked at; None looks at nothing.
        """
        self.die_at = die_at
        self.count = 0
        self.changes: list[int] = []
        self._place, self._files = place, list[File]()

    def point(self) -> None:
        if self.count == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if self._place is not None and (files := sorted(files_in(self._place))) != self._files:
            self.changes.append(self.count)
            self._files = files
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


def in_child(
    job: Callable[[], object], die_at: int | None, place: Path | None = None
) -> list[int] | None:
    """Run a job in a forked process that dies at a step; returns None if it died, else the steps
    at which the files of a place were others than a step ago.

    It has scratch of its own: what others left dead there would be cleared by it, in more steps.
    """
    reader, writer = os.pipe()
    with tempfile.TemporaryDirectory() as scratch:
        child = os.fork()
        if child == 0:
            tempfile.tempdir = scratch
            _run(job, Steps(die_at, place), writer)
        os.close(writer)
        with os.fdopen(reader, "rb") as file:
            said = file.read()
        _, status = os.waitpid(child, 0)
    assert status == (0 if said else signal.SIGKILL)
    return json.loads(said) if said else None


def _run(job: Callable[[], object], steps: Steps, writer: int) -> NoReturn:
    """The forked process: it says its steps if it lives."""
    faulthandler.register(signal.SIGALRM, chain=True)
    signal.alarm(HANGS_S)
    steps.watch()
    steps.watch_store()
    try:
        job()
        os.write(writer, json.dumps(steps.changes).encode())
    finally:
        os._exit(0)


def deaths(
    make: Callable[[Path], World],
    job: Callable[[World], object],
    path: Path,
    part: int | None = None,
) -> tuple[Sequence[int], Callable[[int], World]]:
    """Steps to die at in a job, or a part of them, and what makes a world in which it died there.

    A world is a folder that `make` fills. Each death has it as it was then, in the same place.
    """
    place, kept = path / "world", path / "kept"
    world = make(place)
    shutil.copytree(place, kept)
    changes = in_child(lambda: job(world), None, place)
    assert changes is not None
    assert len(changes) >= CHANGES_MIN

    def died(number: int) -> World:
        shutil.rmtree(place)
        shutil.copytree(kept, place)
        assert in_child(lambda: job(world), number) is None
        return world

    points = [changes[at] for at in spread(len(changes))]
    return points if part is None else points[part :: len(PARTS)], died


def spread(count: int) -> Sequence[int]:
    """Numbers below a count: all, or some with the first and the last."""
    if WHOLE or count <= POINTS:
        return range(count)
    return [step * (count - 1) // (POINTS - 1) for step in range(POINTS)]
