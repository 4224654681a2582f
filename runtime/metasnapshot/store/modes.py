"""Who may read the files that are made in a local directory.

A snapshot holds the cluster's passwords in clear. What RisingWave reads too (the manifest and the
snapshots) has mode, group and, where this process may give it away, owner of the manifest that is
there; in a new directory the mode that was asked for. What it reads of its state store keeps its
own. All else is ours alone.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
from pathlib import Path

from metasnapshot.store.context import OURS

logger = logging.getLogger(__name__)
MANIFEST = "manifest.json"
SNAPSHOT = ".snapshot"
STATE = ("checkpoint", "cluster_id")
"""Directories of a state store whose objects a meta node reads."""
STATE_SUFFIXES = (".data", ".vector", ".hnsw_graph")
"""Of Hummock's objects, which every node reads."""
_UMASK = os.umask(0o077)
os.umask(_UMASK)  # there is no other way to learn it


def give_mode(descriptor: int, target: Path, new_mode: int = OURS) -> None:
    """Give an open file the mode that it shall have as this one.

    Args:
        descriptor: the open file.
        target: the name that it will have.
        new_mode: of manifests and snapshots in a directory that has no manifest.
    """
    model, mode = _model(target, new_mode)
    try:
        found = None if model is None else model.stat()
    except OSError:
        found = None
    if found is None:
        _change_mode(descriptor, mode, target)
        return
    owner = found.st_uid if os.geteuid() == 0 else -1
    own = os.fstat(descriptor)
    if (own.st_gid, own.st_uid) != (found.st_gid, found.st_uid if owner != -1 else own.st_uid):
        try:
            os.fchown(descriptor, owner, found.st_gid)
        except OSError:
            logger.warning("%s cannot be given the group of %s", target, model)
    # After the group: a change of it clears bits.
    _change_mode(descriptor, stat.S_IMODE(found.st_mode), target)


def _change_mode(descriptor: int, mode: int, target: Path) -> None:
    """Change the mode, where the file system has any."""
    try:
        os.fchmod(descriptor, mode)
    except OSError as error:
        if error.errno not in {errno.EPERM, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS}:
            raise
        logger.warning("%s has the mode that its file system gives it, not %04o", target, mode)


def _model(target: Path, new_mode: int) -> tuple[Path | None, int]:
    """The file whose mode it takes, if there is one, and its mode if that is not there."""
    if target.name == MANIFEST or target.suffix == SNAPSHOT:
        return target.parent / MANIFEST, new_mode
    if target.parent.name in STATE:
        return target, 0o666 & ~_UMASK
    if target.suffix in STATE_SUFFIXES:
        return None, 0o666 & ~_UMASK
    return None, OURS
