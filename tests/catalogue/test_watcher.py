"""Who watches a directory: one process, until it leaves, dies or is late."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta

import pytest

from metasnapshot.catalogue.watcher import WATCHER_NAME, Watcher
from metasnapshot.errors import ConflictError
from metasnapshot.store.lock import this_holder
from metasnapshot.store.memory import MemoryStore

PATH = f"backup/{WATCHER_NAME}"
HOUR = timedelta(hours=1)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def first(store: MemoryStore) -> Watcher:
    return Watcher(store, "backup", "first")


@pytest.fixture
def second(store: MemoryStore) -> Watcher:
    return Watcher(store, "backup", "second")


def token(store: MemoryStore) -> str:
    return json.loads(store.read(PATH).data)["token"]


def dead_process() -> int:
    """The id of a process that was and is no more."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return child


def edit(store: MemoryStore, **fields: object) -> None:
    """Change who the object says it is."""
    found = store.read(PATH)
    known = json.loads(found.data) | fields
    store.put_if_match(PATH, json.dumps(known).encode(), found.etag)


def test_a_second_watcher_is_refused(store: MemoryStore, first: Watcher, second: Watcher) -> None:
    """It is told who watches and when that one will be heard of; the first goes on."""
    first.renew(HOUR)
    before = store.read(PATH)
    with pytest.raises(ConflictError, match=rf"process {os.getpid()} on .* watches already") as got:
        second.renew(HOUR)
    assert json.loads(before.data)["until"] in got.value.hint
    assert store.read(PATH) == before
    first.renew(HOUR)
    assert token(store) == "first"


def test_each_round_moves_the_time(store: MemoryStore, first: Watcher) -> None:
    """Until when is now and the life that was asked for."""
    before = datetime.now(UTC).replace(microsecond=0)
    first.renew(HOUR)
    until = datetime.fromisoformat(json.loads(store.read(PATH).data)["until"])
    assert before + HOUR <= until <= datetime.now(UTC) + HOUR
    first.renew(3 * HOUR)
    assert datetime.fromisoformat(json.loads(store.read(PATH).data)["until"]) >= before + 3 * HOUR


def test_one_that_missed_its_time_is_replaced(
    store: MemoryStore, first: Watcher, second: Watcher
) -> None:
    """And is refused itself when it comes back."""
    first.renew(timedelta(seconds=-1))
    second.renew(HOUR)
    assert token(store) == "second"
    with pytest.raises(ConflictError):
        first.renew(HOUR)


def test_one_that_died_on_this_host_is_replaced(
    store: MemoryStore, first: Watcher, second: Watcher
) -> None:
    """At once; of another host nobody knows."""
    first.renew(HOUR)
    holder = {"pid": dead_process(), "host": "elsewhere", "since": ""}
    edit(store, holder=holder)
    with pytest.raises(ConflictError, match="elsewhere"):
        second.renew(HOUR)
    edit(store, holder=holder | {"host": this_holder().host})
    second.renew(HOUR)
    assert token(store) == "second"


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b'{"holder":1}'])
def test_an_object_that_names_nobody_is_replaced(
    store: MemoryStore, first: Watcher, data: bytes
) -> None:
    """Nobody is kept away by what is no watch."""
    store.put_if_absent(PATH, data)
    first.leave()
    assert store.read(PATH).data == data
    first.renew(HOUR)
    assert token(store) == "first"


def test_a_time_that_is_none_names_nobody(
    store: MemoryStore, first: Watcher, second: Watcher
) -> None:
    """Whoever wrote it does not keep others away for ever."""
    first.renew(HOUR)
    edit(store, until="tomorrow")
    second.renew(HOUR)
    assert token(store) == "second"


def test_leaving_frees_the_place(store: MemoryStore, first: Watcher, second: Watcher) -> None:
    """Only one's own place; leaving twice, or before coming, is no error."""
    first.leave()
    first.renew(HOUR)
    second.leave()
    assert token(store) == "first"
    first.leave()
    first.leave()
    assert store.head(PATH) is None
    second.renew(HOUR)
    assert token(store) == "second"


def test_directories_have_watchers_of_their_own(store: MemoryStore, first: Watcher) -> None:
    """One store may have many directories."""
    first.renew(HOUR)
    Watcher(store, "other", "second").renew(HOUR)
    assert store.head(f"other/{WATCHER_NAME}") is not None


def test_of_two_that_come_at_once_one_watches(
    store: MemoryStore, second: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one whose write meets the other's looks again and is refused."""
    put = store.put_if_absent

    def late(path: str, data: bytes) -> str:
        monkeypatch.setattr(store, "put_if_absent", put)
        Watcher(store, "backup", "first").renew(HOUR)
        return put(path, data)

    monkeypatch.setattr(store, "put_if_absent", late)
    with pytest.raises(ConflictError, match="watches already"):
        second.renew(HOUR)
    assert token(store) == "first"
