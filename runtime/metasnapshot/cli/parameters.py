"""How options are typed that are no plain words and numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from cyclopts import Parameter

from metasnapshot.errors import UsageError

if TYPE_CHECKING:
    from cyclopts.argument import Token

DIGITS_MAX = 19
"""Of a number of seconds, days, …: enough for any that makes sense."""
DURATION_MAX_S = timedelta(days=366_000).total_seconds()
_UNITS = ((3600, "h"), (60, "m"), (1, "s"))
FLAT = Parameter(name="*")
"""The fields of a dataclass are the options."""


def duration(text: str) -> timedelta:
    """`500ms`, `30m`, `12h`, `7d`.

    Raises:
        UsageError: it is not a duration.
    """
    units = {
        "ms": "milliseconds",
        "s": "seconds",
        "m": "minutes",
        "h": "hours",
        "d": "days",
        "w": "weeks",
    }
    match = re.fullmatch(r"(\d+)(ms|[smhdw])", text, re.ASCII)
    if match is None:
        raise UsageError(f"not a duration: {text!r}", hint="a number and one of ms, s, m, h, d, w")
    unit = timedelta(**{units[match[2]]: 1})
    if len(match[1]) > DIGITS_MAX or int(match[1]) * unit.total_seconds() > DURATION_MAX_S:
        raise UsageError(f"{text!r:.60} is more than a thousand years")
    return int(match[1]) * unit


def _duration(_: Any, tokens: Sequence[Token]) -> timedelta:
    return duration(tokens[0].value)


def typed(span: timedelta | None) -> str:
    """A duration as it is typed: `24h`, `90s`; nothing for none."""
    if span is None:
        return ""
    seconds = int(span.total_seconds())
    size, unit = next((size, unit) for size, unit in _UNITS if seconds % size == 0)
    return f"{seconds // size}{unit}"


DURATION = Parameter(converter=_duration, show_default=typed, metavar="DURATION")
"""An option that is a duration."""
