"""copy: a snapshot in another directory is the same, byte for byte, or is not there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import goldens
import msgspec
import pytest

import metasnapshot
from metasnapshot.catalogue.changes import create
from metasnapshot.catalogue.ledger import read_ledger
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import (
    ChecksumMismatch,
    ConflictError,
    DamageError,
    ObjectMissing,
    SnapshotNotFound,
    StorageError,
)
from metasnapshot.operations.copy import Copied, copy
from metasnapshot.store.local import LocalStore
from metasnapshot.store.lock import this_holder
from metasnapshot.store.memory import MemoryStore

TAG, OTHER_TAG = goldens.SHIPPED / "v3.0.3", goldens.SHIPPED / "v2.8.4"


@pytest.fixture
def source(tmp_path: Path) -> Repository:
    return goldens.copy_backups(TAG, tmp_path / "source")


@pytest.fixture
def target() -> Repository:
    return Repository(MemoryStore(), "safe")


class _Writing:
    """A file whose bytes change on their way."""

    def __init__(self, file: BinaryIO, change: Callable[[bytes], bytes]) -> None:
        self._file = file
        self._change = change

    def write(self, data: bytes) -> int:
        self._file.write(self._change(data))
        return len(data)


class LossyStore(MemoryStore):
    """A store that is reached by a bad line."""

    change: Callable[[bytes], bytes]

    @contextmanager
    def open_writer(self, path: str) -> Generator[Any]:
        with super().open_writer(path) as file:
            yield _Writing(file, self.change)


def flip(data: bytes) -> bytes:
    return data[:4000] + bytes([data[4000] ^ 1]) + data[4001:]


def objects(repository: Repository) -> dict[str, bytes]:
    store = repository.store
    return {head.path: store.read(head.path).data for head in store.list("")}


def raws(repository: Repository) -> dict[int, bytes]:
    """Each entry's bytes, as the store has them."""
    fresh = Repository(repository.store, repository.directory)
    return {entry.id: entry.raw for entry in fresh.manifest().entries}


def test_files_and_entries_are_the_same(source: Repository, target: Repository) -> None:
    """Byte for byte, remarks included; the source stays as it is."""
    before = objects(source)
    sizes = {number: len(before[source.path(number)]) for number in (1, 2, 7)}
    found = copy(source, target, [1, 2, 7])
    assert found == [Copied(number, sizes[number], was_there=False) for number in (1, 2, 7)]
    assert raws(target) == raws(source)
    for number in (1, 2, 7):
        assert objects(target)[target.path(number)] == before[source.path(number)]
    assert objects(source) == before
    assert read_ledger(target.store, "safe").made == [1, 2, 7]


def test_only_what_was_named_is_copied(source: Repository, target: Repository) -> None:
    """Each once, in that order, beside what is there."""
    copy(source, target, [7])
    assert [item.snapshot_id for item in copy(source, target, [2, 7, 2])] == [2, 7]
    assert (target.manifest().ids, target.file_ids()) == ((7, 2), [2, 7])


def test_a_copy_can_be_repeated(source: Repository, target: Repository) -> None:
    """The second changes nothing."""
    copy(source, target, [1, 2])
    before = objects(target)
    assert [item.was_there for item in copy(source, target, [1, 2])] == [True, True]
    assert objects(target) == before


def test_a_file_without_an_entry_gets_one(source: Repository, target: Repository) -> None:
    """What a copy that died left is finished."""
    data = source.store.read(source.path(2)).data
    copy(source, target, [1])
    target.store.put_if_absent(target.path(2), data)
    assert copy(source, target, [2]) == [Copied(2, len(data), was_there=True)]
    assert raws(target) == {number: raws(source)[number] for number in (1, 2)}


def test_a_lost_file_comes_back(source: Repository, tmp_path: Path) -> None:
    """Its entry is there already, and stays the only one of that id."""
    target = goldens.copy_backups(TAG, tmp_path / "target")
    before = objects(target)
    target.store.delete(target.path(7))
    assert [item.was_there for item in copy(source, target, [7])] == [False]
    fresh = Repository(target.store, "backup")
    assert fresh.manifest().ids == (1, 2, 7)
    assert fresh.get(7) == source.get(7)
    assert {path: objects(target)[path] for path in before if "manifest" not in path} == {
        path: data for path, data in before.items() if "manifest" not in path
    }


def test_two_copies_at_once_make_one_snapshot(
    source: Repository, target: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second finds the first one's file, and enters it before the first does."""
    open_reader = target.store.open_reader

    def and_copy(path: str) -> AbstractContextManager[BinaryIO]:
        if target.store.head(path) is not None:
            monkeypatch.setattr(target.store, "open_reader", open_reader)
            copy(source, Repository(target.store, "safe"), [1])
        return open_reader(path)

    monkeypatch.setattr(target.store, "open_reader", and_copy)
    assert copy(source, target, [1])[0].was_there is False
    assert target.store.open_reader == open_reader
    assert Repository(target.store, "safe").manifest().ids == (1,)


def test_another_snapshot_of_that_id_stays(source: Repository, tmp_path: Path) -> None:
    """A conflict, exit 11, also where it is of the same cluster."""
    target = Repository(LocalStore(tmp_path / "target"), "backup")
    with source.get_stream(2) as file:
        other = metasnapshot.loads(file.read())
    other.sections["users"].pop()
    create(target, other)
    before = objects(target)
    with pytest.raises(ConflictError, match="has another snapshot 2") as caught:
        copy(source, target, [2])
    assert (caught.value.exit_code, objects(target)) == (11, before)


def test_snapshots_of_two_clusters_do_not_mix(source: Repository, tmp_path: Path) -> None:
    """A conflict, exit 11, that names both clusters."""
    target = goldens.copy_backups(OTHER_TAG, tmp_path / "target")
    before = objects(target)
    with pytest.raises(ConflictError, match=r"is of cluster .*; this is of cluster ") as caught:
        copy(source, target, [2])
    assert (caught.value.exit_code, objects(target)) == (11, before)


def test_a_damaged_one_there_stays(source: Repository, target: Repository) -> None:
    """It is told, and not overwritten."""
    target.store.put_if_absent("safe/manifest.json", b'{"manifest_id":1,"snapshot_metadata":[]}')
    target.store.put_if_absent(target.path(2), b"half a snapsh")
    before = objects(target)
    with pytest.raises(DamageError):
        copy(source, target, [2])
    assert objects(target) == before


def test_an_unknown_id_copies_nothing(source: Repository, target: Repository) -> None:
    """Not even those that are known."""
    with pytest.raises(SnapshotNotFound):
        copy(source, target, [1, 5])
    assert objects(target) == {}


def test_a_damaged_source_is_not_copied(source: Repository, target: Repository) -> None:
    """Nor one whose file is lost; it is told, and the others are there."""
    path = Path(source.store.url.removeprefix("fs://"), source.path(2))
    path.write_bytes(flip(path.read_bytes()))
    found = {item.snapshot_id: type(item.error) for item in copy(source, target, [1, 2, 7])}
    assert found == {1: type(None), 2: ChecksumMismatch, 7: type(None)}
    assert (target.manifest().ids, target.file_ids()) == ((1, 7), [1, 7])
    path.unlink()
    assert [type(item.error) for item in copy(source, target, [2])] == [ObjectMissing]
    assert target.file_ids() == [1, 7]


def test_what_a_dead_copy_left_is_in_nobodys_way(source: Repository, target: Repository) -> None:
    """A reservation of a process of this host that is gone; a living one's keeps the id: 11."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    holder = msgspec.structs.replace(this_holder(), pid=dead.pid)
    target.store.put_if_absent(target.path(1)[:-8] + "reserved", msgspec.json.encode(holder))
    assert [item.error for item in copy(source, target, [1])] == [None]
    path = target.path(2)[:-8] + "reserved"
    target.store.put_if_absent(path, msgspec.json.encode(this_holder()))
    with pytest.raises(ConflictError, match="snapshot 2 is being written") as caught:
        copy(source, target, [2])
    assert path in caught.value.hint


@pytest.mark.parametrize("change", [flip, lambda data: data[:-1], lambda data: data + b"\0"])
def test_what_does_not_arrive_whole_is_no_snapshot(
    source: Repository, change: Callable[[bytes], bytes]
) -> None:
    """A bit that flips, a byte that is lost or added in transit: no entry, no file, exit 4."""
    store = LossyStore()
    store.change = change
    target = Repository(store, "safe")
    with pytest.raises(DamageError) as caught:
        copy(source, target, [1])
    assert caught.value.exit_code == 4
    assert raws(target) == {}
    assert target.file_ids() == []
    store.change = bytes
    assert copy(source, target, [1])[0].was_there is False
    assert raws(target) == {1: raws(source)[1]}


def test_another_whole_snapshot_that_arrives_is_damage(source: Repository) -> None:
    """Its checksum is right, and it is not the one that was sent."""
    other = source.get(1)
    other.sections["system_parameters"][0].value += "x"
    store = LossyStore()
    store.change = lambda _: metasnapshot.dumps(other)
    with pytest.raises(DamageError, match="snapshot 1 did not arrive whole"):
        copy(source, Repository(store, "safe"), [1])


def test_a_line_that_breaks_leaves_nothing(source: Repository) -> None:
    """Neither a file nor an entry; the next copy goes through."""

    def fail(_: bytes) -> bytes:
        raise StorageError("connection lost")

    store = LossyStore()
    store.change = fail
    target = Repository(store, "safe")
    with pytest.raises(StorageError, match="connection lost"):
        copy(source, target, [1])
    assert (raws(target), target.file_ids()) == ({}, [])


def test_from_a_store_into_itself(source: Repository) -> None:
    """All are there already; into another directory they are copied."""
    before = objects(source)
    ids = source.manifest().ids
    assert [item.was_there for item in copy(source, source, ids)] == [True] * 3
    assert objects(source) == before
    other = Repository(LocalStore(Path(source.store.url.removeprefix("fs://"))), "other")
    copy(source, other, ids)
    assert raws(other) == raws(source)
