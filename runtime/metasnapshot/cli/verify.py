"""metasnapshot verify"""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from metasnapshot.cli.options import (
    BACKUP_DIRECTORY,
    BackupDirectory,
    BackupUrl,
    SnapshotId,
    repository,
    snapshot_id,
)
from metasnapshot.cli.text import complain, say
from metasnapshot.operations import verify as operation
from metasnapshot.operations.verify import Level, VerifyResult

SOME_FAILED = 3


def verify(
    *ids: SnapshotId,
    backup_storage_url: BackupUrl,
    backup_storage_directory: BackupDirectory = BACKUP_DIRECTORY,
    level: Annotated[
        Level, Parameter(help="file: checksum and frame. rows: every row too.")
    ] = "rows",
) -> int:
    """Verify snapshots, all of them if no id is given. Exit 4 for damage, 3 if only some are
    damaged.

    Example: metasnapshot verify latest --backup-storage-url fs:///srv/backups
    """
    found = repository(backup_storage_url, backup_storage_directory)
    wanted = [snapshot_id(text, found) for text in ids] or list(found.manifest().ids)
    results = [operation.verify(found, number, level) for number in wanted]
    for result in results:
        _print(result)
    failed = [result.error for result in results if result.error is not None]
    if not failed:
        return 0
    return SOME_FAILED if len(failed) < len(results) else failed[0].exit_code


def _print(result: VerifyResult) -> None:
    if result.error is not None:
        complain(f"snapshot {result.snapshot_id}: {result.error}", result.error.hint)
        return
    say(
        f"snapshot {result.snapshot_id}: ok, level {result.level}, {result.rows} rows, "
        f"{result.size} bytes, "
        f"layout {result.layout}, xxh64 {result.checksum:016x}"
    )
