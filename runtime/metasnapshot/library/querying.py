"""Queries in SQL: the tables of a snapshot, and what snapshots say of themselves."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from metasnapshot.library.backups import Backups
from metasnapshot.library.picking import SnapshotId
from metasnapshot.library.state import StateStore

if TYPE_CHECKING:
    from metasnapshot.hummock.table_blocks import ObjectStore
    from metasnapshot.operations.query.query import Query
    from metasnapshot.operations.read import Where, Wish

MEMORY = 1 << 30


@contextmanager
def query(
    backups: Backups,
    snapshot_id: SnapshotId | None,
    text: str,
    wish: Wish | None = None,
    *,
    memory: int = MEMORY,
    with_secrets: bool = False,
    state: StateStore | None = None,
    where: Where | None = None,
) -> Generator[Query]:
    """Plan a query in DuckDB's SQL; it runs when its rows are written.

    Args:
        backups: where the snapshots are.
        snapshot_id: which one: its tables by their names, its sections as `meta.tables` and so on;
            None for the sections of all, with a column `snapshot_id`.
        text: the query.
        wish: how rows of tables are read.
        memory: bytes that all of it may take, about.
        with_secrets: show credentials as they are.
        state: the state store; by default what the snapshot says.
        where: area or state, where objects are read; by default in the backup, if it is full.

    Raises:
        UsageError: it is not a query, or the extra `query` is not installed.
        SnapshotNotFound: there is no such snapshot.
        ObjectMissing: an object is gone.
    """
    from metasnapshot.operations.query.query import READING_SHARE, plan_query, sections_of
    from metasnapshot.operations.query.tables import TableRelations
    from metasnapshot.operations.read import Wish, area_of, objects_of

    found = backups.repository
    if snapshot_id is None:
        sections = sections_of(found, None, with_secrets=with_secrets)
        with plan_query(None, sections, text, memory) as planned:
            yield planned
        return
    wanted = wish or Wish(memory=memory // READING_SHARE)
    with backups.open(snapshot_id) as reader:

        def find_objects() -> ObjectStore:
            area = area_of(found, reader.id, backups.url, where)
            return objects_of(reader, state, backups.context) if area is None else area

        sections = sections_of(found, reader, with_secrets=with_secrets)
        tables = TableRelations(reader, find_objects, wanted)
        with plan_query(tables, sections, text, memory) as planned:
            yield planned
