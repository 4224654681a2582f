"""Look inside: show what changed between two snapshots, or since one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Annotated

from cyclopts import Parameter

from metasnapshot.cli.diff_data import Data, diff_data
from metasnapshot.cli.meta_store import ComparedStore, Typed
from metasnapshot.cli.options import Directory, Json
from metasnapshot.cli.parameters import FLAT
from metasnapshot.cli.screen import Part, bad, doubtful, good
from metasnapshot.cli.snapshots import snapshot_id
from metasnapshot.cli.text import Document, note, say, say_json, table
from metasnapshot.errors import UsageError
from metasnapshot.operations.diff import compare as operation
from metasnapshot.operations.diff.compare import Change
from metasnapshot.operations.diff.sides import MetaStoreSide, SnapshotSide

SIGNS = {operation.ADDED: "+", operation.REMOVED: "-", operation.CHANGED: "~"}
PAINTS = {operation.ADDED: good, operation.REMOVED: bad, operation.CHANGED: doubtful}


NOT_COMPARED = ComparedStore()
NO_DATA = Data()


def diff(
    *ids: Annotated[
        str, Parameter(help="Two snapshot ids, or one and --meta-store; with --data a table too.")
    ],
    directory: Annotated[Directory, FLAT],
    store: Annotated[ComparedStore, FLAT] = NOT_COMPARED,
    rows: Annotated[Data, FLAT] = NO_DATA,
    json: Json = False,
) -> int:
    """Show what changed from one snapshot to another, or to a live meta store; with --data, which
    rows of tables did.

    $ metasnapshot diff oldest latest --backup-storage-url fs:///srv/backups
    """
    if rows.data:
        return diff_data(ids, directory.open(), directory.backup_storage_url, rows, json=json)
    with_store = store.meta_store is not None
    if len(ids) != 1 and not isinstance(store.meta_store, Typed):
        with_store = False
    if len(ids) != (1 if with_store else 2):
        raise UsageError(
            f"{len(ids)} snapshot ids", hint="two, or one and --meta-store: before, then after"
        )
    found = directory.open()
    with ExitStack() as stack:
        sides = [
            SnapshotSide(stack.enter_context(found.open(snapshot_id(text, found)))) for text in ids
        ]
        if not with_store:
            before, after = sides
            operation.align(before, after)
            objects = operation.diff_objects(before, after)
        else:
            meta_store = stack.enter_context(store.open())
            before, objects = sides[0], None
            connection = stack.enter_context(meta_store.read_transaction())
            after = MetaStoreSide(connection, before.reader)
            operation.align(before, after)
        for text in (*before.omitted(), *after.omitted()):
            note(f"not compared: {text}")
        names = operation.diff_names(before, after)
        changes = operation.diff_rows(before, after)
        if json:
            _say_json(names, changes, objects)
        else:
            _say_text(names, changes, objects)
    return 0


def _say_json(
    names: Iterator[Change], rows: Iterator[Change], objects: operation.Objects | None
) -> None:
    counts = Counter[tuple[str, str]]()
    for change in names:
        say_json(change_document("name", change))
    for change in rows:
        counts[change.kind, change.change] += 1
        say_json(change_document("row", change))
    say_json(summary_document(counts, objects))


def _say_text(
    names: Iterator[Change], rows: Iterator[Change], objects: operation.Objects | None
) -> None:
    kind = ""
    for change in names:
        if change.kind != kind:
            kind = change.kind
            say(f"{kind}:")
        say("  ", *_line(change))
    counts = Counter[tuple[str, str]]()
    for change in rows:
        counts[change.kind, change.change] += 1
    if objects is not None:
        say(f"objects of Hummock: {len(objects[0])} added, {len(objects[1])} removed")
    if not counts:
        say("no row differs")
        return
    sections = dict.fromkeys(section for section, _ in counts)
    columns = [[section, *(str(counts[section, word]) for word in SIGNS)] for section in sections]
    table([["section", *(f"rows {word}" for word in SIGNS)], *columns])


def _line(change: Change) -> Sequence[Part]:
    text = f" {'.'.join(map(str, change.key))}"
    if change.before is not None and change.after is not None:
        text += f": {change.before} -> {change.after}"
    elif change.columns:
        text += f" ({', '.join(change.columns)})"
    return PAINTS[change.change](SIGNS[change.change]), text


def change_document(by: str, found: Change) -> Document:
    """A line of diff: by name or by row."""
    document: Document = {
        "by": by,
        "kind": found.kind,
        "change": found.change,
        "key": ".".join(map(str, found.key)) if by == "name" else list(found.key),
        "columns": list(found.columns),
    }
    values = {"before": found.before, "after": found.after}
    return document | {name: text for name, text in values.items() if text is not None}


def summary_document(
    counts: Mapping[tuple[str, str], int], objects: operation.Objects | None
) -> Document:
    """The last line of diff."""
    sections: dict[str, dict[str, int]] = {}
    for (section, word), count in counts.items():
        sections.setdefault(
            section, dict.fromkeys((operation.ADDED, operation.REMOVED, operation.CHANGED), 0)
        )[word] = count
    document: Document = {"summary": True, "equal": not sections, "rows": sections}
    if objects is not None:
        document |= {"objects_added": objects[0], "objects_removed": objects[1]}
    return document
