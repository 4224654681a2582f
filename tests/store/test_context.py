"""What a caller says of stores, and who is told how far they are."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from metasnapshot.errors import UsageError
from metasnapshot.store.context import PLAIN, Context, Progress
from metasnapshot.store.memory import MemoryStore
from metasnapshot.store.url import open_store
from metasnapshot.store.watched import PAGE, STEP, watched


@pytest.mark.parametrize("mode", [0, 0o400, 0o200, 0o700, 0o611, 0o1600, 0o667, -1])
def test_a_mode_that_serves_nobody_is_refused(mode: int) -> None:
    """We could not read or write the file, or somebody could execute it."""
    with pytest.raises(UsageError, match="mode"):
        Context(file_mode=mode)


def test_two_threads_have_contexts_of_their_own(tmp_path: Path) -> None:
    """The mode of the files of each is the one that it said."""
    both = Barrier(2)

    def make(mode: int) -> int:
        store = open_store(f"fs://{tmp_path}/{mode}", Context(file_mode=mode))
        both.wait(30)
        store.put_if_absent("backup/manifest.json", b"{}")
        return stat.S_IMODE((tmp_path / str(mode) / "backup/manifest.json").stat().st_mode)

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(make, (0o600, 0o644))) == [0o600, 0o644]


def test_reads_writes_and_listings_are_told() -> None:
    """Each has a number of its own, a beginning, steps, and one end."""
    told: list[Progress] = []
    inner = MemoryStore()
    store = watched(inner, Context(on_progress=told.append))
    data = b"x" * (2 * STEP)
    with store.open_writer("a/1") as file:
        file.write(data[:STEP])
        file.write(data[STEP:])
    with store.open_reader("a/1") as file:
        assert file.read() == data
    for number in range(PAGE):
        inner.put_if_absent(f"b/{number}", b"")
    assert len(list(store.list(""))) == PAGE + 1
    shown = [(it.title, it.done, it.total, it.unit, it.is_over) for it in told]
    assert shown == [
        ("writing a/1", 0, None, "bytes", False),
        ("writing a/1", STEP, None, "bytes", False),
        ("writing a/1", 2 * STEP, None, "bytes", False),
        ("writing a/1", 2 * STEP, None, "bytes", True),
        ("reading a/1", 0, 2 * STEP, "bytes", False),
        ("reading a/1", 2 * STEP, 2 * STEP, "bytes", False),
        ("reading a/1", 2 * STEP, 2 * STEP, "bytes", True),
        ("listing ", 0, None, "objects", False),
        ("listing ", 0, None, "objects", False),
        ("listing ", PAGE, None, "objects", False),
        ("listing ", PAGE, None, "objects", True),
    ]
    assert len({it.task for it in told}) == 3


def test_a_listener_may_end_the_work() -> None:
    """What it raises comes out of the operation, and nothing is written."""
    inner = MemoryStore()

    def stop(found: Progress) -> None:
        if found.done:
            raise KeyboardInterrupt

    store = watched(inner, Context(on_progress=stop))
    with pytest.raises(KeyboardInterrupt), store.open_writer("a") as file:
        file.write(b"x" * STEP)
    assert inner.head("a") is None


def test_without_a_listener_nothing_is_wrapped() -> None:
    """A store costs what it costs."""
    store = MemoryStore()
    assert watched(store, PLAIN) is store
