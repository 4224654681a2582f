"""metasnapshot check"""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from metasnapshot.cli import documents
from metasnapshot.cli.metrics import metrics
from metasnapshot.cli.options import BackupDirectory, BackupUrl, Json, duration, repository
from metasnapshot.cli.settings import BACKUP_DIRECTORY
from metasnapshot.cli.text import say, say_json
from metasnapshot.errors import MetasnapshotError, StaleBackups
from metasnapshot.operations import check as operation

NAGIOS_OK, NAGIOS_CRITICAL, NAGIOS_UNKNOWN = 0, 2, 3


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
        found = repository(backup_storage_url, backup_storage_directory)
        health = operation.check(found, duration(max_age) if max_age else None, min_count)
    except MetasnapshotError as error:
        if not nagios:
            raise
        say(f"METASNAPSHOT UNKNOWN - {error}")
        return NAGIOS_UNKNOWN
    metrics.set("metasnapshot_snapshots", health.count)
    metrics.set("metasnapshot_problems", len(health.problems))
    metrics.set("metasnapshot_newest_bytes", health.newest_size)
    if health.newest_at is not None:
        metrics.set("metasnapshot_newest_timestamp_seconds", health.newest_at.timestamp())
    newest = f"newest {health.newest_id}" if health.newest_id is not None else "no sound snapshot"
    when = f", taken {health.newest_at.isoformat(' ', 'seconds')}" if health.newest_at else ""
    text = f"{health.count} snapshots, {newest}{when}"
    if nagios:
        status = "CRITICAL" if health.problems else "OK"
        said = "; ".join(health.problems) or text
        say(f"METASNAPSHOT {status} - {said} | snapshots={health.count}")
        return NAGIOS_CRITICAL if health.problems else NAGIOS_OK
    if json:
        say_json(documents.health(health))
        return StaleBackups.exit_code if health.problems else 0
    if health.problems:
        raise StaleBackups("; ".join(health.problems), hint="`metasnapshot list` shows them all")
    say(text)
    return 0
