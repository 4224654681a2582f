"""kill -9 at any step of backup, delete and restore: earlier snapshots live, a re-run converges.

A first run counts the steps: every call that changes a file or asks for its durability, and every
SQL statement. Then a process of its own dies at a step, before it or after it: at more than a
hundred of them, spread evenly, or at every one with TEST_EVERY_STEP set, as CI does.
"""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import goldens
import pytest
import sqlalchemy as sa
from sqlalchemy import event

from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import TargetNotEmpty
from metasnapshot.hummock.checkpoint import decode_checkpoint
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations.backup import BackupOptions, backup
from metasnapshot.operations.delete import delete
from metasnapshot.operations.drill import drill
from metasnapshot.operations.restore import restore
from metasnapshot.operations.restore_plan import RestoreOptions
from metasnapshot.operations.verify import verify
from metasnapshot.store.local import LocalStore

TAG = goldens.SHIPPED / "v3.0.3"
STEPS = ("fsync", "link", "replace", "unlink", "mkdir", "open")
"""Calls of module os that LocalStore's writes come down to."""
POINTS_MIN = 100


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


class World:
    """A cluster, its backups 1, 2 and 7, and an empty meta store; made anew for each death."""

    def __init__(self, path: Path) -> None:
        path.mkdir()
        self.path = path
        self.store = goldens.copy_store(TAG, path / "meta.db")
        self.target = goldens.empty_store(TAG, path / "target.db")
        goldens.write_state(TAG, path / "state")
        self.restored = path / "restored"
        goldens.point_to_state(goldens.copy_backups(TAG, path), self.restored, (2, 7))

    @property
    def backups(self) -> Repository:
        return Repository(LocalStore(self.path), "backup")

    def backup(self) -> None:
        with open_meta_store(f"sqlite:///{self.store}") as store:
            backup(store, self.backups, BackupOptions(f"fs://{self.path}/state", "hummock_001"))

    def delete(self) -> None:
        delete(self.backups, [1, 2])

    def restore(self) -> None:
        with open_meta_store(f"sqlite:///{self.target}") as store:
            restore(self.backups, store, RestoreOptions(2, f"fs://{self.restored}", "hummock_001"))

    def files(self) -> set[str]:
        return {path.name for path in (self.path / "backup").glob("*.snapshot")}


def deaths(job: str, tmp_path: Path) -> tuple[range, Callable[[int], World]]:
    """Places to die in a job, and what makes a world in which it died there."""
    count = in_child(getattr(World(tmp_path / "whole"), job), None)
    stride = 1 if os.environ.get("TEST_EVERY_STEP") else max(1, count // POINTS_MIN)

    def died(number: int) -> World:
        world = World(tmp_path / str(number))
        assert in_child(getattr(world, job), number) == -1
        return world

    return range(0, count, stride), died


def test_backup(tmp_path: Path) -> None:
    """At most an orphan file is left; every entry verifies; the next backup succeeds."""
    points, died = deaths("backup", tmp_path)
    assert len(points) >= POINTS_MIN
    for number in points:
        world = died(number)
        ids = world.backups.manifest().ids
        assert ids in ((1, 2, 7), (1, 2, 7, 9))
        for snapshot_id in ids:
            assert verify(world.backups, snapshot_id, "file").error is None
        world.backup()
        last = max(world.backups.manifest().ids)
        assert last in (9, 10)
        if number % 25 == 0:
            assert drill(world.backups, last).differences == ()


def test_delete(tmp_path: Path) -> None:
    """The manifest never names a file that is gone; deleting again leaves nothing of them."""
    points, died = deaths("delete", tmp_path)
    assert len(points) >= 10
    for number in points:
        world = died(number)
        ids = world.backups.manifest().ids
        assert ids in ((1, 2, 7), (7,))
        assert {f"{snapshot_id}.snapshot" for snapshot_id in ids} <= world.files()
        world.backups.delete([1, 2])
        assert (world.backups.manifest().ids, world.files()) == ((7,), {"7.snapshot"})


def test_restore(tmp_path: Path) -> None:
    """All rows or none; restoring again ends with the rows and the checkpoint, without force."""
    points, died = deaths("restore", tmp_path)
    assert len(points) >= POINTS_MIN
    for number in points:
        world = died(number)
        with sqlite3.connect(world.target) as connection:
            users = connection.execute('SELECT count(*) FROM "user"').fetchone()[0]
            views = connection.execute('SELECT count(*) FROM "view"').fetchone()[0]
        connection.close()
        assert (users, views) in ((0, 0), (4, 3))
        world.restore()
        checkpoint = (world.restored / "hummock_001" / "checkpoint" / "0").read_bytes()
        assert decode_checkpoint(checkpoint, "v3.0.3").id == 105
        assert world.backups.manifest().ids == (1, 2, 7)


def test_a_second_restore_of_something_else_is_refused(tmp_path: Path) -> None:
    """What lets a dead restore be finished does not let another one in."""
    world = World(tmp_path / "world")
    world.restore()
    with (
        open_meta_store(f"sqlite:///{world.target}") as store,
        pytest.raises(TargetNotEmpty),
    ):
        options = RestoreOptions(7, f"fs://{world.restored}", "hummock_001")
        restore(world.backups, store, options)
