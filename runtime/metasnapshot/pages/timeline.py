"""The page of a timeline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from metasnapshot.catalogue.times import exact
from metasnapshot.operations.report.inventory import clipped
from metasnapshot.operations.timeline.model import Event, Stop, Timeline
from metasnapshot.pages.charts import strip_of
from metasnapshot.pages.environment import rendered
from metasnapshot.version import VERSION

TEMPLATE = "timeline.html.j2"
LISTED_MAX = 2000
"""Changes that a page lists."""
GAPS_MAX = 200
"""Gaps that a page lists."""


def render_timeline(found: Timeline) -> str:
    """The page, as one file."""
    points = found.points
    times = [stop.taken.time for stop in points if stop.taken is not None]
    level = "bad" if found.unread or not points else "doubtful" if found.gaps else "good"
    return rendered(
        TEMPLATE,
        {
            "found": found,
            "made_at": found.made_at,
            "made_by": VERSION,
            "level": level,
            "points": points,
            "gaps": [(gap, exact(gap.start)) for gap in found.gaps[:GAPS_MAX]],
            "strip": strip_of(times, found.gaps, found.until or found.made_at),
            "steps": [*_steps(found)],
            "listed_max": LISTED_MAX,
            "taken": taken,
        },
    )


def taken(stop: Stop) -> str:
    """When a snapshot was taken, so that it may be typed."""
    if stop.taken is None:
        return "not known"
    return f"{'at or after ' if stop.taken.is_least else ''}{exact(stop.taken.time)}"


def _steps(found: Timeline) -> Iterator[tuple[Stop, Stop, list[Event]]]:
    """As many changes as a page lists, the newest first."""
    left = LISTED_MAX
    for step in reversed(found.steps):
        if left <= 0:
            return
        events = [replace(event, name=clipped(event.name)) for event in step.events[:left]]
        left -= len(events)
        yield step.earlier, step.later, events
