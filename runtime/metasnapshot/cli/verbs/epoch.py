"""Look inside: show which snapshot serves a table at an epoch."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from metasnapshot import epoch_time
from metasnapshot.cli.options import Directory, Json
from metasnapshot.cli.parameters import FLAT
from metasnapshot.cli.snapshots import snapshot_document
from metasnapshot.cli.text import say, say_json


def epoch(
    table_id: Annotated[int, Parameter(help="Id of a state table.")],
    epoch: Annotated[int, Parameter(help="As SET QUERY_EPOCH takes it.")],
    /,
    *,
    directory: Annotated[Directory, FLAT],
    release: Annotated[
        str | None,
        Parameter(help="Use the rule of this release; by default that of each snapshot's release."),
    ] = None,
    json: Json = False,
) -> int:
    r"""Show which snapshot serves a table at an epoch. Exit 12 if none does.

    $ metasnapshot epoch 1001 7986098602508288 \
        --backup-storage-url fs:///srv/backups
    """
    entry = directory.backups().serving(table_id, epoch, release)
    time = epoch_time(epoch)
    if json:
        text = time.isoformat(timespec="milliseconds")
        say_json({"snapshot": snapshot_document(entry), "epoch": epoch, "time": text})
    else:
        text = time.isoformat(" ", "milliseconds")
        say(f"snapshot {entry.id} serves table {table_id} at epoch {epoch}, {text}")
    return 0
