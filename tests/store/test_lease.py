"""Conditional writes under a lease, over a store that can only overwrite."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from overwritable import OverwritableMemory

from metasnapshot.errors import ConflictError
from metasnapshot.store import lease as module
from metasnapshot.store.lease import LEASE_NAME, Claim, LeasedStore, leased
from metasnapshot.store.local import LocalStore
from metasnapshot.store.lock import Holder
from metasnapshot.store.swap import change_object

WAIT_S = 600
GONE = Holder(4711, "elsewhere", "2026-01-01T00:00:00+00:00")


class PlainMemory(OverwritableMemory):
    """Objects in memory, to be overwritten only."""

    def put_if_absent(self, path: str, data: bytes) -> str:
        raise AssertionError(f"{path}: a plain store has no conditions for {data!r}")

    def put_if_match(self, path: str, data: bytes, etag: str) -> str:
        raise AssertionError(f"{path}: a plain store has no conditions for {data!r}, {etag}")


class PlainFiles(LocalStore):
    """Files, to be overwritten only."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._files = root

    def put(self, path: str, data: bytes) -> str:
        with self._temporary(path) as (file, temporary):
            file.write(data)
            file.flush()
            temporary.replace(self._files / path)
        return ""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for long between two looks."""
    monkeypatch.setattr(module, "POLL_S", 0.001)


@pytest.fixture
def plain() -> PlainMemory:
    return PlainMemory()


def claim(store: PlainMemory, name: str, number: int, directory: str = "d") -> str:
    """Put somebody's claim; returns its path."""
    path = f"{directory}/{LEASE_NAME}/{name}"
    store.put(path, msgspec.json.encode(Claim(number, GONE)))
    return path


def claims(store: PlainMemory) -> list[str]:
    return [head.path for head in store.list("") if LEASE_NAME in head.path]


def together(count: int, work: Callable[[int], None]) -> None:
    """Do something in several threads at once."""
    failures = list[BaseException]()

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert failures == []
    assert not any(thread.is_alive() for thread in threads)


def count_up(data: bytes | None) -> bytes:
    return b"%d" % (int(data or b"0") + 1)


def count_in_process(root: Path, times: int) -> None:
    module.POLL_S = 0.001
    for _ in range(times):
        change_object(LeasedStore(PlainFiles(root)), "d/n", count_up)


def test_threads_lose_no_update(plain: PlainMemory) -> None:
    """Six that count up one object reach the sum, and no claim is left."""

    def work(_: int) -> None:
        store = LeasedStore(plain)
        for _ in range(10):
            change_object(store, "d/n", count_up)

    together(6, work)
    assert plain.read("d/n").data == b"60"
    assert claims(plain) == []


def test_processes_lose_no_update(tmp_path: Path) -> None:
    """Nor do processes that know of each other by the store alone."""
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=count_in_process, args=(tmp_path, 10)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(WAIT_S)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert (tmp_path / "d" / "n").read_bytes() == b"30"
    assert list((tmp_path / "d" / LEASE_NAME).iterdir()) == []


def test_one_at_a_time_is_inside(plain: PlainMemory) -> None:
    """Of one directory; another directory has a lease of its own."""
    inside, most = list[int](), list[int]()

    def work(number: int) -> None:
        with leased(plain, "d"):
            inside.append(number)
            time.sleep(0.01)
            most.append(len(inside))
            inside.remove(number)

    together(5, work)
    assert most == [1] * 5

    def elsewhere(_: int) -> None:
        with leased(plain, "other", wait_s=0):
            assert len(claims(plain)) == 2

    with leased(plain, "d"):
        together(1, elsewhere)


def test_one_of_two_creations_holds(plain: PlainMemory) -> None:
    """The others are told that it exists."""
    done = list[int]()

    def work(number: int) -> None:
        try:
            LeasedStore(plain).put_if_absent("d/x", b"%d" % number)
        except ConflictError:
            return
        done.append(number)

    together(4, work)
    assert [b"%d" % number for number in done] == [plain.read("d/x").data]


def test_a_thread_may_take_it_again(plain: PlainMemory) -> None:
    """And holds it until the outer block ends, by one claim."""
    with leased(plain, "d"):
        with leased(plain, "d", wait_s=0):
            assert len(claims(plain)) == 1
        assert len(claims(plain)) == 1
    assert claims(plain) == []


def test_a_claim_goes_with_its_block(plain: PlainMemory) -> None:
    """However the block ends, and also if the lease was never got."""
    with pytest.raises(ZeroDivisionError), leased(plain, "d"):
        raise ZeroDivisionError
    assert claims(plain) == []
    other = claim(plain, "other", 1)
    with pytest.raises(ConflictError), leased(plain, "d", wait_s=0):
        pytest.fail("two hold it")
    assert claims(plain) == [other]


def test_a_claim_that_is_none_is_somebodys(plain: PlainMemory) -> None:
    """Half a claim may be of who is writing it."""
    plain.put(f"d/{LEASE_NAME}/other", b'{"num')
    with pytest.raises(ConflictError, match="on somebody"), leased(plain, "d", wait_s=0):
        pytest.fail("two hold it")


def test_who_came_later_is_not_waited_for(plain: PlainMemory) -> None:
    """Its number is larger than the one it will have seen."""
    seen = plain.names

    def names_and_join(directory: str) -> object:
        found = seen(directory)
        claim(plain, "zz-later", 7)
        return found

    plain.names = names_and_join  # pyright: ignore[reportAttributeAccessIssue]
    with leased(plain, "d", wait_s=0):
        pass


def test_a_write_that_is_not_there_afterwards_is_a_conflict(plain: PlainMemory) -> None:
    """Somebody else wrote at the same moment, behind the lease's back."""
    put = plain.put

    def contested(path: str, data: bytes) -> str:
        etag = put(path, data)
        return put(path, b"theirs") if path == "d/x" else etag

    plain.put = contested  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ConflictError, match="d/x changed meanwhile"):
        LeasedStore(plain).put_if_absent("d/x", b"mine")
    assert plain.read("d/x").data == b"theirs"


def test_an_etag_is_of_the_bytes(plain: PlainMemory) -> None:
    """Whoever writes them; the plain store's own etags are of no importance."""
    store = LeasedStore(plain)
    etag = store.put_if_absent("d/x", b"1")
    plain.put("d/x", b"1")
    assert store.read("d/x").etag == etag
    assert store.put_if_match("d/x", b"2", etag) != etag


def test_those_who_waited_take_turns(plain: PlainMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    """All who wait for one claim get their turn when it is gone, and lose no update."""
    dead = claim(plain, "dead", 1)
    seen = threading.Barrier(4, action=lambda: plain.delete(dead), timeout=WAIT_S)
    waited = threading.local()
    sleep = time.sleep

    def wait(seconds: float) -> None:
        if not hasattr(waited, "once"):
            waited.once = True
            seen.wait()  # all wait for the dead, by claims of their own
        sleep(seconds)

    monkeypatch.setattr(module.time, "sleep", wait)

    def work(_: int) -> None:
        change_object(LeasedStore(plain), "d/n", count_up)

    together(4, work)
    assert plain.read("d/n").data == b"4"
