"""backup: meta store + checkpoint -> a snapshot that RisingWave of that release reads, and its
entry in the manifest.

The checkpoint is read first, then everything else in one read transaction: the version deltas after
it are replayed, the tables streamed, a row at a time, into the file. The manifest comes last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any, BinaryIO

import sqlalchemy as sa

from metasnapshot.catalogue import changes
from metasnapshot.catalogue.entry import new_entry
from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.catalogue.repository import Repository
from metasnapshot.contents.ownership import (
    DATA_DIRECTORY,
    STATE_STORE,
    check_cluster,
    check_directory,
    check_room,
    parameter,
)
from metasnapshot.contents.sequences import BACKUP_SEQUENCE, SEQUENCES_SECTION
from metasnapshot.errors import InconsistentStore
from metasnapshot.format.framing import WritableFile
from metasnapshot.format.hummock_version import HummockVersion
from metasnapshot.format.layout import HUMMOCK_VERSION, model_of, section_names
from metasnapshot.format.writer import SnapshotWriter
from metasnapshot.hummock.checkpoint import read_checkpoint_bytes
from metasnapshot.hummock.objects import (
    CHANGE_LOGS_SECTION,
    NeededObject,
    NeededObjects,
    change_log_objects,
    needed_objects,
)
from metasnapshot.hummock.replay.stream import Replayed, replay_checkpoint
from metasnapshot.metastore.connect import MetaStore
from metasnapshot.metastore.read import (
    count_rows,
    find_layouts,
    read_encoded,
    read_rows,
    sequences,
    system_parameters,
    version_deltas,
)
from metasnapshot.operations.backup_options import NOT_PINNED, BackupOptions, warnings
from metasnapshot.operations.coverage import cover
from metasnapshot.operations.cycles import rare_collections
from metasnapshot.store.port import Store
from metasnapshot.store.url import open_store
from metasnapshot_models.codecs import CODECS
from metasnapshot_models.definitions import Layout
from metasnapshot_models.layouts import LAYOUTS
from metasnapshot_models.models import HummockSequence

CUT_ATTEMPTS_MAX = 10


@dataclass(frozen=True)
class BackupResult:
    """What a backup made, or would make.

    Attributes:
        entry: its entry in the manifest.
        layout: the layout of the snapshot.
        releases: the releases that the meta store may be of.
        rows: rows by section.
        size: bytes of the file.
        checksum: XXH64 in the file.
        checkpoint_version: id of the version in the checkpoint.
        deltas: version deltas that were replayed onto it.
        pinned: whether garbage collection keeps the objects that the snapshot needs.
        omitted: unknown tables and columns that were left out because that was allowed.
        warnings: what the operator should know.
        needed: the objects that the snapshot needs.
        base: the snapshot that it is kept as a delta of; None for a plain file.
        stored: bytes of what was written into the directory; 0 if nothing was.
    """

    entry: ManifestEntry
    layout: str
    releases: tuple[str, ...]
    rows: dict[str, int]
    size: int
    checksum: int
    checkpoint_version: int
    deltas: int
    pinned: bool
    omitted: tuple[str, ...]
    warnings: tuple[str, ...]
    needed: NeededObjects
    base: int | None = None
    stored: int = 0


@rare_collections()
def backup(
    meta_store: MetaStore,
    repository: Repository,
    options: BackupOptions | None = None,
    store: Store | None = None,
) -> BackupResult:
    """Back up a meta store.

    Args:
        meta_store: where the metadata is.
        repository: where the snapshot goes.
        options: how.
        store: the state store; by default the one that the options or the parameters name.

    Raises:
        UsageError: the directory is the cluster's own.
        UnknownFormat: the schema is of no known release, or has something that a snapshot would
            leave out.
        InconsistentStore: the version deltas do not lead on from the checkpoint, or the store
            contradicts itself.
        ObjectMissing: there is no checkpoint.
        DamageError: what was written does not read back; it was deleted again.
    """
    options = options or BackupOptions()
    with meta_store.read_transaction(is_brief=True) as connection:
        find_layouts(connection)  # a meta store at all, before its parameters are asked for
        parameters = system_parameters(connection)
    if not options.into_cluster_directory:
        check_directory(repository, parameters)
    url = options.hummock_storage_url or parameter(parameters, STATE_STORE)
    directory = options.hummock_storage_directory or parameter(parameters, DATA_DIRECTORY)
    state = open_store(url, repository.context) if store is None else store
    for _ in range(CUT_ATTEMPTS_MAX):
        checkpoint = read_checkpoint_bytes(state, directory)
        with meta_store.read_transaction() as connection:
            check_cluster(connection, state, directory)
            check_room(connection, repository)
            try:
                found = _Backup(connection, repository, checkpoint, options)
            except InconsistentStore:
                if checkpoint == read_checkpoint_bytes(state, directory):
                    raise
                continue  # a newer one was written and deltas after this one are trimmed: again
            if found.replayed.applied or checkpoint == read_checkpoint_bytes(state, directory):
                return found.run()
    raise InconsistentStore(
        f"the checkpoint changed {CUT_ATTEMPTS_MAX} times while the meta store was being read",
        hint="try again, or stop the meta node",
    )


class _Backup:
    """One backup inside one read transaction."""

    def __init__(
        self,
        connection: sa.Connection,
        repository: Repository,
        checkpoint: bytes,
        options: BackupOptions,
    ) -> None:
        self.connection = connection
        self.taken = datetime.now(UTC)
        self.repository = repository
        self.options = options
        self.coverage = cover(connection, options.rw_version)
        self.coverage.require(allow_unknown=options.allow_unknown_tables)
        self.omitted = tuple(item.name for item in self.coverage.unknown)
        self.layout: Layout = LAYOUTS[self.coverage.layout]
        self.releases = self.coverage.candidates.releases
        self.replayed = self._replay(checkpoint)
        self.version = self.replayed.version
        self.rows: dict[str, int] = {}
        self.size = 0
        self.checksum = 0
        self.stored = 0
        self.base: int | None = None
        self.warnings: tuple[str, ...] = ()
        self.needed = NeededObjects(())

    def run(self) -> BackupResult:
        known = sequences(self.connection)
        sequence = known.get(BACKUP_SEQUENCE, 1)
        if self.options.dry_run:
            entry = self._write(_Discard(), changes.next_id(self.repository, sequence))
        else:
            with changes.reserve(self.repository, sequence) as number:
                entry = self._keep(number)
        warned = warnings(self.connection, self.options, self.coverage, self.layout, self.replayed)
        return BackupResult(
            entry=entry,
            layout=self.layout.name,
            releases=self.releases,
            rows=self.rows,
            size=self.size,
            checksum=self.checksum,
            checkpoint_version=self.replayed.base_id,
            deltas=self.replayed.applied,
            pinned=self.options.meta_node_stopped,
            omitted=self.omitted,
            warnings=(*warned, *self.warnings),
            needed=self.needed,
            base=self.base,
            stored=self.stored,
        )

    def _keep(self, number: int) -> ManifestEntry:
        """Write it, as a delta where that is asked for and due."""

        def write(file: BinaryIO) -> ManifestEntry:
            return self._write(file, number)

        if not self.options.as_delta:
            entry = changes.create_stream(self.repository, number, write, self.taken)
            self.stored = self.size
            return entry
        from metasnapshot.operations.backup_delta import keep_small  # noqa: PLC0415 - loads numpy

        kept = keep_small(self.repository, number, write, self.taken, self.options.full_every)
        self.base, self.stored = kept.base, kept.stored
        self.warnings = (kept.warning,) if kept.warning else ()
        return kept.entry

    def _replay(self, checkpoint: bytes) -> Replayed:
        """The version that the meta node has in memory at this moment."""
        named = self.coverage.candidates.release(self.options.rw_version)
        releases = (named,) if named else self.releases
        deltas = version_deltas(self.connection)
        return replay_checkpoint(checkpoint, deltas, releases, self.layout.era)

    def _write(self, file: WritableFile, snapshot_id: int) -> ManifestEntry:
        writer = SnapshotWriter(file, snapshot_id, self.layout)
        version = HummockVersion.from_message(
            self.version, self.layout.hummock_version_form, self.layout.era
        )
        logged: list[NeededObject] = []
        for section in section_names(self.layout):
            if section == HUMMOCK_VERSION:
                writer.write_hummock_version(version)
                continue
            count, rows = self._rows(section, snapshot_id)
            if section == CHANGE_LOGS_SECTION:
                rows = _noting_objects(rows, logged)
            writer.write_section(section, count, rows)
            self.rows[section] = count
        self.checksum = writer.finish()
        self.size = writer.size
        in_table = CHANGE_LOGS_SECTION in section_names(self.layout)
        in_version = needed_objects(self.version, () if in_table else None)
        self.needed = NeededObjects(chain(in_version, logged))
        return new_entry(
            snapshot_id,
            self.version,
            self.needed.ids,
            self.layout,
            self._remarks(),
            self.options.rw_version or self.coverage.candidates.only_release,
        )

    def _remarks(self) -> str | None:
        """The operator's note, with what was left out."""
        if not self.omitted:
            return self.options.remarks
        left_out = f"[left out: {', '.join(self.omitted)}]"
        return f"{self.options.remarks} {left_out}" if self.options.remarks else left_out

    def _rows(self, section: str, snapshot_id: int) -> tuple[int, Iterable[Any]]:
        """Count and rows of a section; the count comes first, as it does in the file."""
        model = model_of(self.layout, section)
        count = count_rows(self.connection, CODECS[model].table)
        if section == CHANGE_LOGS_SECTION:
            return count, read_rows(self.connection, self.layout, model)
        if section != SEQUENCES_SECTION:
            return count, read_encoded(self.connection, self.layout, model)
        rows = read_rows(self.connection, self.layout, model)
        bumped = list(_with_backup_sequence(rows, snapshot_id + 1))
        return len(bumped), bumped


def _with_backup_sequence(rows: Iterable[Any], value: int) -> Iterator[Any]:
    """hummock_sequence as in RisingWave's own snapshot: meta_backup is at the next id."""
    others = [row for row in rows if row.name != BACKUP_SEQUENCE]
    row = HummockSequence(name=BACKUP_SEQUENCE, seq=value)
    yield from sorted([*others, row], key=lambda item: item.name.encode())


def _noting_objects(rows: Iterable[Any], objects: list[NeededObject]) -> Iterator[Any]:
    """The same rows of hummock_table_change_log; the objects that they refer to are noted."""
    for row in rows:
        objects.extend(change_log_objects(row))
        yield row


class _Discard:
    """A file that keeps nothing: what a dry run writes to."""

    def write(self, data: bytes, /) -> int:
        return len(data)


__all__ = ["NOT_PINNED", "BackupOptions", "BackupResult", "backup"]
