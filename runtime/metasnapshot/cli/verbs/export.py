"""Look inside: write the rows of a snapshot for other programs."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

from cyclopts import Parameter

from metasnapshot import ExportFormat, require_fit
from metasnapshot import export as write
from metasnapshot.cli.moments import At, choose
from metasnapshot.cli.options import Directory, Json, OptionalId, WithSecrets
from metasnapshot.cli.parameters import FLAT
from metasnapshot.cli.screen import printable
from metasnapshot.cli.text import Document, note, say, say_json
from metasnapshot.errors import MetasnapshotError, UsageError

if TYPE_CHECKING:
    from metasnapshot import EtcdExport, Exported


class Stdout:
    """Standard output, in UTF-8 wherever it goes. Its errors are its own: where a snapshot is read
    they would pass for the store's.
    """

    def __init__(self) -> None:
        stream: TextIO = sys.stdout
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")

    def write(self, text: str) -> None:
        """Write, or say that one cannot; a broken pipe is told to the caller."""
        if sys.stdout.isatty():  # what is written is a line, and a cell must begin no other
            text = printable(text.removesuffix("\n")) + "\n"
        try:
            sys.stdout.write(text)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise MetasnapshotError(f"cannot write the output: {error.strerror}") from error


def export(
    id: OptionalId = None,  # noqa: A002 - the word in --help
    /,
    *,
    directory: Annotated[Directory, FLAT],
    format: Annotated[  # noqa: A002 - the word in --help
        ExportFormat,
        Parameter(
            help="jsonl: one line per row. csv, sqlite: one file or table per section. etcd: a "
            "directory that brings a V1 snapshot back, secrets included."
        ),
    ] = "jsonl",
    section: Annotated[
        tuple[str, ...], Parameter(help="Only this section; may be given again.")
    ] = (),
    to: Annotated[
        Path | None,
        Parameter(help="A new file; for csv and etcd a directory. By default stdout."),
    ] = None,
    with_secrets: WithSecrets = False,
    csv_safe: Annotated[
        bool,
        Parameter(help="Put an apostrophe before cells that are formulas."),
    ] = False,
    at: At = None,
    json: Json = False,
) -> int:
    r"""Write the rows of a snapshot for other programs, without secret values.

    $ metasnapshot export latest --format sqlite --to look.db \
        --backup-storage-url fs:///srv/backups
    """
    wanted = tuple(dict.fromkeys(section))
    require_fit(format, wanted, is_stream=to is None, safe=csv_safe)
    if to is None and json:
        raise UsageError("--json describes a file", hint="give --to, or leave --json")
    found = directory.open()
    chosen = choose(found, "export", id, at)
    result = write(
        found,
        chosen.id,
        Stdout() if to is None else to,
        format,
        sections=wanted,
        with_secrets=with_secrets,
        csv_safe=csv_safe,
    )
    if to is not None:
        _tell(result, format, to, chosen.document if json else None)
    return 0


def _tell(result: Exported, form: ExportFormat, to: Path, said: Document | None) -> None:
    """Say what was written; as JSON together with what is said besides, unless that is None."""
    number, counts = result.snapshot_id, result.rows
    if result.etcd is not None:
        _tell_etcd(result.etcd, to, said)
    elif said is not None:
        shown: Document = {"snapshot_id": number, "format": form, "path": str(to), "rows": counts}
        say_json(shown | said)
    else:
        say(f"{to}: {sum(counts.values())} rows of {len(counts)} sections of snapshot {number}")


def _tell_etcd(result: EtcdExport, to: Path, said: Document | None) -> None:
    """Say what was written, and what to do with it."""
    number = result.snapshot_id
    if said is not None:
        shown: Document = {
            "snapshot_id": number,
            "format": "etcd",
            "path": str(to),
            "keys": result.keys,
        }
        shown |= {"default_cf_from": result.default_cf_from, "largest": result.largest}
        say_json(shown | {"checkpoint": result.has_checkpoint} | said)
        return
    say(f"{to}: {result.keys} keys of snapshot {number}, default_cf of {result.default_cf_from}")
    steps = [f"load them into an empty etcd: sh {to / result.load_name}"]
    if result.has_checkpoint:
        file = to / result.checkpoint_file
        steps.append(f"put {file} into the state store as {{data_directory}}/checkpoint/0")
    steps.append("start a meta node of the release that the snapshot was made with")
    for step, text in enumerate(steps, 1):
        say(f"{step}. {text}")
    note(f"{to} holds the cluster's credentials as they are")
