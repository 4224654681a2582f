"""Full backups whose keys may not do everything, or whose disk is full: an error with its code,
nothing that was there is changed, and the next run goes on.
"""

from __future__ import annotations

import errno
import logging
import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

import msgspec
import pytest
from object_world import ObjectWorld

from metasnapshot.catalogue.marker import Marker, drop_dead_markers, marker_path
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import StorageError
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations.backup_full import FullResult, backup_full
from metasnapshot.operations.backup_options import BackupOptions
from metasnapshot.operations.crew import Pace
from metasnapshot.store import bulk
from metasnapshot.store.codes import Denied
from metasnapshot.store.deletes import told
from metasnapshot.store.local import LocalStore
from metasnapshot.store.lock import Holder, this_holder
from metasnapshot.store.port import Store
from metasnapshot.store.through import Through

DENIED, UNREACHABLE = 15, 17


class Limited(Through):
    """A store whose key may not write below a path, or delete nothing."""

    def __init__(self, inner: Store, closed: str | None = None, *, deletes: bool = True) -> None:
        super().__init__(inner)
        self._closed, self._deletes = closed, deletes

    def _ask(self, path: str) -> None:
        if self._closed is not None and path.startswith(self._closed):
            raise Denied(f"{path}: AccessDenied")

    def open_writer(self, path: str) -> AbstractContextManager[BinaryIO]:
        self._ask(path)
        return super().open_writer(path)

    def put_if_absent(self, path: str, data: bytes) -> str:
        self._ask(path)
        return super().put_if_absent(path, data)

    def put_if_match(self, path: str, data: bytes, etag: str) -> str:
        self._ask(path)
        return super().put_if_match(path, data, etag)

    def delete(self, path: str) -> None:
        if not self._deletes:
            raise Denied(f"{path}: AccessDenied")
        super().delete(path)


@pytest.fixture
def world(memory_path: Path) -> ObjectWorld:
    return ObjectWorld(memory_path)


@pytest.fixture
def backups(memory_path: Path) -> LocalStore:
    return LocalStore(memory_path / "backups")


def back_up(world: ObjectWorld, store: Store) -> FullResult:
    with open_meta_store(f"sqlite:///{world.meta}") as meta_store:
        options = BackupOptions(meta_node_stopped=True)
        found = Repository(store, "backup")
        return backup_full(meta_store, found, options, Pace(jobs=2), LocalStore(world.state))


def everything(store: Store) -> dict[str, bytes]:
    return {head.path: store.read(head.path).data for head in store.list("")}


@pytest.mark.parametrize("is_first", [True, False])
def test_a_key_that_only_reads(world: ObjectWorld, backups: LocalStore, *, is_first: bool) -> None:
    """Exit 15 before anything is there, and no byte is changed."""
    if not is_first:
        assert back_up(world, backups).complete
        world.add_sst(90_001)
    before = everything(backups)
    with pytest.raises(Denied, match="AccessDenied") as caught:
        back_up(world, Limited(backups, ""))
    assert caught.value.exit_code == DENIED
    assert everything(backups) == before


@pytest.mark.parametrize("closed", ["backup/objects/", "backup/objects/area.json"])
def test_a_key_that_may_not_write_objects(
    world: ObjectWorld, backups: LocalStore, closed: str
) -> None:
    """Exit 15, or a finding of each; the snapshot is partial, and the next run completes one."""
    with pytest.raises(Denied) as caught:
        back_up(world, Limited(backups, closed))
    assert (caught.value.exit_code, "is partial" in caught.value.hint) == (DENIED, True)
    names = everything(backups)
    assert not [path for path in names if path.endswith(".full") or "/objects/" in path]
    assert back_up(world, backups).complete
    assert {path: everything(backups)[path] for path in names if path.endswith(".snapshot")} == {
        path: data for path, data in names.items() if path.endswith(".snapshot")
    }


def test_a_key_that_writes_and_deletes_nothing(
    world: ObjectWorld,
    backups: LocalStore,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The backup is complete; what should have gone is named, and stops no further one, though
    whoever left it is dead.
    """
    monkeypatch.setattr(Holder, "is_gone", property(lambda _: True))
    for count in (1, 2):
        with caplog.at_level(logging.WARNING):
            assert back_up(world, Limited(backups, deletes=False)).complete
        assert [record.levelno for record in caplog.records].count(logging.WARNING) == 1
        assert "reservations stay, and nothing can expire" in caplog.text
        caplog.clear()
        told.clear()
        names = sorted(path for path in everything(backups) if path.endswith(".full"))
        assert len(names) == count
    done = back_up(world, backups)
    assert (done.complete, done.copied) == (True, 0)
    assert not [path for path in everything(backups) if path.endswith((".reserved", ".copying"))]


def test_a_dead_marker_that_may_not_be_deleted(
    backups: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays, and stops nobody, where no reservation has told before that the key deletes
    nothing; another key takes it away.
    """
    monkeypatch.setattr(Holder, "is_gone", property(lambda _: True))
    told.clear()
    data = msgspec.json.encode(Marker(this_holder()))
    backups.put_if_absent(marker_path("backup", 7), data)
    drop_dead_markers(Limited(backups, deletes=False), "backup", [7])
    assert backups.head(marker_path("backup", 7)) is not None
    told.clear()
    drop_dead_markers(backups, "backup", [7])
    assert backups.head(marker_path("backup", 7)) is None


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("call", ["_write", "_syncfs"])
@pytest.mark.parametrize("is_first", [True, False])
def test_no_room_for_objects(
    world: ObjectWorld,
    backups: LocalStore,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    call: str,
    *,
    is_first: bool,
) -> None:
    """Exit 17 with a way out; no half object, no side file, and what was there is as it was."""
    if not is_first:
        assert back_up(world, backups).complete
        world.add_sst(90_001)
    before = everything(backups)

    def full(descriptor: int, data: bytes = b"") -> None:
        if data:
            os.write(descriptor, data[: len(data) // 2])
            os.close(descriptor)
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(bulk, call, full)
        with pytest.raises(StorageError) as caught:
            back_up(world, backups)
    assert caught.value.exit_code == UNREACHABLE
    assert "free some space" in caught.value.hint
    after = everything(backups)
    kept = [path for path in before if path.endswith((".full", ".snapshot")) or "/objects/" in path]
    assert {path: after[path] for path in kept} == {path: before[path] for path in kept}
    assert [path for path in after if path.endswith(".full")] == [
        path for path in before if path.endswith(".full")
    ]
    assert not list(backups.root.rglob(".metasnapshot-*-*"))
    assert back_up(world, backups).complete
