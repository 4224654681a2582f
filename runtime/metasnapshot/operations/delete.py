"""delete and keep: take snapshots away, or mark them so that nobody does."""

from __future__ import annotations

from collections.abc import Iterable

from metasnapshot.catalogue.ledger import Ledger, change_ledger, read_ledger
from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import RetentionLocked


def plan_delete(repository: Repository, ids: Iterable[int]) -> list[ManifestEntry]:
    """The entries that a delete would take away.

    Raises:
        SnapshotNotFound: the manifest lacks one of them.
        RetentionLocked: one of them is kept.
    """
    entries = [repository.entry(snapshot_id) for snapshot_id in dict.fromkeys(ids)]
    kept = read_ledger(repository.store, repository.directory).kept
    locked = [entry.id for entry in entries if entry.id in kept]
    if locked:
        raise RetentionLocked(
            f"kept: {', '.join(map(str, locked))}",
            hint=f"`metasnapshot keep {locked[0]} --release` lets go of it",
        )
    return entries


def delete(repository: Repository, ids: Iterable[int]) -> list[ManifestEntry]:
    """Delete snapshots, first from the manifest, then their files.

    Raises:
        SnapshotNotFound: the manifest lacks one of them; nothing is deleted.
        RetentionLocked: one of them is kept; nothing is deleted.
    """
    entries = plan_delete(repository, ids)
    gone = [entry.id for entry in entries]
    repository.delete(gone)
    return entries


def keep(repository: Repository, ids: Iterable[int], *, release: bool = False) -> list[int]:
    """Mark snapshots as kept, or let go of them; returns all that are kept now.

    Raises:
        SnapshotNotFound: the manifest lacks one of them.
    """
    wanted = {repository.entry(snapshot_id).id for snapshot_id in ids}

    def change(ledger: Ledger) -> None:
        kept = set(ledger.kept)
        ledger.kept = sorted(kept - wanted if release else kept | wanted)

    return change_ledger(repository.store, repository.directory, change).kept
