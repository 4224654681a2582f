"""The snapshot that a restore opens; where it is damaged or lost, which one could be restored."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager

from metasnapshot.catalogue.clusters import entries_of
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import DamageError, MetasnapshotError, ObjectMissing
from metasnapshot.format.reader import SnapshotReader

TRIES_MAX = 10
"""Snapshots that are read, each as a whole, to find a sound one."""


@contextmanager
def opened(repository: Repository, snapshot_id: int) -> Generator[SnapshotReader]:
    """Open a snapshot, verified.

    Raises:
        SnapshotNotFound: the manifest has no such id.
        DamageError, ObjectMissing: it is damaged or lost; the hint names the newest sound one.
    """
    with ExitStack() as stack:
        try:
            reader = stack.enter_context(repository.open(snapshot_id))
        except (DamageError, ObjectMissing) as error:
            error.hint = _way_out(repository, snapshot_id)
            raise
        yield reader


def newest_sound(repository: Repository, left_out: int) -> int | None:
    """The newest snapshot of the cluster whose file is sound; None if none of the newest is.

    Args:
        repository: where they are.
        left_out: one that is known not to be.
    """
    ids = sorted((entry.id for entry in entries_of(repository)), reverse=True)
    for number in [number for number in ids if number != left_out][:TRIES_MAX]:
        try:
            with repository.open(number) as reader:
                if not reader.is_v1:
                    return number
        except MetasnapshotError:
            continue
    return None


def _way_out(repository: Repository, snapshot_id: int) -> str:
    copy = "bring it back from another copy (metasnapshot copy)"
    try:
        sound = newest_sound(repository, snapshot_id)
    except MetasnapshotError:  # the directory is mixed: which ones count is not known
        return copy
    if sound is None:
        return f"{copy}; none of the {TRIES_MAX} newest is sound"
    newest = max(repository.ids)
    bump = " --bump-sequences" if snapshot_id == newest else ""
    return f"{copy}, or restore the newest sound one: metasnapshot restore {sound}{bump}"
