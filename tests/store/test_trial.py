"""Stores are tried before they are trusted."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import goldens
import pytest
from overwritable import OverwritableMemory

import metasnapshot
from metasnapshot.catalogue import changes
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import ConflictError, StorageError
from metasnapshot.store.deletes import TRIAL_PREFIX
from metasnapshot.store.lease import LEASE_NAME
from metasnapshot.store.local import LocalStore
from metasnapshot.store.memory import MemoryStore
from metasnapshot.store.port import READ_MAX, Names, StoredObject
from metasnapshot.store.trial import (
    CREATE,
    RACE,
    RACERS,
    STALE,
    TriedStore,
    try_store,
)

READS = ["read after write", "list after write", "ranged read"]
NAMES = [*READS, CREATE, "swap", STALE, RACE, "delete"]


WAIT_S = 600


class PuttingStore(OverwritableMemory):
    """A store that keeps all promises, and counts what it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.trials = 0
        self.leases = 0

    def put(self, path: str, data: bytes) -> str:
        self.leases += f"{LEASE_NAME}/" in path
        return super().put(path, data)

    def put_if_absent(self, path: str, data: bytes) -> str:
        self.trials += TRIAL_PREFIX in path and data == b"first"
        return super().put_if_absent(path, data)


class OverwritingStore(PuttingStore):
    """A service that answers 200 to every precondition."""

    def put_if_absent(self, path: str, data: bytes) -> str:
        self.trials += TRIAL_PREFIX in path and data == b"first"
        return self.put(path, data)

    def put_if_match(self, path: str, data: bytes, etag: str) -> str:  # noqa: ARG002
        return self.put(path, data)


class LookingStore(PuttingStore):
    """A service that looks, then writes: whoever looks at the same time writes too.

    All racers of the trial look before the first of them writes.
    """

    def __init__(self) -> None:
        super().__init__()
        self._looked = threading.Barrier(RACERS, timeout=WAIT_S)

    def put_if_match(self, path: str, data: bytes, etag: str) -> str:
        if self.read(path).etag != etag:
            raise ConflictError(f"{path} changed meanwhile")
        if data.startswith(b"racer"):
            self._looked.wait()
        return self.put(path, data)


class ForgettingStore(PuttingStore):
    """A store whose small reads come too early."""

    def read(self, path: str, size_max: int = READ_MAX) -> StoredObject:
        found = super().read(path, size_max)
        return StoredObject(b"", found.etag)

    @contextmanager
    def open_reader(self, path: str) -> Generator[BinaryIO]:
        yield BytesIO(super().read(path).data)


class BlindStore(PuttingStore):
    """A store whose lists come late."""

    def names(self, directory: str) -> Names:  # noqa: ARG002 - whatever it is
        return Names()


class StubbornStore(PuttingStore):
    """A store that deletes later."""

    def delete(self, path: str) -> None:
        if TRIAL_PREFIX not in path:
            super().delete(path)


class RefusingStore(PuttingStore):
    """A store that nobody may write to."""

    def put_if_absent(self, path: str, data: bytes) -> str:
        raise StorageError(f"403, {path} is read only, {len(data)} bytes")

    def put(self, path: str, data: bytes) -> str:
        raise StorageError(f"405, no plain write of {path} either, {len(data)} bytes")


def failed(store: PuttingStore) -> dict[str, str]:
    """Promises that were not kept, and what came instead."""
    return {item.name: item.found for item in try_store(store, "backup") if not item.held}


def test_an_honest_store_keeps_every_promise(tmp_path: Path) -> None:
    """In memory and on disk, and nothing is left of the trial."""
    for store in (MemoryStore(), LocalStore(tmp_path)):
        found = try_store(store, "backup")
        assert [(item.name, item.held, item.found) for item in found] == [
            (name, True, "") for name in NAMES
        ]
        assert list(store.list("")) == []


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        (OverwritingStore(), {CREATE: "it was overwritten", STALE: "it was overwritten"}),
        (LookingStore(), {RACE: f"{RACERS} of {RACERS} won"}),
        (ForgettingStore(), {"read after write": "b''", "swap": "b''"}),
        (BlindStore(), {"list after write": "''"}),
    ],
    ids=["overwrites", "looks first", "forgets", "lists late"],
)
def test_what_a_store_breaks_is_said(store: PuttingStore, expected: dict[str, str]) -> None:
    """Each promise by its name, with what came instead; the trial's object is gone."""
    assert failed(store) == expected
    assert store.head("backup") is None
    assert list(MemoryStore.list(store, "")) == []


def test_a_delete_that_does_not_is_said() -> None:
    """The object is still there."""
    assert list(failed(StubbornStore())) == ["delete"]


def test_a_store_that_cannot_be_written_is_an_error() -> None:
    """There is nothing to try then."""
    with pytest.raises(StorageError, match="403"):
        try_store(RefusingStore(), "backup")
    with pytest.raises(StorageError, match="403"):
        TriedStore(RefusingStore()).put_if_absent("backup/x", b"1")


def test_an_honest_store_is_tried_once_and_used_as_it_is() -> None:
    """At the first conditional write; reading alone tries nothing."""
    inner = PuttingStore()
    store = TriedStore(inner)
    assert (store.head("backup/x"), list(store.list("")), store.url) == (None, [], "memory")
    assert inner.trials == 0
    store.put_if_absent("backup/x", b"1")
    store.put_if_match("backup/x", b"2", store.read("backup/x").etag)
    with store.open_writer("backup/y") as file:
        file.write(b"3")
    with store.exclusive("backup/x"):
        pass
    assert (inner.trials, inner.leases) == (1, 0)
    assert [head.path for head in store.list("")] == ["backup/x", "backup/y"]


def test_a_store_that_overwrites_gets_a_lease() -> None:
    """Then it refuses a second create and a stale swap, and the trial is no more repeated."""
    inner = OverwritingStore()
    store = TriedStore(inner)
    store.put_if_absent("backup/x", b"1")
    with pytest.raises(ConflictError, match="backup/x exists already"):
        store.put_if_absent("backup/x", b"2")
    with pytest.raises(ConflictError), store.open_writer("backup/x") as file:
        file.write(b"3")
    first = store.read("backup/x").etag
    second = store.put_if_match("backup/x", b"4", first)
    assert store.read("backup/x").etag == second != first
    with pytest.raises(ConflictError, match="changed meanwhile"):
        store.put_if_match("backup/x", b"5", first)
    with pytest.raises(ConflictError):
        store.put_if_match("backup/none", b"5", first)
    assert store.read("backup/x").data == b"4"
    assert (inner.trials, inner.leases > 0) == (1, True)
    assert [head.path for head in store.list("")] == ["backup/x"]


def test_a_catalogue_works_on_a_store_that_overwrites() -> None:
    """Create, read, delete; leases and trials leave nothing behind."""
    snapshot = metasnapshot.loads(goldens.SMALL.read_bytes())
    inner = OverwritingStore()
    repository = Repository(TriedStore(inner), "backup")
    for number in (1, 2):
        snapshot.id = number
        changes.create(repository, snapshot)
    with pytest.raises(ConflictError):
        changes.create(repository, snapshot)
    changes.delete(repository, [1])
    fresh = Repository(TriedStore(inner), "backup")
    assert (fresh.manifest().ids, fresh.file_ids()) == ((2,), [2])
    assert fresh.get(2) == snapshot
    assert not any(LEASE_NAME in head.path or "trial" in head.path for head in inner.list(""))


@pytest.mark.parametrize("inner", [ForgettingStore(), BlindStore(), StubbornStore()])
def test_a_store_to_rely_on_reads_lists_and_deletes(inner: PuttingStore) -> None:
    """What no lease can make up for is an error, and nothing is written."""
    store = TriedStore(inner)
    for _ in range(2):
        with pytest.raises(StorageError, match="is no store to rely on: ") as caught:
            store.put_if_absent("backup/x", b"1")
        assert caught.value.exit_code == 17
    assert inner.head("backup/x") is None
