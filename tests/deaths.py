"""kill -9 at any step of a job: what counts the steps, dies at one of them, and spreads the deaths.

A first run counts: every call of a local store, every call of module os that its writes come down
to, and every SQL statement. Then a process of its own dies at a step, before it or after it: at
about a hundred of them, spread evenly, or at every one with TEST_EVERY_STEP set, as CI does.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event

from metasnapshot.store.local import LocalStore

STEPS = ("fsync", "link", "replace", "unlink", "mkdir", "open")
"""Calls of module os that LocalStore's writes come down to."""
STORE_CALLS = ("head", "read", "put_if_absent", "put_if_match", "list", "leftovers", "delete")
"""Of its methods, those that are no blocks."""
POINTS_MIN = 100
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
    """Run a job in a forked process that dies at a step; returns its steps, or -1 if it died."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        steps = Steps(die_at)
        steps.watch()
        steps.watch_store()
        try:
            job()
            os.write(writer, str(steps.count).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        said = file.read()
    _, status = os.waitpid(child, 0)
    assert (os.WIFSIGNALED(status), os.WIFEXITED(status)) == (not said, bool(said))
    return int(said) if said else -1


def deaths(
    make: Callable[[Path], World], job: Callable[[World], object], tmp_path: Path
) -> tuple[range, Callable[[int], World]]:
    """Places to die in a job, and what makes a world in which it died there."""
    whole = make(tmp_path / "whole")
    count = in_child(lambda: job(whole), None)
    stride = 1 if os.environ.get("TEST_EVERY_STEP") else max(1, count // POINTS_MIN)

    def died(number: int) -> World:
        world = make(tmp_path / str(number))
        assert in_child(lambda: job(world), number) == -1
        return world

    return range(0, count, stride), died
