"""Keep house: delete snapshots."""

from __future__ import annotations

from typing import Annotated

from metasnapshot.cli import live
from metasnapshot.cli.live import ViaMeta
from metasnapshot.cli.options import ANYWHERE, Json, OptionalDirectory, SnapshotId, Yes
from metasnapshot.cli.parameters import FLAT
from metasnapshot.cli.run import current
from metasnapshot.cli.snapshots import require_named, snapshot_document, tell_what_is_left
from metasnapshot.cli.text import confirm, say, say_json
from metasnapshot.spans import counted


def delete(
    *ids: SnapshotId,
    directory: Annotated[OptionalDirectory, FLAT] = ANYWHERE,
    yes: Yes = False,
    via_meta: ViaMeta = None,
    json: Json = False,
) -> int:
    """Delete snapshots: from the manifest, then their files. Exit 16 if one is kept.

    $ metasnapshot delete 4 5 --yes --backup-storage-url fs:///srv/backups
    """
    if via_meta is not None:
        live.require_no_cluster(directory.cluster_id)
        return live.delete(via_meta, ids, yes=yes, json=json)
    found = directory.open()
    entries, outcome = found.delete(require_named(ids), dry_run=True), current().outcome
    outcome.about(entry.id for entry in entries)
    names = ", ".join(str(entry.id) for entry in entries)
    confirm(f"delete {names} of {counted(found.count, 'snapshot')}?", yes=yes)
    entries = found.delete([entry.id for entry in entries])
    outcome.did("deleted", (entry.id for entry in entries))
    told = tell_what_is_left(found, deleted=bool(entries))
    if json:
        say_json({"deleted": [snapshot_document(entry) for entry in entries]} | told)
    else:
        left = counted(found.count, "snapshot")
        say(f"deleted {names}; {left} left")
    return 0
