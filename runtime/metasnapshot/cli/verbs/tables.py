"""Look inside: list the tables of a snapshot, and whether they can be read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from metasnapshot import TableSummary, epoch_ms, summarise_tables
from metasnapshot.cli.moments import At, choose
from metasnapshot.cli.options import Directory, Json, OptionalId
from metasnapshot.cli.parameters import FLAT
from metasnapshot.cli.screen import Part, doubtful
from metasnapshot.cli.text import Document, note, say_json, spelt_size, table

HEAD = ("name", "kind", "at most", "keys", "rows as of", "encoding", "id")


def tables(
    id: OptionalId = None,  # noqa: A002 - the word in --help
    /,
    *,
    directory: Annotated[Directory, FLAT],
    internal: Annotated[
        bool, Parameter("--all", help="Also list internal tables of streaming jobs, by their ids.")
    ] = False,
    at: At = None,
    json: Json = False,
) -> int:
    """List the tables of a snapshot: tables, materialized views and indexes.

    Bytes and keys are those of the objects in the state store, which hold several tables and old
    versions of rows.

    $ metasnapshot tables latest --backup-storage-url fs:///srv/backups
    """
    found = directory.open()
    chosen = choose(found, "tables", id, at)
    with found.open(chosen.id) as reader:
        summaries = list(summarise_tables(reader, internal=internal))
        number = reader.id
    if json:
        shown: Document = {"snapshot_id": number}
        say_json(shown | {"tables": [document(item) for item in summaries]} | chosen.document)
        return 0
    if not summaries:
        note(f"snapshot {number} has no tables")
        return 0
    table([HEAD, *map(_row, summaries)])
    for item in summaries:
        if item.refusal:
            note(f"{item.table.full_name} (#{item.table.id}) cannot be read: {item.refusal}")
    return 0


def _row(item: TableSummary) -> tuple[Part, ...]:
    return (
        item.table.full_name,
        item.table.kind,
        spelt_size(item.size),
        str(item.keys),
        _moment(item.epoch),
        item.encoding if not item.refusal else doubtful("cannot be read"),
        f"#{item.table.id}",
    )


def _moment(epoch: int | None) -> str:
    if epoch is None:
        return "unknown"
    return datetime.fromtimestamp(epoch_ms(epoch) / 1000, UTC).isoformat(timespec="milliseconds")


def document(item: TableSummary) -> Document:
    """What --json prints of a table."""
    return {
        "id": item.table.id,
        "name": item.table.full_name,
        "kind": item.table.kind,
        "bytes_max": item.size,
        "keys_max": item.keys,
        "epoch": item.epoch,
        "epoch_at": None if item.epoch is None else _moment(item.epoch),
        "encoding": item.encoding,
        "readable": not item.refusal,
        "reason": item.refusal,
    }
