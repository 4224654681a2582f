"""backup: meta store + checkpoint -> a snapshot that RisingWave of that release reads, and its
entry in the manifest.

The checkpoint is read first, then everything else in one read transaction, streamed: a row at a
time from the table into the file. The manifest comes last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import sqlalchemy as sa

from metasnapshot.catalogue.entry import new_entry
from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.catalogue.repository import CHANGE_LOGS_SECTION, Repository
from metasnapshot.errors import InconsistentStore, UsageError
from metasnapshot.format.hummock_version import HummockVersion
from metasnapshot.format.layout import HUMMOCK_VERSION, model_of, section_names
from metasnapshot.format.writer import SnapshotWriter
from metasnapshot.hummock.checkpoint import decode_checkpoint, read_checkpoint_bytes
from metasnapshot.hummock.objects import change_log_objects, object_ids
from metasnapshot.metastore.connect import MetaStore
from metasnapshot.metastore.read import (
    count_rows,
    last_delta_id,
    read_rows,
    sequences,
    system_parameters,
)
from metasnapshot.operations.coverage import cover
from metasnapshot.store.url import HUMMOCK_PREFIX, open_store
from metasnapshot_models.codecs import CODECS
from metasnapshot_models.definitions import Layout
from metasnapshot_models.models import HummockSequence

SEQUENCES_SECTION = "hummock_sequences"
BACKUP_SEQUENCE = "meta_backup"
"""The row of hummock_sequence that counts snapshots."""


@dataclass(frozen=True)
class BackupResult:
    """What a backup made: its entry in the manifest, its layout, rows and bytes, and notes for the
    operator.
    """

    entry: ManifestEntry
    layout: str
    releases: tuple[str, ...]
    rows: int
    size: int
    notes: tuple[str, ...]


@dataclass
class _Written:
    rows: int = 0
    size: int = 0


def backup(
    meta_store: MetaStore,
    repository: Repository,
    hummock_storage_url: str | None = None,
    hummock_storage_directory: str | None = None,
    *,
    remarks: str | None = None,
    rw_version: str | None = None,
) -> BackupResult:
    """Back up a meta store.

    Args:
        meta_store: where the metadata is.
        repository: where the snapshot goes.
        hummock_storage_url: the state store; by default what the meta store's parameters say.
        hummock_storage_directory: the data directory in it, likewise.
        remarks: a note for the manifest.
        rw_version: the cluster's release; by default set only where the migrations leave no doubt.

    Raises:
        UnknownFormat: the schema is of no known release, or has something that a snapshot would
            leave out.
        InconsistentStore: the checkpoint is behind the version deltas, or the store contradicts
            itself.
        ObjectMissing: there is no checkpoint.
    """
    if hummock_storage_url is None or hummock_storage_directory is None:
        with meta_store.read_transaction() as connection:
            parameters = system_parameters(connection)
        hummock_storage_url = hummock_storage_url or _parameter(parameters, "state_store")
        hummock_storage_directory = hummock_storage_directory or _parameter(
            parameters, "data_directory"
        )
    store = open_store(hummock_storage_url)
    checkpoint = read_checkpoint_bytes(store, hummock_storage_directory)
    with meta_store.read_transaction() as connection:
        return _Backup(connection, repository, checkpoint, remarks, rw_version).run()


class _Backup:
    """One backup inside one read transaction."""

    def __init__(
        self,
        connection: sa.Connection,
        repository: Repository,
        checkpoint: bytes,
        remarks: str | None,
        rw_version: str | None,
    ) -> None:
        self.connection = connection
        self.repository = repository
        self.remarks = remarks
        self.coverage = cover(connection)
        self.coverage.require()
        self.layout: Layout = self.coverage.candidates.layouts[0]
        self.releases = self.coverage.candidates.releases
        self.rw_version = rw_version or self.coverage.candidates.only_release
        self.version = decode_checkpoint(checkpoint, self.layout.era)
        self.written = _Written()

    def run(self) -> BackupResult:
        self._check_version()
        known = sequences(self.connection)
        snapshot_id = self.repository.next_id(known.get(BACKUP_SEQUENCE, 1))
        entry = self.repository.create_stream(
            snapshot_id, lambda file: self._write(file, snapshot_id)
        )
        return BackupResult(
            entry,
            self.layout.name,
            self.releases,
            self.written.rows,
            self.written.size,
            tuple(self._notes()),
        )

    def _check_version(self) -> None:
        """The checkpoint must be as new as the last version delta."""
        last = last_delta_id(self.connection)
        if last is not None and last > self.version.id:
            raise InconsistentStore(
                f"inconsistent hummock version: the checkpoint has version {self.version.id}, "
                f"hummock_version_delta goes on to {last}",
                hint="deltas after the checkpoint cannot be replayed yet: stop the meta node "
                "after it wrote a "
                "checkpoint, or back up through it (risectl meta backup-meta)",
            )

    def _write(self, file: BinaryIO, snapshot_id: int) -> ManifestEntry:
        writer = SnapshotWriter(file, snapshot_id, self.layout)
        version = HummockVersion.from_message(
            self.version, self.layout.hummock_version_form, self.layout.era
        )
        logged = set[int]()
        for section in section_names(self.layout):
            if section == HUMMOCK_VERSION:
                writer.write_hummock_version(version)
                continue
            count, rows = self._rows(section, snapshot_id)
            if section == CHANGE_LOGS_SECTION:
                rows = _noting_objects(rows, logged)
            writer.write_section(section, count, rows)
            self.written.rows += count
        writer.finish()
        self.written.size = writer.size
        in_table = CHANGE_LOGS_SECTION in section_names(self.layout)
        ids = logged.union(object_ids(self.version, () if in_table else None))
        return new_entry(
            snapshot_id, self.version, sorted(ids), self.layout, self.remarks, self.rw_version
        )

    def _rows(self, section: str, snapshot_id: int) -> tuple[int, Iterable[Any]]:
        """Count and rows of a section; the count comes first because it precedes the rows in the
        file.
        """
        model = model_of(self.layout, section)
        count = count_rows(self.connection, CODECS[model].table)
        rows = read_rows(self.connection, self.layout, model)
        if section != SEQUENCES_SECTION:
            return count, rows
        bumped = list(_with_backup_sequence(rows, snapshot_id + 1))
        return len(bumped), bumped

    def _notes(self) -> Iterator[str]:
        found = self.coverage.candidates
        if not found.exact:
            yield (
                f"migrations beyond layout {self.layout.name}, without effect on its tables: "
                f"{', '.join(found.unknown)}"
            )
        for item in self.coverage.excluded:
            if item.reason == "missed" and (count := count_rows(self.connection, item.table)):
                yield (
                    f"table {item.table} has {count} rows that snapshots of {self.releases[0]} "
                    "leave out: "
                    "a restore loses them"
                )


def _with_backup_sequence(rows: Iterable[Any], value: int) -> Iterator[Any]:
    """hummock_sequence as RisingWave's own snapshot has it: meta_backup already stands at the next
    id.
    """
    others = [row for row in rows if row.name != BACKUP_SEQUENCE]
    row = HummockSequence(name=BACKUP_SEQUENCE, seq=value)
    yield from sorted([*others, row], key=lambda item: item.name.encode())


def _noting_objects(rows: Iterable[Any], ids: set[int]) -> Iterator[Any]:
    """The same rows of hummock_table_change_log, with the objects that they refer to noted on the
    way.
    """
    for row in rows:
        ids.update(change_log_objects(row))
        yield row


def _parameter(parameters: dict[str, str], name: str) -> str:
    """A system parameter that says where the cluster's state is."""
    value = parameters.get(name)
    if not value:
        raise UsageError(
            f"the meta store has no system parameter {name}",
            hint="give --hummock-storage-url and --hummock-storage-directory",
        )
    return value.removeprefix(HUMMOCK_PREFIX)
