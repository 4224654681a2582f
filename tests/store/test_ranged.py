"""A file over an object that is read by ranges."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Generator

import pytest

from metasnapshot.errors import StorageError
from metasnapshot.store import ranged
from metasnapshot.store.ranged import AHEAD, RangedFile

BLOCK = 1 << 17
"""Larger than the buffer before it, smaller than in earnest."""
DATA = os.urandom(10 * BLOCK + 77)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """And no thread is left when a test is over."""
    monkeypatch.setattr(ranged, "BLOCK_SIZE", BLOCK)
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) - before == set()


class Service:
    """Gives ranges of an object, and knows which were asked for."""

    def __init__(self, data: bytes = DATA) -> None:
        self.data = data
        self.asked = list[tuple[int, int]]()

    def fetch(self, start: int, end: int) -> bytes:
        self.asked.append((start, end))
        return self.data[start:end]

    def open(self) -> RangedFile:
        return RangedFile(self.fetch, len(self.data))


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 4 * BLOCK, len(DATA)])
def test_read_to_its_end_it_is_the_object(size: int) -> None:
    """Of any size; each byte is asked for once."""
    service = Service(DATA[:size])
    with service.open() as file:
        assert file.read() == DATA[:size]
        assert file.read() == b""
    assert sum(end - start for start, end in service.asked) == size
    assert len(set(service.asked)) == len(service.asked) == -(-size // BLOCK)


def test_small_reads_make_large_requests() -> None:
    """Rows of a hundred bytes come out of blocks."""
    service = Service()
    with service.open() as file:
        parts = list(iter(lambda: file.read(100), b""))
    assert b"".join(parts) == DATA
    assert len(service.asked) == 11


def test_blocks_are_fetched_ahead() -> None:
    """While the first is being read the next ones are on their way, and no more than that."""
    service = Service()
    with service.open() as file:
        file.read(1)
    assert len(service.asked) <= AHEAD
    together = threading.Barrier(AHEAD, timeout=600)

    def fetch(start: int, end: int) -> bytes:
        if start < AHEAD * BLOCK:
            together.wait()  # nobody comes back before all are asked for
        return DATA[start:end]

    with RangedFile(fetch, len(DATA)) as file:
        assert file.read() == DATA


def test_a_look_at_one_place_fetches_one_block() -> None:
    """The end of a file, where its checksum is, costs one request."""
    service = Service()
    with service.open() as file:
        assert file.seek(-8, io.SEEK_END) == len(DATA) - 8
        assert file.read() == DATA[-8:]
    assert service.asked == [(10 * BLOCK, len(DATA))]
    service = Service()
    with service.open() as file:
        file.seek(5 * BLOCK + 3)
        assert file.read(4) == DATA[5 * BLOCK + 3 :][:4]
    assert service.asked == [(5 * BLOCK, 6 * BLOCK)]


@pytest.mark.parametrize(
    "places",
    [
        (0, 9, 0),
        (9, 5, 1),
        (3, 3, 3),
        (1, 4, 7, 10),
        (2, 8, 3, 9, 4),
    ],
    ids=str,
)
def test_seeks_lead_where_they_should(places: tuple[int, ...]) -> None:
    """Forwards, backwards, and to where one was."""
    with Service().open() as file:
        for place in places:
            start = place * BLOCK + 5
            assert file.seek(start) == start
            assert file.read(50) == DATA[start : start + 50]
            assert file.tell() == start + len(DATA[start : start + 50])


def test_seeks_count_from_start_place_and_end() -> None:
    """Beyond the end there is nothing, and that is no error."""
    with Service().open() as file:
        assert file.seekable()
        assert file.seek(10) == 10
        assert file.seek(5, io.SEEK_CUR) == 15
        assert file.seek(0, io.SEEK_END) == len(DATA)
        assert file.read() == b""
        file.seek(100, io.SEEK_END)
        assert file.read(1) == b""


@pytest.mark.parametrize("delta", [-1, 1])
def test_an_answer_of_another_length_is_an_error(delta: int) -> None:
    """A connection that was cut gives no bytes that look like all there is."""

    def fetch(start: int, end: int) -> bytes:
        return (DATA + b"x")[start : end + delta] if start == 2 * BLOCK else DATA[start:end]

    with RangedFile(fetch, len(DATA)) as file:
        assert file.read(2 * BLOCK) == DATA[: 2 * BLOCK]
        with pytest.raises(StorageError, match=f"{BLOCK} bytes .* {BLOCK + delta} came"):
            file.read(1)


def test_a_failure_of_the_service_comes_where_it_is_read() -> None:
    """Blocks before it are still read, and it stays an error."""
    failure = StorageError("503, slow down")

    def fetch(start: int, end: int) -> bytes:
        if start == BLOCK:
            raise failure
        return DATA[start:end]

    with RangedFile(fetch, len(DATA)) as file:
        assert file.read(BLOCK) == DATA[:BLOCK]
        for _ in range(2):
            with pytest.raises(StorageError) as caught:
                file.read(1)
            assert caught.value is failure


def test_closing_early_ends_all_requests() -> None:
    """Those under way are waited for, the others never begin; closing twice is no error."""
    service = Service()
    file = service.open()
    file.read(1)
    file.close()
    file.close()
    done = len(service.asked)
    with pytest.raises(ValueError, match="closed"):
        file.read(1)
    assert len(service.asked) == done


def test_back_to_the_block_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read once is read again, from any block to any other."""
    monkeypatch.setattr(ranged, "BLOCK_SIZE", 1 << 17)
    data = os.urandom(3 << 17)
    with RangedFile(lambda start, end: data[start:end], len(data)) as file:
        for start in (0, 0, 2 << 17, 1 << 17, 0, 1 << 17):
            file.seek(start)
            assert file.read() == data[start:]
