"""Keep house: prove that a snapshot restores."""

from __future__ import annotations

from typing import Annotated

from metasnapshot import DrillResult
from metasnapshot.cli.options import Directory, Json, SnapshotId
from metasnapshot.cli.parameters import FLAT
from metasnapshot.cli.run import current
from metasnapshot.cli.screen import bad, good
from metasnapshot.cli.text import Document, complain, say, say_json
from metasnapshot.errors import DamageError


def drill(
    id: SnapshotId = "latest",  # noqa: A002 - the word in --help
    /,
    *,
    directory: Annotated[Directory, FLAT],
    json: Json = False,
) -> int:
    """Prove that a snapshot restores: into a scratch store, backed up again, compared.

    $ metasnapshot drill latest --backup-storage-url fs:///srv/backups
    """
    found = directory.open()
    number, outcome = found.id_of(id), current().outcome
    outcome.about([number])
    result = found.drill(number)
    for text in result.differences:
        outcome.fail(DamageError(f"snapshot {number} differs after a restore: {text}"))
    if json:
        say_json(document(result))
    else:
        for text in result.differences:
            complain(f"differs after a restore: {text}")
        say(
            f"snapshot {result.snapshot_id}: restored into a scratch store and backed up again; "
            f"{result.rows} rows and Hummock version {result.hummock_version_id} ",
            bad("differ, see above") if result.differences else good("are the same"),
        )
    return DamageError.exit_code if result.differences else 0


def document(found: DrillResult) -> Document:
    """What --json prints."""
    return {
        "snapshot_id": found.snapshot_id,
        "ok": not found.differences,
        "layout": found.layout,
        "rows": found.rows,
        "hummock_version_id": found.hummock_version_id,
        "differences": list(found.differences),
        "seconds": round(found.seconds, 3),
        "engine": found.engine,
    }
