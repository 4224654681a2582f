"""A backup directory by its URL, and what can be read of it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from metasnapshot.catalogue.clusters import entries_of
from metasnapshot.catalogue.manifest import Manifest, ManifestEntry
from metasnapshot.catalogue.records import Records
from metasnapshot.catalogue.repository import Repository
from metasnapshot.library import picking
from metasnapshot.library.picking import SnapshotId
from metasnapshot.store.context import PLAIN, Context
from metasnapshot.store.shown_url import shown_url
from metasnapshot.store.url import open_store
from metasnapshot.store.watched import watched

if TYPE_CHECKING:
    from metasnapshot.catalogue.facts import DrillNote
    from metasnapshot.format.reader import SnapshotReader
    from metasnapshot.format.snapshot import MetaSnapshot
    from metasnapshot.library.listing import ListedSnapshot, Listing
    from metasnapshot.library.meta_stores import MetaStore
    from metasnapshot.library.moments import PickedSnapshot
    from metasnapshot.operations.check import Health
    from metasnapshot.operations.drill import DrillResult
    from metasnapshot.operations.show import Summary

DIRECTORY = "backup"
"""Upstream's default. A server's own default is {data_directory}/backup since 1.7."""


class BackupDirectory:
    """A backup directory: what is in it.

    Making one reads nothing. The manifest is read when it is first needed, and again when this
    object changes it; `refresh` reads what others have changed.

    Wherever a snapshot is named, an id, `"latest"` and `"oldest"` will do.

    Args:
        url: object store of the backups, as `fs:///srv/backups` or `s3://bucket`.
        directory: directory in it that holds manifest.json.
        cluster: where snapshots of several clusters lie, look at those of this one.
        context: tries, times, authorities, and who is told of progress.
    """

    rehearsed: DrillNote | None = None
    """What came of the last `drill` of this object; None if nothing was rehearsed."""

    def __init__(
        self,
        url: str,
        directory: str = DIRECTORY,
        *,
        cluster: str | None = None,
        context: Context = PLAIN,
    ) -> None:
        self.url = url
        self.directory = directory
        self.cluster = cluster
        self.context = context
        self._repository: Repository | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({shown_url(self.url)!r}, {self.directory!r})"

    @property
    def repository(self) -> Repository:
        """The catalogue behind it, for the operations; it reads the manifest.

        Raises:
            ManifestMissing: the directory has snapshots but no manifest.
            DamageError: the manifest is damaged.
            StorageError: the store cannot be read.
        """
        if self._repository is None:  # no cached_property: its lock is one for all directories
            store = watched(open_store(self.url, self.context), self.context)
            self._repository = Repository(store, self.directory, self.context)
            self._repository.cluster = self.cluster
        return self._repository

    @property
    def is_read(self) -> bool:
        """Whether the manifest was read, by whatever needed it."""
        return self._repository is not None

    @property
    def place(self) -> str:
        """URL, without credentials, and directory, as messages show them."""
        return self.repository.url

    def refresh(self) -> Manifest:
        """Read the manifest again; like RisingWave, take it only if its id is greater."""
        return self.repository.refresh_manifest()

    def manifest(self) -> Manifest:
        """The manifest as it was when it was last read or written: all its snapshots, whichever
        clusters they are of.
        """
        return self.repository.manifest()

    def ids(self) -> tuple[int, ...]:
        """Ids of all snapshots, or of those of the cluster that is asked for."""
        return tuple(entry.id for entry in picking.listed(self.repository))

    @property
    def count(self) -> int:
        """How many snapshots there are, of all clusters."""
        return len(self.repository.ids)

    def id_of(self, wanted: SnapshotId) -> int:
        """The id that is meant.

        Raises:
            UsageError: it is not an id.
            SnapshotNotFound: there is no snapshot at all, or this one is another cluster's.
            ConflictError: latest or oldest, and the snapshots are of more than one cluster.
        """
        return picking.snapshot_id(wanted, self.repository)

    def at(self, time: datetime) -> PickedSnapshot:
        """The newest snapshot that was not taken after a time, and what is to be said of it.

        Args:
            time: with its zone.

        Raises:
            UsageError: the time has no zone.
            TooEarly: none is so old.
            SnapshotNotFound: there is no snapshot at all.
            ConflictError: they are of more than one cluster, and nobody said which.
        """
        from metasnapshot.library.moments import newest_by

        return newest_by(self.repository, time)

    def require_one_cluster(self) -> None:
        """See that snapshots may be counted and picked among.

        Raises:
            ConflictError: they are of more than one cluster, and nobody said which.
        """
        entries_of(self.repository)

    def recorded_cluster_id(self) -> str | None:
        """The cluster that the newest snapshot is recorded to be of; None if nothing says so."""
        return Records(self.repository).newest_recorded_cluster_id()

    def list(self) -> Listing:
        """Every snapshot with what is known of it: when it was taken, verified, kept, its size."""
        from metasnapshot.library.listing import listing

        return listing(self.repository, picking.listed(self.repository))

    def listed(self, snapshot_id: SnapshotId) -> ListedSnapshot:
        """One snapshot with what is known of it, as `list` has it.

        Raises:
            SnapshotNotFound: the manifest has no such id.
        """
        from metasnapshot.library.listing import listed

        return listed(self.repository, self.entry(snapshot_id))

    def last_drill(self) -> DrillNote | None:
        """The newest rehearsal of a restore, of all snapshots; None if there was none."""
        return Records(self.repository).last_drill()

    def latest(self) -> ManifestEntry:
        """The newest snapshot.

        Raises:
            SnapshotNotFound: there is none.
            ConflictError: they are of more than one cluster, and nobody said which.
        """
        return self.entry("latest")

    def entry(self, snapshot_id: SnapshotId) -> ManifestEntry:
        """A snapshot's entry in the manifest.

        Raises:
            SnapshotNotFound: the manifest has no such id.
        """
        return self.repository.entry(self.id_of(snapshot_id))

    def get(self, snapshot_id: SnapshotId) -> MetaSnapshot:
        """A snapshot, verified and decoded as a whole.

        Raises:
            SnapshotNotFound: the manifest has no such id.
            DamageError: it is damaged.
            UnknownFormat: it is of a release that is not known.
        """
        return self.repository.get(self.id_of(snapshot_id))

    def open(self, snapshot_id: SnapshotId) -> AbstractContextManager[SnapshotReader]:
        """A snapshot for the block, its checksum verified, to be read one row at a time.

        Raises:
            SnapshotNotFound: the manifest has no such id.
            DamageError: it is damaged.
        """
        return self.repository.open(self.id_of(snapshot_id))

    def show(self, snapshot_id: SnapshotId) -> Summary:
        """What a snapshot holds, on a page, without secrets.

        Raises:
            SnapshotNotFound: the manifest has no such id.
            DamageError: it is damaged.
        """
        from metasnapshot.operations.show import summarise

        return summarise(self.repository, self.id_of(snapshot_id))

    def check(
        self, max_age: timedelta | None = None, min_count: int = 1, *, full: bool = False
    ) -> Health:
        """Say whether there is a sound snapshot that is young enough.

        Args:
            max_age: how old the newest sound one may be.
            min_count: how many there must be.
            full: count only snapshots whose objects are in the backup.

        Raises:
            ConflictError: they are of more than one cluster, and nobody said which.
        """
        from metasnapshot.operations.check import check

        return check(self.repository, max_age, min_count, full=full)

    def drill(
        self,
        snapshot_id: SnapshotId = "latest",
        *,
        against: MetaStore | None = None,
        cut_timestamps: bool = False,
    ) -> DrillResult:
        """Prove that a snapshot restores: into a scratch store, backed up again, compared. What
        came of it, well or not, is noted in the directory, where that can be written, and in
        `rehearsed`.

        Args:
            snapshot_id: which one.
            against: an empty database to restore into; everything that is made there is dropped
                again. By default a SQLite file in TMPDIR.
            cut_timestamps: cut them to what the database holds, as a restore does; what is left
                of them is compared.

        Raises:
            SnapshotNotFound: the manifest has no such id.
            DamageError: it is damaged.
            UnknownFormat: it is in the V1 format.
            TargetNotEmpty: the database has tables.
            ConflictError: another drill is at work on it.
        """
        from metasnapshot.library.rehearsing import Rehearsal

        number = self.id_of(snapshot_id)
        rehearsal = Rehearsal(self.repository, number, against, cut_timestamps=cut_timestamps)
        try:
            return rehearsal.run()
        finally:
            self.rehearsed = rehearsal.note
