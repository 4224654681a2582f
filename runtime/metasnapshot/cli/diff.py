"""metasnapshot diff"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.argument import Token

from metasnapshot.cli import documents
from metasnapshot.cli.options import (
    BackupDirectory,
    BackupUrl,
    Json,
    PasswordFile,
    meta_store_password,
    repository,
    snapshot_id,
)
from metasnapshot.cli.settings import BACKUP_DIRECTORY, setting
from metasnapshot.cli.text import note, printable, say, say_json, table
from metasnapshot.errors import UsageError
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations import diff as operation
from metasnapshot.operations.diff import Change
from metasnapshot.operations.diff_sides import MetaStoreSide, SnapshotSide

SIGNS = {operation.ADDED: "+", operation.REMOVED: "-", operation.CHANGED: "~"}


class Typed(str):
    """A value that stands on the command line, not in the environment or the file."""

    __slots__ = ()


def _meta_store(_: Any, tokens: Sequence[Token]) -> str:
    """Tell a meta store that is asked for from one that is only configured."""
    return Typed(tokens[0].value) if tokens[0].source == "cli" else tokens[0].value


def diff(
    *ids: Annotated[str, Parameter(help="Two snapshot ids, or one and --meta-store.")],
    backup_storage_url: BackupUrl,
    backup_storage_directory: BackupDirectory = BACKUP_DIRECTORY,
    meta_store: Annotated[
        str | None,
        setting("--meta-store", "Meta store to compare with, if only one id is given."),
        Parameter(converter=_meta_store),
    ] = None,
    meta_store_password_file: PasswordFile = None,
    json: Json = False,
) -> int:
    """Show what changed from one snapshot to another, or to a live meta store.

    Example: metasnapshot diff oldest latest --backup-storage-url fs:///srv/backups
    """
    if len(ids) != 1 and not isinstance(meta_store, Typed):
        meta_store = None
    if len(ids) != (2 if meta_store is None else 1):
        raise UsageError(
            f"{len(ids)} snapshot ids", hint="two, or one and --meta-store: before, then after"
        )
    found = repository(backup_storage_url, backup_storage_directory)
    with ExitStack() as stack:
        sides = [
            SnapshotSide(stack.enter_context(found.open(snapshot_id(text, found)))) for text in ids
        ]
        if meta_store is None:
            before, after = sides
            operation.align(before, after)
            objects = operation.diff_objects(before, after)
        else:
            store = stack.enter_context(
                open_meta_store(meta_store, meta_store_password(meta_store_password_file))
            )
            before, objects = sides[0], None
            after = MetaStoreSide(stack.enter_context(store.read_transaction()))
            operation.align(before, after)
        for text in (*before.omitted(), *after.omitted()):
            note(f"not compared: {text}")
        names = operation.diff_names(before, after)
        rows = operation.diff_rows(before, after)
        if json:
            _say_json(names, rows, objects)
        else:
            _say_text(names, rows, objects)
    return 0


def _say_json(
    names: Iterator[Change], rows: Iterator[Change], objects: operation.Objects | None
) -> None:
    counts = Counter[tuple[str, str]]()
    for change in names:
        say_json(documents.change("name", change))
    for change in rows:
        counts[change.kind, change.change] += 1
        say_json(documents.change("row", change))
    say_json(documents.differences(counts, objects))


def _say_text(
    names: Iterator[Change], rows: Iterator[Change], objects: operation.Objects | None
) -> None:
    kind = ""
    for change in names:
        if change.kind != kind:
            kind = change.kind
            say(f"{kind}:")
        say(f"  {_line(change)}")
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


def _line(change: Change) -> str:
    name = printable(".".join(map(str, change.key)))
    text = f"{SIGNS[change.change]} {name}"
    if change.before is not None and change.after is not None:
        return f"{text}: {printable(change.before)} -> {printable(change.after)}"
    return f"{text} ({', '.join(change.columns)})" if change.columns else text
