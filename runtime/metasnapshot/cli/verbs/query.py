"""Look inside: query the tables and the metadata of a snapshot by SQL."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

import metasnapshot
from metasnapshot import READING_SHARE, Format, Query, Where, Wish, memory_size
from metasnapshot.cli.moments import At, choose, without_id
from metasnapshot.cli.options import AS_SAID, Directory, Json, StateStore
from metasnapshot.cli.parameters import FLAT
from metasnapshot.cli.progress import counted
from metasnapshot.cli.rows import STDOUT, form_of, refuse_stdout, row_file
from metasnapshot.cli.text import Document, complain, note, say, say_json
from metasnapshot.errors import SOME_FAILED, UsageError
from metasnapshot.heap import return_large_blocks
from metasnapshot.spans import counted as counted_rows


@dataclass(frozen=True)
class Asking:
    """How a query is answered.

    Attributes:
        memory: bytes that all of it may take, about, as 2G.
        on_unfit: fail at a value that its type cannot hold, or take columns that may have such as
            text.
        decimal: decimals as 38,S with S digits behind the point, or as text.
        with_secrets: show credentials in meta as they are.
    """

    memory: str = "1G"
    on_unfit: Literal["fail", "text"] = "fail"
    decimal: str = "38,10"
    with_secrets: bool = False

    def wish(self, memory: int) -> Wish:
        """What is wanted of tables, of so much memory in all."""
        share = memory // READING_SHARE
        return Wish(on_unfit=self.on_unfit, decimal=self.decimal, memory=share)


PLAIN = Asking()
All = Annotated[
    bool,
    Parameter(
        "--all",
        help="Ask the sections of all snapshots; snapshot_id says of which. Rows of tables are "
        "asked of one snapshot. Ends with 3 if some snapshot cannot be read.",
    ),
]
In = Annotated[
    Where | None,
    Parameter("--in", help="Read objects in the backup (area), or in the state store."),
]


def query(
    first: Annotated[
        str, Parameter(help="Snapshot id, or latest, or oldest; with --all or --at the query.")
    ],
    second: Annotated[str | None, Parameter(help="The query, without these.")] = None,
    /,
    *,
    directory: Annotated[Directory, FLAT],
    at: At = None,
    format: Annotated[  # noqa: A002 - the word in --help
        Format | None,
        Parameter(help="parquet, csv, jsonl or arrow; by default as --to ends, else jsonl."),
    ] = None,
    to: Annotated[Path, Parameter(help="A new file; - for stdout.")] = STDOUT,
    all_snapshots: All = False,
    asking: Annotated[Asking, FLAT] = PLAIN,
    where: In = None,
    state: Annotated[StateStore, FLAT] = AS_SAID,
    json: Json = False,
) -> int:
    r"""Ask a snapshot in DuckDB's SQL: its tables by their names, its sections as meta.tables.

    Only the columns that a query needs are read. It reads no file and changes no setting.

    $ metasnapshot query latest "SELECT count(*) FROM orders" \
        --backup-storage-url fs:///srv/backups
    """
    form, size = form_of(format, to), memory_size(asking.memory)
    refuse_stdout(to, form, json=json)
    if at is not None and all_snapshots:
        raise UsageError("--all and --at", hint="give one of them")
    id, second = without_id(first, second, at)  # noqa: A001 - as other verbs call it
    if (second is None) != all_snapshots:
        raise UsageError("a snapshot and a query, or --all and a query", hint='query latest "…"')
    return_large_blocks()
    found = directory.open()
    chosen = None if all_snapshots else choose(found, "query", id, at)
    number, said = (None, {}) if chosen is None else (chosen.id, chosen.document)
    facts = {} if number is None else {"metasnapshot.snapshot_id": str(number)}
    with metasnapshot.query(
        found,
        number,
        first if second is None else second,
        asking.wish(size),
        memory=size,
        with_secrets=asking.with_secrets,
        state=state.place(),
        where=where,
    ) as planned:
        return _write(planned, form, to, facts, said if json else None)


def _write(
    planned: Query, form: Format, to: Path, facts: dict[str, str], said: Document | None
) -> int:
    """The answer; what is said is printed with the rest as JSON, unless it is None."""
    for remark in planned.remarks:
        note(remark)
    for number, error in planned.failed.items():
        complain(f"snapshot {number} is not asked: {error}", error.hint)
    with counted("asking") as step, row_file(to, form) as file:
        count = planned.write(form, file, facts, step, stream=to == STDOUT)
    code = SOME_FAILED if planned.failed else 0
    if to == STDOUT:
        return code
    if said is not None:
        tables: list[Document] = [
            {"table": item.table.full_name, "id": item.table.id, "epoch": item.epoch}
            for item in planned.tables
        ]
        shown: Document = {"format": form, "path": str(to), "rows": count, "tables": tables}
        failed = [{"id": number, "error": str(error)} for number, error in planned.failed.items()]
        say_json(shown | said | ({"failed": failed} if failed else {}))
    else:
        say(f"{to}: {counted_rows(count, 'row')}")
    return code
