"""metasnapshot backup"""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from metasnapshot.cli import documents, live
from metasnapshot.cli.live import ViaMeta, given
from metasnapshot.cli.options import (
    BackupDirectory,
    HummockDirectory,
    HummockUrl,
    Json,
    OptionalBackupUrl,
    OptionalMetaStoreUrl,
    PasswordFile,
    meta_store_password,
    repository,
)
from metasnapshot.cli.settings import BACKUP_DIRECTORY, setting
from metasnapshot.cli.text import note, releases, say, say_json
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations import backup as operation
from metasnapshot.operations.backup import BackupOptions


def backup(
    *,
    meta_store: OptionalMetaStoreUrl = None,
    backup_storage_url: OptionalBackupUrl = None,
    backup_storage_directory: BackupDirectory = BACKUP_DIRECTORY,
    meta_store_password_file: PasswordFile = None,
    hummock_storage_url: HummockUrl = None,
    hummock_storage_directory: HummockDirectory = None,
    remarks: Annotated[str | None, Parameter(help="A note, shown by list.")] = None,
    rw_version: Annotated[
        str | None,
        setting("--rw-version", "The cluster's release, where its migrations leave a doubt."),
    ] = None,
    dry_run: Annotated[
        bool, Parameter(negative="", help="Read and encode everything, write nothing.")
    ] = False,
    allow_unknown_tables: Annotated[
        bool, Parameter(negative="", help="Leave out what the registry does not know, and say so.")
    ] = False,
    into_cluster_directory: Annotated[
        bool, Parameter(negative="", help="Write into the cluster's own backup directory.")
    ] = False,
    meta_node_stopped: Annotated[
        bool, Parameter(negative="", help="No meta node runs: nothing collects garbage.")
    ] = False,
    via_meta: ViaMeta = None,
    json: Json = False,
) -> int:
    """Back up a meta store into a new snapshot; or have a running meta node do it (--via-meta).

    Example: metasnapshot backup --meta-store sqlite:////var/lib/risingwave/meta.db \
--backup-storage-url fs:///srv/backups
    """
    if via_meta is not None:
        own = {
            "--dry-run": dry_run,
            "--allow-unknown-tables": allow_unknown_tables,
            "--into-cluster-directory": into_cluster_directory,
            "--meta-node-stopped": meta_node_stopped,
        }
        return live.backup(via_meta, remarks, own, json=json)
    url = given(meta_store, "--meta-store")
    options = BackupOptions(
        hummock_storage_url=hummock_storage_url,
        hummock_storage_directory=hummock_storage_directory,
        remarks=remarks,
        rw_version=rw_version,
        dry_run=dry_run,
        allow_unknown_tables=allow_unknown_tables,
        into_cluster_directory=into_cluster_directory,
        meta_node_stopped=meta_node_stopped,
    )
    storage = given(backup_storage_url, "--backup-storage-url")
    found = repository(storage, backup_storage_directory)
    with open_meta_store(url, meta_store_password(meta_store_password_file)) as store:
        result = operation.backup(store, found, options)
    for text in result.warnings:
        note(text)
    if json:
        say_json(documents.backup(result, dry_run=dry_run))
        return 0
    say(
        f"{'would be backup' if dry_run else 'backup'} {result.entry.id}: "
        f"{sum(result.rows.values())} rows, {result.size} bytes, "
        f"layout {result.layout} (RisingWave {releases(result.releases)}), "
        f"Hummock version {result.entry.hummock_version_id} (checkpoint "
        f"{result.checkpoint_version} and {result.deltas} version deltas) with "
        f"{result.entry.object_count} objects"
    )
    return 0
