"""Threads that work through objects: each once, within memory, to the first error."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from metasnapshot.errors import StorageError, UsageError
from metasnapshot.operations import crew as crews
from metasnapshot.operations.crew import Crew, Pace, Stopped, parse_size

COUNT = 500


@pytest.mark.parametrize("jobs", [1, 3, 8])
def test_each_place_is_worked_at_once(jobs: int) -> None:
    """Every place, and none twice."""
    done = Counter[int]()
    lock = threading.Lock()

    def work(place: int) -> None:
        with lock:
            done[place] += 1

    Crew(Pace(jobs)).work_through(range(COUNT), lambda _: 1 << 20, work)
    assert done == dict.fromkeys(range(COUNT), 1)


def test_memory_is_a_budget() -> None:
    """What is in flight never passes it, but for an object that is larger alone."""
    held = largest = 0
    lock = threading.Lock()

    def work(place: int) -> None:
        nonlocal held, largest
        with lock:
            held += sizes[place]
            largest = max(largest, held)
        with lock:
            held -= sizes[place]

    sizes = [1 << 20, 3 << 20, 2 << 20] * 100
    Crew(Pace(8, "4M")).work_through(range(len(sizes)), sizes.__getitem__, work)
    assert largest <= 4 << 20
    sizes = [9 << 20] * 8
    Crew(Pace(8, "4M")).work_through(range(8), sizes.__getitem__, work)
    assert largest == 9 << 20


@pytest.mark.parametrize("jobs", [1, 8])
def test_the_first_error_ends_all(jobs: int) -> None:
    """It is raised to whoever sent them, and few places are begun after it."""
    begun: list[int] = []

    def work(place: int) -> None:
        begun.append(place)
        if place == 3:
            raise StorageError("no room")

    with pytest.raises(StorageError, match="no room"):
        Crew(Pace(jobs)).work_through(range(1_000_000), lambda _: 1, work)
    assert len(begun) < 1_000_000
    assert threading.active_count() < 8


def test_an_error_of_the_places_is_raised() -> None:
    """Whoever says what is to be done next may fail too."""

    def places() -> Iterator[int]:
        yield 1
        raise StorageError("no list")

    with pytest.raises(StorageError, match="no list"):
        Crew(Pace(2)).work_through(places(), lambda _: 1, lambda _: None)


class _Clock:
    """A clock that goes when somebody waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, crew: Crew) -> None:
        self.now = 100.0
        monkeypatch.setattr(crews.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(crew.is_over, "wait", self.wait)

    def wait(self, pause: float) -> bool:
        self.now += pause
        return False


def test_bytes_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many bytes take as long as the limit says, to 5 %, whatever the sizes of the reads."""
    crew = Crew(Pace(bwlimit="10M"))
    clock = _Clock(monkeypatch, crew)
    start = clock.now
    for size in [1 << 20, 5, 3 << 20, 6 << 20, 10 << 20] * 5:
        crew.take(size)
    assert clock.now - start == pytest.approx(10, rel=0.05)


def test_without_a_limit_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any number of bytes at once."""
    crew = Crew(Pace())
    clock = _Clock(monkeypatch, crew)
    crew.take(1 << 50)
    assert clock.now == 100.0


def test_who_waits_for_bytes_is_told_of_the_end() -> None:
    """After an error nobody sleeps for his next bytes."""
    crew = Crew(Pace(2, bwlimit="1"))

    def work(place: int) -> None:
        if place:
            raise StorageError("over")
        crew.take(3600)

    with pytest.raises(StorageError, match="over"):
        crew.work_through(range(2), lambda _: 1, work)
    with pytest.raises(Stopped):
        crew.take(1)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("500", 500),
        ("64K", 65536),
        ("64M", 64 << 20),
        ("2GiB", 2 << 30),
        ("1MB", 1 << 20),
    ],
)
def test_sizes(text: str, size: int) -> None:
    """A number of bytes, or of 1,024s of them."""
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "M", "-1", "1.5G", "64m", "64 M", "1T", "9" * 16, "\u0663", "1G\n"]
)
def test_what_is_no_size(text: str) -> None:
    """Anything else is refused before it is used."""
    with pytest.raises(UsageError):
        parse_size(text)


@pytest.mark.parametrize(
    "options",
    [{"jobs": 0}, {"jobs": -1}, {"jobs": 257}, {"memory": "1K"}, {"bwlimit": "0"}, {"memory": "x"}],
)
def test_a_pace_that_is_none(options: dict[str, str | int]) -> None:
    """Numbers that make no sense are refused at once."""
    with pytest.raises(UsageError):
        Pace(**options)  # pyright: ignore[reportArgumentType]


def test_threads_come_while_those_at_work_sleep() -> None:
    """Who waits for a line leaves time to another: at last all are at it."""
    jobs = 8
    there = threading.Barrier(jobs, timeout=60)

    def work(_: int) -> None:
        there.wait()

    Crew(Pace(jobs)).work_through(range(jobs), lambda _: 1, work)


@pytest.mark.parametrize(("size", "alone"), [(1000, True), (1 << 20, False)])
def test_no_thread_comes_that_finds_nothing(
    monkeypatch: pytest.MonkeyPatch, size: int, *, alone: bool
) -> None:
    """While the one at work is busy it stays the only one; small objects ask for the interpreter,
    large ones for processors.
    """
    asked, at_work, waited, looks = set[bool](), set[int](), list[bool](), threading.Semaphore(0)

    class Busy:
        def __init__(self, ids: list[int]) -> None:
            assert len(ids) == 1

        def is_idle(self, *, alone: bool) -> bool:
            asked.add(alone)
            looks.release()
            return False

    def work(place: int) -> None:
        at_work.add(threading.get_ident())
        if place:
            looks.release()
        while not place and len(at_work) == 1 and len(waited) < 5:  # a second would come by then
            waited.append(looks.acquire(timeout=60))

    monkeypatch.setattr(crews, "Load", Busy)
    Crew(Pace(8)).work_through(range(100), lambda _: size, work)
    assert (len(at_work), asked, waited) == (1, {alone}, [True] * 5)
