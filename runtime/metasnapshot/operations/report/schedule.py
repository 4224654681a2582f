"""The schedule that the times of snapshots show: how long it usually is from one to the next, and
where it was much longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from metasnapshot.operations.report.model import Gap

GAPS_MAX = 20
"""Gaps that a page lists."""
INTERVALS_MIN = 3
"""So many times between snapshots make a schedule."""
FACTOR = 2
"""A gap is longer than so many usual times."""
SLACK = timedelta(minutes=5)
"""And by so much: a backup takes a while itself."""

Taken = tuple[int, datetime]


def usual_interval(taken: Sequence[Taken]) -> timedelta | None:
    """The median of the times between snapshots; None where there are too few."""
    spans = [(after - before).total_seconds() for (_, before), (_, after) in pairwise(taken)]
    if len(spans) < INTERVALS_MIN:
        return None
    return timedelta(seconds=round(median(spans)))


def gaps_of(taken: Sequence[Taken], usual: timedelta | None, now: datetime) -> list[Gap]:
    """Times without a snapshot that are much longer than usual, the longest first; the one since
    the newest has no end yet.

    Args:
        taken: ids and times, oldest first.
        usual: the usual time from one to the next.
        now: this host's clock.
    """
    if usual is None:
        return []
    found = gaps_longer(taken, limit_of(usual), now)
    return sorted(found, key=lambda gap: gap.length, reverse=True)


def limit_of(usual: timedelta) -> timedelta:
    """How long a time without a snapshot may be, by the usual one."""
    return usual * FACTOR + SLACK


def gaps_longer(taken: Sequence[Taken], limit: timedelta, end: datetime) -> list[Gap]:
    """Times without a snapshot that are longer than a limit, in their order; the one since the
    newest has no end yet.

    Args:
        taken: ids and times, oldest first.
        limit: that is no gap yet.
        end: up to when there might have been one.
    """
    if not taken:
        return []
    ends: list[tuple[int | None, datetime]] = [*taken[1:], (None, end)]
    return [
        Gap(number, other, start, stop - start)
        for (number, start), (other, stop) in zip(taken, ends, strict=True)
        if stop - start > limit
    ]
