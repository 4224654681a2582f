"""Stores that fail in every way while a full backup is made or restored: it ends complete, or fails
and says nothing untrue; the next run ends complete.
"""

from __future__ import annotations

from contextlib import closing, suppress
from pathlib import Path
from sqlite3 import connect
from typing import Any

import pytest
from exhaustive import WHOLE, thin
from faults import FAULTS, Fault, FaultyStore
from object_world import ObjectWorld

from metasnapshot.catalogue.area import object_path as area_path
from metasnapshot.catalogue.full import read_full
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import MetasnapshotError
from metasnapshot.hummock.paths import object_path
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations.backup_full import FullResult, backup_full
from metasnapshot.operations.backup_options import BackupOptions
from metasnapshot.operations.crew import Pace
from metasnapshot.operations.restore.plan import RestoreOptions
from metasnapshot.operations.restore.restoration import restore
from metasnapshot.store.local import LocalStore
from metasnapshot.store.memory import MemoryStore

SEEDS = range(100 if WHOLE else 4)
ONE = Pace(jobs=1)
OF_READS = ("head", "read", "open_reader", "list", "names")
OF_WRITES = ("open_writer", "put_if_absent", "put_if_match", "delete")


class World(ObjectWorld):
    """A cluster, a backup store that fails, and a state store that does."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.target = FaultyStore(MemoryStore())
        self.source = FaultyStore(LocalStore(self.state))

    def backup(self, *, through: bool = True) -> FullResult:
        target = self.target if through else self.target.inner
        source = self.source if through else self.source.inner
        with open_meta_store(f"sqlite:///{self.meta}") as meta_store:
            found = Repository(target, "backup")
            return backup_full(
                meta_store, found, BackupOptions(meta_node_stopped=True), ONE, source
            )

    def check(self) -> None:
        """What a side file names is there, byte for byte."""
        store = self.target.inner
        names = [head.path for head in store.names("backup").objects]
        for path in (name for name in names if name.endswith(".full")):
            full = read_full(store, "backup", int(path.split("/")[1].split(".")[0]))
            assert full is not None
            for item in full.objects:
                assert store.read(area_path("backup", item)).data == self.objects[item.id]


def wanted(world: World) -> dict[str, bytes]:
    return {area_path("backup", item): world.objects[item.id] for item in world.needed}


def area(world: World) -> dict[str, bytes]:
    store = world.target.inner
    paths = [head.path for head in store.list("backup/objects/")]
    return {path: store.read(path).data for path in paths if not path.endswith("area.json")}


@pytest.mark.parametrize("seed", SEEDS)
def test_backups_by_the_dice(tmp_path: Path, seed: int) -> None:
    """Whatever fails, and however often, nothing is called full that is not; then all is well."""
    world = World(tmp_path)
    for store, number in ((world.target, seed), (world.source, seed + 1000)):
        store.throw_dice(number, dict.fromkeys(FAULTS, 0.02 + seed % 4 / 100))
    for _ in range(3):
        before = world.target.injected + world.source.injected
        try:
            complete = world.backup().complete
        except MetasnapshotError:
            complete = False
        assert complete or world.target.injected + world.source.injected > before
        world.check()
    assert world.backup(through=False).complete
    world.check()
    assert area(world) == wanted(world)


PLANNED = [
    (side, method, fault)
    for side, methods in (("source", OF_READS), ("target", (*OF_READS, *OF_WRITES)))
    for method in methods
    for fault in FAULTS.get(method, ())
    if fault is not Fault.SLOW
]


@pytest.mark.parametrize(("side", "method", "fault"), thin(PLANNED))
def test_each_fault_alone(tmp_path: Path, side: str, method: str, fault: Fault) -> None:
    """Each fault at a few calls of each method: never full and short; the next run converges."""
    world = World(tmp_path)
    store: FaultyStore = getattr(world, side)
    store.plan(method, 1, fault)
    store.plan(method, 7, fault)
    for _ in range(2):
        with suppress(MetasnapshotError):
            world.backup()
        world.check()
    assert world.backup(through=False).complete
    assert area(world) == wanted(world)


MOMENTS = range(6, 18) if WHOLE else (6, 11, 17)
"""Calls of the state store, most of them reads of objects, before which another backup begins."""


def test_a_second_backup_at_any_moment(tmp_path: Path) -> None:
    """Another backup into the same directory runs from its start to its end between two calls of
    the first: both are complete, every object is there once, and the bytes are right.
    """
    for moment in MOMENTS:
        world = World(tmp_path / str(moment))
        calls = list[None]()

        def other(world: World = world, calls: list[None] = calls, moment: int = moment) -> None:
            calls.append(None)
            if len(calls) == moment:
                assert world.backup(through=False).complete

        world.source.meanwhile = other
        assert world.backup().complete
        assert len(calls) > moment
        world.check()
        names = [head.path for head in world.target.inner.names("backup").objects]
        assert len([name for name in names if name.endswith(".full")]) == 2
        assert area(world) == wanted(world)


class _Restored:
    """A full backup in a store that fails, and a data directory in one that does."""

    def __init__(self, path: Path) -> None:
        self.world = World(path)
        assert self.world.backup(through=False).complete
        self.target = FaultyStore(MemoryStore())

    def run(self, *, through: bool) -> Any:
        options = RestoreOptions(
            "memory",
            "data",
            overwrite_hummock_storage_endpoint=True,
            overwrite_backup_storage_url="memory",
            overwrite_backup_storage_directory="b",
            with_objects=True,
        )
        source = self.world.target if through else self.world.target.inner
        target = self.target if through else self.target.inner
        with open_meta_store(f"sqlite:///{self.world.empty}") as meta_store:
            found = Repository(source, "backup")
            number = max(found.manifest().ids)
            return restore(found, meta_store, number, options, target, ONE)

    def objects(self) -> dict[str, bytes]:
        store = self.target.inner
        return {head.path: store.read(head.path).data for head in store.list("data/")}

    @property
    def has_rows(self) -> bool:
        with closing(connect(self.world.empty)) as connection:
            return bool(connection.execute('SELECT count(*) FROM "user"').fetchone()[0])


@pytest.mark.parametrize("seed", SEEDS)
def test_restores_by_the_dice(tmp_path: Path, seed: int) -> None:
    """Rows never come before objects, no object is wrong, and the next run ends it."""
    restored = _Restored(tmp_path)
    world = restored.world
    whole = {
        object_path("data", item.id, item.suffix, prefixed=False): world.objects[item.id]
        for item in world.needed
    }
    for store, number in ((world.target, seed), (restored.target, seed + 1000)):
        store.throw_dice(number, dict.fromkeys(FAULTS, 0.02 + seed % 4 / 100))
    for _ in range(2):
        with suppress(MetasnapshotError):
            restored.run(through=True)
        there = restored.objects()
        assert {path: there[path] for path in whole.keys() & there.keys()}.items() <= whole.items()
        assert not restored.has_rows or whole.items() <= there.items()
    restored.run(through=False)
    assert whole.items() <= restored.objects().items()
    assert restored.has_rows
