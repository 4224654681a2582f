"""The rows of a snapshot for other programs: a new file, a directory, or a stream of text."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from metasnapshot.errors import UsageError
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.library.backups import Backups
from metasnapshot.library.picking import SnapshotId
from metasnapshot.operations.export import (
    Output,
    new_path,
    write_csv,
    write_jsonl,
    write_sqlite,
)

if TYPE_CHECKING:
    from metasnapshot.operations.export_etcd import EtcdExport

ExportFormat = Literal["jsonl", "sqlite", "csv", "etcd"]
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        snapshot_id: of which snapshot.
        rows: rows by section; of etcd none.
        etcd: what was written for etcd.
    """

    snapshot_id: int
    rows: dict[str, int] = field(default_factory=dict[str, int])
    etcd: EtcdExport | None = None


def export(
    backups: Backups,
    snapshot_id: SnapshotId,
    to: Path | Output,
    format: ExportFormat = "jsonl",  # noqa: A002 - the word of the command
    *,
    sections: Sequence[str] = (),
    with_secrets: bool = False,
    csv_safe: bool = False,
) -> Exported:
    """Write the rows of a snapshot, without secret values.

    Args:
        backups: where the snapshot is.
        snapshot_id: which one.
        to: a path where nothing is yet, which appears complete or not at all: a file, for csv and
            etcd a directory. Or what has `write(text)`, for jsonl and for csv of one section.
        format: `jsonl` is a line a row, `csv` a file a section, `sqlite` a table each, `etcd` what
            brings a V1 snapshot back, secrets included.
        sections: these alone; by default all.
        with_secrets: show credentials as they are.
        csv_safe: defuse cells that a spreadsheet would take for formulas.

    Raises:
        UsageError: the format cannot go there, or not so.
        SnapshotNotFound: there is no such snapshot.
        UnknownFormat: it has no such section.
        ConflictError: there is something at the path.
        DamageError: the snapshot is damaged.
    """
    wanted = tuple(dict.fromkeys(sections))
    require_fit(format, wanted, is_stream=not isinstance(to, Path), safe=csv_safe)
    found, number = backups.repository, backups.id_of(snapshot_id)
    if format == "etcd" and isinstance(to, Path):
        from metasnapshot.operations.export_etcd import export_etcd

        with found.open(number) as reader, new_path(to) as path:
            return Exported(number, etcd=export_etcd(found, reader, path))
    with found.open(number) as reader:
        chosen = _sections(reader, wanted)
        if isinstance(to, Path):
            with new_path(to) as path:
                options = {"with_secrets": with_secrets, "safe": csv_safe}
                return Exported(number, _to_path(reader, chosen, format, path, **options))
        if format == "csv":
            count = write_csv(reader, chosen[0], to, with_secrets=with_secrets, safe=csv_safe)
            return Exported(number, {chosen[0]: count})
        return Exported(number, write_jsonl(reader, chosen, to, with_secrets=with_secrets))


def _sections(reader: SnapshotReader, wanted: Sequence[str]) -> Sequence[str]:
    """Those that are wanted, or all; what is in no section is told."""
    chosen = wanted or reader.section_names
    for name in chosen:
        reader.place(name)
    if reader.opaque_size:
        size, layout = reader.opaque_size, reader.layout
        logger.warning("not exported: %d bytes beyond layout %s", size, layout)
    return chosen


def require_fit(
    format: ExportFormat,  # noqa: A002 - the word of the command
    sections: Sequence[str],
    *,
    is_stream: bool,
    safe: bool,
) -> None:
    """See that a format can go where it shall, before anything is opened.

    Args:
        format: as for export.
        sections: those that are wanted; none for all.
        is_stream: it goes to a stream of text, not to a path.
        safe: cells are to be defused.

    Raises:
        UsageError: it cannot.
    """
    is_one_text = format == "jsonl" or (format == "csv" and len(sections) == 1)
    if is_stream and not is_one_text:
        raise UsageError(f"--format {format} needs --to", hint="a path that is not there yet")
    if safe and format != "csv":
        raise UsageError(f"--csv-safe is not for --format {format}", hint="give --format csv")
    if format == "etcd" and sections:
        raise UsageError("--format etcd takes every section", hint="leave --section")


def _to_path(
    reader: SnapshotReader,
    sections: Sequence[str],
    form: ExportFormat,
    path: Path,
    *,
    with_secrets: bool,
    safe: bool,
) -> dict[str, int]:
    """Write a file, or for csv a directory; returns rows by section."""
    if form == "sqlite":
        return write_sqlite(reader, sections, path, with_secrets=with_secrets)
    if form == "jsonl":
        with path.open("w", encoding="utf-8") as file:
            return write_jsonl(reader, sections, file, with_secrets=with_secrets)
    path.mkdir()
    counts: dict[str, int] = {}
    for name in sections:
        with (path / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            counts[name] = write_csv(reader, name, file, with_secrets=with_secrets, safe=safe)
    return counts
