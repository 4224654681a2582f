"""Everyday: show what a snapshot holds, the page to read before a restore."""

from __future__ import annotations

from typing import Annotated

from metasnapshot import Summary, epoch_time
from metasnapshot.cli.moments import At, choose
from metasnapshot.cli.options import Directory, Json, OptionalId
from metasnapshot.cli.parameters import FLAT
from metasnapshot.cli.screen import doubtful, good
from metasnapshot.cli.snapshots import full_document, snapshot_document
from metasnapshot.cli.text import (
    Document,
    beyond,
    releases,
    say,
    say_json,
    shown_time,
    spelt_size,
    table,
)

NAMES_SHOWN_MAX = 10


def show(
    id: OptionalId = None,  # noqa: A002 - the word in --help
    /,
    *,
    directory: Annotated[Directory, FLAT],
    at: At = None,
    json: Json = False,
) -> int:
    """Show what a snapshot holds: the page to read before a restore.

    $ metasnapshot show latest --backup-storage-url fs:///srv/backups
    """
    found = directory.open()
    chosen = choose(found, "show", id, at)
    summary = found.show(chosen.id)
    if json:
        say_json(document(summary) | chosen.document)
    else:
        _print(summary)
    return 0


def _print(summary: Summary) -> None:
    entry = summary.entry
    say(f"snapshot {entry.id}: {entry.remarks or 'no remarks'}")
    say(f"cluster {', '.join(summary.cluster_ids) or 'unknown'}")
    say(f"release {entry.rw_version or releases(summary.releases)}, layout {summary.layout}")
    if summary.unknown_migrations:
        say(doubtful(beyond(summary.layout, summary.unknown_migrations)))
    say(f"{summary.size} bytes, xxh64 {summary.checksum:016x}")
    say(f"Hummock version {entry.hummock_version_id}, {entry.object_count} objects")
    if (full := summary.full) is None:
        say("partial: its objects are in the state store alone")
    else:
        size, new = spelt_size(full.bytes), spelt_size(full.bytes_new)
        say(
            good("full"),
            f": {full.objects} objects, {size}, of which {full.objects_new}, {new}, were new",
        )
    if summary.epochs:
        first, last = (
            shown_time(epoch_time(epoch).isoformat(" ", "milliseconds")) for epoch in summary.epochs
        )
        count = len(entry.state_table_info)
        say(f"{f'{count} state tables, ' if count else ''}committed at {_range(first, last)} UTC")
    say("")
    for kind, names in summary.names.items():
        shown = ", ".join(names[:NAMES_SHOWN_MAX])
        more = ", ..." if len(names) > NAMES_SHOWN_MAX else ""
        say(f"{kind} ({len(names)}){': ' if names else ''}{shown}{more}")
    say("")
    say("system parameters:")
    table([["name", "value"], *([name, value] for name, value in summary.parameters.items())])
    say("")
    say("after a restore:")
    for risk in summary.risks:
        say("  - ", doubtful(risk))
    if not summary.risks:
        say("  - no CDC source and no sink is at risk")
    say("")
    rows = [[item.name, str(item.rows), str(item.size)] for item in summary.sections]
    table([["section", "rows", "bytes"], *rows])


def _range(first: str, last: str) -> str:
    return first if first == last else f"{first} to {last}"


def document(found: Summary) -> Document:
    """What --json prints."""
    epochs = found.epochs
    return {
        "snapshot": snapshot_document(found.entry),
        "cluster_ids": list(found.cluster_ids),
        "layout": found.layout,
        "releases": list(found.releases),
        "unknown_migrations": list(found.unknown_migrations),
        "bytes": found.size,
        "checksum": f"{found.checksum:016x}",
        **full_document(found.full),
        "names": found.names,
        "committed_epochs": [
            {"epoch": epoch, "time": epoch_time(epoch).isoformat(timespec="milliseconds")}
            for epoch in (epochs or ())
        ],
        "parameters": found.parameters,
        "risks": list(found.risks),
        "sections": [
            {"name": item.name, "rows": item.rows, "bytes": item.size} for item in found.sections
        ],
    }
