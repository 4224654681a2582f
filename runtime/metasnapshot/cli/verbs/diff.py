"""Look inside: show what changed between two snapshots, or since one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from metasnapshot import Backups, Change, Diff, MetaStore, require_pages, write_differences
from metasnapshot import diff as compare
from metasnapshot.cli.diff_data import Data, diff_data
from metasnapshot.cli.meta_store import ComparedStore, Typed
from metasnapshot.cli.moments import Ats, choose_several
from metasnapshot.cli.options import Directory, Json
from metasnapshot.cli.parameters import FLAT
from metasnapshot.cli.screen import Part, bad, doubtful, good
from metasnapshot.cli.text import Document, note, say, say_json, spelt_size, table
from metasnapshot.errors import UsageError
from metasnapshot.spans import counted

SIGNS = {"added": "+", "removed": "-", "changed": "~"}
PAINTS = {"added": good, "removed": bad, "changed": doubtful}


NOT_COMPARED = ComparedStore()
NO_DATA = Data()


def diff(
    *ids: Annotated[
        str, Parameter(help="Two snapshot ids, or one and --meta-store; with --data a table too.")
    ],
    directory: Annotated[Directory, FLAT],
    at: Ats = (),
    store: Annotated[ComparedStore, FLAT] = NOT_COMPARED,
    rows: Annotated[Data, FLAT] = NO_DATA,
    html: Annotated[
        Path | None, Parameter(help="Write a page for people: a new file of HTML.")
    ] = None,
    json: Json = False,
) -> int:
    """Show what changed from one snapshot to another, or to a live meta store; with --data, which
    rows of tables did. A time of --at, which may be given twice, stands before all ids.

    $ metasnapshot diff oldest latest --backup-storage-url fs:///srv/backups
    """
    _require_page(html, rows, json=json)
    if rows.data:
        found = directory.open()
        words, said = choose_several(found, ids, at)
        return diff_data(words, found, rows, said, json=json)
    with_store = store.meta_store is not None
    count = len(at) + len(ids)
    if count != 1 and not isinstance(store.meta_store, Typed):
        with_store = False
    if count != (1 if with_store else 2):
        raise UsageError(
            f"{count} snapshot ids", hint="two, or one and --meta-store: before, then after"
        )
    found = directory.open()
    (before, *others), said = choose_several(found, ids, at)
    after = others[0] if others else store.place()
    with compare(found, before, after) as result:
        for text in result.omitted:
            note(f"not compared: {text}")
        if html is not None:
            _write_page(result, found, before, after, html)
        elif json:
            _say_json(result, said)
        else:
            _say_text(result)
    return 0


def _require_page(html: Path | None, rows: Data, *, json: bool) -> None:
    """See that a page is wanted alone, and can be made."""
    if html is None:
        return
    if rows.data or json:
        other = "--data" if rows.data else "--json"
        raise UsageError(f"--html and {other}", hint="give one of them")
    require_pages()


def _write_page(
    result: Diff, found: Backups, before: str, after: str | MetaStore, html: Path
) -> None:
    """A page about the comparison."""
    to = f"snapshot {found.id_of(after)}" if isinstance(after, str) else "the meta store"
    sides = (f"snapshot {found.id_of(before)}", to)
    differences, size = write_differences(result, found.place, *sides, html)
    say(f"{html}: {counted(differences.total, 'change')} by name, {spelt_size(size)}")


def _say_json(found: Diff, said: Document) -> None:
    counts = Counter[tuple[str, str]]()
    for change in found.names:
        say_json(change_document("name", change))
    for change in found.rows:
        counts[change.kind, change.change] += 1
        say_json(change_document("row", change))
    say_json(summary_document(counts, found.objects) | said)


def _say_text(found: Diff) -> None:
    kind = ""
    for change in found.names:
        if change.kind != kind:
            kind = change.kind
            say(f"{kind}:")
        say("  ", *_line(change))
    counts = Counter[tuple[str, str]]()
    for change in found.rows:
        counts[change.kind, change.change] += 1
    if found.objects is not None:
        added, removed = map(len, found.objects)
        say(f"objects of Hummock: {added} added, {removed} removed")
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
    counts: Mapping[tuple[str, str], int], objects: tuple[Sequence[int], Sequence[int]] | None
) -> Document:
    """The last line of diff."""
    sections: dict[str, dict[str, int]] = {}
    for (section, word), count in counts.items():
        sections.setdefault(section, dict.fromkeys(SIGNS, 0))[word] = count
    document: Document = {"summary": True, "equal": not sections, "rows": sections}
    if objects is not None:
        document |= {"objects_added": objects[0], "objects_removed": objects[1]}
    return document
