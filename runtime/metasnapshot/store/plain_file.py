"""A whole file by as few calls of the system as there may be: many small ones are read so."""

from __future__ import annotations

import os
import stat


def read_plain_file(target: str, size_max: int) -> bytes | None:
    """All bytes of a regular file; None if it is none, or has more than it may.

    It is looked at before it is opened: a device may do anything then.

    Args:
        target: its path.
        size_max: how many bytes it may have.

    Raises:
        OSError: it cannot be read.
    """
    if not stat.S_ISREG(os.stat(target).st_mode):  # noqa: PTH116 - a Path costs more than the call
        return None
    descriptor = os.open(target, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > size_max:
            return None
        data = os.read(descriptor, found.st_size + 1)
        return data if len(data) == found.st_size else None
    finally:
        os.close(descriptor)
