"""Many creates in one block: names, conflicts and modes as ever, durable when the block ends."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from metasnapshot.errors import ConflictError, StorageError
from metasnapshot.store import bulk
from metasnapshot.store.bulk import in_bulk
from metasnapshot.store.local import LocalStore
from metasnapshot.store.memory import MemoryStore


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Notes each syncfs."""
    found: list[int] = []
    monkeypatch.setattr(bulk, "_syncfs", found.append)
    return found


def test_all_is_synced_at_the_end(tmp_path: Path, synced: list[int]) -> None:
    """One syncfs when the block ends, however many objects; the objects are there."""
    store = LocalStore(tmp_path)
    with in_bulk(store) as cheap:
        for number in range(50):
            cheap.put_if_absent(f"d/{number % 3}/{number}.sst", bytes([number]))
        assert synced == []
    assert len(synced) == 1
    assert [store.read(f"d/{number % 3}/{number}.sst").data for number in (0, 49)] == [b"\0", b"1"]
    assert len(list(store.list("d"))) == 50
    assert [path.name for path in tmp_path.rglob(".metasnapshot*")] == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A name that is taken is a conflict, and no temporary file is left."""
    store = LocalStore(tmp_path)
    store.put_if_absent("d/x", b"old")
    with in_bulk(store) as cheap:
        with pytest.raises(ConflictError):
            cheap.put_if_absent("d/x", b"new")
        assert cheap.read("d/x").data == b"old"
    assert [path.name for path in (tmp_path / "d").iterdir()] == ["x"]


def test_the_real_call_works(tmp_path: Path) -> None:
    """syncfs of this system, or what stands for it."""
    with in_bulk(LocalStore(tmp_path)) as cheap:
        cheap.put_if_absent("x", b"data")
    assert (tmp_path / "x").read_bytes() == b"data"


def test_an_error_of_the_sync_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who cannot make it durable does not say that it is."""

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(bulk, "_syncfs", fail)
    with pytest.raises(StorageError, match="Input/output"), in_bulk(LocalStore(tmp_path)) as cheap:
        cheap.put_if_absent("x", b"data")


@pytest.mark.usefixtures("synced")
def test_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that has none gets its files all the same."""

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with in_bulk(LocalStore(tmp_path)) as cheap:
        cheap.put_if_absent("d/x", b"data")
        with pytest.raises(ConflictError):
            cheap.put_if_absent("d/x", b"other")
    assert (tmp_path / "d" / "x").read_bytes() == b"data"


@pytest.mark.usefixtures("synced")
@pytest.mark.parametrize("name", ["1.data", "1.vector", "1.hnsw_graph", "1-0.sst", "1-0.vec"])
def test_who_may_read_it(tmp_path: Path, name: str) -> None:
    """Hummock's own objects are for every node, as the umask says; our copies are ours alone; in
    bulk and one by one alike.
    """
    store = LocalStore(tmp_path)
    store.put_if_absent(f"a/{name}", b"data")
    with in_bulk(store) as cheap:
        cheap.put_if_absent(f"b/{name}", b"data")
    modes = {(tmp_path / place / name).stat().st_mode & 0o777 for place in "ab"}
    umask = os.umask(0o077)
    os.umask(umask)
    is_ours = name.startswith("1-")
    assert modes == {0o600 if is_ours else 0o666 & ~umask}


def test_other_stores_are_as_they_are() -> None:
    """They have nothing cheaper."""
    store = MemoryStore()
    with in_bulk(store) as cheap:
        assert cheap is store
