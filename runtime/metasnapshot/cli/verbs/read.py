"""Look inside: read the rows of a table, or of all, without a cluster."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, BinaryIO, Literal, cast

from cyclopts import Parameter

from metasnapshot import (
    JOBS_MAX,
    Format,
    TableFile,
    Tables,
    Where,
    Wish,
    Workers,
    memory_size,
    tables_of,
)
from metasnapshot.cli.moments import At, choose, without_id
from metasnapshot.cli.options import AS_SAID, Directory, Json, OptionalId, StateStore
from metasnapshot.cli.parameters import FLAT
from metasnapshot.cli.progress import counted
from metasnapshot.cli.rows import STDOUT, Stdout, form_of, refuse_stdout
from metasnapshot.cli.run import current
from metasnapshot.cli.text import Document, complain, error_document, say, say_json
from metasnapshot.errors import SOME_FAILED, UsageError
from metasnapshot.heap import return_large_blocks


@dataclass(frozen=True)
class Rows:
    """Which rows and columns, and what becomes of them.

    Attributes:
        columns: only these columns, as a,b.
        where: only rows whose key is so, as 'id >= 10 and id < 20'.
        with_hidden: hidden columns too, such as _row_id.
        with_timestamp: when each row was written, as column _rw_timestamp.
        epoch: rows as of this epoch, where RisingWave itself would read it.
        on_unfit: fail at a value that its type in the file cannot hold, or write columns that may
            have such as text.
        decimal: decimals as 38,S with S digits behind the point, or as text.
        time: unit of times.
        timestamp: unit of timestamps.
        dictionary: columns with few different values, as a,b, for Parquet.
        memory: bytes that reading may take, about, as 512M.
    """

    columns: str | None = None
    where: str | None = None
    with_hidden: bool = False
    with_timestamp: bool = False
    epoch: int | None = None
    on_unfit: Literal["fail", "text"] = "fail"
    decimal: str = "38,10"
    time: Literal["us", "ns"] = "us"
    timestamp: Literal["us", "ns"] = "us"
    dictionary: str | None = None
    memory: str = "1G"

    def wish(self) -> Wish:
        """As the operation takes them."""
        return Wish(
            None if self.columns is None else _names(self.columns),
            self.where or "",
            self.with_hidden,
            self.with_timestamp,
            self.epoch,
            self.on_unfit,
            self.decimal,
            self.time,
            self.timestamp,
            () if self.dictionary is None else _names(self.dictionary),
            memory=memory_size(self.memory),
        )


EVERYTHING = Rows()
THIS_MACHINE = Workers()
In = Annotated[
    Where | None,
    Parameter(
        "--in",
        help="Where the objects are read: in the backup (area), or in the state store (state); "
        "by default in the backup, if the snapshot is full.",
    ),
]


def read(
    id: OptionalId = None,  # noqa: A002 - the word in --help
    table: Annotated[
        str | None, Parameter(help="Table name, such as dev.public.orders or orders, or #id.")
    ] = None,
    /,
    *,
    directory: Annotated[Directory, FLAT],
    at: At = None,
    format: Annotated[  # noqa: A002 - the word in --help
        Format | None,
        Parameter(help="parquet, csv, jsonl or arrow; by default as --to ends, else jsonl."),
    ] = None,
    to: Annotated[
        Path, Parameter(help="A new file; - for stdout; for --all a new directory.")
    ] = STDOUT,
    all_tables: Annotated[
        bool,
        Parameter("--all", help="Read every table, into database/schema/name/part-00000.parquet."),
    ] = False,
    jobs: Annotated[int, Parameter(help="How many processes unpack and decode.")] = 1,
    workers: Annotated[Workers, FLAT] = THIS_MACHINE,
    rows: Annotated[Rows, FLAT] = EVERYTHING,
    where: In = None,
    state: Annotated[StateStore, FLAT] = AS_SAID,
    json: Json = False,
) -> int:
    r"""Read the rows of a table, materialized view or index as they were in the snapshot.

    They come from the objects; no cluster is needed. No value is changed without a word: one
    that does not fit ends the read and names its row.

    $ metasnapshot read latest orders --to orders.parquet \
        --backup-storage-url fs:///srv/backups
    """
    id, table = without_id(id, table, at)  # noqa: A001 - the word in --help
    form = "parquet" if all_tables and format is None else form_of(format, to)
    _check(table, to, form, jobs, all_tables=all_tables, json=json)
    _check_workers(workers, jobs, all_tables=all_tables)
    wish, place = rows.wish(), state.place()
    found = directory.open()
    chosen = choose(found, "read", id, at)
    said = chosen.document if json else None
    with tables_of(found, chosen.id, state=place, where=where) as tables:
        if table is None:
            return _read_all(tables, wish, form, to, jobs, workers, said)
        return _read_one(tables, replace(wish, jobs=jobs), form, to, table, said)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))


def _check(
    table: str | None, to: Path, form: Format, jobs: int, *, all_tables: bool, json: bool
) -> None:
    """What goes together.

    Raises:
        UsageError: something does not.
    """
    if (table is None) != all_tables:
        raise UsageError(
            "one table, or --all of them", hint="`metasnapshot tables ID` lists what there is"
        )
    if to == STDOUT and all_tables:
        raise UsageError("--all needs --to", hint="a directory that is not there yet")
    refuse_stdout(to, form, json=json)
    return_large_blocks()
    if not 1 <= jobs <= JOBS_MAX:
        raise UsageError(f"not a number of jobs: {jobs}", hint=f"from 1 to {JOBS_MAX}")


def _check_workers(workers: Workers, jobs: int, *, all_tables: bool) -> None:
    """Refuse workers of nothing, and processes that would not be used.

    Raises:
        UsageError: they are given.
    """
    if workers.dask is None:
        return
    if not all_tables:
        raise UsageError("--scheduler means nothing without --all")
    if jobs != 1:
        raise UsageError("--jobs: not with --scheduler", hint="its workers say how many threads")


def _read_one(
    tables: Tables, wish: Wish, form: Format, to: Path, name: str, said: Document | None
) -> int:
    """One table; what is said is printed with the rest as JSON, unless it is None."""
    with counted(f"reading {name}") as step:
        target = cast("BinaryIO", Stdout(form)) if to == STDOUT else to
        result = tables.write(name, target, form, wish, step)
    if to == STDOUT:
        return 0
    table, number = result.table, tables.snapshot_id
    if said is not None:
        shown: Document = {"snapshot_id": number, "table": table.full_name, "id": table.id}
        shown |= {"format": form, "path": str(to), "rows": result.rows, "epoch": result.epoch}
        say_json(shown | {"columns": list(result.columns)} | said)
    else:
        name = table.full_name
        say(f"{to}: {result.rows} rows of {name}, snapshot {number}, epoch {result.epoch}")
    return 0


def _read_all(
    tables: Tables,
    wish: Wish,
    form: Format,
    to: Path,
    jobs: int,
    workers: Workers,
    said: Document | None,
) -> int:
    """All tables; what is said as for one."""
    with counted("reading tables") as step:
        results = tables.write_all(to, form, wish, jobs=jobs, workers=workers, step=step)
    if said is not None:
        shown: Document = {"snapshot_id": tables.snapshot_id, "format": form, "path": str(to)}
        say_json(shown | {"tables": [_document(item) for item in results]} | said)
    else:
        for item in results:
            if item.error is None:
                say(f"{to / item.path}: {item.rows} rows of {item.table.full_name}")
            else:
                complain(f"{item.table.full_name}: {item.error}", item.error.hint)
    errors = [item.error for item in results if item.error is not None]
    for error in errors:
        current().outcome.fail(error)
    return SOME_FAILED if errors else 0


def _document(item: TableFile) -> Document:
    shown: Document = {
        "table": item.table.full_name,
        "id": item.table.id,
        "ok": item.error is None,
        "path": str(item.path),
        "rows": item.rows,
        "epoch": item.epoch,
    }
    return shown if item.error is None else shown | error_document(item.error)
