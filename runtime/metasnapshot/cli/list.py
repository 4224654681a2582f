"""metasnapshot list"""

from __future__ import annotations

from metasnapshot.catalogue.ledger import Ledger, read_ledger
from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.cli import documents, live
from metasnapshot.cli.live import ViaMeta, given
from metasnapshot.cli.options import BackupDirectory, Json, OptionalBackupUrl, repository
from metasnapshot.cli.settings import BACKUP_DIRECTORY
from metasnapshot.cli.text import say, say_json, table

V1_FORMATS = (0, 1)
HEAD = (
    "id",
    "format",
    "hummock version",
    "objects",
    "tables",
    "release",
    "verified",
    "remarks",
)


def list_snapshots(
    *,
    backup_storage_url: OptionalBackupUrl = None,
    backup_storage_directory: BackupDirectory = BACKUP_DIRECTORY,
    via_meta: ViaMeta = None,
    json: Json = False,
) -> int:
    """List the snapshots of a backup directory.

    Example: metasnapshot list --backup-storage-url fs:///srv/backups
    """
    if via_meta is not None:
        return live.list_snapshots(via_meta, json=json)
    found = repository(given(backup_storage_url, "--backup-storage-url"), backup_storage_directory)
    manifest, ledger = found.manifest(), read_ledger(found.store, found.directory)
    if json:
        say_json(documents.listing(manifest, ledger))
        return 0
    table([HEAD, *(_row(entry, ledger) for entry in manifest.entries)])
    say(f"{len(manifest.entries)} snapshots, manifest {manifest.manifest_id}")
    return 0


def _row(entry: ManifestEntry, ledger: Ledger) -> list[str]:
    verified = ledger.verified.get(entry.id)
    return [
        f"{entry.id}{' (kept)' if entry.id in ledger.kept else ''}",
        "V1" if entry.format_version in V1_FORMATS else f"V{entry.format_version}",
        str(entry.hummock_version_id),
        str(entry.object_count),
        str(len(entry.state_table_info)),
        entry.rw_version or "-",
        f"{verified.level} {verified.at}" if verified else "never",
        entry.remarks or "",
    ]
