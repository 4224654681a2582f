"""The lock of a directory: one holder, named; whoever dies holds it no longer."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from metasnapshot.errors import ConflictError
from metasnapshot.store.lock import LOCK_NAME, Holder, locked, parse_holder, this_holder


def holder_process(directory: Path) -> int:
    """A process that takes the lock, says so, and keeps it until it is killed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        with locked(directory):
            os.write(writer, b"!")
            signal.pause()
        os._exit(0)
    assert os.read(reader, 1) == b"!"
    os.close(reader)
    os.close(writer)
    return child


def kill(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_a_second_process_is_told_who_holds_it(tmp_path: Path) -> None:
    """It waits for a while, then names process and host."""
    child = holder_process(tmp_path)
    try:
        with (
            pytest.raises(ConflictError, match=rf"locked by process {child} on "),
            locked(tmp_path, wait_s=0.05),
        ):
            pytest.fail("two hold it")
    finally:
        kill(child)


def test_the_lock_of_a_dead_process_is_free(tmp_path: Path) -> None:
    """The file still names it; the lock is taken at once all the same."""
    child = holder_process(tmp_path)
    kill(child)
    left = parse_holder((tmp_path / LOCK_NAME).read_bytes())
    assert left is not None
    assert (left.pid, left.is_gone) == (child, True)
    with locked(tmp_path, wait_s=0):
        now = parse_holder((tmp_path / LOCK_NAME).read_bytes())
        assert now is not None
        assert (now.pid, now.is_gone) == (os.getpid(), False)
    assert (tmp_path / LOCK_NAME).read_bytes() == b""


def test_a_holder_may_take_it_again(tmp_path: Path) -> None:
    """And holds it until the outer block ends."""
    with locked(tmp_path):
        with locked(tmp_path, wait_s=0):
            pass
        assert (tmp_path / LOCK_NAME).read_bytes() != b""


def test_of_another_host_nobody_knows_whether_it_lives() -> None:
    """Its process number means nothing here."""
    assert not Holder(1 << 22, "elsewhere", this_holder().since).is_gone


@pytest.mark.parametrize("data", [b"", b"somebody", b'{"pid":1}', b"\xff"])
def test_a_text_that_names_nobody(data: bytes) -> None:
    """Is no error: the lock is the system's, not the text's."""
    assert parse_holder(data) is None
