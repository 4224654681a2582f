"""Everyday: back up a meta store into a new snapshot."""

from __future__ import annotations

from typing import Annotated

from metasnapshot.cli import live
from metasnapshot.cli.live import ViaMeta
from metasnapshot.cli.meta_store import NOWHERE, OptionalMetaStore
from metasnapshot.cli.options import ANYWHERE, FLAT, Json, OptionalDirectory
from metasnapshot.cli.snapshots import snapshot_document
from metasnapshot.cli.text import Document, note, releases, say, say_json
from metasnapshot.operations import backup as operation
from metasnapshot.operations.backup import BackupOptions, BackupResult

DEFAULTS = BackupOptions()


def backup(
    *,
    store: Annotated[OptionalMetaStore, FLAT] = NOWHERE,
    directory: Annotated[OptionalDirectory, FLAT] = ANYWHERE,
    options: Annotated[BackupOptions, FLAT] = DEFAULTS,
    via_meta: ViaMeta = None,
    json: Json = False,
) -> int:
    r"""Back up a meta store into a new snapshot; or have a running meta node do it (--via-meta).

    $ metasnapshot backup --meta-store sqlite:////var/lib/risingwave/meta.db \
        --backup-storage-url fs:///srv/backups
    """
    if via_meta is not None:
        live.require_no_cluster(directory.cluster)
        return live.backup(via_meta, options, json=json)
    opening, found = store.open(), directory.open()
    with opening as meta_store:
        result = operation.backup(meta_store, found, options)
    for text in result.warnings:
        note(text)
    if json:
        say_json(document(result, dry_run=options.dry_run))
        return 0
    say(
        f"{'would be backup' if options.dry_run else 'backup'} {result.entry.id}: "
        f"{sum(result.rows.values())} rows, {result.size} bytes, "
        f"layout {result.layout} (RisingWave {releases(result.releases)}), "
        f"Hummock version {result.entry.hummock_version_id} (checkpoint "
        f"{result.checkpoint_version} and {result.deltas} version deltas) with "
        f"{result.entry.object_count} objects"
    )
    return 0


def document(result: BackupResult, *, dry_run: bool) -> Document:
    """What --json prints."""
    return {
        "dry_run": dry_run,
        "snapshot": snapshot_document(result.entry),
        "layout": result.layout,
        "releases": list(result.releases),
        "rows": result.rows,
        "bytes": result.size,
        "checksum": f"{result.checksum:016x}",
        "checkpoint_version": result.checkpoint_version,
        "deltas": result.deltas,
        "pinned": result.pinned,
        "omitted": list(result.omitted),
        "warnings": list(result.warnings),
    }
