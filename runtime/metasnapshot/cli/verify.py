"""metasnapshot verify"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated

from cyclopts import Parameter

from metasnapshot.catalogue.ledger import read_ledger
from metasnapshot.catalogue.repository import Repository
from metasnapshot.cli import documents
from metasnapshot.cli.options import (
    BackupDirectory,
    BackupUrl,
    HummockDirectory,
    HummockUrl,
    Json,
    SnapshotId,
    duration,
    repository,
    snapshot_id,
    state_store,
)
from metasnapshot.cli.settings import BACKUP_DIRECTORY, setting
from metasnapshot.cli.text import beyond, complain, note, say, say_json, tell
from metasnapshot.errors import DamageError, UsageError
from metasnapshot.operations import verify as operation
from metasnapshot.operations.verify import Level, VerifyResult

SOME_FAILED = 3


def verify(
    *ids: SnapshotId,
    backup_storage_url: BackupUrl,
    backup_storage_directory: BackupDirectory = BACKUP_DIRECTORY,
    all_snapshots: Annotated[
        bool, Parameter("--all", negative="", help="Every snapshot; so does naming none.")
    ] = False,
    level: Annotated[
        Level,
        setting(
            "--level",
            "file: checksum and frame. rows: every row too. refs: what they refer to too. "
            "objects: every object in the state store too.",
        ),
    ] = "rows",
    if_older_than: Annotated[
        str | None,
        setting("--if-older-than", "Skip what was found sound within this time, such as 7d."),
    ] = None,
    hummock_storage_url: HummockUrl = None,
    hummock_storage_directory: HummockDirectory = None,
    json: Json = False,
) -> int:
    """Verify snapshots. Exit 4 for damage, 3 if only some failed.

    Example: metasnapshot verify latest --backup-storage-url fs:///srv/backups
    """
    if ids and all_snapshots:
        raise UsageError("--all and ids exclude each other", hint="give one of the two")
    state = state_store(hummock_storage_url, hummock_storage_directory)
    age_max = duration(if_older_than) if if_older_than is not None else None
    found = repository(backup_storage_url, backup_storage_directory)
    wanted = [snapshot_id(text, found) for text in ids] or list(found.manifest().ids)
    if not wanted:
        note(f"no snapshot in {found.url}: nothing was verified")
    for number in wanted:
        found.entry(number)
    results: list[tuple[VerifyResult, bool]] = []
    for result, skipped in _verify_each(found, wanted, level, age_max, state):
        results.append((result, skipped))
        if not json:
            _print(result, skipped=skipped)
    if json:
        say_json({"snapshots": [documents.verification(item, skipped=s) for item, s in results]})
    codes = [0 if item.error is None else item.error.exit_code for item, _ in results]
    if all(codes):
        return DamageError.exit_code if DamageError.exit_code in codes else max(codes, default=0)
    return SOME_FAILED if any(codes) else 0


def _verify_each(
    found: Repository,
    wanted: list[int],
    level: Level,
    age_max: timedelta | None,
    state: tuple[str, str] | None,
) -> Iterator[tuple[VerifyResult, bool]]:
    """Results, as they come, and whether each was skipped because it was verified not long ago."""
    verified = read_ledger(found.store, found.directory).verified
    for number in dict.fromkeys(wanted):
        if age_max is not None and operation.is_fresh(verified.get(number), level, age_max):
            yield VerifyResult(number, level), True
        else:
            yield operation.verify(found, number, level, state), False


def _print(result: VerifyResult, *, skipped: bool) -> None:
    if skipped:
        say(f"snapshot {result.snapshot_id}: skipped, verified recently")
        return
    for finding in result.findings.kept:
        tell(finding)
    if result.error is not None:
        text, name = str(result.error), f"snapshot {result.snapshot_id}"
        complain(text if text.startswith(f"{name}:") else f"{name}: {text}", result.error.hint)
        return
    if not result.remembered:
        note("the directory cannot be written: nobody will remember this verification")
    if result.unknown_migrations:
        note(f"snapshot {result.snapshot_id}: {beyond(result.layout, result.unknown_migrations)}")
    say(
        f"snapshot {result.snapshot_id}: ok, level {result.level}, {result.rows} rows, "
        f"{result.size} bytes, layout {result.layout}, xxh64 {result.checksum:016x}"
    )
