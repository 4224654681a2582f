"""metasnapshot restore"""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from metasnapshot.cli.options import (
    BACKUP_DIRECTORY,
    HUMMOCK_DIRECTORY,
    BackupDirectory,
    BackupUrl,
    MetaStoreUrl,
    SnapshotId,
    repository,
    snapshot_id,
)
from metasnapshot.cli.text import say
from metasnapshot.errors import UsageError
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations import restore as operation
from metasnapshot.operations.restore import Overwrite


def restore(
    id: SnapshotId,  # noqa: A002 - the word in --help
    *,
    meta_store: MetaStoreUrl,
    backup_storage_url: BackupUrl,
    backup_storage_directory: BackupDirectory = BACKUP_DIRECTORY,
    hummock_storage_url: Annotated[str, Parameter(help="State store of the restored cluster.")],
    hummock_storage_directory: Annotated[
        str, Parameter(help="Data directory in it.")
    ] = HUMMOCK_DIRECTORY,
    overwrite_hummock_storage_endpoint: Annotated[
        bool,
        Parameter(help="The objects were moved: write the new places into the system parameters."),
    ] = False,
    overwrite_backup_storage_url: Annotated[
        str | None, Parameter(help="Backup store of the restored cluster; goes with the former.")
    ] = None,
    overwrite_backup_storage_directory: Annotated[
        str | None, Parameter(help="Directory in it; goes with the former.")
    ] = None,
) -> int:
    r"""Restore a snapshot into an empty meta store and a data directory.

    Stop every node of the cluster first.

    Example: metasnapshot restore latest --meta-store sqlite:///meta.db --backup-storage-url
    fs:///srv/backups \ --hummock-storage-url fs:///srv/state
    """
    overwrite = _overwrite(
        overwrite_hummock_storage_endpoint,
        overwrite_backup_storage_url,
        overwrite_backup_storage_directory,
    )
    found = repository(backup_storage_url, backup_storage_directory)
    number = snapshot_id(id, found)
    with open_meta_store(meta_store) as store:
        result = operation.restore(
            found, number, store, hummock_storage_url, hummock_storage_directory, overwrite
        )
    say(
        f"restored snapshot {result.snapshot_id}: {sum(result.rows.values())} rows into "
        f"{len(result.rows)} tables, "
        f"layout {result.layout}"
    )
    if result.sequences_from != result.snapshot_id:
        say(f"hummock sequences are those of snapshot {result.sequences_from}, the newest")
    say(f"checkpoint: {result.checkpoint}")
    return 0


def _overwrite(flag: bool, url: str | None, directory: str | None) -> Overwrite | None:
    if not flag and url is None and directory is None:
        return None
    if not flag or url is None or directory is None:
        raise UsageError(
            "overwrite_hummock_storage_endpoint, overwrite_backup_storage_url, "
            "overwrite_backup_storage_directory must be set simultaneously",
            hint="give all three, or none",
        )
    return Overwrite(url, directory)
