"""Set up: compare a live meta store with the registry."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from metasnapshot import (
    ADD_RELEASE,
    Coverage,
    Pasted,
    Scaffold,
    check_release,
    paste_scaffold,
    scaffolded,
)
from metasnapshot.cli.meta_store import MetaStoreAt
from metasnapshot.cli.options import Json
from metasnapshot.cli.parameters import FLAT
from metasnapshot.cli.run import current
from metasnapshot.cli.text import Document, complain, releases, say, say_json, say_page
from metasnapshot.errors import UnknownFormat, UsageError

ScaffoldRelease = Annotated[
    str | None,
    Parameter("--scaffold", help="Print the lines that add this release to schema/."),
]
Write = Annotated[
    Path | None, Parameter("--write", help="Paste them into this folder, schema/ of a checkout.")
]


def coverage(
    *,
    store: Annotated[MetaStoreAt, FLAT],
    scaffold_release: ScaffoldRelease = None,
    write: Write = None,
    json: Json = False,
) -> int:
    """Compare a live meta store's tables and columns with the registry. Exit 14 if one of them
    lacks something.

    $ metasnapshot coverage --meta-store sqlite:///meta.db
    """
    if scaffold_release is not None:
        check_release(scaffold_release)
    elif write is not None:
        raise UsageError("--write without --scaffold", hint="--scaffold 9.9.0 --write schema/")
    result, made = scaffolded(store.place(), scaffold_release)
    pasted = None
    if made is not None and write is not None:
        pasted = paste_scaffold(write, made)
    if json:
        say_json(document(result, made.text if made else ()) | written(pasted))
    elif made is not None and pasted is not None:
        _say_pasted(pasted, made)
    elif made is not None:
        say_page("\n".join(made.text))
    else:
        _print(result)
    if made is not None or (not result.unknown and not result.missing):
        return 0
    error = UnknownFormat("meta store and registry do not have the same tables and columns")
    current().outcome.fail(error)
    return error.exit_code


def written(pasted: Pasted | None) -> Document:
    """What --json prints of --write."""
    if pasted is None:
        return {}
    return {"written": pasted.lines, "checks": list(pasted.checks)}


def _say_pasted(pasted: Pasted, made: Scaffold) -> None:
    for name, count in pasted.lines.items():
        say(f"{name}: {count} lines")
    for text in pasted.checks:
        say(f"check {text}")
    say_page("\n".join(made.by_hand))


def _print(result: Coverage) -> None:
    found = result.candidates
    say(f"layout {result.layout} (RisingWave {releases(found.releases)})")
    if found.unknown:
        say(f"migrations beyond it: {', '.join(found.unknown)}")
    say(
        f"covered: {len(result.covered)} columns of "
        f"{len({item.table for item in result.covered})} tables"
    )
    for reason in dict.fromkeys(item.reason for item in result.excluded):
        names = [item.name for item in result.excluded if item.reason == reason]
        say(f"excluded, {reason}: {', '.join(names)}")
    problems = [f"unknown: {item.name}: a snapshot would leave it out" for item in result.unknown]
    problems += [f"missing: {item.name}: the registry expects it" for item in result.missing]
    for problem in problems:
        complain(problem, ADD_RELEASE if problem == problems[-1] else "")


def document(result: Coverage, scaffold: Sequence[str] = ()) -> Document:
    """What --json prints."""
    return {
        "layout": result.layout,
        "releases": list(result.candidates.releases),
        "exact": result.candidates.exact,
        "unknown_migrations": list(result.candidates.unknown),
        "covered": [item.name for item in result.covered],
        "excluded": {item.name: item.reason for item in result.excluded},
        "unknown": [item.name for item in result.unknown],
        "missing": [item.name for item in result.missing],
        "scaffold": list(scaffold),
    }
