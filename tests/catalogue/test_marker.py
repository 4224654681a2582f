"""Markers of backups at work: they beat while their makers live, and are gone afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import msgspec
import pytest

from metasnapshot.catalogue import marker as markers
from metasnapshot.catalogue.marker import (
    Marker,
    drop_dead_markers,
    marked,
    marker_id,
    marker_path,
    read_marker,
)
from metasnapshot.errors import ConflictError, StorageError
from metasnapshot.store.lock import Holder, this_holder
from metasnapshot.store.memory import MemoryStore

WAIT_S = 30


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A beat that is not waited for long."""
    monkeypatch.setattr(markers, "BEAT_S", 0.001)


class _Watched(MemoryStore):
    """Tells when a marker was changed so often."""

    def __init__(self, beats: int) -> None:
        super().__init__()
        self.left = beats
        self.fails = 0
        self.have_come = threading.Event()

    def put_if_match(self, path: str, data: bytes, etag: str) -> str:
        if self.fails:
            self.fails -= 1
            raise StorageError("503, slow down")
        found = super().put_if_match(path, data, etag)
        self.left -= 1
        if self.left <= 0:
            self.have_come.set()
        return found


def test_a_marker_lives_as_long_as_its_block() -> None:
    """It says who it is, keeps others out, and is gone afterwards; after an error too."""
    store = MemoryStore()
    with marked(store, "b", 7):
        marker = read_marker(store, "b", 7)
        assert marker is not None
        assert (marker.holder.pid, marker.holder.is_gone) == (os.getpid(), False)
        with pytest.raises(ConflictError), marked(store, "b", 7):
            pytest.fail("two at once")
    assert list(store.list("")) == []
    with pytest.raises(ZeroDivisionError), marked(store, "b", 7):
        _ = 1 // 0
    assert list(store.list("")) == []


@pytest.mark.usefixtures("quick")
def test_a_marker_beats() -> None:
    """The beat goes up by itself, through errors of the store."""
    store = _Watched(3)
    store.fails = 2
    with marked(store, "b", 7):
        assert store.have_come.wait(WAIT_S)
        marker = read_marker(store, "b", 7)
    assert marker is not None
    assert marker.beat >= 3


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("is_gone", [False, True])
def test_a_marker_comes_back(*, is_gone: bool) -> None:
    """One that somebody changed or took away beats again."""
    store = _Watched(2)
    with marked(store, "b", 7):
        path = marker_path("b", 7)
        data = store.read(path).data
        store.delete(path)
        if not is_gone:
            store.put_if_absent(path, data)
        store.have_come.clear()
        store.left = 2
        assert store.have_come.wait(WAIT_S)


def dead_pid() -> int:
    """A process that was and is no more."""
    return int(subprocess.check_output([sys.executable, "-c", "import os; print(os.getpid())"]))


def test_markers_of_the_dead_go() -> None:
    """Of this host's processes only those that are no more; what says nothing stays."""
    store, here = MemoryStore(), this_holder()
    holders = {
        1: Holder(dead_pid(), here.host, here.since),
        2: here,
        3: Holder(1, "another host", here.since),
    }
    for number, holder in holders.items():
        store.put_if_absent(marker_path("b", number), msgspec.json.encode(Marker(holder)))
    store.put_if_absent(marker_path("b", 4), b"nothing")
    drop_dead_markers(store, "b", [1, 2, 3, 4, 5])
    assert [marker_id(head.path[2:]) for head in store.list("b/")] == [2, 3, 4]
