"""jinja2, which escapes whatever a page says, and how values read on a page.

Only this module imports jinja2, the extra `report`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from metasnapshot.spans import spelt

TEMPLATES = Path(__file__).parent / "templates"
SIZE_STEP = 1000
UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def rendered(template: str, values: Mapping[str, Any]) -> str:
    """A page."""
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    found = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {"size": size, "when": when, "span": span, "plain": plain, "number": number}
    return found


def plain(text: object) -> str:
    """A text of somebody's without characters that a reader would not see, or that turn the line
    around.
    """
    found = str(text)
    if found.isprintable():
        return found
    return "".join(char if char.isprintable() else "\ufffd" for char in found)


def size(value: int | None) -> str:
    """Bytes in the largest unit that leaves a number above one."""
    if value is None:
        return "not known"
    amount, unit = float(value), 0
    while amount >= SIZE_STEP and unit < len(UNITS) - 1:
        amount, unit = amount / SIZE_STEP, unit + 1
    return f"{value} B" if not unit else f"{amount:.1f} {UNITS[unit]}"


def number(value: int) -> str:
    """A count, in groups of three digits."""
    return f"{value:,}".replace(",", "\u202f")


def when(time: datetime | str | None) -> str:
    """A time to the minute, in UTC."""
    if time is None:
        return "not known"
    if isinstance(time, str):
        try:
            time = datetime.fromisoformat(time)
        except ValueError:
            return plain(time)
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def span(length: timedelta | float | None) -> str:
    """A span of time in words; seconds below ten with a digit."""
    if length is None:
        return "not known"
    if isinstance(length, timedelta):
        return spelt(length)
    short = 10
    return f"{length:.1f} seconds" if length < short else spelt(timedelta(seconds=length))
