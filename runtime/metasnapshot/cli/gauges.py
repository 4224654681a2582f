"""What a verb knows of the backups, as gauges of its metrics: all are set here and nowhere else.

Only what the run looked at is set; anything else stays as an earlier run left it. Notes that a
gauge needs and that cannot be read leave it alone: what went wrong with the run is told elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, get_args

from metasnapshot import Level
from metasnapshot.cli.run import current
from metasnapshot.errors import MetasnapshotError

if TYPE_CHECKING:
    from metasnapshot import (
        Backups,
        DrillNote,
        FullResult,
        Health,
        PinnedResult,
        Pins,
        VerifyResult,
    )

LEVELS: tuple[str, ...] = get_args(Level)


def tell_newest(found: Backups, snapshot_id: int, seconds: float | None = None) -> None:
    """What is known of the newest snapshot, which is sound.

    Args:
        found: the directory.
        snapshot_id: of the newest.
        seconds: how long its backup took, if this run made it.
    """
    metrics = current().metrics
    if not metrics.are_wanted:
        return
    with suppress(MetasnapshotError):
        item = found.listed(snapshot_id)
        taken = 0.0 if item.taken is None else item.taken.time.timestamp()
        metrics.set("metasnapshot_newest_timestamp_seconds", taken)
        metrics.set("metasnapshot_newest_bytes", item.size or 0)
        metrics.set("metasnapshot_newest_full", item.full is not None)
        verified = item.verified
        is_known = verified is not None and verified.level in LEVELS
        level = 0 if verified is None or not is_known else LEVELS.index(verified.level) + 1
        at = "" if verified is None else verified.at
        metrics.set("metasnapshot_newest_verified_level", level)
        metrics.set("metasnapshot_newest_verified_timestamp_seconds", _seconds(at))
    if seconds is not None:
        metrics.set("metasnapshot_newest_duration_seconds", seconds)


def tell_backup(
    found: Backups, snapshot_id: int, start: float, full: FullResult | PinnedResult | None = None
) -> None:
    """A backup of this run; one that only shows what it would do is none.

    Args:
        found: where it went.
        snapshot_id: which one it is.
        start: when it began, by the monotonic clock; it has just ended.
        full: with objects, what came of them.
    """
    if current().outcome.is_dry:
        return
    tell_newest(found, snapshot_id, time.monotonic() - start)
    tell_count(found)
    if full is not None:
        missing = full.findings.missing
        tell_missing("backup", [missing if missing or full.complete else None])


def tell_count(found: Backups) -> None:
    """How many snapshots there are."""
    if current().metrics.are_wanted:
        with suppress(MetasnapshotError):
            current().metrics.set("metasnapshot_snapshots", len(found.ids()))


def tell_health(found: Backups, health: Health) -> None:
    """What check found. Without a sound snapshot the newest has no time: an alarm on its age must
    ring.
    """
    metrics = current().metrics
    metrics.set("metasnapshot_snapshots", health.count)
    metrics.set("metasnapshot_problems", len(health.problems))
    taken = 0.0 if health.newest_at is None else health.newest_at.timestamp()
    metrics.set("metasnapshot_newest_timestamp_seconds", taken)
    metrics.set("metasnapshot_newest_bytes", health.newest_size)
    if health.newest_id is None:
        _tell_unverified()
    else:
        tell_newest(found, health.newest_id)
    if not metrics.are_wanted:
        return
    with suppress(MetasnapshotError):
        tell_drill(found.last_drill())


def tell_verified(found: Backups, results: Sequence[VerifyResult]) -> None:
    """What verify found: of the newest snapshot, and of the objects of all that it looked at."""
    newest = max(found.ids(), default=None)
    for result in results:
        if result.snapshot_id != newest:
            continue
        if result.error is None:
            tell_newest(found, result.snapshot_id)
        else:
            _tell_unverified()
    tell_missing("verify", [item.missing for item in results if not item.skipped])


def _tell_unverified() -> None:
    current().metrics.set("metasnapshot_newest_verified_level", 0)
    current().metrics.set("metasnapshot_newest_verified_timestamp_seconds", 0)


def tell_missing(verb: str, counts: Iterable[int | None]) -> None:
    """How many objects a verb missed, of each snapshot; None where it did not look at all of them.

    What one did not see it does not call whole: a part counts only with what is missing in it.
    """
    each = list(counts)
    missing = sum(count or 0 for count in each)
    if missing or (each and None not in each):
        current().metrics.set("metasnapshot_objects_missing", missing, verb)


def tell_pins(found: Backups, pins: Pins) -> None:
    """What pins counted, if that was of all snapshots."""
    if set(pins.snapshot_ids) == set(found.ids()):
        current().metrics.set("metasnapshot_pinned_bytes", pins.size)
    if pins.lost is not None:
        tell_missing("pins", [pins.lost.missing])


def tell_drill(drill: DrillNote | None) -> None:
    """The last rehearsal of a restore, if there was one."""
    if drill is None:
        return
    metrics = current().metrics
    metrics.set("metasnapshot_drill_timestamp_seconds", _seconds(drill.at))
    metrics.set("metasnapshot_drill_duration_seconds", drill.seconds)
    metrics.set("metasnapshot_drill_success", drill.ok)


def _seconds(at: str) -> float:
    """Since 1970; 0 for what is no time."""
    try:
        return datetime.fromisoformat(at).timestamp()
    except ValueError:
        return 0.0
