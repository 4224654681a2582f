"""read --all: every table of a snapshot into a directory, some at the same time."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from metasnapshot.contents.data_tables import INTERNAL, DataTable, data_tables
from metasnapshot.errors import MetasnapshotError
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.heap import return_large_blocks
from metasnapshot.hummock.table_blocks import ObjectStore
from metasnapshot.operations.read import Format, Wish, facts_of, part_path, plan_read, write_rows

if TYPE_CHECKING:
    from metasnapshot.rows.table import TableRead


@dataclass(frozen=True)
class TableFile:
    """What became of a table: rows in a file below the directory, or an error."""

    table: DataTable
    path: Path
    rows: int = 0
    epoch: int = 0
    error: MetasnapshotError | None = None


@dataclass(frozen=True)
class _Job:
    """What a process does: it has all that it needs, and opens the store for itself."""

    read: TableRead
    facts: dict[str, str]
    form: Format
    path: Path


def read_all(
    reader: SnapshotReader,
    objects: ObjectStore,
    wish: Wish,
    form: Format,
    directory: Path,
    *,
    jobs: int = 1,
    step: Callable[[int], object] = lambda _: None,
) -> Iterator[TableFile]:
    """Read every table but internal ones; each as it is done. One that cannot be read has its error
    and no file.

    Args:
        reader: the snapshot, opened.
        objects: where its objects lie.
        wish: what is wanted of each.
        form: of the files.
        directory: where they go; it is there.
        jobs: processes.
        step: is told how many tables are done.

    Raises:
        ObjectMissing: an object is gone; nothing was written.
    """
    tables = [table for table in data_tables(reader) if table.kind != INTERNAL]
    wish = replace(wish, memory=wish.memory // max(jobs, 1))
    planned = [_plan(reader, table, objects, wish, form, directory) for table in tables]
    found = [item for item in planned if isinstance(item, _Job)]
    refs = {ref.object_id: ref for job in found for ref in job.read.scan.refs}
    objects.look_for(list(refs.values()))
    results = _work(found, jobs)
    for number, (table, item) in enumerate(zip(tables, planned, strict=True)):
        path = part_path(table, form)
        result = next(results) if isinstance(item, _Job) else item
        epoch = item.read.scan.epoch if isinstance(item, _Job) else 0
        if isinstance(result, int):
            yield TableFile(table, path, result, epoch)
        else:
            yield TableFile(table, path, epoch=epoch, error=result)
        step(number + 1)


def _plan(
    reader: SnapshotReader,
    table: DataTable,
    objects: ObjectStore,
    wish: Wish,
    form: Format,
    directory: Path,
) -> _Job | MetasnapshotError:
    try:
        read = plan_read(reader, table, objects, wish)
    except MetasnapshotError as error:
        return error
    return _Job(read, facts_of(reader, table, read), form, directory / part_path(table, form))


def _work(jobs: Sequence[_Job], processes: int) -> Iterator[int | MetasnapshotError]:
    """Rows of each, in their order."""
    if processes <= 1 or len(jobs) <= 1:
        yield from map(_write, jobs)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, return_large_blocks) as pool:
        yield from pool.map(_write, jobs)


def _write(job: _Job) -> int | MetasnapshotError:
    """Write a table; its file goes away if that fails."""
    job.path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with job.path.open("xb") as file:
            rows = write_rows(job.read, job.facts, job.form, file, lambda _: None)
            file.flush()
            os.fsync(file.fileno())
    except MetasnapshotError as error:
        job.path.unlink(missing_ok=True)
        return error
    return rows
