"""Backups and restores: a meta store and a backup directory, in either direction."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from metasnapshot.library.backups import Backups
from metasnapshot.library.meta_stores import MetaStore
from metasnapshot.library.picking import SnapshotId

if TYPE_CHECKING:
    from metasnapshot.operations.backup import BackupResult
    from metasnapshot.operations.backup_full import FullResult
    from metasnapshot.operations.backup_options import BackupOptions
    from metasnapshot.operations.crew import Pace
    from metasnapshot.operations.restore.plan import RestoreOptions, RestorePlan
    from metasnapshot.operations.restore.restoration import RestoreResult, Restoring


def backup(
    meta_store: MetaStore, backups: Backups, options: BackupOptions | None = None
) -> BackupResult:
    """Back up a meta store into a new snapshot.

    Args:
        meta_store: where the metadata is.
        backups: where the snapshot goes.
        options: how.

    Raises:
        UsageError: the directory is the cluster's own.
        UnknownFormat: the schema is of no known release, or has something that a snapshot would
            leave out.
        InconsistentStore: the version deltas do not lead on from the checkpoint, or the store
            contradicts itself.
        ObjectMissing: there is no checkpoint.
        DamageError: what was written does not read back; it was deleted again.
    """
    opening, found = meta_store.connect(), backups.repository
    from metasnapshot.operations import backup as operation

    with opening as opened:
        return operation.backup(opened, found, options)


def backup_full(
    meta_store: MetaStore,
    backups: Backups,
    options: BackupOptions | None = None,
    pace: Pace | None = None,
    *,
    rounds_max: int | None = None,
) -> FullResult:
    """Back up a meta store into a new snapshot, and copy every object that it needs and that is not
    there yet.

    Args:
        meta_store: where the metadata is.
        backups: where the snapshot and the objects go.
        options: how to back up.
        pace: how fast to copy.
        rounds_max: so many times objects that vanished are looked for in a newer version.

    Raises:
        UsageError: the directory lies below a data directory.
        ConflictError: it is another cluster's, or an object of another life has a name.
        MetasnapshotError: as backup.
    """
    opening, found = meta_store.connect(), backups.repository
    from metasnapshot.operations.backup import BackupOptions
    from metasnapshot.operations.backup_full import backup_full as run
    from metasnapshot.operations.crew import ROUNDS, Pace

    rounds = ROUNDS if rounds_max is None else rounds_max
    with opening as opened:
        return run(opened, found, options or BackupOptions(), pace or Pace(), rounds_max=rounds)


@contextmanager
def restoring(
    backups: Backups,
    snapshot_id: SnapshotId,
    meta_store: MetaStore,
    options: RestoreOptions | None = None,
    pace: Pace | None = None,
) -> Generator[Restoring]:
    """A snapshot and a meta store, open for a restore: `plan()` says and checks what it would do,
    `load()` does it, if what is to be emptied is still what the plan said.

    Args:
        backups: where the snapshot is.
        snapshot_id: which one.
        meta_store: where its rows go.
        options: how.
        pace: how fast objects are copied.

    Raises:
        SnapshotNotFound: there is no such snapshot.
        DamageError: it is damaged, so that there is nothing to plan with.
        UnknownFormat: it is in the V1 format.
    """
    from metasnapshot.operations.restore import restoration
    from metasnapshot.operations.restore.plan import RestoreOptions

    found, chosen = backups.repository, options or RestoreOptions()
    number = backups.id_of(snapshot_id)
    with (
        meta_store.connect(may_create=chosen.create_schema) as opened,
        restoration.restoring(found, opened, number, chosen, pace=pace) as run,
    ):
        yield run


def plan_restore(
    backups: Backups,
    snapshot_id: SnapshotId,
    meta_store: MetaStore,
    options: RestoreOptions | None = None,
) -> RestorePlan:
    """Work out and check what a restore would do, and write nothing; `error` of the plan says why
    it would fail. Arguments and errors are those of restoring.
    """
    with restoring(backups, snapshot_id, meta_store, options) as run:
        return run.plan()


def restore(
    backups: Backups,
    snapshot_id: SnapshotId,
    meta_store: MetaStore,
    options: RestoreOptions | None = None,
    pace: Pace | None = None,
) -> RestoreResult:
    """Restore a snapshot into an empty meta store and a data directory, all or nothing.

    Stop every node of the cluster first. Arguments are those of restoring.

    Raises:
        SnapshotNotFound: there is no such snapshot.
        DamageError: it is damaged.
        UsageError: the state store is not the snapshot's, or nobody said which.
        UnknownFormat: the target's tables are not those of the snapshot's release.
        TargetNotEmpty: tables of the target have rows.
        ConflictError: the data directory is another cluster's.
    """
    with restoring(backups, snapshot_id, meta_store, options, pace) as run:
        return run.load()
