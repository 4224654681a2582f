"""Objects that go from the area while a backup is at work: what is called full is all there."""

from __future__ import annotations

from pathlib import Path

import pytest
from faults import FaultyStore
from object_world import ObjectWorld

from metasnapshot.catalogue.area import object_path
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import StorageError
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations.backup_full import FullResult, backup_full
from metasnapshot.operations.backup_options import BackupOptions
from metasnapshot.operations.crew import Pace
from metasnapshot.store.memory import MemoryStore

PATHS = "backup/objects/"


@pytest.fixture
def world(tmp_path: Path) -> ObjectWorld:
    return ObjectWorld(tmp_path)


def backup(world: ObjectWorld, store: FaultyStore, pace: Pace) -> FullResult:
    with open_meta_store(f"sqlite:///{world.meta}") as meta_store:
        options = BackupOptions(meta_node_stopped=True)
        return backup_full(meta_store, Repository(store, "backup"), options, pace)


def present(world: ObjectWorld, store: FaultyStore) -> set[str]:
    wanted = {object_path("backup", item) for item in world.needed}
    return wanted & {head.path for head in store.inner.list(PATHS)}


@pytest.mark.parametrize("lists", [1, 2])
def test_what_goes_meanwhile_is_copied_again(world: ObjectWorld, lists: int) -> None:
    """An object that somebody deletes right before a listing is there when the backup is full."""
    store = FaultyStore(MemoryStore())
    assert backup(world, store, Pace(jobs=1)).complete
    victim = object_path("backup", world.needed[4])
    seen = 0

    def delete_once() -> None:
        nonlocal seen
        if store.calls["list"] > before and seen < lists:
            seen += 1
            store.inner.delete(victim)

    before = store.calls["list"]
    store.meanwhile = delete_once
    assert backup(world, store, Pace(jobs=1)).complete
    assert seen == lists
    assert len(present(world, store)) == len(world.needed)


def test_what_always_goes_ends_it(world: ObjectWorld) -> None:
    """A collector that takes an object before each listing is told of, and nothing is full."""
    store = FaultyStore(MemoryStore())
    victim = object_path("backup", world.needed[4])
    store.meanwhile = lambda: store.inner.delete(victim)
    with pytest.raises(StorageError, match="as fast as they are copied"):
        backup(world, store, Pace(jobs=1))
    store.meanwhile = None
    assert [head.path for head in store.inner.list("") if head.path.endswith(".full")] == []
    assert backup(world, store, Pace(jobs=1)).complete
