"""A file that goes up in parts while it is written."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Generator, Iterator

import pytest

from metasnapshot.errors import StorageError
from metasnapshot.store import upload as module
from metasnapshot.store.upload import QUEUE_PARTS, Upload

PART = 1000
WAIT_S = 600


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """And no thread is left when a test is over."""
    monkeypatch.setattr(module, "PART_SIZE", PART)
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) - before == set()


class Service:
    """Makes an object of the parts once they have ended, as multipart uploads do."""

    def __init__(self) -> None:
        self.parts = list[bytes]()
        self.object: bytes | None = None
        self.error: BaseException | None = None

    def send(self, parts: Iterator[bytes]) -> None:
        try:
            self.parts.extend(parts)
        except BaseException as error:
            self.error = error
            raise
        self.object = b"".join(self.parts)


@pytest.mark.parametrize("size", [1, PART - 1, PART, PART + 1, 5 * PART, 7 * PART + 3])
@pytest.mark.parametrize("piece", [1, 333, PART, 10 * PART])
def test_what_was_written_is_the_object(size: int, piece: int) -> None:
    """All parts but the last are of one size, however the bytes came."""
    service, data = Service(), os.urandom(size)
    upload = Upload(service.send)
    for start in range(0, size, piece):
        assert upload.write(data[start : start + piece]) == len(data[start : start + piece])
    assert upload.size == size
    upload.finish()
    assert service.object == data
    assert [len(part) for part in service.parts[:-1]] == [PART] * ((size - 1) // PART)


def test_less_than_a_part_stays_here() -> None:
    """It fits one request, which is the caller's to make; nothing was sent."""
    service = Service()
    upload = Upload(service.send)
    upload.write(b"a" * (PART - 1))
    assert (upload.is_small, upload.rest()) == (True, b"a" * (PART - 1))
    upload.write(b"bc")
    assert (upload.is_small, upload.rest()) == (False, b"c")
    upload.abandon()
    assert service.object is None
    upload = Upload(service.send)
    assert (upload.is_small, upload.rest()) == (True, b"")
    upload.abandon()
    assert service.parts in ([], [b"a" * (PART - 1) + b"b"])


def test_it_takes_whatever_has_bytes() -> None:
    """Arrays count by bytes, not by elements, and may change after they were written."""
    service = Service()
    upload = Upload(service.send)
    data = bytearray(b"abc")
    upload.write(data)
    data[:] = b"xyz"
    assert upload.write(memoryview(b"12345678").cast("Q")) == 8
    assert upload.rest() == b"abc12345678"
    with io.BufferedWriter(Upload(service.send)) as buffered:
        assert buffered.writable()
        buffered.write(b"d")


def test_nothing_is_an_object_before_the_end() -> None:
    """However many parts went up."""
    service = Service()
    upload = Upload(service.send)
    upload.write(bytes(20 * PART))
    assert service.object is None
    upload.finish()
    assert service.object == bytes(20 * PART)


def test_an_abandoned_file_makes_the_sender_fail() -> None:
    """So the service forgets the parts; abandoning twice, or what is finished, is no error."""
    service = Service()
    upload = Upload(service.send)
    upload.write(bytes(3 * PART))
    upload.abandon()
    upload.abandon()
    assert service.object is None
    assert service.error is not None
    with pytest.raises(StorageError, match="abandoned"):
        upload.finish()
    whole = Service()
    upload = Upload(whole.send)
    upload.write(bytes(3 * PART))
    upload.finish()
    upload.abandon()
    assert (whole.object, whole.error) == (bytes(3 * PART), None)


def test_a_failure_comes_out_of_the_next_write() -> None:
    """A writer does not go on for hours after the service refused the first part."""
    failure = StorageError("no space")

    def send(parts: Iterator[bytes]) -> None:
        next(parts)
        raise failure

    upload = Upload(send)
    with pytest.raises(StorageError) as caught:
        for _ in range(QUEUE_PARTS + 3):
            upload.write(bytes(PART))
    assert caught.value is failure
    upload.abandon()


def test_a_failure_at_the_end_comes_out_of_finish() -> None:
    """All parts went up and did not become an object."""
    failure = StorageError("completing the upload: 500")

    def send(parts: Iterator[bytes]) -> None:
        assert len(list(parts)) == 2
        raise failure

    upload = Upload(send)
    upload.write(bytes(PART + 1))
    for _ in range(2):
        with pytest.raises(StorageError) as caught:
            upload.finish()
        assert caught.value is failure
    upload.abandon()


def test_a_failure_that_is_nobodys_comes_out_too() -> None:
    """A bug in what sends is not lost in its thread."""

    def send(_: Iterator[bytes]) -> None:
        raise ZeroDivisionError

    upload = Upload(send)
    upload.write(bytes(1))
    with pytest.raises(ZeroDivisionError):
        upload.finish()


def test_a_slow_service_holds_the_writer() -> None:
    """Memory has the parts of a short queue, not the whole file."""
    go, taken, written = threading.Event(), list[bytes](), list[int]()

    def send(parts: Iterator[bytes]) -> None:
        assert go.wait(WAIT_S)
        taken.extend(parts)

    upload = Upload(send)

    def write() -> None:
        for number in range(QUEUE_PARTS + 5):
            upload.write(bytes(PART))
            written.append(number)
        upload.finish()

    writer = threading.Thread(target=write)
    writer.start()
    deadline = time.monotonic() + WAIT_S
    while len(written) < QUEUE_PARTS and time.monotonic() < deadline:
        time.sleep(0.01)
    writer.join(0.3)
    assert (len(written), taken, writer.is_alive()) == (QUEUE_PARTS, [], True)
    go.set()
    writer.join(WAIT_S)
    assert len(taken) == QUEUE_PARTS + 5


def test_it_tells_where_it_is() -> None:
    """As a file does that somebody shows the progress of."""
    file = Upload(lambda parts: [None for _ in parts].clear())
    file.write(b"12345")
    assert file.tell() == 5
