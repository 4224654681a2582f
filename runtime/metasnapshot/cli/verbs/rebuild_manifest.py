"""Keep house: make manifest.json out of the snapshot files."""

from __future__ import annotations

from typing import Annotated

from metasnapshot import Rebuilt
from metasnapshot.cli.options import DRY, Commit, Json, WholeDirectory, backups_at
from metasnapshot.cli.parameters import FLAT
from metasnapshot.cli.run import current
from metasnapshot.cli.text import Document, complain, say, say_json
from metasnapshot.errors import SOME_FAILED, DamageError


def rebuild_manifest(
    *,
    directory: Annotated[WholeDirectory, FLAT],
    commit: Commit = False,
    json: Json = False,
) -> int:
    """Make manifest.json out of the snapshot files, each of which is verified. Exit 3 if some are
    damaged.

    $ metasnapshot rebuild-manifest --backup-storage-url fs:///srv/backups
    """
    rebuilt = backups_at(
        directory.backup_storage_url, directory.backup_storage_directory
    ).rebuild_manifest(commit=commit)
    writes, outcome = commit and not rebuilt.is_same, current().outcome
    outcome.about([*rebuilt.added, *rebuilt.changed, *rebuilt.dropped])
    for number, why in rebuilt.damaged.items():
        outcome.fail(DamageError(f"snapshot {number} gets no entry: {why}"))
    if json:
        say_json(document(rebuilt, committed=writes))
    else:
        for what in ("added", "changed", "dropped"):
            numbers = getattr(rebuilt, what)
            say(f"{what}: {', '.join(map(str, numbers)) or 'none'}")
        if rebuilt.full:
            say(f"full, with their objects: {', '.join(map(str, rebuilt.full))}")
        if writes:
            say(f"wrote manifest {rebuilt.manifest.manifest_id}")
        else:
            say("the manifest says it all" if rebuilt.is_same else DRY)
    for number, why in rebuilt.damaged.items():
        complain(f"snapshot {number} gets no entry: {why}")
    return SOME_FAILED if rebuilt.damaged else 0


def document(found: Rebuilt, *, committed: bool) -> Document:
    """What --json prints."""
    return {
        "committed": committed,
        "manifest_id": found.manifest.manifest_id,
        "added": list(found.added),
        "changed": list(found.changed),
        "dropped": list(found.dropped),
        "full": list(found.full),
        "damaged": [{"id": number, "why": why} for number, why in found.damaged.items()],
    }
