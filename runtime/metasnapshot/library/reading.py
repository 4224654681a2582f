"""The tables of an opened snapshot: their rows for programs, as Arrow, and as files."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from metasnapshot.contents.data_tables import INTERNAL, data_tables, find_table
from metasnapshot.errors import UsageError
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.hummock.table_blocks import ObjectStore
from metasnapshot.library.directory import BackupDirectory
from metasnapshot.library.picking import SnapshotId
from metasnapshot.library.state import StateStore
from metasnapshot.operations.export import new_path
from metasnapshot.operations.read import (
    Format,
    ReadResult,
    Where,
    Wish,
    area_of,
    facts_of,
    objects_of,
    plan_read,
    write_rows,
)
from metasnapshot.store.context import PLAIN, Context

if TYPE_CHECKING:
    from metasnapshot.operations.read_all import TableFile
    from metasnapshot.operations.spread.scheduler import Workers
    from metasnapshot.rows.table import TableRead

Step = Callable[[int], object]
"""Is told how many rows, or tables, are done."""


def _nobody(_: int) -> None:
    """Nobody is told."""


class Tables:
    """The tables of an opened snapshot.

    Attributes:
        snapshot_id: which one.
    """

    def __init__(
        self, reader: SnapshotReader, objects: ObjectStore, context: Context = PLAIN
    ) -> None:
        self._reader = reader
        self._objects = objects
        self._context = context
        self.snapshot_id = reader.id

    @property
    def names(self) -> list[str]:
        """The full names of all that has rows, but for internal tables."""
        tables = (table for table in data_tables(self._reader) if table.kind != INTERNAL)
        return sorted(table.full_name for table in tables)

    def table(self, name: str, **wish: Any) -> TableRead:
        """A table, materialized view or index; nothing is read yet.

        Args:
            name: `database.schema.name`, less of it where that is enough, or `#id`.
            **wish: as Wish: columns, where, decimal, on_unfit, …

        Raises:
            UsageError: there is none, or it cannot be read, or not so.
        """
        return plan_read(self._reader, find_table(self._reader, name), self._objects, Wish(**wish))

    def write(
        self,
        name: str,
        to: Path | BinaryIO,
        format: Format = "parquet",  # noqa: A002 - the word of the command
        wish: Wish | None = None,
        step: Step = _nobody,
    ) -> ReadResult:
        """Write the rows of a table.

        Args:
            name: `database.schema.name`, less of it where that is enough, or `#id`.
            to: a path where nothing is yet, which appears complete or not at all; or a stream.
            format: `parquet`, `csv`, `jsonl` or `arrow`.
            wish: which rows and columns, and what becomes of them.
            step: is told how many rows are done.

        Raises:
            UsageError: there is no such table, or it cannot be read, or not so.
            ConflictError: there is something at the path.
            ObjectMissing: an object is gone.
            SstDamage: an object is damaged.
        """
        wanted = wish or Wish()
        table = find_table(self._reader, name)
        planned = plan_read(self._reader, table, self._objects, wanted)
        facts = facts_of(self._reader, table, planned)
        if isinstance(to, Path):
            with new_path(to) as path, path.open("wb") as file:
                count = write_rows(planned, facts, format, file, step, dictionary=wanted.dictionary)
                file.flush()
                os.fsync(file.fileno())
        else:
            count = write_rows(
                planned, facts, format, to, step, stream=True, dictionary=wanted.dictionary
            )
        return ReadResult(table, count or 0, planned.scan.epoch, tuple(planned.names))

    def write_all(
        self,
        to: Path,
        format: Format = "parquet",  # noqa: A002 - the word of the command
        wish: Wish | None = None,
        *,
        jobs: int = 1,
        workers: Workers | None = None,
        step: Step = _nobody,
    ) -> tuple[TableFile, ...]:
        """Write every table but internal ones into a new directory. One that cannot be read has its
        error in its result, and no file.

        Args:
            to: the directory, `database/schema/name/part-00000.parquet` and so on in it.
            format: of the files.
            wish: what is wanted of each.
            jobs: processes.
            workers: of a Dask scheduler, which read instead; the directory has the same path there.
            step: is told how many tables are done.

        Raises:
            UsageError: no such number of processes, or a worker does not see the objects.
            SchedulerUnavailable: the scheduler or its workers cannot be reached.
            ConflictError: there is something at the path.
            ObjectMissing: an object is gone; nothing was written.
        """
        from metasnapshot.operations.read_all import read_all
        from metasnapshot.operations.spread.scheduler import HERE

        if jobs < 1:
            raise UsageError(f"not a number of processes: {jobs}", hint="one or more")
        with new_path(to) as path:
            path.mkdir()
            return tuple(
                read_all(
                    self._reader,
                    self._objects,
                    wish or Wish(),
                    format,
                    path,
                    jobs=jobs,
                    workers=workers or HERE,
                    context=self._context,
                    step=step,
                )
            )


@contextmanager
def tables_of(
    backups: BackupDirectory,
    snapshot_id: SnapshotId = "latest",
    *,
    state: StateStore | None = None,
    where: Where | None = None,
) -> Generator[Tables]:
    """The tables of a snapshot, for the block.

    Args:
        backups: where the snapshot is.
        snapshot_id: which one.
        state: URL and data directory of the state store; what is not given the snapshot says.
        where: area or state, where the objects are read; by default in the backup, if it is full.

    Raises:
        SnapshotNotFound: there is no such snapshot.
        DamageError: it is damaged.
    """
    found = backups.repository
    with backups.open(snapshot_id) as reader:
        area = area_of(found, reader.id, backups.url, where)
        objects = objects_of(reader, state, backups.context) if area is None else area
        yield Tables(reader, objects, backups.context)
