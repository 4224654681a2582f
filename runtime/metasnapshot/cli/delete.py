"""metasnapshot delete, metasnapshot keep"""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from metasnapshot.cli import documents, live
from metasnapshot.cli.live import ViaMeta, given
from metasnapshot.cli.options import (
    BackupDirectory,
    BackupUrl,
    Json,
    OptionalBackupUrl,
    SnapshotId,
    Yes,
    repository,
    snapshot_id,
)
from metasnapshot.cli.settings import BACKUP_DIRECTORY
from metasnapshot.cli.text import confirm, say, say_json
from metasnapshot.errors import UsageError
from metasnapshot.operations import delete as operation


def delete(
    *ids: SnapshotId,
    backup_storage_url: OptionalBackupUrl = None,
    backup_storage_directory: BackupDirectory = BACKUP_DIRECTORY,
    yes: Yes = False,
    via_meta: ViaMeta = None,
    json: Json = False,
) -> int:
    """Delete snapshots: from the manifest, then their files. Exit 16 if one is kept.

    Example: metasnapshot delete 4 5 --yes --backup-storage-url fs:///srv/backups
    """
    if via_meta is not None:
        return live.delete(via_meta, ids, yes=yes, json=json)
    storage = given(backup_storage_url, "--backup-storage-url")
    found = repository(storage, backup_storage_directory)
    wanted = _ids(ids, found)
    entries = operation.plan_delete(found, wanted)
    names = ", ".join(str(entry.id) for entry in entries)
    confirm(f"delete {names} of {len(found.manifest().entries)} snapshots?", yes=yes)
    entries = operation.delete(found, wanted)
    if json:
        say_json({"deleted": [documents.entry(entry) for entry in entries]})
    else:
        say(f"deleted {names}; {len(found.manifest().entries)} snapshots are left")
    return 0


def keep(
    *ids: SnapshotId,
    backup_storage_url: BackupUrl,
    backup_storage_directory: BackupDirectory = BACKUP_DIRECTORY,
    release: Annotated[bool, Parameter(negative="", help="Let go of them again.")] = False,
    json: Json = False,
) -> int:
    """Mark snapshots so that nothing here deletes them.

    Example: metasnapshot keep 4 --backup-storage-url fs:///srv/backups
    """
    found = repository(backup_storage_url, backup_storage_directory)
    kept = operation.keep(found, _ids(ids, found), release=release)
    if json:
        say_json({"kept": kept})
    else:
        say(f"kept: {', '.join(map(str, kept)) or 'none'}")
    return 0


def _ids(texts: tuple[str, ...], found: operation.Repository) -> list[int]:
    if not texts:
        raise UsageError("no snapshot id", hint="`metasnapshot list` shows them")
    return [snapshot_id(text, found) for text in texts]
