"""Tables into files by the workers of a scheduler: a table is a piece of work, and a file of it.

The files go into a directory that every worker has under the same path, which a file in it proves
before the first table. A file gets its name when it is complete, so that a table that is begun
again leaves one file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from metasnapshot.catalogue.full_header import AREA
from metasnapshot.errors import MetasnapshotError, UsageError
from metasnapshot.heap import return_large_blocks
from metasnapshot.hummock.table_blocks import ObjectStore
from metasnapshot.operations.crew import MEMORY_MIN
from metasnapshot.operations.read import Format, write_rows
from metasnapshot.operations.spread.by import load_dask
from metasnapshot.operations.spread.errand import (
    Errand,
    Here,
    Witness,
    errand_over,
    open_place,
    open_sides,
)
from metasnapshot.operations.spread.scheduler import Scheduler
from metasnapshot.operations.spread.sides import Place, Side, url_of
from metasnapshot.store.context import Context
from metasnapshot.store.local import TEMPORARY_PREFIX, LocalStore
from metasnapshot.store.port import Store, join

if TYPE_CHECKING:
    from metasnapshot.rows.table import TableRead


@dataclass(frozen=True)
class TableJob:
    """What another process does: it has all that it needs, and opens the store for itself."""

    read: TableRead
    facts: dict[str, str]
    form: Format
    path: Path


class _Written(NamedTuple):
    """What became of a table: its number, its rows or an error, and bytes of its file."""

    number: int
    rows: int | MetasnapshotError
    size: int


def write_table(job: TableJob) -> int | MetasnapshotError:
    """Write a table: how many rows; its file has its name when it is complete."""
    job.path.parent.mkdir(parents=True, exist_ok=True)
    made = job.path.with_name(f"{TEMPORARY_PREFIX}{uuid4().hex}")
    try:
        with made.open("xb") as file:
            rows = write_rows(job.read, job.facts, job.form, file, lambda _: None)
            file.flush()
            os.fsync(file.fileno())
        made.replace(job.path)
    except MetasnapshotError as error:
        made.unlink(missing_ok=True)
        return error
    return rows


def read_abroad(
    scheduler: Scheduler,
    objects: ObjectStore,
    context: Context,
    directory: Path,
    jobs: Sequence[TableJob],
) -> Iterator[int | MetasnapshotError]:
    """Rows of each table, or its error, in their order.

    Args:
        scheduler: of the workers.
        objects: where the objects are.
        context: how they are reached.
        directory: where the files go.
        jobs: a table each.

    Raises:
        UsageError: a worker does not see the objects, or the directory.
        SchedulerUnavailable: the scheduler or its workers cannot be reached.
    """
    if not jobs:
        return
    dask, place = load_dask(), directory.resolve()
    source = _side_of(objects)
    url = f"fs://{place.parent}"
    sides = source, Side(LocalStore(place.parent), Place("output", url, place.name))
    ref = next((ref for job in jobs for ref in job.read.scan.refs), None)
    file = Witness() if ref is None else Witness(objects.path(ref), ref.size)
    connect = partial(open_place, source.place, context.quiet)
    with errand_over(sides, (file, None), context) as errand, dask.connected(scheduler) as client:
        fleet = dask.Fleet(client)
        fleet.require_same(errand)
        sent = ((number, _sent(job, place, directory, connect)) for number, job in enumerate(jobs))
        written: _Written
        waiting, wanted = dict[int, int | MetasnapshotError](), 0
        for worker, written in fleet.work(write_abroad, (errand,), sent, errand.token):
            _require_there(worker, jobs[written.number].path, written)
            waiting[written.number] = written.rows
            while wanted in waiting:
                yield waiting.pop(wanted)
                wanted += 1
    for left in place.rglob(f"{TEMPORARY_PREFIX}*"):  # of workers that died
        left.unlink(missing_ok=True)


def _side_of(objects: ObjectStore) -> Side:
    url = url_of(objects.store)
    if objects.path_of is None:
        return Side(objects.store, Place("state", url, objects.directory, objects.prefixed))
    return Side(objects.store, Place("backup", url, join(objects.directory, AREA)))


def _sent(job: TableJob, place: Path, directory: Path, connect: partial[Store]) -> TableJob:
    """The same job without what opens the store here."""
    objects = replace(job.read.objects, connect=connect)
    path = place / job.path.relative_to(directory)
    return replace(job, read=replace(job.read, objects=objects, jobs=1), path=path)


def write_abroad(here: Here, errand: Errand, numbered: tuple[int, TableJob]) -> _Written:
    """What a worker does."""
    number, job = numbered
    open_sides(errand, here.worker)
    return_large_blocks()
    memory = max(job.read.memory // here.threads, MEMORY_MIN)
    rows = write_table(replace(job, read=replace(job.read, memory=memory)))
    return _Written(number, rows, 0 if isinstance(rows, MetasnapshotError) else _size(job.path))


def _size(path: Path) -> int:
    with path.open("rb") as file:  # what is opened is looked at anew, on a shared file system too
        return file.seek(0, os.SEEK_END)


def _require_there(worker: str, path: Path, written: _Written) -> None:
    if isinstance(written.rows, MetasnapshotError):
        return
    size = _size(path) if path.is_file() else -1
    if size != written.size:
        raise UsageError(
            f"worker {worker} wrote {path}, and it is not here",
            hint="every worker needs the directory of --to under the same path",
        )
