"""Options that several verbs share, said once: name, help, and what they are turned into."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import SnapshotNotFound, UsageError
from metasnapshot.store.url import open_store

BACKUP_DIRECTORY = "backup"
"""Upstream's default of --backup-storage-directory. A server's own default is
{data_directory}/backup since 1.7."""
HUMMOCK_DIRECTORY = "hummock_001"
"""Upstream's default of --hummock-storage-directory."""

MetaStoreUrl = Annotated[
    str,
    Parameter(
        "--meta-store", help="Meta store, as sqlite:///relative.db or sqlite:////absolute.db."
    ),
]
BackupUrl = Annotated[
    str,
    Parameter("--backup-storage-url", help="Object store of the backups, as fs:///srv/backups."),
]
BackupDirectory = Annotated[
    str, Parameter("--backup-storage-directory", help="Directory in it that holds manifest.json.")
]
SnapshotId = Annotated[str, Parameter(help="Snapshot id, or latest, or oldest.")]


def repository(url: str, directory: str) -> Repository:
    """Open the backup directory that the options name."""
    return Repository(open_store(url), directory)


def snapshot_id(text: str, found: Repository) -> int:
    """The id that a text means.

    Raises:
        UsageError: it is no id.
        SnapshotNotFound: latest or oldest of none.
    """
    ids = found.manifest().ids
    if text in ("latest", "oldest"):
        if not ids:
            raise SnapshotNotFound(0, ids)
        return max(ids) if text == "latest" else min(ids)
    if not text.isdecimal():
        raise UsageError(f"not a snapshot id: {text!r}", hint="a number, latest or oldest")
    return int(text)
