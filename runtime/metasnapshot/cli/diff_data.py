"""diff --data for people and scripts: counts by table first, then the rows of one table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Parameter

import metasnapshot
from metasnapshot import Backups, RowChange, TableDiff, Where
from metasnapshot.cli.options import AS_SAID, StateStore
from metasnapshot.cli.parameters import FLAT
from metasnapshot.cli.run import current
from metasnapshot.cli.text import Document, note, printable, say, say_json, table
from metasnapshot.errors import SOME_FAILED, MetasnapshotError, UsageError
from metasnapshot.heap import return_large_blocks

SIGNS = {"added": "+", "removed": "-", "changed": "~"}
PAIR = 2


@dataclass(frozen=True)
class Data:
    """Whether rows of tables are compared.

    Attributes:
        data: compare rows of tables: A B, and perhaps TABLE, whose rows are listed.
        where: with --data, where objects are read: in the backup (area), or in the state store.
        state: where that is.
    """

    data: bool = False
    where: Annotated[Where | None, Parameter("--in")] = None
    state: Annotated[StateStore, FLAT] = AS_SAID


def diff_data(
    words: tuple[str, ...], found: Backups, options: Data, said: Document, *, json: bool
) -> int:
    """Compare the rows of tables of two snapshots.

    Raises:
        UsageError: it is not said which, or a table cannot be read.
    """
    if len(words) not in (PAIR, PAIR + 1):
        raise UsageError(
            f"{len(words)} words", hint="with --data two snapshot ids, and perhaps a table"
        )
    return_large_blocks()
    before, after, *rest = words
    name = rest[0] if rest else None
    state = options.state.place()
    with metasnapshot.diff_data(
        found, before, after, name, state=state, where=options.where
    ) as diffs:
        return _tell(diffs, said, json=json, with_rows=name is not None)


def _tell(diffs: Iterator[TableDiff], said: Document, *, json: bool, with_rows: bool) -> int:
    told: list[TableDiff] = []
    for item in diffs:
        told.append(item)
        if json:
            say_json(_counts(item))
        elif item.not_compared:
            names = ", ".join(item.not_compared)
            note(f"{item.table.full_name}: not compared, for one snapshot alone has them: {names}")
        if with_rows and not json:
            _say_counts(told)
        for change in item.rows() if with_rows else ():
            if json:
                say_json(_row(item, change))
            else:
                say(_line(item, change))
    if json:
        counts = {item.table.full_name: item.counts for item in told if any(item.counts.values())}
        say_json({"summary": True, "equal": not counts, "rows": counts} | said)
    elif not with_rows:
        _say_counts(told)
    refusals = [item.refusal for item in told if item.refusal]
    for refusal in refusals:
        current().outcome.fail(MetasnapshotError(refusal))
    return SOME_FAILED if refusals else 0


def _say_counts(told: list[TableDiff]) -> None:
    differing = [item for item in told if any(item.counts.values())]
    for item in told:
        if item.refusal:
            note(f"not compared: {item.refusal}")
    if not differing:
        say("no row differs")
        return
    rows = [[item.table.full_name, *map(str, item.counts.values())] for item in differing]
    table([["table", *(f"rows {word}" for word in SIGNS)], *rows])


def _counts(item: TableDiff) -> Document:
    """A line of --json for a table."""
    ranges, passed = item.ranges
    document: Document = {
        "by": "table",
        "table": item.table.full_name,
        "id": item.table.id,
        **item.counts,
        "ranges": ranges,
        "ranges_shared": passed,
        "not_compared": list(item.not_compared),
    }
    return document | ({"reason": item.refusal} if item.refusal else {})


def _row(item: TableDiff, change: RowChange) -> Document:
    """A line of --json for a row."""
    return {
        "by": "data",
        "table": item.table.full_name,
        "change": change.change,
        "key": item.shown_key(change),
        "before": item.shown_values(change.before),
        "after": item.shown_values(change.after),
    }


def _line(item: TableDiff, change: RowChange) -> str:
    before, after = item.shown_values(change.before), item.shown_values(change.after)
    text = f"{SIGNS[change.change]} {printable(item.shown_key(change))}"
    if before is None or after is None:
        return text
    parts = [
        f"{name}: {_short(before[name])} -> {_short(after[name])}"
        for name in after
        if before[name] != after[name]
    ]
    return f"{text} ({printable(', '.join(parts))})"


def _short(value: Any, limit: int = 60) -> str:
    text = "NULL" if value is None else str(value)
    return text if len(text) <= limit else f"{text[:limit]}…"
