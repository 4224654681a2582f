"""metasnapshot backup"""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from metasnapshot.cli.options import (
    BACKUP_DIRECTORY,
    BackupDirectory,
    BackupUrl,
    MetaStoreUrl,
    repository,
)
from metasnapshot.cli.text import note, releases, say
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations import backup as operation


def backup(
    *,
    meta_store: MetaStoreUrl,
    backup_storage_url: BackupUrl,
    backup_storage_directory: BackupDirectory = BACKUP_DIRECTORY,
    hummock_storage_url: Annotated[
        str | None, Parameter(help="State store; by default system parameter state_store.")
    ] = None,
    hummock_storage_directory: Annotated[
        str | None,
        Parameter(help="Data directory in it; by default system parameter data_directory."),
    ] = None,
    remarks: Annotated[str | None, Parameter(help="A note, shown by list.")] = None,
    rw_version: Annotated[
        str | None,
        Parameter(help="The cluster's release, for the manifest, where it is not certain."),
    ] = None,
) -> int:
    """Back up a meta store into a new snapshot.

    Example: metasnapshot backup --meta-store sqlite:////var/lib/risingwave/meta.db
    --backup-storage-url fs:///srv/backups
    """
    found = repository(backup_storage_url, backup_storage_directory)
    with open_meta_store(meta_store) as store:
        result = operation.backup(
            store,
            found,
            hummock_storage_url,
            hummock_storage_directory,
            remarks=remarks,
            rw_version=rw_version,
        )
    for text in result.notes:
        note(text)
    say(
        f"backup {result.entry.id}: {result.rows} rows, {result.size} bytes, "
        f"layout {result.layout} (RisingWave {releases(result.releases)}), "
        f"Hummock version {result.entry.hummock_version_id} with {len(result.entry.ssts)} objects"
    )
    return 0
