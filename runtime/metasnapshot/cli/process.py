"""What the command does to its own process: standard files, signals, the size of the screen.

This module imports nothing but the standard library's small parts: it is at work before the rest of
the command is there, for a Ctrl-C of the first second too. A library must not do any of it.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

INTERRUPTED = 130
AGAIN_S = 0.02
"""After an interrupt that was lost in a callback, the next try."""
SCREEN_MAX = 10_000
SCREEN = {"COLUMNS": 20, "LINES": 1}
"""Variables that rich reads, and the least that it can draw on."""


class Interrupts:
    """SIGINT and SIGTERM: each raises KeyboardInterrupt; whatever fails afterwards failed by it."""

    def __init__(self) -> None:
        self.seen = False
        self.is_asked = False
        """Whether it was SIGTERM: who sends it asks for an end, and does not break off."""
        self._hook: Callable[[Any], Any] = sys.__unraisablehook__

    @contextmanager
    def arranged(self) -> Generator[None]:
        """Take the signals of this process for the block, but for one that its parent made it
        ignore.
        """
        self.seen = self.is_asked = False
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
        before = {number: signal.getsignal(number) for number in numbers}
        self._hook = sys.unraisablehook
        for number in numbers:
            if before[number] is not signal.SIG_IGN or number == signal.SIGALRM:
                signal.signal(number, self.interrupt)
        sys.unraisablehook = self.catch
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            sys.unraisablehook = self._hook
            for number in numbers:
                signal.signal(number, before[number])

    def interrupt(self, number: int, frame: FrameType | None) -> NoReturn:
        """A signal's handler."""
        del frame
        self.seen = True
        self.is_asked = self.is_asked or number == signal.SIGTERM
        raise KeyboardInterrupt

    def catch(self, lost: Any) -> None:
        """An exception that Python cannot raise where it is, as in a callback out of C. An
        interrupt must not be lost there: it comes again when the callback is over.
        """
        if isinstance(lost.exc_value, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
        else:
            self._hook(lost)


interrupts = Interrupts()
"""Of this process."""


@contextmanager
def uninterrupted() -> Generator[None]:
    """Signals that come in the block come after it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave_at_once(number: int, frame: FrameType | None) -> None:
    """The handler of signals while nothing is open yet, or when all is told."""
    del number, frame
    if interrupts.seen:
        return
    os.write(2, b"error: interrupted\n")
    os._exit(INTERRUPTED)


def begin() -> None:
    """Make the process fit to load the command."""
    open_standard_files()
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, leave_at_once)


def end() -> None:
    """From here on signals are ignored: all is told, and the exit code is the one that was told."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def open_standard_files() -> None:
    """Open those of 0, 1 and 2 that the parent closed: the next file that is opened would be one of
    them, and get what is said. Reading gives nothing; writing a result fails, a note is dropped.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            flags = os.O_WRONLY if name == "stderr" else os.O_RDONLY
            opened = os.open(os.devnull, flags)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            file = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - as Python's
            setattr(sys, name, file)


def prepare() -> None:
    """Make output safe: a terminal may not know every letter; a screen without a size that can be
    drawn on has the usual one.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    for name, least in SCREEN.items():
        given = os.environ.get(name, "")
        is_number = given.isascii() and given.isdigit() and len(given) <= len(str(SCREEN_MAX))
        if given and not (is_number and least <= int(given) <= SCREEN_MAX):
            del os.environ[name]


def discard_output() -> None:
    """Write what is left in the buffer of stdout, and all that follows, to nowhere."""
    try:
        number = sys.stdout.fileno()
    except (OSError, ValueError):  # of a test, not of a process
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
