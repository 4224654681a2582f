"""Everyday: check that there is a sound snapshot that is young enough."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Annotated

from cyclopts import Parameter

from metasnapshot import Health
from metasnapshot.cli.gauges import tell_health
from metasnapshot.cli.options import Directory, Json
from metasnapshot.cli.parameters import DURATION, FLAT
from metasnapshot.cli.run import current
from metasnapshot.cli.text import (
    NAGIOS_CRITICAL,
    NAGIOS_OK,
    NAGIOS_UNKNOWN,
    Document,
    nagios,
    say,
    say_json,
)
from metasnapshot.errors import (
    DamageError,
    ManifestMissing,
    MetasnapshotError,
    StaleBackups,
    UsageError,
)
from metasnapshot.spans import counted

Full = Annotated[
    bool, Parameter(help="Count only snapshots whose objects are in the backup.", negative="")
]


def check(
    *,
    directory: Annotated[Directory, FLAT],
    max_age: Annotated[
        timedelta | None,
        DURATION,
        Parameter(help="Highest age of the newest sound snapshot, such as 26h."),
    ] = None,
    min_count: Annotated[int, Parameter(help="How many snapshots there must be at least.")] = 1,
    full: Full = False,
    nagios_line: Annotated[
        bool, Parameter("--nagios", help="Print one line, and exit with the codes of Nagios.")
    ] = False,
    json: Json = False,
) -> int:
    """Check that there is a sound snapshot that is young enough. Exit 5 if not, or if one that was
    made here has vanished from the manifest.

    $ metasnapshot check --max-age 26h --backup-storage-url fs:///srv/backups
    """
    try:
        if nagios_line and json:
            raise UsageError("--nagios and --json exclude each other")
        if min_count < 0:
            raise UsageError("--min-count is below zero")
        found = directory.open()
        health = found.check(max_age, min_count, full=full)
    except MetasnapshotError as error:
        if not nagios_line:
            raise
        current().outcome.fail(error)
        is_lost = isinstance(error, (ManifestMissing, DamageError))
        return nagios(NAGIOS_CRITICAL if is_lost else NAGIOS_UNKNOWN, str(error))
    tell_health(found, health)
    stale = StaleBackups("; ".join(health.problems), hint="`metasnapshot list` shows them all")
    if health.problems:
        current().outcome.fail(stale)
    if nagios_line:
        taken = health.newest_at.timestamp() if health.newest_at else 0
        age = f" age={time.time() - taken:.0f}s" if taken else ""
        code = NAGIOS_CRITICAL if health.problems else NAGIOS_OK
        said = "; ".join(health.problems) or _summary(health)
        return nagios(code, f"{said} | snapshots={health.count}{age}")
    if json:
        say_json(document(health))
        return StaleBackups.exit_code if health.problems else 0
    if health.problems:
        raise stale
    say(_summary(health))
    return 0


def _summary(health: Health) -> str:
    newest = f"newest {health.newest_id}" if health.newest_id is not None else "no sound snapshot"
    when = f", taken {health.newest_at.isoformat(' ', 'seconds')}" if health.newest_at else ""
    return f"{counted(health.count, 'snapshot')}, {newest}{when}"


def document(found: Health) -> Document:
    """What --json prints."""
    return {
        "ok": not found.problems,
        "count": found.count,
        "newest_id": found.newest_id,
        "newest_at": found.newest_at.isoformat() if found.newest_at else None,
        "newest_bytes": found.newest_size,
        "vanished": list(found.vanished),
        "problems": list(found.problems),
    }
