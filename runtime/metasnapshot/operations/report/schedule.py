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
    limit = usual * FACTOR + SLACK
    ends: list[tuple[int | None, datetime]] = [*taken[1:], (None, now)]
    found = [
        Gap(number, other, start, end - start)
        for (number, start), (other, end) in zip(taken, ends, strict=True)
        if end - start > limit
    ]
    return sorted(found, key=lambda gap: gap.length, reverse=True)
