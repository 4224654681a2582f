"""Everyday: list the snapshots of a backup directory."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from msgspec.structs import asdict

from metasnapshot import ListedSnapshot, Listing, Taken
from metasnapshot.cli import live
from metasnapshot.cli.live import ViaMeta
from metasnapshot.cli.moments import At, choose
from metasnapshot.cli.options import ANYWHERE, Json, OptionalDirectory
from metasnapshot.cli.parameters import FLAT
from metasnapshot.cli.screen import Part, bad, doubtful, good
from metasnapshot.cli.snapshots import IS_FULL, IS_PARTIAL, full_document, snapshot_document
from metasnapshot.cli.text import (
    Document,
    note,
    releases,
    say,
    say_json,
    shown_time,
    spelt_size,
    table,
)
from metasnapshot.errors import UsageError
from metasnapshot.spans import counted, spelt

V1_FORMATS = (0, 1)
HEAD = (
    "id",
    "format",
    "taken",
    "age",
    "kind",
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
    at: At = None,
    via_meta: ViaMeta = None,
    json: Json = False,
) -> int:
    """List the snapshots of a backup directory; with --at the one that a restore to it would take.

    $ metasnapshot list --backup-storage-url fs:///srv/backups
    """
    if via_meta is not None:
        live.require_no_cluster(directory.cluster_id)
        if at is not None:
            raise UsageError("--at and --via-meta", hint="a meta node knows no times: leave --at")
        return live.list_snapshots(via_meta, json=json)
    backups = directory.open()
    chosen = None if at is None else choose(backups, "list", None, at)
    found = backups.list()
    if chosen is not None:
        found = replace(
            found, snapshots=tuple(item for item in found if item.entry.id == chosen.id)
        )
    for text in found.warnings:
        note(text)
    if json:
        say_json(document(found) | ({} if chosen is None else chosen.document))
        return 0
    table([HEAD, *(_row(item, found.now) for item in found)])
    say(f"{counted(len(found), 'snapshot')}, manifest {found.manifest_id}")
    return 0


def _row(item: ListedSnapshot, now: datetime) -> Sequence[Part]:
    entry, taken = item.entry, item.taken
    return [
        f"{entry.id}{' (kept)' if item.is_kept else ''}",
        "V1" if entry.format_version in V1_FORMATS else f"V{entry.format_version}",
        _when(taken),
        spelt(now - taken.time) if taken else "-",
        item.kind if item.base is None else f"{item.kind} of {item.base}",
        bad("lost") if item.size is None else spelt_size(item.size),
        item.cluster_id[:CLUSTER_SHOWN] if item.cluster_id else "-",
        entry.rw_version or (releases(item.releases) if item.releases else "-"),
        _objects(item),
        _proved(item),
        entry.remarks or "",
    ]


def _proved(item: ListedSnapshot) -> Part:
    """When it was found sound last, and when a restore of it was rehearsed."""
    verified, drill = item.verified, item.drill
    text = f"{verified.level} {shown_time(verified.at)}" if verified else "never"
    if drill is None:
        return good(text) if verified else doubtful(text)
    when = f"{shown_time(drill.at)} ({drill.engine or 'unknown'}, {drill.seconds:.0f} s)"
    return good(f"{text}, drilled {when}") if drill.ok else bad(f"{text}, drill failed {when}")


def _objects(item: ListedSnapshot) -> str:
    """Of a full one how many there are, and how much of that was new."""
    full = item.full
    if full is None:
        return IS_PARTIAL
    size, new = spelt_size(full.bytes), spelt_size(full.bytes_new)
    return f"{IS_FULL}: {full.objects}, {size}, {new} new"


def _when(taken: Taken | None) -> str:
    """Of a time that only epochs tell it is known that it was not before."""
    if taken is None:
        return "-"
    return f"{'after ' if taken.is_least else ''}{shown_time(taken.time.astimezone(UTC))}"


def document(found: Listing) -> Document:
    """What --json prints."""
    snapshots: builtins.list[Document] = []
    for item in found:
        verified, taken = item.verified, item.taken
        known = (
            {"at": verified.at, "level": verified.level, "checksum": verified.checksum}
            if verified
            else None
        )
        snapshots.append(
            snapshot_document(item.entry)
            | {
                "kind": item.kind,
                "base": item.base,
                "kept": item.is_kept,
                "verified": known,
                "taken_at": taken.time.isoformat() if taken else None,
                "taken_by": taken.by if taken else None,
                "bytes": item.size,
                "cluster_id": item.cluster_id,
                "releases": [*item.releases],
                "drill": asdict(item.drill) if item.drill else None,
            }
            | full_document(item.full)
        )
    return {"manifest_id": found.manifest_id, "snapshots": snapshots}
