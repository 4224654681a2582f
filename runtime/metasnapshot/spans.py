"""Counts, spans of time and subjects in plain words."""

from __future__ import annotations

from datetime import timedelta

MINUTE, HOUR, DAY = 60, 3600, 86400
_UNITS = (
    (2 * DAY, ((DAY, "day"), (HOUR, "hour"))),
    (2 * HOUR, ((HOUR, "hour"), (MINUTE, "minute"))),
    (0, ((MINUTE, "minute"), (1, "second"))),
)
"""From so many seconds on, the units that a span is told in."""


def counted(number: int, what: str) -> str:
    """`1 snapshot`, `2 snapshots`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def about(subject: str, text: str) -> str:
    """`snapshot 6: it is damaged`; a text that begins with its subject keeps it, and gets no second
    one.
    """
    is_said = text.startswith((f"{subject}:", f"{subject} ", f"{subject},"))
    return text if is_said else f"{subject}: {text}"


def spelt(span: timedelta) -> str:
    """A span of time in plain words, by its two largest units: `3 days 4 hours`, `26 hours`."""
    seconds = max(int(span.total_seconds()), 0)
    units = next((units for limit, units in _UNITS if seconds >= limit), _UNITS[-1][1])
    parts: list[str] = []
    for size, name in units:
        number, seconds = divmod(seconds, size)
        if number:
            parts.append(counted(number, name))
    return " ".join(parts) or "0 seconds"
