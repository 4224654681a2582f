"""What a lease covers: writes that end within its life, and one that does not is told."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from overwritable import OverwritableMemory

from metasnapshot.errors import InconsistentStore
from metasnapshot.store import lease as module
from metasnapshot.store.lease import CLAIM_LIFE_S, LeasedStore


class SlowStore(OverwritableMemory):
    """Objects in memory, to be overwritten only; d/x takes some seconds of a clock to write."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0
        self.clock = 0.0

    def put(self, path: str, data: bytes) -> str:
        if path == "d/x":
            self.clock += self.seconds
        return super().put(path, data)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> SlowStore:
    """Whose clock is the lease's too."""
    store, honest = SlowStore(), time.monotonic
    monkeypatch.setattr(module.time, "monotonic", lambda: honest() + store.clock)
    return store


WRITES: dict[str, Callable[[LeasedStore, str], str]] = {
    "create": lambda store, _: store.put_if_absent("d/x", b"2"),
    "swap": lambda store, etag: store.put_if_match("d/x", b"2", etag),
}


@pytest.mark.parametrize("name", WRITES)
def test_a_write_that_ends_after_its_lease_is_told(plain: SlowStore, name: str) -> None:
    """Others may have written meanwhile: no conflict, which one tries again, but a doubt."""
    store = LeasedStore(plain)
    etag = "" if name == "create" else store.put_if_absent("d/x", b"1")
    plain.seconds = CLAIM_LIFE_S + 5
    with pytest.raises(InconsistentStore, match="d/x was written 5 s after the lease") as caught:
        WRITES[name](store, etag)
    assert "rebuild-manifest" in caught.value.hint
    assert plain.read("d/x").data == b"2"
    assert [head.path for head in plain.list("")] == ["d/x"]


def test_a_write_that_ends_within_its_lease_holds(plain: SlowStore) -> None:
    """Nobody took the lease away before its end, however slow the write was."""
    store = LeasedStore(plain)
    plain.seconds = CLAIM_LIFE_S - 5
    etag = store.put_if_absent("d/x", b"1")
    assert store.put_if_match("d/x", b"2", etag) == store.read("d/x").etag
