"""What a local disk is told to keep, as far as its file system can be told."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path
from typing import BinaryIO

UNKNOWN_CALL = {errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOTTY}
"""What file systems say to a call that they do not know."""
logger = logging.getLogger(__name__)


def sync_file(file: BinaryIO, directory: Path) -> None:
    """Have a file's bytes on the disk; the directory is where it lies."""
    file.flush()
    _sync(file.fileno(), directory)


def sync_directory(directory: Path) -> None:
    """Have the names in a directory on the disk."""
    try:
        descriptor = os.open(directory, os.O_RDONLY)
    except PermissionError:  # it may be written and not read: nobody can sync it then
        return
    try:
        _sync(descriptor, directory)
    finally:
        os.close(descriptor)


def _sync(descriptor: int, directory: Path) -> None:
    """Sync, where the file system knows that; CIFS and some in user space do not."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in UNKNOWN_CALL:
            raise
        logger.warning(
            "the file system of %s does not say when what is written there is on the disk",
            directory,
        )
