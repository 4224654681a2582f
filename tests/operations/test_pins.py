"""pins: what snapshots need, what only they need, and what of it is lost."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from itertools import chain, combinations
from pathlib import Path

import goldens
import msgspec
import pytest

from metasnapshot.catalogue import changes
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import DamageError, SnapshotNotFound, StorageError
from metasnapshot.hummock.objects import NeededObject, needed_by
from metasnapshot.hummock.paths import object_path
from metasnapshot.operations.delete import delete
from metasnapshot.operations.pins import pinned_ids, pins
from metasnapshot.store.context import Context
from metasnapshot.store.local import LocalStore
from metasnapshot.store.retry import RetryPolicy

TAG = goldens.SHIPPED / "v3.0.3"
DIRECTORY = "hummock_001"


def _own_objects(path: Path) -> Repository:
    """Snapshots 1, 2 and 7, of which 2 and 7 need the same objects, and 8, which needs fewer and
    one more."""
    backups = goldens.copy_backups(TAG, path)
    snapshot = backups.get(7)
    snapshot.id = 8
    version = snapshot.hummock_version.message
    for row in snapshot.sections["hummock_sequences"]:
        row.seq += row.name == "meta_backup"
    for level in list(version.levels[2].l0.sub_levels)[:3]:
        del level.table_infos[:]
    version.levels[2].levels[5].table_infos[0].object_id = 6000
    form, era = snapshot.hummock_version.form, snapshot.hummock_version.era
    snapshot.hummock_version = type(snapshot.hummock_version).from_message(version, form, era)
    changes.create(backups, snapshot)
    return backups


@pytest.fixture
def backups(tmp_path: Path) -> Repository:
    return _own_objects(tmp_path)


def _objects(backups: Repository) -> dict[int, dict[int, NeededObject]]:
    found: dict[int, dict[int, NeededObject]] = {}
    for number in backups.manifest().ids:
        with backups.open(number) as reader:
            found[number] = {item.id: item for item in needed_by(reader)}
    return found


def _subsets(ids: Iterable[int]) -> list[tuple[int, ...]]:
    known = tuple(ids)
    return list(chain.from_iterable(combinations(known, size) for size in range(len(known) + 1)))


def test_every_subset_owns_the_difference(backups: Repository) -> None:
    """Needed is the union, own what no other snapshot needs, in objects and in bytes."""
    objects = _objects(backups)
    assert len({frozenset(found) for found in objects.values()}) == 3
    for ids in _subsets(objects):
        union = {key: item for number in ids for key, item in objects[number].items()}
        others = {key for number in objects if number not in ids for key in objects[number]}
        own = [item for key, item in union.items() if key not in others]
        found = pins(backups, ids)
        assert found.snapshot_ids == ids
        assert (found.objects, found.size) == (
            len(union),
            sum(item.size for item in union.values()),
        )
        assert (found.own_objects, found.own_size) == (len(own), sum(item.size for item in own))
        assert found.lost is None


@pytest.mark.parametrize("tag", goldens.TAGS, ids=goldens.name)
def test_every_subset_of_golden_snapshots(tag: Path) -> None:
    """By the manifests that RisingWave wrote, worked out with sets."""
    backups = Repository(LocalStore(tag), "backup")
    pinned = {entry.id: set(entry.ssts) for entry in backups.manifest().entries}
    for ids in _subsets(pinned):
        wanted = set[int]().union(*(pinned[number] for number in ids))
        others = set[int]().union(*(pinned[number] for number in pinned if number not in ids))
        found = pins(backups, ids)
        assert (found.objects, found.own_objects) == (len(wanted), len(wanted - others))
        assert pinned_ids(backups, ids).tolist() == sorted(others)


def test_all_snapshots_together_pin_the_union(backups: Repository) -> None:
    """What garbage collection must keep."""
    union = {key for found in _objects(backups).values() for key in found}
    assert pinned_ids(backups).tolist() == sorted(union)
    assert pins(backups, backups.manifest().ids).own_objects == len(union)


def test_a_snapshot_named_twice_counts_once(backups: Repository) -> None:
    """In any order."""
    found = pins(backups, (8, 2, 8))
    assert (found.snapshot_ids, found.own_objects) == ((8, 2), pins(backups, (2, 8)).own_objects)


@pytest.mark.parametrize("ids", [(8,), (2,), (2, 7), (1, 8), (1, 2, 7, 8)], ids=str)
def test_a_delete_frees_what_was_own(backups: Repository, ids: tuple[int, ...]) -> None:
    """Exactly the objects that were counted are pinned no more."""
    before, said = set(pinned_ids(backups).tolist()), pins(backups, ids)
    delete(backups, list(ids))
    fresh = Repository(backups.store, backups.directory)
    after = set(pinned_ids(fresh).tolist())
    assert after < before or said.own_objects == 0
    assert len(before - after) == said.own_objects
    assert after == {key for found in _objects(fresh).values() for key in found}


def test_no_snapshot_pins_nothing(tmp_path: Path) -> None:
    """An empty directory is no error."""
    backups = Repository(LocalStore(tmp_path), "backup")
    assert pinned_ids(backups).tolist() == []
    found = pins(backups, ())
    assert (found.objects, found.size, found.own_objects, found.own_size) == (0, 0, 0, 0)


def test_an_unknown_or_damaged_snapshot(backups: Repository) -> None:
    """What a snapshot needs is read from it; who asks for a broken one is told."""
    with pytest.raises(SnapshotNotFound):
        pins(backups, (3,))
    path = Path(backups.store.url.removeprefix("fs://"), "backup", "7.snapshot")
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DamageError):
        pins(backups, (7,))
    assert pins(backups, (2,)).own_objects == 0


def _fill(backups: Repository, state: Path) -> list[Path]:
    """Every object of every snapshot; the files have holes and take no room."""
    paths: list[Path] = []
    for item in {
        key: item for found in _objects(backups).values() for key, item in found.items()
    }.values():
        path = state / object_path(DIRECTORY, item.id, item.suffix, prefixed=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.truncate(item.size)
        paths.append(path)
    return sorted(paths)


def test_lost_objects_are_counted_once(backups: Repository, tmp_path: Path) -> None:
    """However many snapshots need them; other damage is verify's to tell."""
    state = tmp_path / "state"
    goldens.point_to_state(backups, state, (1, 2, 7, 8))
    paths = _fill(backups, state)
    whole = pins(backups, (1, 2, 7, 8), look=True)
    assert whole.lost is not None
    assert (whole.lost.missing, whole.lost.kept) == (0, [])
    shared = state / DIRECTORY / "1004.data"
    shared.unlink()
    paths[-1].write_bytes(b"cut")
    found = pins(backups, (2, 7, 8), look=True)
    assert found.lost is not None
    assert found.lost.missing == 1
    assert [item.row for item in found.lost.kept] == [f"{DIRECTORY}/1004.data"]


def test_the_state_store_may_be_elsewhere(backups: Repository, tmp_path: Path) -> None:
    """By default it is where each snapshot says, here in a store that nobody serves."""
    backups.context = Context(RetryPolicy(retries=0))
    with pytest.raises(StorageError, match=r"minio://127\.0\.0\.1:9301/hummock001"):
        pins(backups, (7,), look=True)
    _fill(backups, tmp_path / "state")
    shutil.move(tmp_path / "state" / DIRECTORY, tmp_path / "state" / "moved")
    place = f"fs://{tmp_path}/state", "moved"
    found = pins(backups, (7,), look=True, state=place)
    assert found.lost is not None
    assert found.lost.missing == 0
    found = pins(backups, (7,), look=True, state=(place[0], DIRECTORY))
    assert found.lost is not None
    assert found.lost.missing == found.objects


def test_a_manifest_that_pins_more_than_a_snapshot_needs(tmp_path: Path) -> None:
    """Others count by the manifest, which is all that garbage collection reads."""
    backups = goldens.copy_backups(TAG, tmp_path)
    path = tmp_path / "backup" / "manifest.json"
    manifest = msgspec.json.decode(path.read_bytes())
    for entry in manifest["snapshot_metadata"]:
        entry["ssts"] = [1001] if entry["id"] == 1 else entry["ssts"] if entry["id"] == 7 else []
    path.write_bytes(msgspec.json.encode(manifest))
    backups = Repository(backups.store, "backup")
    found = pins(backups, (7,))
    assert found.objects - found.own_objects == 1
