"""restore: a snapshot -> an empty meta store and the version checkpoint, all or nothing.

The snapshot is verified as a whole first; then its sections are loaded in one transaction, in an
order in which foreign keys hold, and each is hashed again on the way. The checkpoint is written
last: without it the meta node has nothing. The order of checks is upstream's
(src/meta/src/backup_restore/restore.rs).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import InconsistentStore, TargetNotEmpty, UnknownFormat, UsageError
from metasnapshot.format.layout import HUMMOCK_VERSION, model_of, shape_of
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.hummock.checkpoint import CHECKPOINT_NAME, write_checkpoint
from metasnapshot.metastore.connect import MetaStore
from metasnapshot.metastore.load import insert_rows, nonempty_tables
from metasnapshot.metastore.read import count_rows
from metasnapshot.metastore.schema import live_schema
from metasnapshot.store.port import join
from metasnapshot.store.url import HUMMOCK_PREFIX, open_store
from metasnapshot_models.codecs import CODECS
from metasnapshot_models.definitions import Layout
from metasnapshot_models.enums import ObjectType
from metasnapshot_models.layouts import LAYOUTS, LOAD_ORDER
from metasnapshot_models.models import HummockSequence

SEQUENCES_SECTION = "hummock_sequences"
PARAMETERS_SECTION = "system_parameters"
OBJECTS_SECTION = "objects"
STATE_STORE = "state_store"
DATA_DIRECTORY = "data_directory"


@dataclass(frozen=True)
class Overwrite:
    """Where the restored cluster's state and backups are, if not where the snapshot says.

    Nothing is copied: the objects must be at the new place already, under the same relative paths.
    """

    backup_storage_url: str
    backup_storage_directory: str


@dataclass(frozen=True)
class RestoreResult:
    """What a restore wrote: rows by table, the checkpoint's path, and where the sequences came
    from.
    """

    snapshot_id: int
    layout: str
    rows: dict[str, int]
    checkpoint: str
    sequences_from: int


def restore(
    repository: Repository,
    snapshot_id: int,
    meta_store: MetaStore,
    hummock_storage_url: str,
    hummock_storage_directory: str,
    overwrite: Overwrite | None = None,
) -> RestoreResult:
    """Restore a snapshot into an empty meta store.

    Args:
        repository: where the snapshot is.
        snapshot_id: which one.
        meta_store: a meta store that has the snapshot's tables, all empty.
        hummock_storage_url: the state store of the restored cluster, without `hummock+`.
        hummock_storage_directory: the data directory in it.
        overwrite: given if state or backups moved; otherwise both must be where the snapshot says.

    Raises:
        SnapshotNotFound: there is no such snapshot.
        DamageError: it is damaged.
        UsageError: the state store is not the snapshot's.
        InconsistentStore: the newest snapshot's sequences do not cover this one's.
        UnknownFormat: the target lacks a table or column.
        TargetNotEmpty: tables of the target have rows.
    """
    store = open_store(hummock_storage_url)
    store.head(
        join(hummock_storage_directory, CHECKPOINT_NAME)
    )  # reachable, before anything is written
    repository.entry(snapshot_id)
    with repository.open(snapshot_id) as reader:
        layout = LAYOUTS[reader.layout]
        if reader.opaque_size:
            raise UnknownFormat(
                f"snapshot {snapshot_id} has {reader.opaque_size} bytes beyond layout "
                f"{reader.layout}: "
                "a restore would lose them",
                hint="upgrade metasnapshot, or extend schema/models.yaml",
            )
        version = reader.hummock_version.message
        sequences = _sequences(repository, snapshot_id, reader)
        storage = (hummock_storage_url, hummock_storage_directory)
        parameters = _parameters(reader, storage, overwrite)
        with meta_store.write_transaction() as connection:
            _check_target(connection, layout)
            rows = _load(connection, reader, layout, sequences, parameters)
        checkpoint = write_checkpoint(store, hummock_storage_directory, version, layout)
    newest = max(repository.manifest().ids)
    return RestoreResult(snapshot_id, layout.name, rows, checkpoint, newest)


def _sequences(
    repository: Repository, snapshot_id: int, reader: SnapshotReader
) -> list[HummockSequence]:
    """hummock_sequence as it must be: that of the newest snapshot, so that no id is ever given
    twice.

    Raises:
        InconsistentStore: the newest lacks one of this snapshot's sequences, or has a smaller
            value.
    """
    target: list[HummockSequence] = list(reader.rows(SEQUENCES_SECTION))
    newest_id = max(repository.manifest().ids)
    if newest_id == snapshot_id:
        return target
    with repository.open(newest_id) as newest_reader:
        newest: list[HummockSequence] = list(newest_reader.rows(SEQUENCES_SECTION))
    values = {row.name: row.seq for row in newest}
    for row in target:
        if row.name not in values:
            raise InconsistentStore(
                f"violate superset requirement: snapshot {newest_id}, the newest, has no hummock "
                "sequence "
                f"{row.name}, snapshot {snapshot_id} has",
                hint="is the newest snapshot of another cluster?",
            )
        if values[row.name] < row.seq:
            raise InconsistentStore(
                f"violate monotonicity requirement: hummock sequence {row.name} is "
                f"{values[row.name]} in "
                f"snapshot {newest_id}, the newest, and {row.seq} in snapshot {snapshot_id}",
                hint="is the newest snapshot of another cluster?",
            )
    return newest


def _parameters(
    reader: SnapshotReader, storage: tuple[str, str], overwrite: Overwrite | None
) -> list[Any]:
    """system_parameter as it must be: the snapshot's, which must name this storage, or with the new
    places in it.

    Raises:
        UsageError: the snapshot's state store or data directory is another one.
        InconsistentStore: the snapshot has no such parameter.
    """
    rows = list(reader.rows(PARAMETERS_SECTION))
    values = {row.name: row for row in rows}
    url, directory = storage
    if overwrite is None:
        _require(values, STATE_STORE, f"{HUMMOCK_PREFIX}{url}", "--hummock-storage-url")
        _require(values, DATA_DIRECTORY, directory, "--hummock-storage-directory")
        return rows
    wanted = {
        STATE_STORE: f"{HUMMOCK_PREFIX}{url}",
        DATA_DIRECTORY: directory,
        "backup_storage_url": overwrite.backup_storage_url,
        "backup_storage_directory": overwrite.backup_storage_directory,
    }
    for name, value in wanted.items():
        if name not in values:
            raise InconsistentStore(f"{name} not found in system_parameter table of the snapshot")
        values[name].value = value
    return rows


def _require(values: dict[str, Any], name: str, wanted: str, option: str) -> None:
    if name not in values:
        raise InconsistentStore(f"the snapshot has no system parameter {name}")
    found = values[name].value
    if found != wanted:
        raise UsageError(
            f"{name} mismatch: the snapshot has {_without_userinfo(found)}, "
            f"{option} means {_without_userinfo(wanted)}",
            hint="give the snapshot's place; or, if its objects were moved, "
            "--overwrite-hummock-storage-endpoint, --overwrite-backup-storage-url and "
            "--overwrite-backup-storage-directory",
        )


def _without_userinfo(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"{scheme}://****@{rest.rpartition('@')[2]}" if separator and "@" in rest else url


def _check_target(connection: sa.Connection, layout: Layout) -> None:
    """The target has every table and column of the layout, and no rows in any of RisingWave's
    tables.
    """
    live = {
        table: {column.name for column in columns}
        for table, columns in live_schema(connection).items()
    }
    missing: list[str] = []
    for _, model in layout.sections:
        table = CODECS[model].table
        names = [f"{table}.{column.name}" for column in shape_of(layout, model).columns]
        if table not in live:
            missing.append(table)
        else:
            missing += [name for name in names if name.rpartition(".")[2] not in live[table]]
    if missing:
        raise UnknownFormat(
            f"target meta store lacks what layout {layout.name} has: {', '.join(missing)}",
            hint=f"make the schema with a meta node of {' or '.join(layout.releases)}",
        )
    rows = nonempty_tables(connection)
    if rows:
        raise TargetNotEmpty(rows)


def _load(
    connection: sa.Connection,
    reader: SnapshotReader,
    layout: Layout,
    sequences: list[HummockSequence],
    parameters: list[Any],
) -> dict[str, int]:
    """Insert every section; returns rows by table."""
    replaced: dict[str, list[Any]] = {SEQUENCES_SECTION: sequences, PARAMETERS_SECTION: parameters}
    loaded: dict[str, int] = {}
    for section in LOAD_ORDER:
        if section not in reader.section_names or section == HUMMOCK_VERSION:
            continue
        model = model_of(layout, section)
        table = CODECS[model].table
        for rows in _waves(section, replaced.get(section), reader):
            loaded[table] = loaded.get(table, 0) + insert_rows(connection, layout, model, rows)
        if loaded[table] != (stored := count_rows(connection, table)):
            raise InconsistentStore(
                f"{loaded[table]} rows went into table {table}, it has {stored}"
            )
    return loaded


def _waves(
    section: str, replaced: list[Any] | None, reader: SnapshotReader
) -> Iterator[Iterable[Any]]:
    """A section's rows, in parts that are inserted one after the other.

    Objects refer to objects: databases come first, then schemas, then the rest.
    """
    if section != OBJECTS_SECTION:
        yield reader.rows(section) if replaced is None else replaced
        return
    first = (ObjectType.DATABASE, ObjectType.SCHEMA)
    for wanted in first:
        yield (row for row in reader.rows(section) if row.obj_type == wanted)
    yield (row for row in reader.rows(section) if row.obj_type not in first)
