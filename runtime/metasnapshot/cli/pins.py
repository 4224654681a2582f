"""metasnapshot pins, metasnapshot epoch"""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from metasnapshot.catalogue.times import epoch_time
from metasnapshot.cli import documents
from metasnapshot.cli.options import (
    BackupDirectory,
    BackupUrl,
    HummockDirectory,
    HummockUrl,
    Json,
    SnapshotId,
    repository,
    snapshot_id,
    state_store,
)
from metasnapshot.cli.settings import BACKUP_DIRECTORY
from metasnapshot.cli.text import say, say_json, tell
from metasnapshot.errors import ObjectMissing, UsageError
from metasnapshot.operations import pins as operation
from metasnapshot.operations.backup_reader import U64_MAX, BackupReader
from metasnapshot_models.layouts import RELEASES

NEWEST = [name for name in RELEASES if name[0].isdigit()][-1]


def pins(
    *ids: SnapshotId,
    backup_storage_url: BackupUrl,
    backup_storage_directory: BackupDirectory = BACKUP_DIRECTORY,
    missing: Annotated[
        bool, Parameter(negative="", help="Look for every object in the state store.")
    ] = False,
    hummock_storage_url: HummockUrl = None,
    hummock_storage_directory: HummockDirectory = None,
    json: Json = False,
) -> int:
    """Show which of Hummock's objects snapshots need, and what a delete would free. Exit 17 if
    --missing finds some lost.

    Example: metasnapshot pins oldest --backup-storage-url fs:///srv/backups
    """
    state = state_store(hummock_storage_url, hummock_storage_directory)
    found = repository(backup_storage_url, backup_storage_directory)
    wanted = [snapshot_id(text, found) for text in ids] or list(found.manifest().ids)
    result = operation.pins(found, wanted, state=state, look=missing)
    if json:
        say_json(documents.pins(result))
    else:
        names = ", ".join(map(str, result.snapshot_ids)) or "none"
        say(f"snapshots {names}: {result.objects} objects, {result.size} bytes")
        say(
            f"no other snapshot needs {result.own_objects} of them, {result.own_size} bytes: a "
            "delete frees them, unless the running cluster needs them"
        )
        for finding in result.lost.kept if result.lost else ():
            tell(finding)
    return ObjectMissing.exit_code if result.lost and result.lost.missing else 0


def epoch(
    table_id: Annotated[int, Parameter(help="Id of a state table.")],
    epoch: Annotated[int, Parameter(help="As SET QUERY_EPOCH takes it.")],
    /,
    *,
    backup_storage_url: BackupUrl,
    backup_storage_directory: BackupDirectory = BACKUP_DIRECTORY,
    release: Annotated[str, Parameter(help="The cluster's release, whose rule it is.")] = NEWEST,
    json: Json = False,
) -> int:
    """Show which snapshot serves a table at an epoch. Exit 12 if none does.

    Example: metasnapshot epoch 1001 7986098602508288 --backup-storage-url fs:///srv/backups
    """
    if not 0 <= epoch <= U64_MAX:
        raise UsageError(f"not an epoch: {epoch}", hint="a number of 64 bits, without sign")
    found = repository(backup_storage_url, backup_storage_directory)
    entry = BackupReader(found, release).find(table_id, epoch)
    time = epoch_time(epoch)
    if json:
        text = time.isoformat(timespec="milliseconds")
        say_json({"snapshot": documents.entry(entry), "epoch": epoch, "time": text})
    else:
        text = time.isoformat(" ", "milliseconds")
        say(f"snapshot {entry.id} serves table {table_id} at epoch {epoch}, {text}")
    return 0
