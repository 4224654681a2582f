"""Look inside: write a page for people about a snapshot, or about all."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

import metasnapshot
from metasnapshot import Report
from metasnapshot.cli.options import Directory, Json, SnapshotId
from metasnapshot.cli.parameters import FLAT
from metasnapshot.cli.run import current
from metasnapshot.cli.screen import bad, doubtful, good
from metasnapshot.cli.text import Document, say, say_json, spelt_size
from metasnapshot.errors import MetasnapshotError, UsageError

PAINTS = {"good": good, "doubtful": doubtful, "bad": bad}


def report(
    id: SnapshotId = "latest",  # noqa: A002 - the word in --help
    /,
    *,
    directory: Annotated[Directory, FLAT],
    to: Annotated[Path, Parameter(help="A new file of HTML, which needs no other and no network.")],
    all: Annotated[  # noqa: A002 - the word in --help
        bool, Parameter(help="About all snapshots: also what changed from one to the next.")
    ] = False,
    json: Json = False,
) -> int:
    r"""Write a page for people: is it sound, what is in it, who reads whom, what it costs, what a
    restore risks. No secret value is in it. A snapshot that cannot be read gets its page too, and
    the exit code of its error.

    $ metasnapshot report latest --to report.html \
        --backup-storage-url fs:///srv/backups
    """
    if all and id != "latest":
        raise UsageError(f"--all and snapshot {id}", hint="give one of them")
    metasnapshot.require_pages()
    found = metasnapshot.report(directory.open(), "all" if all else id)
    size = metasnapshot.write_report(found, to)
    if found.error_code:
        current().outcome.fail(MetasnapshotError(found.error))
    if json:
        say_json(document(found, to, size))
        return found.error_code
    for sentence in found.sentences:
        say(PAINTS[sentence.level](sentence.level), f"  {sentence.text}")
    what = "all snapshots" if all else f"snapshot {found.snapshot_id}"
    say(f"{to}: {what}, {spelt_size(size)}")
    return found.error_code


def document(found: Report, to: Path, size: int) -> Document:
    """What --json prints."""
    return {
        "snapshot_id": found.snapshot_id,
        "all": found.is_all,
        "path": str(to),
        "bytes": size,
        "level": found.level,
        "sentences": [asdict(sentence) for sentence in found.sentences],
    }
