"""What changed from one snapshot to another, or to a live meta store."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from metasnapshot.library.backups import Backups
from metasnapshot.library.meta_stores import MetaStore
from metasnapshot.library.picking import SnapshotId
from metasnapshot.library.state import StateStore

if TYPE_CHECKING:
    from metasnapshot.operations.diff.compare import Change, Objects
    from metasnapshot.operations.diff.data import TableDiff
    from metasnapshot.operations.read import Where


@dataclass(frozen=True)
class Diff:
    """Differences, found while they are read, as long as both sides are open.

    Attributes:
        names: by the names of objects and parameters, kind by kind.
        rows: by rows of every section of either.
        objects: ids of Hummock's objects that only the second needs, and only the first; None of a
            live meta store.
        omitted: what was not compared.
    """

    names: Iterator[Change]
    rows: Iterator[Change]
    objects: Objects | None
    omitted: tuple[str, ...]


@contextmanager
def diff(
    backups: Backups, before: SnapshotId, after: SnapshotId | MetaStore = "latest"
) -> Generator[Diff]:
    """Compare a snapshot with another one, or with a live meta store.

    Args:
        backups: where the snapshots are.
        before: the first side.
        after: the second side.

    Raises:
        SnapshotNotFound: there is no such snapshot.
        DamageError: one is damaged; also while differences are read.
        UsageError: the two are of formats that cannot be compared.
    """
    from metasnapshot.operations.diff import compare
    from metasnapshot.operations.diff.sides import MetaStoreSide, SnapshotSide

    with ExitStack() as stack:
        a = SnapshotSide(stack.enter_context(backups.open(before)))
        objects = None
        if isinstance(after, MetaStore):
            opened = stack.enter_context(after.connect())
            connection = stack.enter_context(opened.read_transaction())
            b = MetaStoreSide(connection, a.reader)
            compare.align(a, b)
        else:
            b = SnapshotSide(stack.enter_context(backups.open(after)))
            compare.align(a, b)
            objects = compare.diff_objects(a, b)
        omitted = (*a.omitted(), *b.omitted())
        yield Diff(compare.diff_names(a, b), compare.diff_rows(a, b), objects, omitted)


@contextmanager
def diff_data(
    backups: Backups,
    before: SnapshotId,
    after: SnapshotId,
    table: str | None = None,
    *,
    state: StateStore | None = None,
    where: Where | None = None,
) -> Generator[Iterator[TableDiff]]:
    """Compare the rows of tables of two snapshots, found while they are read.

    Args:
        backups: where the snapshots are.
        before: the first one.
        after: the second one.
        table: this table alone.
        state: where the state store is; by default what the snapshots say.
        where: area or state, where objects are read; by default in the backup, if it is full.

    Raises:
        SnapshotNotFound: there is no such snapshot.
        UsageError: there is no such table, or it cannot be read.
        DamageError: something is damaged; also while differences are read.
    """
    from metasnapshot.operations.diff.data import DataSide, diff_tables
    from metasnapshot.operations.read import area_of, objects_of

    found, context = backups.repository, backups.context
    with backups.open(before) as one, backups.open(after) as other:
        sides = (
            DataSide(
                reader,
                area_of(found, reader.id, backups.url, where) or objects_of(reader, state, context),
            )
            for reader in (one, other)
        )
        yield diff_tables(next(sides), next(sides), table)
