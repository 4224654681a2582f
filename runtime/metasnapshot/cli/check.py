"""metasnapshot check"""

from __future__ import annotations

import time
from typing import Annotated

from cyclopts import Parameter

from metasnapshot.cli import documents
from metasnapshot.cli.metrics import metrics
from metasnapshot.cli.options import BackupDirectory, BackupUrl, Json, duration, repository
from metasnapshot.cli.settings import BACKUP_DIRECTORY
from metasnapshot.cli.text import say, say_json
from metasnapshot.errors import (
    DamageError,
    ManifestMissing,
    MetasnapshotError,
    StaleBackups,
    UsageError,
)
from metasnapshot.operations import check as operation

NAGIOS_OK, NAGIOS_CRITICAL, NAGIOS_UNKNOWN = 0, 2, 3
_STATUS = {NAGIOS_OK: "OK", NAGIOS_CRITICAL: "CRITICAL", NAGIOS_UNKNOWN: "UNKNOWN"}


def check(
    *,
    backup_storage_url: BackupUrl,
    backup_storage_directory: BackupDirectory = BACKUP_DIRECTORY,
    max_age: Annotated[
        str | None, Parameter(help="How old the newest sound snapshot may be, such as 26h.")
    ] = None,
    min_count: Annotated[int, Parameter(help="How many snapshots there must be.")] = 1,
    nagios: Annotated[
        bool, Parameter(negative="", help="One line, and the exit codes that Nagios has.")
    ] = False,
    json: Json = False,
) -> int:
    """Say whether there is a sound snapshot that is young enough. Exit 5 if not, or if one that was
    made here has vanished from the manifest.

    Example: metasnapshot check --max-age 26h --backup-storage-url fs:///srv/backups
    """
    try:
        if nagios and json:
            raise UsageError("--nagios is a line of its own form, --json another")
        if min_count < 0:
            raise UsageError("--min-count is less than none")
        found = repository(backup_storage_url, backup_storage_directory)
        health = operation.check(found, duration(max_age) if max_age else None, min_count)
    except MetasnapshotError as error:
        if not nagios:
            raise
        is_lost = isinstance(error, (ManifestMissing, DamageError))
        return _nagios(NAGIOS_CRITICAL if is_lost else NAGIOS_UNKNOWN, str(error))
    taken = health.newest_at.timestamp() if health.newest_at else 0
    metrics.set("metasnapshot_snapshots", health.count)
    metrics.set("metasnapshot_problems", len(health.problems))
    metrics.set("metasnapshot_newest_bytes", health.newest_size)
    metrics.set("metasnapshot_newest_timestamp_seconds", taken)
    if nagios:
        age = f" age={time.time() - taken:.0f}s" if taken else ""
        code = NAGIOS_CRITICAL if health.problems else NAGIOS_OK
        said = "; ".join(health.problems) or _summary(health)
        return _nagios(code, f"{said} | snapshots={health.count}{age}")
    if json:
        say_json(documents.health(health))
        return StaleBackups.exit_code if health.problems else 0
    if health.problems:
        raise StaleBackups("; ".join(health.problems), hint="`metasnapshot list` shows them all")
    say(_summary(health))
    return 0


def unknown(text: str) -> int:
    """Nagios' line where nobody knows; returns its exit code."""
    return _nagios(NAGIOS_UNKNOWN, text)


def _nagios(code: int, text: str) -> int:
    say(f"METASNAPSHOT {_STATUS[code]} - {text}")
    return code


def _summary(health: operation.Health) -> str:
    newest = f"newest {health.newest_id}" if health.newest_id is not None else "no sound snapshot"
    when = f", taken {health.newest_at.isoformat(' ', 'seconds')}" if health.newest_at else ""
    return f"{health.count} snapshots, {newest}{when}"
