"""restore: a snapshot -> a meta store and the version checkpoint, all or nothing.

The plan is checked first (restore_checks); then, in one transaction, the sections are loaded in
an order in which foreign keys hold, each hashed again on the way and read back before the commit.
The checkpoint comes last: without it the meta node has nothing. A restore that dies between the two
is recognised by the next, which writes the checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import compress
from typing import Any

import sqlalchemy as sa
import xxhash

from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import ConflictError, InconsistentStore, MetasnapshotError
from metasnapshot.format.columns import Columns
from metasnapshot.format.layout import model_of, shape_of
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.hummock.checkpoint import (
    CHECKPOINT_NAME,
    decode_checkpoint,
    read_checkpoint_bytes,
    write_checkpoint,
)
from metasnapshot.metastore.bulk.digest import TableDigest
from metasnapshot.metastore.connect import MetaStore
from metasnapshot.metastore.create import make_tables
from metasnapshot.metastore.foreign_keys import foreign_keys_last
from metasnapshot.metastore.load import (
    digest_rows,
    digest_table,
    empty_tables,
    insert_columns,
    set_sequences,
    table_of,
)
from metasnapshot.operations.collector import rare_collections
from metasnapshot.operations.restore_checks import RestorePlanner, load_sections
from metasnapshot.operations.restore_plan import RestoreOptions, RestorePlan
from metasnapshot.store.port import Store, join
from metasnapshot.store.url import open_store
from metasnapshot_models.codecs import CODECS
from metasnapshot_models.definitions import Layout
from metasnapshot_models.enums import ObjectType

OBJECTS_SECTION = "objects"
CHECKLIST = (
    "the old cluster must never start again: two clusters on one data directory destroy its data",
    "clear every node's disk caches (storage.meta_file_cache.dir, storage.data_file_cache.dir)",
    "check backup_storage_url and backup_storage_directory: snapshots elsewhere pin no objects",
    "CDC sources resume at their saved offsets, sinks may write again what they wrote since",
)
"""What the operator does next."""


@dataclass(frozen=True)
class RestoreResult:
    """What a restore wrote.

    Attributes:
        plan: what was planned and checked.
        rows: rows loaded, by table.
        sequences: AUTOINCREMENT values that were set, by table.
        checkpoint: path of the version checkpoint in the state store.
        replaced_checkpoint: where the checkpoint that it replaced is kept, or None.
        checklist: what the operator does next.
    """

    plan: RestorePlan
    rows: dict[str, int]
    sequences: dict[str, int]
    checkpoint: str
    replaced_checkpoint: str | None
    checklist: tuple[str, ...] = CHECKLIST


def plan_restore(
    repository: Repository, meta_store: MetaStore, options: RestoreOptions
) -> RestorePlan:
    """Work out and check what a restore would do, and write nothing.

    Raises:
        SnapshotNotFound: there is no such snapshot.
        DamageError: it is damaged, so that there is nothing to plan with.
    """
    store = open_store(options.hummock_storage_url)
    with (
        repository.open(options.snapshot_id) as reader,
        meta_store.read_transaction() as connection,
    ):
        return RestorePlanner(repository, store, reader, options, connection).run()


@rare_collections()
def restore(
    repository: Repository,
    meta_store: MetaStore,
    options: RestoreOptions,
    store: Store | None = None,
) -> RestoreResult:
    """Restore a snapshot.

    Args:
        repository: where the snapshot is.
        meta_store: where its rows go.
        options: which one, and how.
        store: the state store; by default the one that the options name.

    Raises:
        SnapshotNotFound: there is no such snapshot.
        DamageError: it is damaged.
        UsageError: the state store is not the snapshot's.
        InconsistentStore: the newest snapshot's sequences do not cover this one's, or the database
            does not give back what was sent.
        UnknownFormat: the target lacks a table or column.
        TargetNotEmpty: tables of the target have rows.
        ConflictError: the data directory is another cluster's.
    """
    store = open_store(options.hummock_storage_url) if store is None else store
    with repository.open(options.snapshot_id) as reader:
        layout = reader.definition
        with meta_store.write_transaction() as connection:
            planner = RestorePlanner(repository, store, reader, options, connection)
            plan = planner.run(is_load=True)
            plan.require()
            if plan.loaded:
                rows, sequences = plan.rows, dict[str, int]()
            else:
                rows = _fill(connection, planner, layout)
                sequences = set_sequences(connection, rows)
            kept = _keep_checkpoint(repository, store, options.hummock_storage_directory)
        version = reader.hummock_version.message
        try:
            path = write_checkpoint(store, options.hummock_storage_directory, version, layout)
        except MetasnapshotError as error:
            error.hint = (
                "the rows are loaded, the checkpoint is not written: do not start the meta node; "
                "mend this and run the same restore again, it goes on from here"
            )
            raise
        _check_checkpoint(store, options.hummock_storage_directory, reader, layout)
    return RestoreResult(plan, rows, sequences, path, kept)


def _fill(connection: sa.Connection, planner: RestorePlanner, layout: Layout) -> dict[str, int]:
    """Make the tables that are planned, empty those that are, and load; returns rows by table."""
    if planner.target.schema is not None:
        make_tables(connection, planner.target.schema)
    empty_tables(connection, planner.plan.empties)
    return _load(connection, planner, layout)


def _load(connection: sa.Connection, planner: RestorePlanner, layout: Layout) -> dict[str, int]:
    """Insert every section and read it back; returns rows by table."""
    with foreign_keys_last(connection) as any_order:
        return {
            CODECS[model_of(layout, section)].table: _load_section(
                connection, planner, section, any_order=any_order
            )
            for section in load_sections(layout)
        }


def _load_section(
    connection: sa.Connection, planner: RestorePlanner, section: str, *, any_order: bool
) -> int:
    """Insert a section and read it back; returns its rows.

    A table that gives back another form of its rows than was sent may still hold the same values:
    then they are compared as models.
    """
    target, model = planner.target.target, model_of(planner.layout, section)
    table = table_of(connection, target, model)
    sent = TableDigest()
    for batches in _waves(section, planner, any_order=any_order):
        sent += insert_columns(table, target, model, batches)
    if table.digest() != sent:
        wanted = digest_rows(target, model, planner.section_rows(section))
        stored = digest_table(connection, planner.layout, model)
        if stored != wanted:
            raise InconsistentStore(
                f"table {CODECS[model].table} gives back {stored.count} rows, not the "
                f"{wanted.count} that it was sent",
                hint="nothing was committed",
            )
    return sent.count


def _waves(
    section: str, planner: RestorePlanner, *, any_order: bool
) -> Iterator[Iterable[Columns]]:
    """A section's rows, in parts that are inserted one after the other.

    Objects refer to objects: where foreign keys are looked at row by row, databases come first,
    then schemas, then the rest.
    """
    if section != OBJECTS_SECTION or any_order:
        yield planner.section_columns(section)
        return
    shape = shape_of(planner.layout, model_of(planner.layout, section)).columns
    at = [column.name for column in shape].index("obj_type")
    first = (ObjectType.DATABASE, ObjectType.SCHEMA)
    for wanted in first:
        yield _chosen(planner.section_columns(section), at, lambda kind, it=wanted: kind == it)
    yield _chosen(planner.section_columns(section), at, lambda kind: kind not in first)


def _chosen(
    batches: Iterable[Columns], at: int, is_chosen: Callable[[Any], bool]
) -> Iterator[Columns]:
    """The rows whose value of one column is chosen."""
    for columns in batches:
        chosen = list(map(is_chosen, columns[at]))
        yield [list(compress(values, chosen)) for values in columns]


def _keep_checkpoint(repository: Repository, store: Store, directory: str) -> str | None:
    """Copy the checkpoint that will be replaced beside the backups; returns its path there."""
    if store.head(join(directory, CHECKPOINT_NAME)) is None:
        return None
    data = read_checkpoint_bytes(store, directory)
    path = join(repository.directory, f"checkpoint.{xxhash.xxh64_hexdigest(data)}.replaced")
    try:
        repository.store.put_if_absent(path, data)
    except ConflictError:
        return path  # named after its bytes: it is kept already
    return path


def _check_checkpoint(store: Store, directory: str, reader: SnapshotReader, layout: Layout) -> None:
    """The checkpoint in the store decodes and holds the snapshot's version."""
    written = decode_checkpoint(read_checkpoint_bytes(store, directory), layout.era)
    if written != reader.hummock_version.message:
        raise ConflictError(
            f"{join(directory, CHECKPOINT_NAME)} does not hold the snapshot's version",
            hint="did somebody else write it? restore again with every node stopped",
        )
