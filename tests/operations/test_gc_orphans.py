"""gc --objects and side files whose snapshot has no file: they go before the objects that they
name, for the same snapshot may come back and would be called full.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from object_world import ObjectWorld

from metasnapshot.catalogue.area import look_for
from metasnapshot.catalogue.completeness import header_of
from metasnapshot.catalogue.full import read_full
from metasnapshot.catalogue.records import Records
from metasnapshot.catalogue.repository import Repository
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations.backup_full import backup_full
from metasnapshot.operations.backup_options import BackupOptions
from metasnapshot.operations.crew import Pace
from metasnapshot.operations.gc_objects import collect_objects, find_unneeded
from metasnapshot.store.codes import Retained
from metasnapshot.store.local import LocalStore
from metasnapshot.store.port import Store
from metasnapshot.store.through import Through

HOUR = timedelta(hours=1)
LATER = datetime.now(UTC) + timedelta(days=2)
OLD = (LATER - timedelta(days=4)).timestamp()


class Retaining(Through):
    """A store that keeps every side file."""

    def delete(self, path: str) -> None:
        if path.endswith(".full"):
            raise Retained(f"{path} is locked", until="2030-01-01")
        super().delete(path)


class Lost:
    """A full backup whose snapshot somebody deleted who knows no side files, long ago."""

    def __init__(self, path: Path) -> None:
        self.path, self.store = path / "backups/backup", LocalStore(path / "backups")
        world = ObjectWorld(path)
        world.add_sst(90_001)
        self._back_up(world)
        world.remove_sst(90_001)
        self._back_up(world)
        self.number = min(self.found().manifest().ids)
        self.file = self.path / f"{self.number}.snapshot"
        self.data = self.file.read_bytes()
        self.file.unlink()
        for found in self.path.rglob("*.*"):
            os.utime(found, (OLD, OLD))

    def found(self, store: Store | None = None) -> Repository:
        return Repository(store or self.store, "backup")

    def _back_up(self, world: ObjectWorld) -> None:
        options = BackupOptions(meta_node_stopped=True)
        with open_meta_store(f"sqlite:///{world.meta}") as meta_store:
            assert backup_full(meta_store, self.found(), options, Pace(jobs=1)).complete

    @property
    def is_full(self) -> bool:
        found = self.found()
        return header_of(found, Records(found).heads, self.number) is not None


@pytest.fixture
def lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lost:
    monkeypatch.chdir(tmp_path)
    return Lost(tmp_path)


def test_what_comes_back_is_not_full(lost: Lost) -> None:
    """Its file is put back, as by a copy or out of an old version: its objects are gone, and so is
    what said that they are there.
    """
    assert len(find_unneeded(lost.found(), HOUR, LATER).due) == 1
    lost.file.write_bytes(lost.data)
    assert lost.is_full
    lost.file.unlink()
    assert collect_objects(lost.found(), HOUR, LATER).deleted == 1
    lost.file.write_bytes(lost.data)
    assert not lost.is_full


def test_what_is_retained_holds_its_objects(lost: Lost) -> None:
    """A side file that a service does not let go is named, and nothing that it names goes."""
    found = lost.found(Retaining(lost.store))
    assert collect_objects(found, HOUR, LATER).deleted == 0
    assert [item.path for item in found.stays] == [f"backup/{lost.number}.full"]
    lost.file.write_bytes(lost.data)
    full = read_full(lost.store, "backup", lost.number)
    assert lost.is_full
    assert full is not None
    assert all(look_for(lost.store, "backup", full.objects).seen)
