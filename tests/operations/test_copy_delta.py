"""copy of deltas: as they are with their bases, or as the plain files that RisingWave reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from delta_world import DeltaWorld

from metasnapshot.catalogue.ledger import read_ledger
from metasnapshot.catalogue.rebuilder import Rebuilder
from metasnapshot.catalogue.records import Records
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import ConflictError, DamageError
from metasnapshot.operations.copy import copy
from metasnapshot.operations.rebuild import rebuild
from metasnapshot.store.memory import MemoryStore


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> DeltaWorld:
    """Snapshots 9, 10 and 11: one plain, two deltas of it."""
    found = DeltaWorld(tmp_path_factory.mktemp("deltas") / "world")
    found.fill(3)
    return found


@pytest.fixture
def target() -> Repository:
    return Repository(MemoryStore(), "safe")


def bytes_in(repository: Repository) -> dict[int, bytes]:
    """Each snapshot's own file."""
    found: dict[int, bytes] = {}
    for number in repository.ids:
        with repository.get_stream(number) as file:
            found[number] = file.read()
    return found


def test_all_are_copied_as_they_are(world: DeltaWorld, target: Repository) -> None:
    """Plain ones plain, deltas as deltas, with their marks; the second time all are there."""
    ids = world.backups.ids
    copied = copy(world.backups, target, ids)
    assert [item.was_there for item in copied] == [False] * 3
    assert [item.was_there for item in copy(world.backups, target, ids)] == [True] * 3
    there = Repository(target.store, "safe")
    assert world.plain_bytes() == bytes_in(there)
    assert there.manifest().ids == ids[:1]
    assert read_ledger(target.store, "safe").kept == [ids[0]]
    assert Records(there).kept == set()


def test_a_delta_brings_its_base(world: DeltaWorld, target: Repository) -> None:
    """Named alone it comes behind its base, and nothing else comes."""
    base, _, last = world.backups.ids
    assert [base, last] == [item.snapshot_id for item in copy(world.backups, target, [last])]
    assert Repository(target.store, "safe").ids == (base, last)


def test_materialised_they_are_what_risingwave_reads(world: DeltaWorld, target: Repository) -> None:
    """Plain files, byte for byte, all in the manifest; nothing of ours is needed to read them."""
    copy(world.backups, target, world.backups.ids, materialise=True)
    there = Repository(target.store, "safe")
    assert there.manifest().ids == world.backups.ids
    assert there.deltas == {}
    assert world.plain_bytes() == bytes_in(there)
    assert [
        item.was_there for item in copy(world.backups, target, world.backups.ids, materialise=True)
    ] == [True] * 3
    assert rebuild(Rebuilder(target.store, "safe")).is_same


def test_one_is_materialised_without_its_base(world: DeltaWorld, target: Repository) -> None:
    """A plain file needs nothing."""
    last = world.backups.ids[-1]
    copy(world.backups, target, [last], materialise=True)
    assert Repository(target.store, "safe").ids == (last,)


def test_a_plain_one_there_is_the_delta_here(world: DeltaWorld, target: Repository) -> None:
    """What is there as a plain file is not copied again as a delta."""
    copy(world.backups, target, world.backups.ids, materialise=True)
    copied = copy(world.backups, target, world.backups.ids)
    assert [item.was_there for item in copied] == [True] * 3
    assert Repository(target.store, "safe").deltas == {}


def test_a_damaged_delta_is_told_and_the_others_come(tmp_path: Path, target: Repository) -> None:
    """Damage keeps no other from coming."""
    world = DeltaWorld(tmp_path)
    base, damaged, last = world.fill(3)
    path = tmp_path / "backup" / f"{damaged}.delta"
    path.write_bytes(path.read_bytes()[:-1])
    copied = {item.snapshot_id: item for item in copy(world.backups, target, world.backups.ids)}
    assert isinstance(copied[damaged].error, DamageError)
    assert (copied[base].error, copied[last].error) == (None, None)
    assert Repository(target.store, "safe").ids == (base, last)


@pytest.mark.parametrize("materialise", [False, True])
def test_another_snapshot_of_the_id_is_a_conflict(
    world: DeltaWorld, target: Repository, tmp_path: Path, *, materialise: bool
) -> None:
    """Nothing that is there is overwritten."""
    copy(world.backups, target, world.backups.ids)
    other = DeltaWorld(tmp_path)
    other.fill(1)
    other.change("77")
    other.back_up()
    before = bytes_in(Repository(target.store, "safe"))
    with pytest.raises(ConflictError):
        copy(other.backups, target, other.backups.ids, materialise=materialise)
    assert before == bytes_in(Repository(target.store, "safe"))


def test_rebuild_manifest_leaves_deltas_out(world: DeltaWorld) -> None:
    """They are none of RisingWave's snapshots."""
    store, directory = world.backups.store, world.backups.directory
    rebuilt = rebuild(Rebuilder(store, directory))
    assert rebuilt.is_same
    assert rebuilt.manifest.ids == world.backups.manifest().ids
