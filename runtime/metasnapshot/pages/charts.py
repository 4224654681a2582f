"""Geometry of charts, in a box of fixed width that the page stretches: words stand beside it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from metasnapshot.operations.report.model import Gap, LevelSize, Point

WIDTH, HEIGHT = 1000, 200
STRIP_HEIGHT = 24
GROUPS_DRAWN = 12


@dataclass(frozen=True)
class CostChart:
    """Areas over the snapshots, oldest first: what all need together, each alone, only it."""

    top: int
    together: str
    alone: str
    own: str


@dataclass(frozen=True)
class Strip:
    """The schedule: a tick for each snapshot, as path data; x and width of each gap."""

    start: datetime
    end: datetime
    ticks: str
    gaps: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Segment:
    """A level in the bar of its group."""

    level: LevelSize
    x: float
    width: float


def cost_chart(points: Sequence[Point]) -> CostChart | None:
    """The costs of snapshots; None for fewer than two, which make no line."""
    if len(points) < 2 or not (top := max(point.together for point in points)):  # noqa: PLR2004
        return None
    return CostChart(
        top,
        _area([point.together for point in points], top),
        _area([point.alone or 0 for point in points], top),
        _area([point.own or 0 for point in points], top),
    )


def _area(values: Sequence[int], top: int) -> str:
    """A path from the first to the last value, closed along the ground."""
    step = WIDTH / (len(values) - 1)
    dots = [
        f"{place * step:.1f} {HEIGHT - HEIGHT * value / top:.1f}"
        for place, value in enumerate(values)
    ]
    return f"M0 {HEIGHT}L{'L'.join(dots)}L{WIDTH} {HEIGHT}Z"


def strip_of(times: Sequence[datetime], gaps: Sequence[Gap], now: datetime) -> Strip | None:
    """The schedule up to now; None where there is no time to draw."""
    if not times or (span := (max(*times, now) - min(times)).total_seconds()) <= 0:
        return None
    start = min(times)

    def x(time: datetime) -> float:
        return round(WIDTH * (time - start).total_seconds() / span, 1)

    places = dict.fromkeys(map(x, times))
    return Strip(
        start,
        max(*times, now),
        "".join(f"M{place} 0V{STRIP_HEIGHT}" for place in places),
        tuple((x(gap.start), x(gap.start + gap.length) - x(gap.start)) for gap in gaps),
    )


def bars_of(levels: Sequence[LevelSize]) -> list[tuple[int, int, list[Segment]]]:
    """Group, bytes and bar of the largest groups."""
    groups = defaultdict[int, list[LevelSize]](list)
    for level in levels:
        groups[level.group].append(level)
    totals = {group: sum(level.size for level in found) for group, found in groups.items()}
    top = max(totals.values(), default=0) or 1
    bars: list[tuple[int, int, list[Segment]]] = []
    for group in list(groups)[:GROUPS_DRAWN]:
        x, segments = 0.0, list[Segment]()
        for level in groups[group]:
            width = WIDTH * level.size / top
            segments.append(Segment(level, round(x, 1), round(width, 1)))
            x += width
        bars.append((group, totals[group], segments))
    return bars
