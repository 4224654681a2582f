"""Set up: compare a live meta store with the registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from metasnapshot.cli.meta_store import MetaStoreAt
from metasnapshot.cli.options import FLAT, Json
from metasnapshot.cli.text import Document, complain, releases, say, say_json, say_page
from metasnapshot.errors import UnknownFormat
from metasnapshot.operations.coverage import ADD_RELEASE, Coverage, cover
from metasnapshot.scaffold.declarations import read_tables
from metasnapshot.scaffold.models import check_release, scaffold

Scaffold = Annotated[
    str | None,
    Parameter("--scaffold", help="Print the lines that add this release to schema/models.yaml."),
]


def coverage(
    *,
    store: Annotated[MetaStoreAt, FLAT],
    scaffold_release: Scaffold = None,
    json: Json = False,
) -> int:
    """Compare a live meta store's tables and columns with the registry. Exit 14 if one of them
    lacks something.

    $ metasnapshot coverage --meta-store sqlite:///meta.db
    """
    if scaffold_release is not None:
        check_release(scaffold_release)
    lines: list[str] = []
    with store.open() as meta_store, meta_store.read_transaction() as connection:
        result = cover(connection)
        if scaffold_release is not None:
            lines = scaffold(scaffold_release, result, read_tables(connection))
    if json:
        say_json(document(result, lines))
    elif lines:
        say_page("\n".join(lines))
    else:
        _print(result)
    is_covered = not result.unknown and not result.missing
    return 0 if is_covered or lines else UnknownFormat.exit_code


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
