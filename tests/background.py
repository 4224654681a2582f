"""A job in the background is told to ignore Ctrl-C, and so is all that it starts: a test that sends
one would wait for ever. Both suites take it again, before anything is started.
"""

from __future__ import annotations

import signal


def take_interrupts() -> None:
    """Take SIGINT in this process, and in those that it starts, as in the foreground."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
