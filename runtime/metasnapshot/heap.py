"""How memory that is freed goes back to the system, in a process that is ours alone.

glibc gives a large block back when it is freed, but learns to keep blocks of up to 32 MiB once it
has freed some; what it keeps lies in pieces. So a read that works for long holds the more the
longer it works. A library must not change that for the program that uses it.
"""

from __future__ import annotations

import sys

LARGE = 1 << 20
"""Bytes of a block that goes back at once; smaller ones are many, and wanted again soon."""
M_MMAP_THRESHOLD = -3
"""Of glibc's mallopt(3); to set it ends the learning."""


def return_large_blocks() -> None:
    """Let large blocks go back to the system as soon as they are freed, where the C library has a
    word for that.
    """
    if sys.platform != "linux":
        return
    import ctypes  # noqa: PLC0415 - few verbs hold large blocks

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE)
