"""Keep house: find and delete files that no manifest entry names."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from metasnapshot import Stray, Strays
from metasnapshot.cli.options import DRY, Commit, Json, WholeDirectory
from metasnapshot.cli.parameters import DURATION, FLAT
from metasnapshot.cli.run import current
from metasnapshot.cli.screen import Part, doubtful
from metasnapshot.cli.snapshots import tell_what_is_left
from metasnapshot.cli.text import Document, complain, say, say_json, shown_time, spelt_size, table
from metasnapshot.errors import SOME_FAILED, StorageError
from metasnapshot.spans import counted

if TYPE_CHECKING:
    from metasnapshot import UnneededObjects

GRACE = timedelta(hours=24)


def gc(
    *,
    directory: Annotated[WholeDirectory, FLAT],
    grace: Annotated[
        timedelta, DURATION, Parameter(help="How old a file or object must be to go.")
    ] = GRACE,
    objects: Annotated[
        bool, Parameter(help="Also delete objects that no full backup needs.", negative="")
    ] = False,
    commit: Commit = False,
    json: Json = False,
) -> int:
    """Find files that no manifest entry names, and what died processes left; delete the old ones.
    Exit 3 if entries have lost their files.

    With --objects also the copies of objects that no full backup needs any more. While one is at
    work none goes: exit 11.

    $ metasnapshot gc --backup-storage-url fs:///srv/backups
    """
    found = directory.open()
    collected = found.gc(grace, objects=objects, commit=commit)
    strays, gone, unneeded = collected.strays, collected.deleted, collected.objects
    some = bool(gone) or (unneeded is not None and bool(unneeded.deleted))
    left = tell_what_is_left(found, deleted=some)
    if json:
        more = {} if unneeded is None else {"objects": objects_document(unneeded)}
        say_json(document(strays, gone, committed=commit) | more | left)
    else:
        rows: list[list[Part]] = [
            [item.kind, item.path, str(item.size), _when(item), _fate(item)]
            for item in strays.found
        ]
        if rows:
            table([["kind", "path", "bytes", "modified", ""], *rows])
        due = [item for item in strays.found if item.is_due]
        say(f"deleted {counted(len(gone), 'object')}" if commit else f"{len(due)} would go: {DRY}")
        if unneeded is not None:
            _say_objects(unneeded, committed=commit)
    for number in strays.lost:
        error = StorageError(
            f"snapshot {number} is in the manifest and its file is not there",
            hint="`metasnapshot rebuild-manifest` drops such entries, `copy` may bring the file "
            "back",
        )
        current().outcome.fail(error)
        complain(str(error), error.hint)
    return SOME_FAILED if strays.lost else 0


def _say_objects(found: UnneededObjects, *, committed: bool) -> None:
    what = f"{len(found.due)} copies of objects ({spelt_size(found.bytes)})"
    fate = "deleted" if committed else "would go"
    say(f"{what} {fate}; {found.named} are needed, {found.young} too young")


def _when(item: Stray) -> str:
    return shown_time(item.modified.astimezone(UTC)) if item.modified else "-"


def _fate(item: Stray) -> Part:
    if item.kind == "foreign":
        return "left alone"
    return doubtful("goes") if item.is_due else "too young"


def document(found: Strays, gone: Sequence[Stray], *, committed: bool) -> Document:
    """What --json prints."""
    return {
        "committed": committed,
        "found": [
            {
                "kind": item.kind,
                "path": item.path,
                "bytes": item.size,
                "modified": item.modified.isoformat() if item.modified else None,
                "due": item.is_due,
            }
            for item in found.found
        ],
        "lost": list(found.lost),
        "deleted": [item.path for item in gone],
    }


def objects_document(found: UnneededObjects) -> Document:
    """What --json prints besides, with --objects."""
    return {
        "unneeded": len(found.due),
        "bytes": found.bytes,
        "young": found.young,
        "needed": found.named,
        "foreign": found.foreign,
        "deleted": found.deleted,
    }
