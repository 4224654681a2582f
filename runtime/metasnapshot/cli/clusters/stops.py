"""SIGINT and SIGTERM while processes of ours are at work: they are noted, and wake who waits. An
exception out of a handler could come between the start of a process and the note of it.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from types import FrameType

from metasnapshot.cli.process import interrupts

NUMBERS = (signal.SIGINT, signal.SIGTERM)


class Stops:
    """What came.

    Attributes:
        count: how many.
        number: the last one.
        pipe: can be read when one came.
    """

    def __init__(self) -> None:
        self.count = 0
        self.number: int = signal.SIGTERM
        self.pipe, self._write = os.pipe()
        for end in (self.pipe, self._write):
            os.set_blocking(end, False)

    def note(self, number: int, frame: FrameType | None = None) -> None:
        """A signal's handler."""
        del frame
        self.count += 1
        self.number = number
        interrupts.seen = True
        interrupts.is_asked = interrupts.is_asked or number == signal.SIGTERM
        with suppress(BlockingIOError):  # full of what wakes already
            os.write(self._write, b"x")

    def drain(self) -> None:
        """Forget what woke."""
        with suppress(BlockingIOError):
            os.read(self.pipe, 1 << 10)

    def close(self) -> None:
        """Close the pipe."""
        os.close(self.pipe)
        os.close(self._write)


@contextmanager
def noted_stops() -> Generator[Stops]:
    """Note signals for the block, but for one that our parent made us ignore."""
    stops = Stops()
    is_main = threading.current_thread() is threading.main_thread()
    taken = [it for it in NUMBERS if is_main and signal.getsignal(it) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stops.note) for number in taken}
    try:
        yield stops
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        stops.close()
