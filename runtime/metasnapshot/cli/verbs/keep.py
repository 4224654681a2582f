"""Keep house: mark snapshots so that nothing here deletes them."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from metasnapshot.cli.options import Directory, Json, SnapshotId
from metasnapshot.cli.parameters import FLAT
from metasnapshot.cli.run import current
from metasnapshot.cli.snapshots import require_named
from metasnapshot.cli.text import say, say_json


def keep(
    *ids: SnapshotId,
    directory: Annotated[Directory, FLAT],
    release: Annotated[bool, Parameter(help="Unmark them.")] = False,
    json: Json = False,
) -> int:
    """Mark snapshots so that nothing here deletes them.

    $ metasnapshot keep 4 --backup-storage-url fs:///srv/backups
    """
    found = directory.open()
    numbers, outcome = [found.id_of(text) for text in require_named(ids)], current().outcome
    outcome.about(numbers)
    kept = found.keep(numbers, release=release)
    outcome.did("kept", (number for number in numbers if number in kept))
    if json:
        say_json({"kept": list(kept)})
    else:
        say(f"kept: {', '.join(map(str, kept)) or 'none'}")
    return 0
