"""The repository: upstream's methods, ids that are never reused, and no lost update."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import goldens
import msgspec
import pytest

import metasnapshot
from metasnapshot import MetaSnapshot
from metasnapshot.catalogue import changes
from metasnapshot.catalogue import manifest as manifests
from metasnapshot.catalogue.ledger import read_ledger, remember
from metasnapshot.catalogue.manifest import Manifest
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import (
    ConflictError,
    ManifestMissing,
    ObjectMissing,
    RetentionLocked,
    SnapshotNotFound,
)
from metasnapshot.operations.delete import keep
from metasnapshot.store.lock import Holder, this_holder
from metasnapshot.store.memory import MemoryStore
from metasnapshot.store.port import Names


@pytest.fixture
def snapshot() -> MetaSnapshot:
    return metasnapshot.loads(goldens.SMALL.read_bytes())


@pytest.fixture
def repository() -> Repository:
    return Repository(MemoryStore(), "backup")


def test_create_and_get(repository: Repository, snapshot: MetaSnapshot) -> None:
    """A created snapshot is in the manifest and comes back, decoded and as bytes."""
    entry = changes.create(repository, snapshot, remarks="first", rw_version="3.0.3")
    assert repository.manifest().entries == (entry,)
    assert (entry.id, entry.remarks, entry.rw_version, repository.manifest().manifest_id) == (
        1,
        "first",
        "3.0.3",
        1,
    )
    assert repository.get(1) == snapshot
    with repository.get_stream(1) as file:
        assert file.read() == goldens.SMALL.read_bytes()


def test_paths_are_upstreams(repository: Repository, snapshot: MetaSnapshot) -> None:
    """{directory}/manifest.json and {directory}/{id}.snapshot; the others are ours."""
    changes.create(repository, snapshot)
    assert [head.path for head in repository.store.list("")] == [
        "backup/1.snapshot",
        "backup/manifest.json",
        "backup/manifest.json.previous",
        "backup/metasnapshot.facts.json",
        "backup/metasnapshot.json",
    ]


def test_an_empty_directory_is_the_root(snapshot: MetaSnapshot) -> None:
    """Directory "" gives /manifest.json, which is manifest.json."""
    store = MemoryStore()
    changes.create(Repository(store, ""), snapshot)
    assert "1.snapshot" in [head.path for head in store.list("")]
    assert store.head("manifest.json") is not None
    assert Repository(store, "").manifest().ids == (1,)


def test_an_id_is_never_written_twice(repository: Repository, snapshot: MetaSnapshot) -> None:
    """A second create under a taken id conflicts and changes nothing."""
    changes.create(repository, snapshot)
    with pytest.raises(ConflictError, match=r"1\.snapshot exists already"):
        changes.create(repository, snapshot)
    assert repository.manifest().manifest_id == 1


def test_the_next_id_is_above_all_that_is_taken(
    repository: Repository, snapshot: MetaSnapshot
) -> None:
    """The sequence counts, the manifest counts, and so does a file that no manifest names."""
    assert changes.next_id(repository, 1) == 1
    assert changes.next_id(repository, 0) == 1
    changes.create(repository, snapshot)
    assert changes.next_id(repository, 1) == 2
    assert changes.next_id(repository, 9) == 9
    repository.store.put_if_absent("backup/41.snapshot", b"orphan")
    repository.store.put_if_absent("backup/not-a-42.snapshot", b"foreign")
    assert changes.next_id(repository, 9) == 42


def test_delete_is_manifest_first(repository: Repository, snapshot: MetaSnapshot) -> None:
    """Deleted ids leave the manifest and the store; unknown ones are no error and still count
    up."""
    changes.create(repository, snapshot)
    changes.delete(repository, [1, 77])
    assert (repository.manifest().ids, repository.manifest().manifest_id) == ((), 2)
    assert repository.file_ids() == []
    changes.delete(repository, [78])
    assert repository.manifest().manifest_id == 3


class WatchedStore(MemoryStore):
    """Notes what the manifest names whenever something is deleted."""

    def __init__(self) -> None:
        super().__init__()
        self.deleted: list[tuple[str, tuple[int, ...]]] = []

    def delete(self, path: str) -> None:
        self.deleted.append((path, Repository(self, "backup").manifest().ids))
        super().delete(path)


def test_a_files_end_comes_after_its_entrys(snapshot: MetaSnapshot) -> None:
    """A file is deleted when the manifest does not name it any more: whoever dies between the two
    leaves a file too many, never an entry of nothing."""
    store = WatchedStore()
    repository = Repository(store, "backup")
    changes.create(repository, snapshot)
    store.deleted.clear()
    changes.delete(repository, [1])
    assert store.deleted == [("backup/1.snapshot", ())]


def test_the_next_id_is_above_one_that_was_deleted(
    repository: Repository, snapshot: MetaSnapshot
) -> None:
    """Nothing of it is left but the note."""
    changes.create(repository, snapshot)
    changes.delete(repository, [1])
    assert changes.next_id(repository, 1) == 2


def test_two_writers_lose_nothing(snapshot: MetaSnapshot) -> None:
    """Each works on what it read; the second's change is made again on top of the first's."""
    store = MemoryStore()
    one, two = Repository(store, "backup"), Repository(store, "backup")
    changes.create(one, snapshot)
    snapshot.id = 2
    changes.create(two, snapshot)
    changes.delete(one, [1])
    assert Repository(store, "backup").manifest().ids == (2,)
    assert Repository(store, "backup").manifest().manifest_id == 3


def test_refresh_takes_only_greater_ids(repository: Repository, snapshot: MetaSnapshot) -> None:
    """A manifest that went back, or went away, does not replace what is known."""
    changes.create(repository, snapshot)
    path = "backup/manifest.json"
    found = repository.store.read(path)
    repository.store.put_if_match(path, b'{"manifest_id":0,"snapshot_metadata":[]}', found.etag)
    assert repository.refresh_manifest().ids == (1,)
    repository.store.delete(path)
    assert repository.refresh_manifest().ids == (1,)
    repository.store.put_if_absent(path, b'{"manifest_id":5,"snapshot_metadata":[]}')
    assert repository.refresh_manifest().ids == ()


def test_unknown_ids_are_told_with_the_known(
    repository: Repository, snapshot: MetaSnapshot
) -> None:
    """Upstream's words, and which ids there are."""
    changes.create(repository, snapshot)
    with pytest.raises(SnapshotNotFound, match="snapshot id 4 not found") as caught:
        repository.get(4)
    assert (caught.value.exit_code, caught.value.hint) == (12, "the manifest has 1")


def test_an_entry_without_its_file(repository: Repository, snapshot: MetaSnapshot) -> None:
    """A manifest that names a file that is gone: the file is named."""
    changes.create(repository, snapshot)
    repository.store.delete("backup/1.snapshot")
    with pytest.raises(ObjectMissing, match=r"backup/1\.snapshot") as caught:
        repository.get(1)
    assert caught.value.exit_code == 17


def test_snapshots_without_a_manifest() -> None:
    """Files without a manifest are an error; an empty directory is an empty list."""
    store = MemoryStore()
    assert Repository(store, "backup").manifest().ids == ()
    store.put_if_absent("backup/3.snapshot", b"x")
    with pytest.raises(ManifestMissing, match="snapshots 3") as caught:
        Repository(store, "backup")
    assert caught.value.exit_code == 10


class _Busy(MemoryStore):
    """Somebody makes the first snapshot when we look which there are."""

    def names(self, directory: str) -> Names:
        with suppress(ConflictError):
            self.put_if_absent("backup/manifest.json", manifests.render(Manifest()))
            self.put_if_absent("backup/1.snapshot", b"x")
        return super().names(directory)


def test_the_first_snapshot_of_somebody_else() -> None:
    """One that comes between the look for the manifest and the look for files is no loss."""
    assert Repository(_Busy(), "backup").file_ids() == [1]


@pytest.mark.parametrize("tag", goldens.TAGS, ids=lambda tag: tag.name)
def test_golden_directories_open(tag: Path, tmp_path: Path) -> None:
    """A directory that RisingWave wrote lists and verifies."""
    repository = goldens.copy_backups(tag, tmp_path)
    for number in repository.manifest().ids:
        with repository.open(number) as reader:
            assert reader.id == number


def test_a_reserved_id_is_nobody_elses(repository: Repository, snapshot: MetaSnapshot) -> None:
    """Two backups at once get two ids; an id that was deleted is not given again."""
    other = Repository(repository.store, "backup")
    with changes.reserve(repository, 1) as one, changes.reserve(other, 1) as two:
        assert (one, two) == (1, 2)
        assert other.reserved_ids() == [1, 2]
    assert other.reserved_ids() == []
    changes.create(repository, snapshot)
    changes.delete(repository, [1])
    with changes.reserve(other, 1) as three:
        assert three == 2


def test_the_reservation_of_a_dead_process_is_dropped(repository: Repository) -> None:
    """One of another host stays: nobody here knows whether it lives."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    dead = msgspec.json.encode(Holder(child, this_holder().host, this_holder().since))
    away = msgspec.json.encode(Holder(child, "elsewhere", this_holder().since))
    repository.store.put_if_absent("backup/3.reserved", dead)
    repository.store.put_if_absent("backup/4.reserved", away)
    with changes.reserve(repository, 1) as number:
        assert (number, repository.reserved_ids()) == (5, [4, 5])


def test_the_previous_manifest_is_kept(repository: Repository, snapshot: MetaSnapshot) -> None:
    """As it was before the last change, byte for byte."""
    changes.create(repository, snapshot)
    before = repository.store.read("backup/manifest.json").data
    changes.delete(repository, [1])
    assert repository.store.read("backup/manifest.json.previous").data == before


def test_a_delete_from_an_old_cache_is_remembered(snapshot: MetaSnapshot) -> None:
    """An id that somebody else created is deleted for good: nobody gets it again, or misses it."""
    store = MemoryStore()
    maker, other = Repository(store, "backup"), Repository(store, "backup")
    changes.create(maker, snapshot)
    changes.delete(other, [snapshot.id])
    assert read_ledger(store, "backup").made == []
    with changes.reserve(other, 1) as number:
        assert number == snapshot.id + 1


def test_a_delete_leaves_what_is_being_made(snapshot: MetaSnapshot) -> None:
    """The file of an id that the manifest lacks and somebody reserved stays."""
    store = MemoryStore()
    maker, other = Repository(store, "backup"), Repository(store, "backup")
    with changes.reserve(maker, 1) as number:
        snapshot.id = number
        path = maker.path(number)
        store.put_if_absent(path, b"half")
        changes.delete(other, [number])
        assert store.head(path) is not None
    changes.delete(other, [number])
    assert store.head(path) is None


def test_a_kept_snapshot_is_not_deleted_by_any_way(
    repository: Repository, snapshot: MetaSnapshot
) -> None:
    """A mark that was set after somebody planned to delete holds."""
    changes.create(repository, snapshot)
    keep(repository, [snapshot.id])
    with pytest.raises(RetentionLocked):
        changes.delete(repository, [snapshot.id])
    assert repository.manifest().ids == (snapshot.id,)


def test_an_entry_is_entered_once(repository: Repository, snapshot: MetaSnapshot) -> None:
    """Again it changes nothing; another one of its id is refused."""
    entry = changes.create(repository, snapshot, remarks="first")
    manifest = repository.manifest()
    assert manifest.with_entry(entry) is manifest
    with pytest.raises(ConflictError, match="another snapshot"):
        manifest.with_entry(replace(entry, text=entry.raw.replace(b"first", b"other")))


def test_a_note_is_not_made_of_what_was_deleted(
    repository: Repository, snapshot: MetaSnapshot
) -> None:
    """Whoever deletes between the entry and its note leaves nothing to be missed."""
    changes.create(repository, snapshot)
    changes.delete(repository, [snapshot.id])
    remember(repository.store, "backup", snapshot.id, 1)
    assert read_ledger(repository.store, "backup").made == []
