"""Everyday: list the snapshots of a backup directory."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Annotated

from metasnapshot.catalogue.ledger import Ledger
from metasnapshot.catalogue.manifest import Manifest, ManifestEntry
from metasnapshot.catalogue.records import Records
from metasnapshot.cli import live
from metasnapshot.cli.live import ViaMeta
from metasnapshot.cli.options import ANYWHERE, FLAT, Json, OptionalDirectory
from metasnapshot.cli.snapshots import snapshot_document
from metasnapshot.cli.text import Document, note, say, say_json, table

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


def list(  # noqa: A001 - the verb
    *,
    directory: Annotated[OptionalDirectory, FLAT] = ANYWHERE,
    via_meta: ViaMeta = None,
    json: Json = False,
) -> int:
    """List the snapshots of a backup directory.

    $ metasnapshot list --backup-storage-url fs:///srv/backups
    """
    if via_meta is not None:
        return live.list_snapshots(via_meta, json=json)
    found = directory.open()
    manifest, records = found.manifest(), Records(found)
    ledger = records.ledger
    for text in (*records.problems, *records.ahead(records.clocks())):
        note(text)
    if json:
        say_json(document(manifest, ledger))
        return 0
    table([HEAD, *(_row(entry, ledger) for entry in manifest.entries)])
    say(f"{len(manifest.entries)} snapshots, manifest {manifest.manifest_id}")
    return 0


def _row(entry: ManifestEntry, ledger: Ledger) -> Sequence[str]:
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


def document(manifest: Manifest, ledger: Ledger) -> Document:
    """What --json prints."""
    snapshots: builtins.list[Document] = []
    for item in manifest.entries:
        verified = ledger.verified.get(item.id)
        known = (
            {"at": verified.at, "level": verified.level, "checksum": verified.checksum}
            if verified
            else None
        )
        snapshots.append(
            snapshot_document(item) | {"kept": item.id in ledger.kept, "verified": known}
        )
    return {"manifest_id": manifest.manifest_id, "snapshots": snapshots}
