"""Everyday: list the snapshots of a backup directory."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from metasnapshot.catalogue.completeness import IS_FULL, IS_PARTIAL
from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.catalogue.records import Records, Taken
from metasnapshot.catalogue.repository import Repository
from metasnapshot.catalogue.times import shown
from metasnapshot.cli import live
from metasnapshot.cli.live import ViaMeta
from metasnapshot.cli.options import ANYWHERE, Json, OptionalDirectory
from metasnapshot.cli.parameters import FLAT
from metasnapshot.cli.screen import Part, bad, doubtful, good
from metasnapshot.cli.snapshots import full_document, listed, snapshot_document
from metasnapshot.cli.text import Document, note, releases, say, say_json, spelt_size, table
from metasnapshot.spans import counted, spelt

V1_FORMATS = (0, 1)
HEAD = (
    "id",
    "format",
    "taken",
    "age",
    "size",
    "cluster",
    "release",
    "objects",
    "verified",
    "remarks",
)
CLUSTER_SHOWN = 8
"""So many characters of a cluster's id tell it from others."""


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
        live.require_no_cluster(directory.cluster)
        return live.list_snapshots(via_meta, json=json)
    found = directory.open()
    manifest, records = found.manifest(), Records(found)
    entries = listed(found)
    clocks = records.clocks()
    said = document(found, entries, records) if json else {}
    rows = [] if json else [_row(found, records, entry, clocks.host) for entry in entries]
    for text in filter(None, (found.why_empty(), *records.problems, *records.ahead(clocks))):
        note(text)
    if json:
        say_json(said)
        return 0
    table([HEAD, *rows])
    say(f"{counted(len(entries), 'snapshot')}, manifest {manifest.manifest_id}")
    return 0


def _row(
    found: Repository, records: Records, entry: ManifestEntry, now: datetime
) -> Sequence[Part]:
    ledger, facts, taken = records.ledger, records.facts(entry), records.taken(entry)
    verified = ledger.verified.get(entry.id)
    head = records.heads.get(found.path(entry.id))
    cluster = facts.cluster_id if facts else None
    return [
        f"{entry.id}{' (kept)' if entry.id in ledger.kept else ''}",
        "V1" if entry.format_version in V1_FORMATS else f"V{entry.format_version}",
        _when(taken),
        spelt(now - taken.time) if taken else "-",
        spelt_size(head.size) if head else bad("lost"),
        cluster[:CLUSTER_SHOWN] if cluster else "-",
        entry.rw_version or (releases(facts.releases) if facts and facts.releases else "-"),
        _objects(records, entry),
        good(f"{verified.level} {verified.at}") if verified else doubtful("never"),
        entry.remarks or "",
    ]


def _objects(records: Records, entry: ManifestEntry) -> str:
    """Of a full one how many there are, and how much of that was new."""
    full = records.full(entry.id)
    if full is None:
        return IS_PARTIAL
    size, new = spelt_size(full.bytes), spelt_size(full.bytes_new)
    return f"{IS_FULL}: {full.objects}, {size}, {new} new"


def _when(taken: Taken | None) -> str:
    """Of a time that only epochs tell it is known that it was not before."""
    if taken is None:
        return "-"
    return f"{'after ' if taken.is_least else ''}{shown(taken.time)[: -len('+00:00')]}"


def document(found: Repository, entries: Sequence[ManifestEntry], records: Records) -> Document:
    """What --json prints."""
    manifest, ledger = found.manifest(), records.ledger
    snapshots: builtins.list[Document] = []
    for item in entries:
        verified, facts = ledger.verified.get(item.id), records.facts(item)
        taken, head = records.taken(item), records.heads.get(found.path(item.id))
        known = (
            {"at": verified.at, "level": verified.level, "checksum": verified.checksum}
            if verified
            else None
        )
        snapshots.append(
            snapshot_document(item)
            | {
                "kept": item.id in ledger.kept,
                "verified": known,
                "taken_at": taken.time.isoformat() if taken else None,
                "taken_by": taken.by if taken else None,
                "bytes": head.size if head else None,
                "cluster_id": facts.cluster_id if facts else None,
                "releases": [*facts.releases] if facts else [],
            }
            | full_document(records.full(item.id))
        )
    return {"manifest_id": manifest.manifest_id, "snapshots": snapshots}
