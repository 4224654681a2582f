"""Keep house: copy snapshots to another store, verified on arrival."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from metasnapshot.cli.options import Directory, Json, SnapshotId, repository
from metasnapshot.cli.parameters import FLAT
from metasnapshot.cli.settings import BACKUP_DIRECTORY
from metasnapshot.cli.snapshots import snapshot_ids
from metasnapshot.cli.text import Document, complain, say, say_json
from metasnapshot.errors import SOME_FAILED
from metasnapshot.operations import copy as copying
from metasnapshot.operations.copy import Copied


def copy(
    *ids: SnapshotId,
    directory: Annotated[Directory, FLAT],
    to: Annotated[str, Parameter(help="Object store to copy to.")],
    to_directory: Annotated[str, Parameter(help="Directory in it.")] = BACKUP_DIRECTORY,
    json: Json = False,
) -> int:
    r"""Copy snapshots to another store, verified on arrival; all of them if none is named.
    Exit 3 if some are damaged and were not copied.

    $ metasnapshot copy latest --backup-storage-url s3://bucket \
        --to fs:///mnt/safe
    """
    found = directory.open()
    target = repository(to, to_directory)
    wanted = snapshot_ids(ids, found)
    copied = copying.copy(found, target, wanted)
    code = SOME_FAILED if any(item.error for item in copied) else 0
    if json:
        say_json(document(copied))
        return code
    for item in copied:
        if item.error is not None:
            complain(f"snapshot {item.snapshot_id} was not copied: {item.error}", item.error.hint)
            continue
        say(f"snapshot {item.snapshot_id}: {'was there' if item.was_there else item.size}")
    return code


def document(found: Sequence[Copied]) -> Document:
    """What --json prints."""
    copied = [
        {"id": item.snapshot_id, "bytes": item.size, "was_there": item.was_there}
        for item in found
        if item.error is None
    ]
    failed = [{"id": item.snapshot_id, "error": str(item.error)} for item in found if item.error]
    return {"copied": copied, "failed": failed}
