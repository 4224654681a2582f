"""Keep house: prove that a snapshot restores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from metasnapshot import DrillResult, MetaStore, shown_url
from metasnapshot.cli.gauges import tell_drill
from metasnapshot.cli.meta_store import meta_store_password
from metasnapshot.cli.options import Directory, Json, SnapshotId
from metasnapshot.cli.parameters import FLAT
from metasnapshot.cli.run import current
from metasnapshot.cli.screen import bad, good
from metasnapshot.cli.settings import resolve
from metasnapshot.cli.text import Document, complain, say, say_json
from metasnapshot.errors import DamageError, UsageError


def drill(
    id: SnapshotId = "latest",  # noqa: A002 - the word in --help
    /,
    *,
    directory: Annotated[Directory, FLAT],
    against: Annotated[
        str | None,
        Parameter(help="An empty database to restore into; what the drill makes is dropped."),
    ] = None,
    against_password_file: Annotated[
        Path | None, Parameter(help="File with the password of that database.")
    ] = None,
    cut_timestamps: Annotated[
        bool, Parameter(help="Cut timestamps to what it holds, and compare the rest.", negative="")
    ] = False,
    json: Json = False,
) -> int:
    r"""Prove that a snapshot restores: into a scratch store, backed up again, compared.

    By default that is a SQLite file of its own. Exit 13 if the database of --against has tables.

    $ metasnapshot drill latest --backup-storage-url fs:///srv/backups \
        --against postgresql://me@db/scratch
    """
    place = _lent(against, against_password_file)
    found = directory.open()
    number, outcome = found.id_of(id), current().outcome
    outcome.about([number])
    try:
        result = found.drill(number, against=place, cut_timestamps=cut_timestamps)
    finally:
        tell_drill(found.rehearsed)
    for text in result.differences:
        outcome.fail(DamageError(f"snapshot {number} differs after a restore: {text}"))
    if json:
        say_json(document(result))
    else:
        for text in result.differences:
            complain(f"differs after a restore: {text}")
        say(
            f"snapshot {result.snapshot_id}: restored into {_name(against)} and backed up again; "
            f"{result.rows} rows and Hummock version {result.hummock_version_id} ",
            bad("differ, see above") if result.differences else good("are the same"),
        )
    return DamageError.exit_code if result.differences else 0


def _lent(against: str | None, password_file: Path | None) -> MetaStore | None:
    """The database that is lent, if one is.

    Raises:
        UsageError: it is the meta store that is configured, or there is a password alone.
    """
    if against is None:
        if password_file is not None:
            raise UsageError("--against-password-file means nothing without --against")
        return None
    password = None if password_file is None else meta_store_password(password_file)
    place = MetaStore(against, password)
    known = {item.option: value for item, value in resolve(current().configuration.values).items()}
    own = known["--meta-store"]
    if own.text and place.is_same_place(MetaStore(own.text)):
        raise UsageError(
            f"--against is the cluster's own meta store ({own.origin})",
            hint="give an empty database of its own",
        )
    return place


def _name(against: str | None) -> str:
    return "a scratch store" if against is None else shown_url(against)


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
