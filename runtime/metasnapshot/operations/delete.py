"""delete and keep: take snapshots away, or mark them so that nobody does."""

from __future__ import annotations

from collections.abc import Iterable

from metasnapshot.catalogue import changes
from metasnapshot.catalogue.bases import kept_by_operator, mark_by_operator
from metasnapshot.catalogue.facts import read_facts
from metasnapshot.catalogue.ledger import read_ledger, require_unkept
from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.catalogue.repository import Repository
from metasnapshot.store.codes import Denied
from metasnapshot.store.deletes import require_deletes


def plan_delete(repository: Repository, ids: Iterable[int]) -> list[ManifestEntry]:
    """The entries that a delete would take away.

    Raises:
        SnapshotNotFound: the manifest lacks one of them.
        RetentionLocked: one of them is kept.
    """
    entries = [repository.entry(snapshot_id) for snapshot_id in dict.fromkeys(ids)]
    ledger = read_ledger(repository.store, repository.directory)
    kept = kept_by_operator(ledger, read_facts(repository.store, repository.directory))
    require_unkept(kept, [entry.id for entry in entries])
    return entries


def delete(repository: Repository, ids: Iterable[int]) -> list[ManifestEntry]:
    """Delete snapshots, first from the manifest, then their files. A file that the service retains
    stays (`repository.stays`); gc takes it when its time has come. Deltas of what goes that stay
    themselves are rewritten first.

    Raises:
        SnapshotNotFound: the manifest lacks one of them; nothing is deleted.
        RetentionLocked: one of them is kept; nothing is deleted.
        Denied: the key may not delete; nothing is deleted.
    """
    entries = plan_delete(repository, ids)
    require_may_delete(repository)
    gone = {entry.id for entry in entries}
    from metasnapshot.operations.rebase import freed_bases  # noqa: PLC0415 - loads numpy

    with freed_bases(repository, gone):
        changes.delete(repository, gone)
    return entries


def require_may_delete(repository: Repository) -> None:
    """See that objects may be deleted, before entries go whose files would stay.

    Raises:
        Denied: they may not; nothing was deleted.
    """
    try:
        require_deletes(repository.store, repository.directory)
    except Denied as error:
        raise Denied(f"nothing was deleted: {error}", hint=error.hint) from error


def keep(repository: Repository, ids: Iterable[int], *, release: bool = False) -> list[int]:
    """Mark snapshots as kept, or let go of them; returns all that are kept now.

    Raises:
        SnapshotNotFound: the manifest lacks one of them.
    """
    wanted = {repository.entry(snapshot_id).id for snapshot_id in ids}
    return mark_by_operator(repository, wanted, release=release)
