"""restore: which state store it means, whether all objects are in it, and what it does when the
newest snapshot is damaged.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import goldens
import pytest

from metasnapshot.catalogue import changes
from metasnapshot.errors import (
    AuthenticationError,
    DamageError,
    MetasnapshotError,
    ObjectMissing,
    SnapshotNotFound,
    UsageError,
)
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations.restore import state as state_module
from metasnapshot.operations.restore.plan import OBJECTS_CHECK, RestoreOptions, RestorePlan
from metasnapshot.operations.restore.restoration import RestoreResult, restoring
from metasnapshot.store.local import LocalStore
from metasnapshot.store.port import ObjectHead

TAG = goldens.SHIPPED / "v3.0.3"


class Counted(LocalStore):
    """A state store that counts what it is asked, and forbids what it is told to."""

    def __init__(self, path: Path, *forbidden: str) -> None:
        super().__init__(path)
        self.heads, self.lists, self._forbidden = 0, 0, forbidden

    def head(self, path: str) -> ObjectHead | None:
        if path.endswith((".data", ".vector", ".hnsw_graph")):
            self.heads += 1
            if "head" in self._forbidden:
                raise AuthenticationError("GetObject: not for you")
        return super().head(path)

    def list(self, prefix: str) -> Iterator[ObjectHead]:
        self.lists += 1
        if "list" in self._forbidden:
            raise AuthenticationError("ListBucket: not for you")
        return super().list(prefix)


class World:
    """An empty meta store, golden snapshots of a local state store, and the objects of one."""

    def __init__(self, path: Path) -> None:
        self.target = goldens.empty_store(TAG, path / "target.db")
        self.state = path / "state"
        self.backups = goldens.copy_backups(TAG, path)
        goldens.point_to_state(self.backups, self.state, (2, 7))
        with self.backups.open(2) as reader:
            self.first = goldens.write_objects(reader, self.state)

    def plan(self, number: int, store: Counted | None = None, **options: Any) -> RestorePlan:
        with open_meta_store(f"sqlite:///{self.target}") as meta_store:
            found = RestoreOptions(**options)
            with restoring(self.backups, meta_store, number, found, store=store) as run:
                return run.plan()

    def restore(self, number: int, **options: Any) -> RestoreResult:
        options = {"hummock_storage_url": f"fs://{self.state}"} | options
        with open_meta_store(f"sqlite:///{self.target}") as meta_store:
            found = RestoreOptions(**options)
            with restoring(self.backups, meta_store, number, found) as run:
                return run.load()

    def flip(self, number: int) -> None:
        path = self.target.parent / "backup" / f"{number}.snapshot"
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    def rows(self) -> int:
        with sqlite3.connect(self.target) as connection:
            (count,) = connection.execute("SELECT count(*) FROM object").fetchone()
        connection.close()
        return count


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def objects_check(plan: RestorePlan) -> tuple[str, str]:
    (found,) = [check for check in plan.checks if check.name == OBJECTS_CHECK]
    return found.result, found.reason


def test_a_plan_takes_the_state_store_from_the_snapshot(world: World) -> None:
    """Neither the URL nor the directory is given, and both are right."""
    plan = world.plan(2)
    plan.require()
    assert objects_check(plan)[0] == "ok"


def test_a_restore_that_writes_wants_it_said(world: World) -> None:
    """It ends with 2 before anything is looked at, and prints what to paste."""
    with pytest.raises(UsageError, match="METASNAPSHOT_HUMMOCK_STORAGE_URL") as caught:
        world.restore(2, hummock_storage_url=None)
    pasted = f"--hummock-storage-url fs://{world.state} --hummock-storage-directory hummock_001"
    assert pasted in caught.value.hint
    assert world.rows() == 0


def test_the_directory_is_the_snapshots(tmp_path: Path) -> None:
    """Whatever it is called there, nobody has to type it."""
    world = World(tmp_path)
    snapshot = world.backups.get(2)
    for row in snapshot.sections["system_parameters"]:
        if row.name == "data_directory":
            row.value = "elsewhere/deep"
    (tmp_path / "backup" / "2.snapshot").write_bytes(goldens.metasnapshot.dumps(snapshot))
    with world.backups.open(2) as reader:
        goldens.write_objects(reader, world.state, "elsewhere/deep")
    assert world.restore(2).checkpoint == "elsewhere/deep/checkpoint/0"


@pytest.mark.parametrize(("most", "heads", "lists"), [(1000, 18, 0), (18, 0, 1)])
def test_few_objects_are_asked_for_and_many_are_listed(
    world: World, monkeypatch: pytest.MonkeyPatch, most: int, heads: int, lists: int
) -> None:
    """Below so many a request for each, whatever else the bucket holds; else one listing."""
    monkeypatch.setattr(state_module, "ONE_BY_ONE_MAX", most)
    store = Counted(world.state)
    assert objects_check(world.plan(2, store))[0] == "ok"
    assert (store.heads, store.lists) == (heads, lists)


@pytest.mark.parametrize("most", [1000, 6])
@pytest.mark.parametrize(("damage", "kind"), [("cut", DamageError), ("gone", ObjectMissing)])
def test_what_is_lost_or_cut_stops_either_way(
    world: World, monkeypatch: pytest.MonkeyPatch, most: int, damage: str, kind: type[Exception]
) -> None:
    """17 for what is missing, 4 for what has another size, and no row is written."""
    monkeypatch.setattr(state_module, "ONE_BY_ONE_MAX", most)
    if damage == "cut":
        world.first.write_bytes(b"cut")
    else:
        world.first.unlink()
    with pytest.raises(kind):
        world.restore(2)
    assert world.rows() == 0


@pytest.mark.parametrize(("forbidden", "most"), [("list", 6), ("head", 1000)])
def test_a_store_that_forbids_it_is_not_checked(
    world: World, monkeypatch: pytest.MonkeyPatch, forbidden: str, most: int
) -> None:
    """The plan says so and goes on; who insists on the check is refused."""
    monkeypatch.setattr(state_module, "ONE_BY_ONE_MAX", most)
    store = Counted(world.state, forbidden)
    plan = world.plan(2, store)
    assert objects_check(plan)[0] == "not checked"
    assert "not for you" in objects_check(plan)[1]
    plan.require()
    with pytest.raises(AuthenticationError):
        world.plan(2, store, validate_integrity=True).require()


def test_the_newest_is_damaged(world: World) -> None:
    """The error says which file, and which snapshot is the newest sound one."""
    world.flip(7)
    with pytest.raises(DamageError, match=r"snapshot 7 \(backup/7\.snapshot\): ") as caught:
        world.restore(7)
    assert "metasnapshot restore 2 --bump-sequences" in caught.value.hint
    assert world.rows() == 0


@pytest.mark.parametrize("damage", ["flipped", "lost"])
def test_an_older_one_is_restored_without_deleting_evidence(world: World, damage: str) -> None:
    """Its sequences cannot be the newest's; raised, they are above all that is known of it."""
    if damage == "flipped":
        world.flip(7)
    else:
        (world.target.parent / "backup" / "7.snapshot").unlink()
    with pytest.raises(DamageError, match="snapshot 7, the newest") as caught:
        world.restore(2)
    assert "--bump-sequences" in caught.value.hint
    plan = world.restore(2, bump_sequences=True).plan
    assert plan.sequences_from == 2
    (said,) = [check.reason for check in plan.checks if check.name == "hummock sequences"]
    assert "above all that is known of 7" in said
    sequences = {row.name: row.seq for row in plan.sequences}
    entry = world.backups.entry(7)
    assert sequences["sstable_object"] > max(entry.ssts)
    assert sequences["meta_backup"] > 7


def test_nothing_is_sound(world: World) -> None:
    """Where no other can be restored either, the hint does not name one."""
    for number in (1, 2, 7):
        world.flip(number)
    with pytest.raises(DamageError) as caught:
        world.restore(7)
    assert "metasnapshot restore" not in caught.value.hint


def test_the_older_of_two_damaged_ones_is_passed_over(world: World) -> None:
    """The newest sound one is named, not the next one."""
    world.flip(7)
    world.flip(2)
    with pytest.raises(MetasnapshotError) as caught:
        world.plan(7)
    assert "metasnapshot restore 1 --bump-sequences" in caught.value.hint
    changes.delete(world.backups, [7])
    with pytest.raises(MetasnapshotError) as caught:
        world.plan(2)
    assert "metasnapshot restore 1" in caught.value.hint


def test_an_unknown_id(world: World) -> None:
    """Exit 12 with the ids that there are."""
    with pytest.raises(SnapshotNotFound, match="snapshot id 8 not found") as caught:
        world.restore(8)
    assert (caught.value.known, world.rows() == 0) == ((1, 2, 7), True)
