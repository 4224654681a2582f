"""read --all: every table of a snapshot into a directory, some at the same time."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from metasnapshot.contents.data_tables import INTERNAL, DataTable, data_tables
from metasnapshot.errors import MetasnapshotError
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.heap import return_large_blocks
from metasnapshot.hummock.table_blocks import ObjectStore
from metasnapshot.operations.read import Format, Wish, facts_of, part_path, plan_read
from metasnapshot.operations.read_abroad import TableJob, read_abroad, write_table
from metasnapshot.operations.spread.by import require_scheduler
from metasnapshot.operations.spread.scheduler import HERE, Workers
from metasnapshot.store.context import PLAIN, Context


@dataclass(frozen=True)
class TableFile:
    """What became of a table: rows in a file below the directory, or an error."""

    table: DataTable
    path: Path
    rows: int = 0
    epoch: int = 0
    error: MetasnapshotError | None = None


def read_all(
    reader: SnapshotReader,
    objects: ObjectStore,
    wish: Wish,
    form: Format,
    directory: Path,
    *,
    jobs: int = 1,
    workers: Workers = HERE,
    context: Context = PLAIN,
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
        workers: of a scheduler, which read instead; they need the directory under the same path.
        context: how they reach the objects.
        step: is told how many tables are done.

    Raises:
        ObjectMissing: an object is gone; nothing was written.
        UsageError: a worker does not see the objects, or the directory.
        SchedulerUnavailable: the scheduler or its workers cannot be reached.
    """
    require_scheduler(workers.dask)
    tables = [table for table in data_tables(reader) if table.kind != INTERNAL]
    wish = replace(wish, memory=wish.memory // max(jobs, 1))
    planned = [_plan(reader, table, objects, wish, form, directory) for table in tables]
    found = [item for item in planned if isinstance(item, TableJob)]
    refs = {ref.object_id: ref for job in found for ref in job.read.scan.refs}
    objects.look_for(list(refs.values()))
    results = _work(found, jobs)
    if workers.dask is not None:
        results = read_abroad(workers.dask, objects, context, directory, found)
    for number, (table, item) in enumerate(zip(tables, planned, strict=True)):
        path = part_path(table, form)
        result = next(results) if isinstance(item, TableJob) else item
        epoch = item.read.scan.epoch if isinstance(item, TableJob) else 0
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
) -> TableJob | MetasnapshotError:
    try:
        read = plan_read(reader, table, objects, wish)
    except MetasnapshotError as error:
        return error
    path = directory / part_path(table, form)
    return TableJob(read, facts_of(reader, table, read), form, path)


def _work(jobs: Sequence[TableJob], processes: int) -> Iterator[int | MetasnapshotError]:
    """Rows of each, in their order."""
    if processes <= 1 or len(jobs) <= 1:
        yield from map(write_table, jobs)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, return_large_blocks) as pool:
        yield from pool.map(write_table, jobs)
