"""The rows of a snapshot's tables for programs, as Arrow.

with metasnapshot.data.open_tables("fs:///srv/backups", "latest") as tables:
    orders = tables.table("public.orders", columns=("id", "amount"))
    orders.to_reader()          # a pyarrow.RecordBatchReader
    orders.partitions(8)        # parts of it, for other processes

A table also is what takes Arrow streams expects: DuckDB, polars, pyarrow.table read it as it is.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from metasnapshot.library.directory import DIRECTORY, BackupDirectory
from metasnapshot.library.picking import SnapshotId
from metasnapshot.library.reading import Tables, tables_of
from metasnapshot.library.state import StateStore
from metasnapshot.operations.read import Where
from metasnapshot.store.context import PLAIN, Context

__all__ = ["Tables", "open_tables"]


def open_tables(
    url: str,
    snapshot_id: SnapshotId = "latest",
    *,
    directory: str = DIRECTORY,
    state: StateStore | None = None,
    where: Where | None = None,
    context: Context = PLAIN,
) -> AbstractContextManager[Tables]:
    """Open the tables of a snapshot, for the block.

    Args:
        url: of the backups' store.
        snapshot_id: which snapshot: an id, latest or oldest.
        directory: in the store.
        state: URL and data directory of the state store; what is not given the snapshot says.
        where: area or state, where the objects are read; by default in the backup, if it is full.
        context: how the stores are reached.

    Raises:
        SnapshotNotFound: there is no such snapshot.
    """
    backups = BackupDirectory(url, directory, context=context)
    return tables_of(backups, snapshot_id, state=state, where=where)
