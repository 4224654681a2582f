"""metasnapshot expire, gc, rebuild-manifest (dry runs until --commit says otherwise) and copy."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from metasnapshot.catalogue.rebuilder import Rebuilder
from metasnapshot.cli import documents
from metasnapshot.cli.options import (
    BackupDirectory,
    BackupUrl,
    Json,
    SnapshotId,
    duration,
    repository,
    snapshot_id,
)
from metasnapshot.cli.settings import BACKUP_DIRECTORY
from metasnapshot.cli.text import complain, say, say_json, table
from metasnapshot.errors import UsageError
from metasnapshot.operations import copy as copying
from metasnapshot.operations import expire as expiring
from metasnapshot.operations import gc as collecting
from metasnapshot.operations import rebuild as rebuilding
from metasnapshot.operations.expire import Policy
from metasnapshot.store.url import open_store

SOME_FAILED = 3
Commit = Annotated[bool, Parameter("--commit", negative="", help="Do it, and not only say it.")]
KeepLast = Annotated[int, Parameter(help="Keep the newest so many.")]
KeepWithin = Annotated[
    str | None, Parameter(help="Keep what is at most so much older than the newest, as 7d.")
]
MinCount = Annotated[int, Parameter(help="Never leave fewer.")]
Count = Annotated[int, Parameter(help="Keep the newest of each of so many.")]
DRY = "nothing was changed; --commit does it"


def expire(
    *,
    backup_storage_url: BackupUrl,
    backup_storage_directory: BackupDirectory = BACKUP_DIRECTORY,
    keep_last: KeepLast = 0,
    keep_hourly: Count = 0,
    keep_daily: Count = 0,
    keep_weekly: Count = 0,
    keep_monthly: Count = 0,
    keep_within: KeepWithin = None,
    min_count: MinCount = 1,
    commit: Commit = False,
    json: Json = False,
) -> int:
    r"""Delete the snapshots that no rule keeps; never the newest sound one, or one that is kept.

    Example: metasnapshot expire --keep-daily 14 --keep-weekly 8 \
--backup-storage-url fs:///srv/backups
    """
    policy = policy_of(
        keep_last, keep_hourly, keep_daily, keep_weekly, keep_monthly, keep_within, min_count
    )
    found = repository(backup_storage_url, backup_storage_directory)
    judged = expiring.judge(found, policy)
    deleted = expiring.expire(found, judged) if commit else []
    if json:
        say_json(documents.expiry(judged, deleted, committed=commit))
        return 0
    rows = [
        [
            str(item.entry.id),
            item.taken_at.isoformat(" ", "seconds") if item.taken_at else "-",
            "keep" if item.reasons else "delete",
            ", ".join(item.reasons),
        ]
        for item in judged
    ]
    table([["id", "taken at", "", "because"], *rows])
    gone = [item for item in judged if not item.reasons]
    say(f"deleted {len(deleted)} snapshots" if commit else f"{len(gone)} would go: {DRY}")
    return 0


def policy_of(
    last: int, hourly: int, daily: int, weekly: int, monthly: int, within: str | None, least: int
) -> Policy:
    """The policy that options make.

    Raises:
        UsageError: a number is negative, or a time is none.
    """
    if min(last, hourly, daily, weekly, monthly, least) < 0:
        raise UsageError("a number of snapshots below zero")
    age = duration(within) if within else None
    return Policy(last, hourly, daily, weekly, monthly, age, least)


def gc(
    *,
    backup_storage_url: BackupUrl,
    backup_storage_directory: BackupDirectory = BACKUP_DIRECTORY,
    grace: Annotated[str, Parameter(help="How old an object must be to go.")] = "24h",
    commit: Commit = False,
    json: Json = False,
) -> int:
    """Find files that no manifest entry names, and what died processes left; delete the old ones.
    Exit 3 if entries have lost their files.

    Example: metasnapshot gc --backup-storage-url fs:///srv/backups
    """
    found = repository(backup_storage_url, backup_storage_directory)
    strays = collecting.look(found, duration(grace))
    gone = collecting.collect(found, strays) if commit else []
    if json:
        say_json(documents.strays(strays, gone, committed=commit))
    else:
        rows = [
            [item.kind, item.path, str(item.size), _when(item), _fate(item)]
            for item in strays.found
        ]
        table([["kind", "path", "bytes", "modified", ""], *rows])
        due = [item for item in strays.found if item.is_due]
        say(f"deleted {len(gone)} objects" if commit else f"{len(due)} would go: {DRY}")
    for number in strays.lost:
        complain(
            f"snapshot {number} is in the manifest and its file is not there",
            "`metasnapshot rebuild-manifest` drops such entries, `copy` may bring the file back",
        )
    return SOME_FAILED if strays.lost else 0


def rebuild_manifest(
    *,
    backup_storage_url: BackupUrl,
    backup_storage_directory: BackupDirectory = BACKUP_DIRECTORY,
    commit: Commit = False,
    json: Json = False,
) -> int:
    """Make manifest.json out of the snapshot files, each of which is verified. Exit 3 if some are
    damaged.

    Example: metasnapshot rebuild-manifest --backup-storage-url fs:///srv/backups
    """
    found = Rebuilder(open_store(backup_storage_url), backup_storage_directory)
    rebuilt = rebuilding.rebuild(found)
    writes = commit and not rebuilt.is_same
    if writes:
        rebuilding.write(found, rebuilt)
    if json:
        say_json(documents.rebuilt(rebuilt, committed=writes))
    else:
        for what in ("added", "changed", "dropped"):
            numbers = getattr(rebuilt, what)
            say(f"{what}: {', '.join(map(str, numbers)) or 'none'}")
        if writes:
            say(f"wrote manifest {rebuilt.manifest.manifest_id}")
        else:
            say("the manifest says it all" if rebuilt.is_same else DRY)
    for number, why in rebuilt.damaged.items():
        complain(f"snapshot {number} gets no entry: {why}")
    return SOME_FAILED if rebuilt.damaged else 0


def copy(
    *ids: SnapshotId,
    backup_storage_url: BackupUrl,
    backup_storage_directory: BackupDirectory = BACKUP_DIRECTORY,
    to: Annotated[str, Parameter(help="Object store to copy to.")],
    to_directory: Annotated[str, Parameter(help="Directory in it.")] = BACKUP_DIRECTORY,
    json: Json = False,
) -> int:
    """Copy snapshots to another store, verified on arrival; all of them if none is named. Exit 3 if
    some are damaged and were not copied.

    Example: metasnapshot copy latest --backup-storage-url s3://bucket --to fs:///mnt/safe
    """
    found = repository(backup_storage_url, backup_storage_directory)
    target = repository(to, to_directory)
    wanted = [snapshot_id(text, found) for text in ids] or list(found.manifest().ids)
    copied = copying.copy(found, target, wanted)
    code = SOME_FAILED if any(item.error for item in copied) else 0
    if json:
        say_json(documents.copies(copied))
        return code
    for item in copied:
        if item.error is not None:
            complain(f"snapshot {item.snapshot_id} was not copied: {item.error}", item.error.hint)
            continue
        say(f"snapshot {item.snapshot_id}: {'was there' if item.was_there else item.size}")
    return code


def _when(item: collecting.Stray) -> str:
    return item.modified.isoformat(" ", "seconds") if item.modified else "-"


def _fate(item: collecting.Stray) -> str:
    if item.kind == collecting.FOREIGN:
        return "left alone"
    return "goes" if item.is_due else "too young"
