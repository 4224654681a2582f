"""Look inside: write the rows of a snapshot for other programs."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Annotated, Literal, TextIO

from cyclopts import Parameter

from metasnapshot.catalogue.repository import Repository
from metasnapshot.cli.options import Directory, Json, SnapshotId, WithSecrets
from metasnapshot.cli.parameters import FLAT
from metasnapshot.cli.screen import printable
from metasnapshot.cli.snapshots import snapshot_id
from metasnapshot.cli.text import note, say, say_json
from metasnapshot.errors import MetasnapshotError, UsageError
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.operations.export import new_path, write_csv, write_jsonl, write_sqlite
from metasnapshot.operations.export_etcd import CHECKPOINT_FILE, LOAD_NAME, export_etcd

Format = Literal["jsonl", "sqlite", "csv", "etcd"]


class Stdout:
    """Standard output, in UTF-8 wherever it goes. Its errors are its own: where a snapshot is read
    they would pass for the store's.
    """

    def __init__(self) -> None:
        stream: TextIO = sys.stdout
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")

    def write(self, text: str) -> None:
        """Write, or say that one cannot; a pipe that broke is for whoever made it."""
        if sys.stdout.isatty():  # what is written is a line, and a cell must begin no other
            text = printable(text.removesuffix("\n")) + "\n"
        try:
            sys.stdout.write(text)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise MetasnapshotError(f"cannot write the output: {error.strerror}") from error


def export(
    id: SnapshotId,  # noqa: A002 - the word in --help
    /,
    *,
    directory: Annotated[Directory, FLAT],
    format: Annotated[  # noqa: A002 - the word in --help
        Format,
        Parameter(
            help="jsonl: a line a row. csv: a file a section. sqlite: a table each. etcd: a "
            "directory with what brings a V1 snapshot back, secrets included."
        ),
    ] = "jsonl",
    section: Annotated[
        tuple[str, ...], Parameter(help="Only this section; may be given again.")
    ] = (),
    to: Annotated[
        Path | None,
        Parameter(
            help="A new file, for csv and etcd a directory; by default stdout, where it can."
        ),
    ] = None,
    with_secrets: WithSecrets = False,
    csv_safe: Annotated[
        bool, Parameter(help="Defuse cells that a spreadsheet would take for formulas.")
    ] = False,
    json: Json = False,
) -> int:
    r"""Write the rows of a snapshot for other programs, without secret values.

    $ metasnapshot export latest --format sqlite --to look.db \
        --backup-storage-url fs:///srv/backups
    """
    wanted = tuple(dict.fromkeys(section))
    _check(format, wanted, to, json=json, safe=csv_safe)
    found = directory.open()
    if format == "etcd" and to is not None:
        return _to_etcd(found, snapshot_id(id, found), to, json=json)
    with found.open(snapshot_id(id, found)) as reader:
        sections = wanted or reader.section_names
        for name in sections:
            reader.place(name)
        if reader.opaque_size:
            note(f"not exported: {reader.opaque_size} bytes beyond layout {reader.layout}")
        if to is None:
            _to_stdout(reader, sections, format, with_secrets=with_secrets, safe=csv_safe)
            return 0
        with new_path(to) as path:
            counts = _to_path(reader, sections, format, path, with_secrets, csv_safe)
    _tell(reader.id, format, to, counts, json=json)
    return 0


def _tell(number: int, form: Format, to: Path, counts: dict[str, int], *, json: bool) -> None:
    if json:
        say_json({"snapshot_id": number, "format": form, "path": str(to), "rows": counts})
    else:
        say(f"{to}: {sum(counts.values())} rows of {len(counts)} sections of snapshot {number}")


def _check(
    form: Format, wanted: tuple[str, ...], to: Path | None, *, json: bool, safe: bool
) -> None:
    """What goes together.

    Raises:
        UsageError: something does not.
    """
    if to is None and (form in ("sqlite", "etcd") or (form == "csv" and len(wanted) != 1)):
        raise UsageError(f"--format {form} needs --to", hint="a path that is not there yet")
    if to is None and json:
        raise UsageError("--json describes a file", hint="give --to, or leave --json")
    if safe and form != "csv":
        raise UsageError(f"--csv-safe is not for --format {form}", hint="give --format csv")
    if form == "etcd" and wanted:
        raise UsageError("--format etcd takes every section", hint="leave --section")


def _to_etcd(found: Repository, number: int, to: Path, *, json: bool) -> int:
    """Write the directory, and say what to do with it."""
    with found.open(number) as reader, new_path(to) as path:
        result = export_etcd(found, reader, path)
    if json:
        shown = {"snapshot_id": number, "format": "etcd", "path": str(to), "keys": result.keys}
        shown |= {"default_cf_from": result.default_cf_from, "largest": result.largest}
        say_json(shown | {"checkpoint": result.has_checkpoint})
        return 0
    say(f"{to}: {result.keys} keys of snapshot {number}, default_cf of {result.default_cf_from}")
    steps = [f"load them into an empty etcd: sh {to / LOAD_NAME}"]
    if result.has_checkpoint:
        file = to / CHECKPOINT_FILE
        steps.append(f"put {file} into the state store as {{data_directory}}/checkpoint/0")
    steps.append("start a meta node of the release that the snapshot was made with")
    for step, text in enumerate(steps, 1):
        say(f"{step}. {text}")
    note(f"{to} holds the cluster's credentials as they are")
    return 0


def _to_stdout(
    reader: SnapshotReader,
    sections: tuple[str, ...],
    form: Format,
    *,
    with_secrets: bool,
    safe: bool,
) -> None:
    if form == "csv":
        write_csv(reader, sections[0], Stdout(), with_secrets=with_secrets, safe=safe)
    else:
        write_jsonl(reader, sections, Stdout(), with_secrets=with_secrets)


def _to_path(
    reader: SnapshotReader,
    sections: tuple[str, ...],
    form: Format,
    path: Path,
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
