"""kill -9 at any step of backup, delete and restore: earlier snapshots live, a re-run converges.

Where the deaths are, `deaths` says; what died is looked at, and run again.
"""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import deaths as killing
import goldens
import pytest
from deaths import PARTS, Steps, deaths

from metasnapshot.catalogue import changes
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import TargetNotEmpty
from metasnapshot.hummock.checkpoint import decode_checkpoint
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations.backup import BackupOptions, backup
from metasnapshot.operations.delete import delete
from metasnapshot.operations.drill import drill
from metasnapshot.operations.restore.plan import RestoreOptions
from metasnapshot.operations.restore.restoration import restore
from metasnapshot.operations.verify import verify
from metasnapshot.store.local import LocalStore

__all__ = ["Steps"]  # test_crash_servers.py looks for it here
TAG = goldens.SHIPPED / "v3.0.3"


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
            options = RestoreOptions(f"fs://{self.restored}", no_object_check=True)
            restore(self.backups, store, 2, options)


def snapshots(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (path / "backup").glob("*.snapshot")}


@pytest.mark.parametrize("part", PARTS)
def test_backup(memory_path: Path, part: int) -> None:
    """At most an orphan file is left; earlier files keep their bytes, a new entry verifies; the
    next backup succeeds.
    """
    points, died = deaths(World, World.backup, memory_path, part)
    before = snapshots(memory_path / "kept")
    for number in points:
        world = died(number)
        ids = world.backups.manifest().ids
        assert ids in ((1, 2, 7), (1, 2, 7, 9))
        assert before.items() <= snapshots(world.path).items()
        if 9 in ids:
            assert verify(world.backups, 9, "file").error is None
        world.backup()
        last = max(world.backups.manifest().ids)
        assert last in (9, 10)
        if number in points[::8]:
            assert drill(world.backups, last).differences == ()


def test_delete(memory_path: Path) -> None:
    """The manifest never names a file that is gone; deleting again leaves nothing of them."""
    points, died = deaths(World, World.delete, memory_path)
    for number in points:
        world = died(number)
        ids = world.backups.manifest().ids
        assert ids in ((1, 2, 7), (7,))
        assert {f"{snapshot_id}.snapshot" for snapshot_id in ids} <= snapshots(world.path).keys()
        changes.delete(world.backups, [1, 2])
        assert (world.backups.manifest().ids, set(snapshots(world.path))) == ((7,), {"7.snapshot"})


@pytest.mark.parametrize("part", PARTS)
def test_restore(memory_path: Path, part: int) -> None:
    """All rows or none; restoring again ends with the rows and the checkpoint, without force."""
    points, died = deaths(World, World.restore, memory_path, part)
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


def test_a_second_restore_of_something_else_is_refused(memory_path: Path) -> None:
    """What lets a dead restore be finished does not let another one in."""
    world = World(memory_path / "world")
    world.restore()
    with (
        open_meta_store(f"sqlite:///{world.target}") as store,
        pytest.raises(TargetNotEmpty),
    ):
        options = RestoreOptions(f"fs://{world.restored}", "hummock_001", no_object_check=True)
        restore(world.backups, store, 7, options)


def test_a_job_that_hangs_is_ended(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is no death of ours, and it says where it hung."""
    monkeypatch.setattr(killing, "HANGS_S", 1)
    with pytest.raises(AssertionError):
        killing.in_child(wait_for_nobody, None)
    assert "wait_for_nobody" in capfd.readouterr().err


def wait_for_nobody() -> None:
    threading.Event().wait(60)
