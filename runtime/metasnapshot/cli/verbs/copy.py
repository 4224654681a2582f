"""Keep house: copy snapshots to another store, verified on arrival."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter

from metasnapshot import Copied, shown_url
from metasnapshot.cli.objects import UNCOPIED, CopyObjects
from metasnapshot.cli.options import Directory, Json, SnapshotId, backups_at
from metasnapshot.cli.parameters import FLAT
from metasnapshot.cli.run import current
from metasnapshot.cli.settings import BACKUP_DIRECTORY
from metasnapshot.cli.text import Document, complain, note, say, say_json, spelt_size
from metasnapshot.errors import SOME_FAILED


def copy(
    *ids: SnapshotId,
    directory: Annotated[Directory, FLAT],
    to: Annotated[str, Parameter(help="Object store to copy to.")],
    to_directory: Annotated[str, Parameter(help="Directory in it.")] = BACKUP_DIRECTORY,
    objects: Annotated[CopyObjects, FLAT] = UNCOPIED,
    materialise: Annotated[
        bool, Parameter(help="Write the plain files of deltas, as RisingWave reads them.")
    ] = False,
    json: Json = False,
) -> int:
    r"""Copy snapshots to another store, verified on arrival; all of them if none is named.
    Exit 3 if some are damaged and were not copied.

    With --with-objects the objects of full ones too, into the objects of the other directory.
    A delta is copied with its base, or with --materialise as the plain file that it stands for.

    $ metasnapshot copy latest --backup-storage-url s3://bucket \
        --to fs:///mnt/safe
    """
    found = directory.open()
    pace = objects if objects.with_objects else None
    outcome = current().outcome
    outcome.about(map(found.id_of, ids) if ids else found.ids())
    outcome.to.append(f"{shown_url(to)}/{to_directory}")
    target = backups_at(to, to_directory)
    copied = found.copy(target, ids, objects=pace, materialise=materialise)
    outcome.did("copied", (item.snapshot_id for item in copied if item.error is None))
    for error in filter(None, (item.error for item in copied)):
        outcome.fail(error)
    code = SOME_FAILED if outcome.error else 0
    if json:
        say_json(document(copied))
        return code
    for item in copied:
        if item.error is not None:
            complain(f"snapshot {item.snapshot_id} was not copied: {item.error}", item.error.hint)
            continue
        say(f"snapshot {item.snapshot_id}: {'was there' if item.was_there else item.size}")
        if item.objects is not None:
            size = spelt_size(item.objects.bytes_copied)
            say(f"  {item.objects.copied} of {item.objects.needed} objects copied ({size})")
        elif objects.with_objects:
            note(f"snapshot {item.snapshot_id} is partial: it has no objects to copy")
    return code


def document(found: Sequence[Copied]) -> Document:
    """What --json prints."""
    copied = [
        {"id": item.snapshot_id, "bytes": item.size, "was_there": item.was_there}
        | ({} if item.objects is None else {"objects": asdict(item.objects)})
        for item in found
        if item.error is None
    ]
    failed = [{"id": item.snapshot_id, "error": str(item.error)} for item in found if item.error]
    return {"copied": copied, "failed": failed}
