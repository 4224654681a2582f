"""metasnapshot list"""

from __future__ import annotations

from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.cli.options import BACKUP_DIRECTORY, BackupDirectory, BackupUrl, repository
from metasnapshot.cli.text import say, table

V1_FORMATS = (0, 1)


def list_snapshots(
    *,
    backup_storage_url: BackupUrl,
    backup_storage_directory: BackupDirectory = BACKUP_DIRECTORY,
) -> int:
    """List the snapshots of a backup directory.

    Example: metasnapshot list --backup-storage-url fs:///srv/backups
    """
    manifest = repository(backup_storage_url, backup_storage_directory).manifest()
    head = ["id", "format", "hummock version", "objects", "tables", "release", "remarks"]
    table([head, *(_row(entry) for entry in manifest.entries)])
    say(f"{len(manifest.entries)} snapshots, manifest {manifest.manifest_id}")
    return 0


def _row(entry: ManifestEntry) -> list[str]:
    return [
        str(entry.id),
        "V1" if entry.format_version in V1_FORMATS else f"V{entry.format_version}",
        str(entry.hummock_version_id),
        str(len(entry.ssts)),
        str(len(entry.state_table_info)),
        entry.rw_version or "-",
        entry.remarks or "",
    ]
