"""Does one more thread find anything to do? The system says how busy those at work are."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest

from metasnapshot.operations import load
from metasnapshot.operations.load import Load

LOOK_S = 0.1
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")


def is_idle(thread: threading.Thread, *, alone: bool = True) -> bool:
    found = Load([thread.native_id])
    time.sleep(LOOK_S)
    return found.is_idle(alone=alone)


def test_a_thread_that_works_leaves_nothing() -> None:
    """Also on a machine that others keep busy: who waits for a processor is not idle."""
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            sum(range(1000))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert not is_idle(thread)
    finally:
        over.set()
        thread.join()


def test_a_thread_that_sleeps_leaves_all() -> None:
    """Of the interpreter, and of the processors."""
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    try:
        assert is_idle(thread)
        assert is_idle(thread, alone=False)
    finally:
        over.set()
        thread.join()


def test_where_nobody_tells_all_are_idle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Then all threads are started, as many as were asked for."""
    monkeypatch.setattr(load, "_TASKS", tmp_path / "none")
    assert Load([1, None]).is_idle(alone=True)
