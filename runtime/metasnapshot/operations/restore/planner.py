"""The checks of a restore, each with a result and a reason, before anything is written.

They run in upstream's order (src/meta/src/backup_restore/restore.rs), then ours about the target.
The first that fails ends them, and its error is kept in the plan. The snapshot and the state store
are asked once, outside of any transaction on the target, for they may be slow and others wait for
its locks; the target is asked for the plan, and again inside the transaction that loads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from metasnapshot.catalogue.clusters import newest_of
from metasnapshot.catalogue.repository import Repository
from metasnapshot.contents.object_findings import largest_object
from metasnapshot.contents.ownership import (
    CLUSTER_ID_NAME,
    DATA_DIRECTORY,
    STATE_STORE,
    owner_of,
)
from metasnapshot.contents.sequences import (
    SEQUENCES_SECTION,
    ids_in_use,
    raise_sequences,
    require_superset,
)
from metasnapshot.errors import (
    ConflictError,
    DamageError,
    InconsistentStore,
    MetasnapshotError,
    ObjectMissing,
    UsageError,
)
from metasnapshot.format.layout import CLUSTERS_SECTION
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.hummock.checkpoint import CHECKPOINT_NAME, holds_checkpoint, plain_checkpoint
from metasnapshot.hummock.objects import needed_by
from metasnapshot.operations.restore import clone
from metasnapshot.operations.restore.plan import (
    OBJECTS_CHECK,
    Check,
    RestoreOptions,
    RestorePlan,
    StatePlace,
    Warned,
)
from metasnapshot.operations.restore.source import PARAMETERS_SECTION, Source
from metasnapshot.operations.restore.state import look_for_objects
from metasnapshot.operations.restore.target import TargetChecks
from metasnapshot.operations.restore_objects import ObjectRestore
from metasnapshot.store.location import HUMMOCK_PREFIX
from metasnapshot.store.port import Store, join
from metasnapshot.store.shown_url import shown_url
from metasnapshot_models.models import HummockSequence

Step = Callable[[], str | Warned]


class RestorePlanner:
    """Runs the checks of one restore."""

    def __init__(
        self,
        repository: Repository,
        store: Store,
        place: StatePlace,
        source: Source,
        options: RestoreOptions,
        objects: ObjectRestore | None = None,
    ) -> None:
        self.repository = repository
        self.store = store
        self.place = place
        self.source = source
        self.options = options
        self.objects = objects
        self.plan = RestorePlan(layout=source.layout.name)
        self._is_snapshot_checked = False

    @property
    def reader(self) -> SnapshotReader:
        """The snapshot."""
        return self.source.reader

    def look(self) -> None:
        """Run the checks of the snapshot, once."""
        if not self._is_snapshot_checked:
            self._is_snapshot_checked = True
            self._check_snapshot()

    def check_target(self, connection: sa.Connection, *, is_load: bool = False) -> TargetChecks:
        """Run the checks of the target inside an open transaction on it; before a load that of the
        values only where it could not roll back. The plan is the target's.
        """
        plan = replace(self.plan, checks=list(self.plan.checks))
        target = TargetChecks(connection, self.source, self.options, plan)
        _run(plan, "target schema", target.schema_fits)
        _run(plan, "triggers and rules", target.triggers)
        if (made := plan.clone) is not None:
            _run(
                plan, "own meta store", lambda: clone.check_database(connection, self.source, made)
            )
        _run(plan, "target empty", target.is_empty)
        _run(plan, "values", lambda: target.values_fit(is_load=is_load))
        return target

    def check_state(self, plan: RestorePlan) -> None:
        """Run those of the state store. What it once said is not asked again."""
        _run(plan, "cluster id", lambda: self._cluster_id)
        _run(plan, "version checkpoint", lambda: self._checkpoint(plan))
        if self.objects is None and not self.options.validate_integrity:
            _run(plan, OBJECTS_CHECK, lambda: self._objects)

    def _check_snapshot(self) -> None:
        _run(self.plan, "snapshot verified", self._snapshot)
        if self.options.clone:
            _run(self.plan, "own places", self._own_places)
        if self.objects is not None:
            _run(self.plan, "objects in the backup", self.objects.check_backup)
            _run(self.plan, OBJECTS_CHECK, self.objects.check_target)
            self.plan.objects = self.objects.plan
        elif self.options.validate_integrity:  # upstream's place for it
            _run(self.plan, OBJECTS_CHECK, lambda: self._objects)
        _run(self.plan, "nothing unknown in it", self._opaque)
        _run(self.plan, "hummock sequences", self._sequences)
        _run(self.plan, "storage", self._storage)
        if self.options.clone:
            _run(self.plan, "clone", self._turn)
            if (made := self.plan.clone) is not None:
                _run(self.plan, "used by both", lambda: clone.said_outside(made))

    def _snapshot(self) -> str:
        """The file is the manifest's, its checksum fits, and its version decodes."""
        reader, entry = self.reader, self.repository.entry(self.source.snapshot_id)
        if reader.id != entry.id:
            raise DamageError(f"snapshot {entry.id} holds id {reader.id}")
        self.plan.rows = self.source.counts
        return (
            f"id {reader.id}, xxh64 {reader.checksum:016x}, layout {reader.layout}, "
            f"{sum(self.plan.rows.values())} rows, Hummock version {self.source.version.id}"
        )

    @cached_property
    def _objects(self) -> str:
        """Every object that the snapshot needs is in the state store."""
        return look_for_objects(self.store, self.place, self.source, self.options)

    def _opaque(self) -> str:
        self.reader.require_known()
        known = f"all {len(self.reader.places)} sections are known"
        if not self.reader.unknown_migrations:
            return known
        return f"{known}, migrations not: {', '.join(self.reader.unknown_migrations)}"

    def _sequences(self) -> str:
        """hummock_sequence is that of the newest snapshot, so that no id is given twice."""
        target: list[HummockSequence] = self.source.keep(SEQUENCES_SECTION)
        newest_id = source_id = self._newest()
        if newest_id == self.reader.id:
            self.plan.sequences = target
        else:
            self.plan.sequences, source_id = self._newer_sequences(newest_id)
            require_superset(target, self.plan.sequences, self.reader.id, source_id)
        self.plan.sequences_from = source_id
        is_bumped = self.options.bump_sequences or self.options.with_objects
        raised = self._bump() if is_bumped else []
        self.source.replace(SEQUENCES_SECTION, self.plan.sequences)
        which = "the newest"
        if source_id != newest_id:
            which = f"the newest that can be read, and above all that is known of {newest_id}"
        return "; ".join([f"taken from snapshot {source_id}, {which}", *raised])

    def _newest(self) -> int:
        """The newest snapshot of the same cluster: another's sequences are no use."""
        cluster = min(
            (str(row.cluster_id) for row in self.source.keep(CLUSTERS_SECTION)), default=None
        )
        return newest_of(self.repository, self.reader.id, cluster)

    def _newer_sequences(self, newest_id: int) -> tuple[list[HummockSequence], int]:
        """The sequences of the newest snapshot, and its id. If it cannot be read, and sequences are
        raised anyhow, those of the newest that can.
        """
        lost: MetasnapshotError | None = None
        newer = [number for number in self.repository.ids if number > self.reader.id]
        for number in sorted((n for n in newer if n <= newest_id), reverse=True):
            try:
                return self._sequences_of(number), number
            except (DamageError, ObjectMissing) as error:
                lost = lost or error
                if not self.options.bump_sequences:
                    break
        if self.options.bump_sequences:
            return self.source.keep(SEQUENCES_SECTION), self.reader.id
        raise DamageError(
            f"the sequences of snapshot {newest_id}, the newest, cannot be read: {lost}",
            hint="without them ids could be given twice; bring it back from another copy; if it is "
            "lost for good, --bump-sequences raises them above every id that is known",
        ) from lost

    def _sequences_of(self, number: int) -> list[HummockSequence]:
        with self.repository.open(number) as newer:
            if newer.is_v1:
                raise InconsistentStore(
                    f"snapshot {number}, newer than {self.reader.id}, is in the V1 format: it "
                    "counts ids in etcd's way",
                    hint="copy the V2 snapshots into another directory (metasnapshot copy)",
                )
            return list(newer.rows(SEQUENCES_SECTION))

    def _bump(self) -> list[str]:
        """Raise sequences above what the directory and the state store mention."""
        repository, reader = self.repository, self.reader
        snapshot_id = max(*repository.ids, *repository.file_ids())
        pinned = (max(entry.ssts, default=0) for entry in repository.entries)
        stored = largest_object(self.store, self.place.directory)
        object_id = max(stored, *pinned, *needed_by(reader).ids[-1:])
        in_use = ids_in_use(snapshot_id, object_id, self.source.version.message)
        return raise_sequences(self.plan.sequences, in_use)

    def _storage(self) -> str:
        """The snapshot's state store is the one that is named, or is overwritten."""
        options = self.options
        rows = self.source.keep(PARAMETERS_SECTION)
        values = {row.name: row for row in rows}
        self.plan.parameters = rows
        state_store = f"{HUMMOCK_PREFIX}{self.place.url}"
        directory = self.place.directory
        if options.overwrite is None:
            _require(values, STATE_STORE, state_store, "--hummock-storage-url")
            _require(values, DATA_DIRECTORY, directory, "--hummock-storage-directory")
            return f"{shown_url(state_store)}, {directory}, as the snapshot says"
        wanted = {
            STATE_STORE: state_store,
            DATA_DIRECTORY: directory,
            "backup_storage_url": options.overwrite.backup_storage_url,
            "backup_storage_directory": options.overwrite.backup_storage_directory,
        }
        for name, value in wanted.items():
            if name not in values:
                raise InconsistentStore(f"{name} not found in system_parameter table")
            values[name].value = value
        return f"overwritten: {shown_url(state_store)}, {directory}"

    def _own_places(self) -> str:
        """A clone's places are nobody else's."""
        own = self.options.overwrite
        if own is None:
            raise UsageError("a clone needs places of its own")
        return clone.check_places(self.repository, self.store, self.place, own, self.source)

    def _turn(self) -> Warned:
        """From here on the rows are the clone's."""
        self.plan.clone = clone.turned(self.source, self.place)
        self.plan.rows = self.source.counts
        return clone.said_of(self.plan.clone)

    @cached_property
    def _cluster_id(self) -> str:
        """The data directory belongs to this cluster, or to none yet."""
        path = join(self.place.directory, CLUSTER_ID_NAME)
        ids = [str(row.cluster_id) for row in self.source.keep(CLUSTERS_SECTION)]
        owner = owner_of(self.store, self.place.directory)
        if owner is None:
            return "the data directory belongs to no cluster yet"
        if owner not in ids:
            raise ConflictError(
                f"data directory is already used by another cluster with id {owner}, path {path}; "
                f"the snapshot is of {', '.join(ids) or 'no cluster'}",
                hint="two clusters on one data directory destroy its data: give another one",
            )
        return f"the data directory belongs to this cluster, {owner}"

    def _checkpoint(self, plan: RestorePlan) -> str:
        path = join(self.place.directory, CHECKPOINT_NAME)
        plan.done = plan.loaded and self._holds_version
        if plan.done:
            return f"{path} holds the snapshot's version: this restore has ended well before"
        plan.replaces_checkpoint = self._has_checkpoint
        what = "replaced" if plan.replaces_checkpoint else "created"
        return f"{path} will be {what}{', as a restore did not end' if plan.loaded else ''}"

    @cached_property
    def _has_checkpoint(self) -> bool:
        return self.store.head(join(self.place.directory, CHECKPOINT_NAME)) is not None

    @cached_property
    def _holds_version(self) -> bool:
        """Whether the checkpoint is the one that this restore would write."""
        plain = plain_checkpoint(self.source.version.message)
        return holds_checkpoint(self.store, self.place.directory, plain, self.source.layout)


def _run(plan: RestorePlan, name: str, step: Step) -> None:
    """Add a check to the plan: none is looked at after one that failed."""
    if plan.error is not None:
        plan.checks.append(Check(name, "not checked", "an earlier check failed"))
        return
    try:
        found = step()
    except MetasnapshotError as error:
        plan.error = error
        plan.checks.append(Check(name, "failed", str(error)))
        return
    result = found.result if isinstance(found, Warned) else "ok"
    plan.checks.append(Check(name, result, str(found)))


def _require(values: dict[str, Any], name: str, wanted: str, option: str) -> None:
    if name not in values:
        raise InconsistentStore(f"the snapshot has no system parameter {name}")
    found = values[name].value
    if found != wanted:
        raise UsageError(
            f"{name} mismatch: the snapshot has {shown_url(found)}, "
            f"{option} means {shown_url(wanted)}",
            hint="give the snapshot's place; or, if its objects were moved, "
            "--overwrite-hummock-storage-endpoint, --overwrite-backup-storage-url and "
            "--overwrite-backup-storage-directory",
        )
