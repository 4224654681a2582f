"""The checks of a restore, each with a result and a reason, before anything is written.

They run in upstream's order (src/meta/src/backup_restore/restore.rs), then ours about the target.
The first that fails ends them, and its error is kept in the plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa

from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import (
    ConflictError,
    DamageError,
    InconsistentStore,
    MetasnapshotError,
    ObjectMissing,
    UnknownFormat,
    UsageError,
)
from metasnapshot.format.codec import row_codec
from metasnapshot.format.columns import Columns, columns_of
from metasnapshot.format.layout import HUMMOCK_VERSION, model_of
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.hummock.checkpoint import CHECKPOINT_NAME
from metasnapshot.hummock.objects import needed_by
from metasnapshot.operations.findings import Findings
from metasnapshot.operations.object_check import largest_object, look_for
from metasnapshot.operations.places import CLUSTER_ID_NAME, DATA_DIRECTORY, STATE_STORE
from metasnapshot.operations.restore_plan import Check, RestoreOptions, RestorePlan
from metasnapshot.operations.restore_target import TargetChecks
from metasnapshot.operations.sequences import (
    SEQUENCES_SECTION,
    ids_in_use,
    raise_sequences,
    require_superset,
)
from metasnapshot.store.location import HUMMOCK_PREFIX, without_credentials
from metasnapshot.store.port import Store, join
from metasnapshot_models.codecs import CODECS
from metasnapshot_models.definitions import Layout
from metasnapshot_models.layouts import LOAD_ORDER
from metasnapshot_models.models import HummockSequence

PARAMETERS_SECTION = "system_parameters"
CLUSTERS_SECTION = "clusters"
OBJECTS_CHECK = "hummock objects"


class RestorePlanner:
    """Runs the checks of one restore, inside an open transaction on its target."""

    def __init__(
        self,
        repository: Repository,
        store: Store,
        reader: SnapshotReader,
        options: RestoreOptions,
        connection: sa.Connection,
    ) -> None:
        self.repository = repository
        self.store = store
        self.reader = reader
        self.options = options
        self.layout: Layout = reader.definition
        self.plan = RestorePlan(layout=reader.layout)
        self.target = TargetChecks(connection, reader, options, self.plan, self.section_rows)

    def run(self, *, is_load: bool = False) -> RestorePlan:
        """Run every check; before a load that of the values only where it could not roll back."""
        target = self.target
        steps: list[tuple[str, Callable[[], str]]] = [
            ("snapshot verified", self._snapshot),
            (OBJECTS_CHECK, self._objects),
            ("nothing unknown in it", self._opaque),
            ("hummock sequences", self._sequences),
            ("storage", self._storage),
            ("target schema", target.schema_fits),
            ("target empty", target.is_empty),
            ("values", lambda: target.values_fit(is_load=is_load)),
            ("cluster id", self._cluster_id),
            ("version checkpoint", self._checkpoint),
        ]
        for name, step in steps:
            if self.plan.error is not None:
                self.plan.checks.append(Check(name, "not checked", "an earlier check failed"))
                continue
            if name == OBJECTS_CHECK and not self.options.validate_integrity:
                reason = "not asked for (--validate-integrity)"
                self.plan.checks.append(Check(name, "not checked", reason))
                continue
            try:
                self.plan.checks.append(Check(name, "ok", step()))
            except MetasnapshotError as error:
                self.plan.error = error
                self.plan.checks.append(Check(name, "failed", str(error)))
        return self.plan

    def _snapshot(self) -> str:
        """The file is the manifest's, its checksum fits, and its version decodes."""
        reader, entry = self.reader, self.repository.entry(self.options.snapshot_id)
        if reader.id != entry.id:
            raise DamageError(f"snapshot {entry.id} holds id {reader.id}")
        version_id = reader.hummock_version.id
        self.plan.rows = {
            CODECS[model_of(self.layout, place.name)].table: place.count
            for place in reader.places
            if place.name != HUMMOCK_VERSION
        }
        return (
            f"id {reader.id}, xxh64 {reader.checksum:016x}, layout {reader.layout}, "
            f"{sum(self.plan.rows.values())} rows, Hummock version {version_id}"
        )

    def _objects(self) -> str:
        """Every object that the snapshot needs is in the state store."""
        options = self.options
        state = options.hummock_storage_url, options.hummock_storage_directory
        needed = needed_by(self.reader)
        findings = Findings()
        findings.add(look_for(self.store, *state, self.reader, needed))
        error = findings.error(f"snapshot {self.reader.id}")
        if error is not None:
            raise error
        return f"all {len(needed)} are there, {needed.size} bytes"

    def _opaque(self) -> str:
        if self.reader.opaque_size:
            raise UnknownFormat(
                f"snapshot {self.reader.id} has {self.reader.opaque_size} bytes beyond layout "
                f"{self.reader.layout}: a restore would lose them",
                hint="upgrade metasnapshot, or extend schema/models.yaml",
            )
        known = f"all {len(self.reader.places)} sections are known"
        if not self.reader.unknown_migrations:
            return known
        return f"{known}, migrations not: {', '.join(self.reader.unknown_migrations)}"

    def _sequences(self) -> str:
        """hummock_sequence is that of the newest snapshot, so that no id is given twice."""
        target: list[HummockSequence] = list(self.reader.rows(SEQUENCES_SECTION))
        newest_id = max(self.repository.manifest().ids)
        self.plan.sequences_from = newest_id
        if newest_id == self.reader.id:
            self.plan.sequences = target
        else:
            self.plan.sequences = self._newest_sequences(newest_id)
            require_superset(target, self.plan.sequences, self.reader.id, newest_id)
        raised = self._bump() if self.options.bump_sequences else []
        return "; ".join([f"taken from snapshot {newest_id}, the newest", *raised])

    def _newest_sequences(self, newest_id: int) -> list[HummockSequence]:
        try:
            with self.repository.open(newest_id) as newest:
                if newest.is_v1:
                    raise InconsistentStore(
                        f"snapshot {newest_id}, the newest, is in the V1 format: it counts ids in "
                        "etcd's way",
                        hint="copy the V2 snapshots into another directory (metasnapshot copy)",
                    )
                return list(newest.rows(SEQUENCES_SECTION))
        except (DamageError, ObjectMissing) as error:
            raise DamageError(
                f"the sequences of snapshot {newest_id}, the newest, cannot be read: {error}",
                hint="without them ids could be given twice; if that snapshot is lost for good, "
                "delete it and restore with --bump-sequences",
            ) from error

    def _bump(self) -> list[str]:
        """Raise sequences above what the directory and the state store mention."""
        manifest, reader = self.repository.manifest(), self.reader
        snapshot_id = max(*manifest.ids, *self.repository.file_ids())
        pinned = (max(entry.ssts, default=0) for entry in manifest.entries)
        stored = largest_object(self.store, self.options.hummock_storage_directory)
        object_id = max(stored, *pinned, *needed_by(reader).ids[-1:])
        in_use = ids_in_use(snapshot_id, object_id, reader.hummock_version.message)
        return raise_sequences(self.plan.sequences, in_use)

    def _storage(self) -> str:
        """The snapshot's state store is the one that is named, or is overwritten."""
        options = self.options
        rows = list(self.reader.rows(PARAMETERS_SECTION))
        values = {row.name: row for row in rows}
        self.plan.parameters = rows
        state_store = f"{HUMMOCK_PREFIX}{options.hummock_storage_url}"
        directory = options.hummock_storage_directory
        if options.overwrite is None:
            _require(values, STATE_STORE, state_store, "--hummock-storage-url")
            _require(values, DATA_DIRECTORY, directory, "--hummock-storage-directory")
            return f"{without_credentials(state_store)}, {directory}, as the snapshot says"
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
        return f"overwritten: {without_credentials(state_store)}, {directory}"

    def section_rows(self, section: str) -> Iterator[Any]:
        """A section's rows as they will be loaded."""
        yield from self._replaced(section) or self.reader.rows(section)

    def section_columns(self, section: str) -> Iterator[Columns]:
        """The same rows as columns of plain values."""
        if rows := self._replaced(section):
            yield columns_of(row_codec(self.layout, model_of(self.layout, section)), rows)
        else:
            yield from self.reader.columns(section)

    def _replaced(self, section: str) -> list[Any] | None:
        """The rows of a section that are loaded instead of the snapshot's."""
        replaced = {
            SEQUENCES_SECTION: self.plan.sequences,
            PARAMETERS_SECTION: self.plan.parameters,
        }
        return replaced.get(section)

    def _cluster_id(self) -> str:
        """The data directory belongs to this cluster, or to none yet."""
        path = join(self.options.hummock_storage_directory, CLUSTER_ID_NAME)
        ids = [str(row.cluster_id) for row in self.reader.rows(CLUSTERS_SECTION)]
        try:
            owner = self.store.read(path).data.decode("utf-8", "replace").strip()
        except ObjectMissing:
            return "the data directory belongs to no cluster yet"
        if owner not in ids:
            raise ConflictError(
                f"data directory is already used by another cluster with id {owner}, path {path}; "
                f"the snapshot is of {', '.join(ids) or 'no cluster'}",
                hint="two clusters on one data directory destroy its data: give another one",
            )
        return f"the data directory belongs to this cluster, {owner}"

    def _checkpoint(self) -> str:
        path = join(self.options.hummock_storage_directory, CHECKPOINT_NAME)
        self.plan.replaces_checkpoint = self.store.head(path) is not None
        return f"{path} will be {'replaced' if self.plan.replaces_checkpoint else 'created'}"


def load_sections(layout: Layout) -> list[str]:
    """The sections of a layout in the order in which they are loaded."""
    names = {name for name, _ in layout.sections}
    return [section for section in LOAD_ORDER if section in names]


def _require(values: dict[str, Any], name: str, wanted: str, option: str) -> None:
    if name not in values:
        raise InconsistentStore(f"the snapshot has no system parameter {name}")
    found = values[name].value
    if found != wanted:
        raise UsageError(
            f"{name} mismatch: the snapshot has {without_credentials(found)}, "
            f"{option} means {without_credentials(wanted)}",
            hint="give the snapshot's place; or, if its objects were moved, "
            "--overwrite-hummock-storage-endpoint, --overwrite-backup-storage-url and "
            "--overwrite-backup-storage-directory",
        )
