"""The snapshots of a backup directory, and what keeps house among them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.errors import UsageError
from metasnapshot.library.directory import BackupDirectory
from metasnapshot.library.picking import SnapshotId
from metasnapshot.library.state import StateStore
from metasnapshot.store.url import open_store

if TYPE_CHECKING:
    from metasnapshot.catalogue.watcher import Watcher
    from metasnapshot.library.housekeeping import Collected, Judgement
    from metasnapshot.operations.area_costs import AreaCosts
    from metasnapshot.operations.copy import Copied
    from metasnapshot.operations.crew import Pace
    from metasnapshot.operations.expire import Policy
    from metasnapshot.operations.gc_objects import UnneededObjects
    from metasnapshot.operations.pins import Pins
    from metasnapshot.operations.rebuild import Rebuilt
    from metasnapshot.operations.verify import Level, VerifyResult
    from metasnapshot.operations.verify_content import ContentCheck
    from metasnapshot.store.deletes import Stays

GRACE = timedelta(hours=24)


class Backups(BackupDirectory):
    """The snapshots of a backup directory: list, get, verify, delete, keep, expire, copy, …

    Making one reads nothing. The manifest is read when it is first needed, and again when this
    object changes it; `refresh` reads what others have changed.

    Wherever a snapshot is named, an id, `"latest"` and `"oldest"` will do.

    Args:
        url: object store of the backups, as `fs:///srv/backups` or `s3://bucket`.
        directory: directory in it that holds manifest.json.
        cluster: where snapshots of several clusters lie, look at those of this one.
        context: tries, times, authorities, and who is told of progress.
    """

    def verify(
        self,
        ids: Iterable[SnapshotId] = (),
        level: Level = "rows",
        *,
        state: StateStore | None = None,
        content: ContentCheck | None = None,
        if_older_than: timedelta | None = None,
    ) -> Iterator[VerifyResult]:
        """Verify snapshots, each as it is asked for. Damage is in the result, not raised.

        Args:
            ids: which; all if none is named.
            level: `file`, `rows`, `refs` or `objects`: how deep.
            state: the state store, for the level objects; by default what the snapshot says.
            content: read the objects too.
            if_older_than: skip what was found sound within this time.

        Raises:
            SnapshotNotFound: the manifest lacks one of them; nothing is verified.
        """
        from metasnapshot.library.verifying import verify_each

        wanted = [self.id_of(each) for each in ids] or list(self.ids())
        for number in wanted:
            self.repository.entry(number)
        return verify_each(self.repository, wanted, level, state, content, if_older_than)

    def delete(
        self, ids: Iterable[SnapshotId], *, dry_run: bool = False
    ) -> tuple[ManifestEntry, ...]:
        """Delete snapshots, from the manifest and then their files; returns their entries.

        Args:
            ids: which.
            dry_run: only say which it would be.

        Raises:
            SnapshotNotFound: the manifest lacks one of them; nothing is deleted.
            RetentionLocked: one of them is kept; nothing is deleted.
        """
        from metasnapshot.operations.delete import delete, plan_delete

        wanted = [self.id_of(each) for each in ids]
        return tuple((plan_delete if dry_run else delete)(self.repository, wanted))

    def keep(self, ids: Iterable[SnapshotId], *, release: bool = False) -> tuple[int, ...]:
        """Mark snapshots so that nothing here deletes them; returns all that are kept now.

        Args:
            ids: which.
            release: let go of them again.

        Raises:
            SnapshotNotFound: the manifest lacks one of them.
        """
        from metasnapshot.operations.delete import keep

        wanted = [self.id_of(each) for each in ids]
        return tuple(keep(self.repository, wanted, release=release))

    def judge(self, policy: Policy) -> Judgement:
        """Say of every snapshot why a policy keeps it, or that it does not.

        Raises:
            UsageError: the policy would keep nothing.
            ConflictError: the snapshots are of more than one cluster, and nobody said which.
            DamageError: none verifies, so that none may go.
        """
        from metasnapshot.catalogue.records import Records
        from metasnapshot.library.housekeeping import Judgement
        from metasnapshot.operations.expire import judge

        judged = tuple(judge(self.repository, policy))
        records = Records(self.repository)
        return Judgement(judged, tuple(records.ahead(records.clocks())))

    def expire(self, policy: Policy | Judgement) -> tuple[ManifestEntry, ...]:
        """Delete what a policy does not keep; returns the entries.

        Args:
            policy: what to keep; or what `judge` said, so that what was shown is what goes.

        Raises:
            ConflictError: a snapshot that was to stay is gone meanwhile; nothing is deleted.
            RetentionLocked: one was marked as kept meanwhile; nothing is deleted.
            MetasnapshotError: as judge.
        """
        from metasnapshot.library.housekeeping import Judgement
        from metasnapshot.operations.expire import expire

        found = policy if isinstance(policy, Judgement) else self.judge(policy)
        return tuple(expire(self.repository, list(found.judged)))

    @property
    def retained(self) -> tuple[Stays, ...]:
        """Objects that `delete`, `expire` and `gc` had to leave, for the service retains them; a
        later `gc` takes them.
        """
        return tuple(self.repository.stays)

    def keeps_versions(self) -> bool:
        """Whether the bucket keeps versions, so that what is deleted is hidden, not freed; False
        too where it cannot be asked.
        """
        from metasnapshot.store.versions import keeps_versions

        return keeps_versions(self.repository.store)

    def gc(
        self, grace: timedelta = GRACE, *, objects: bool = False, commit: bool = False
    ) -> Collected:
        """Find files that no entry names, and what died processes left.

        Args:
            grace: how old such a file must be to go.
            objects: look also for copies of objects that no full backup needs any more.
            commit: delete those that are due.

        Raises:
            ConflictError: a backup with objects is at work; no object is deleted.
            DamageError: nobody knows which objects a damaged backup needs; no object is deleted.
            UnknownFormat: a later release made the backup; no object is deleted.
        """
        from metasnapshot.library.housekeeping import Collected
        from metasnapshot.operations.gc import collect, look

        strays = look(self.repository, grace, objects=objects)
        unneeded = self._unneeded(grace, commit) if objects else None  # its refusals come first
        gone = collect(self.repository, strays) if commit else []
        return Collected(strays, tuple(gone), unneeded)

    def _unneeded(self, grace: timedelta, commit: bool) -> UnneededObjects:  # noqa: FBT001
        from metasnapshot.operations.gc_objects import collect_objects, find_unneeded

        return (collect_objects if commit else find_unneeded)(self.repository, grace)

    def copy(
        self,
        to: Backups,
        ids: Iterable[SnapshotId] = (),
        *,
        objects: Pace | None = None,
        materialise: bool = False,
    ) -> tuple[Copied, ...]:
        """Copy snapshots under their own ids, verified on arrival. One that is damaged here is told
        in its result. A delta comes as one, with its base.

        Args:
            to: where to.
            ids: which; all if none is named.
            objects: copy also the objects of full backups, at this pace.
            materialise: write the plain files of deltas, as RisingWave reads them.

        Raises:
            SnapshotNotFound: the manifest lacks one of them; nothing is copied.
            DamageError: one did not arrive whole.
            ConflictError: the target is another cluster's, or has another snapshot of that id, or
                another object of a name.
            UsageError: objects are to be copied into the same directory, or one below or above it.
        """
        from metasnapshot.operations.copy import copy

        source, target = self.repository, to.repository
        wanted = [self.id_of(each) for each in ids] or list(self.ids())
        if objects is None:
            return tuple(copy(source, target, wanted, materialise=materialise))
        from metasnapshot.operations.copy_full import copy_with_objects  # which loads numpy

        found = copy_with_objects(source, target, wanted, objects, materialise=materialise)
        return tuple(found)

    def rebuild_manifest(self, *, commit: bool = False) -> Rebuilt:
        """Make the manifest out of the snapshot files, each of which is verified. The one that is
        there may be missing or damaged.

        Args:
            commit: write it, if it says something else than the one that is there.

        Raises:
            ConflictError: that one changed meanwhile.
        """
        from metasnapshot.catalogue.rebuilder import Rebuilder
        from metasnapshot.operations.rebuild import rebuild, write

        found = Rebuilder(open_store(self.url, self.context), self.directory, self.context)
        rebuilt = rebuild(found)
        if commit and not rebuilt.is_same:
            write(found, rebuilt)
        return rebuilt

    def pins(
        self,
        ids: Iterable[SnapshotId] = (),
        *,
        look: bool = False,
        state: StateStore | None = None,
    ) -> Pins:
        """Which of Hummock's objects snapshots need, and what a delete would free.

        Args:
            ids: which; all if none is named.
            look: look for every object in the state store.
            state: where that is; by default what each snapshot says.

        Raises:
            SnapshotNotFound: the manifest lacks one of them.
            DamageError: one is damaged.
        """
        from metasnapshot.operations.pins import pins

        wanted = [self.id_of(each) for each in ids] or list(self.ids())
        return pins(self.repository, wanted, state=state, look=look)

    def area_costs(self, ids: Iterable[SnapshotId] = ()) -> AreaCosts:
        """What full backups cost in the objects of the directory, and what a delete would free.

        Args:
            ids: which; all if none is named.

        Raises:
            SnapshotNotFound: the manifest lacks one of them.
            DamageError: a side file is damaged.
        """
        from metasnapshot.operations.area_costs import area_costs

        return area_costs(self.repository, [self.id_of(each) for each in ids] or list(self.ids()))

    def serving(self, table_id: int, epoch: int, release: str | None = None) -> ManifestEntry:
        """The snapshot that serves a table at an epoch, as SET QUERY_EPOCH finds it.

        Args:
            table_id: of a state table.
            epoch: as SET QUERY_EPOCH takes it.
            release: by the rule of this release; by default that of each snapshot's own.

        Raises:
            SnapshotNotFound: none does.
            UsageError: the epoch or the release is not valid.
        """
        from metasnapshot.format.scalars import U64_MAX
        from metasnapshot.operations.epoch import BackupReader

        if not 0 <= epoch <= U64_MAX:
            raise UsageError(f"not an epoch: {epoch}", hint="a number of 64 bits, without sign")
        return BackupReader(self.repository, release).find(table_id, epoch)

    def watcher(self) -> Watcher:
        """The right to watch this directory, which one process has at a time."""
        from metasnapshot.catalogue.watcher import Watcher

        return Watcher(self.repository.store, self.directory, uuid4().hex)
