"""The rows of a snapshot's tables for programs, as Arrow.

with metasnapshot.data.open_tables("fs:///srv/backups", "latest") as tables:
    orders = tables.table("public.orders", columns=("id", "amount"))
    orders.to_reader()          # a pyarrow.RecordBatchReader
    orders.partitions(8)        # parts of it, for other processes

A table also is what takes Arrow streams expects: DuckDB, polars, pyarrow.table read it as it is.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from metasnapshot.catalogue.repository import Repository
from metasnapshot.contents.data_tables import INTERNAL, data_tables, find_table
from metasnapshot.errors import SnapshotNotFound
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.hummock.table_blocks import ObjectStore
from metasnapshot.operations.read import Where, Wish, area_of, objects_of, plan_read
from metasnapshot.store.context import PLAIN, Context
from metasnapshot.store.url import open_store

if TYPE_CHECKING:
    from metasnapshot.rows.table import TableRead

BACKUPS = "backup"


class Tables:
    """The tables of an opened snapshot."""

    def __init__(self, reader: SnapshotReader, objects: ObjectStore) -> None:
        self._reader = reader
        self._objects = objects

    @property
    def names(self) -> list[str]:
        """The full names of all that has rows, but for internal tables."""
        tables = (table for table in data_tables(self._reader) if table.kind != INTERNAL)
        return sorted(table.full_name for table in tables)

    def table(self, name: str, **wish: Any) -> TableRead:
        """A table, materialized view or index; nothing is read yet.

        Args:
            name: `database.schema.name`, less of it where that is enough, or `#id`.
            **wish: as operations.read.Wish: columns, where, decimal, on_unfit, …

        Raises:
            UsageError: there is none, or it cannot be read, or not so.
        """
        return plan_read(self._reader, find_table(self._reader, name), self._objects, Wish(**wish))


@contextmanager
def open_tables(
    url: str,
    snapshot_id: int | str = "latest",
    *,
    directory: str = BACKUPS,
    state: tuple[str, str | None] | None = None,
    where: Where | None = None,
    context: Context = PLAIN,
) -> Generator[Tables]:
    """Open the tables of a snapshot.

    Args:
        url: of the backups' store.
        snapshot_id: which snapshot, or latest.
        directory: in the store.
        state: URL and data directory of the state store; what is not given the snapshot says.
        where: area or state, where the objects are read; by default in the backup, if it is full.
        context: how the stores are reached.

    Raises:
        SnapshotNotFound: there is no such snapshot.
    """
    repository = Repository(open_store(url, context), directory, context)
    ids = repository.manifest().ids
    if snapshot_id == "latest" and not ids:
        raise SnapshotNotFound("latest", ids)
    number = max(ids) if snapshot_id == "latest" else int(snapshot_id)
    with repository.open(number) as reader:
        area = area_of(repository, number, url, where)
        yield Tables(reader, objects_of(reader, state, context) if area is None else area)
