"""A pace that is given for nothing."""

from __future__ import annotations

from dataclasses import fields

from metasnapshot import Pace
from metasnapshot.errors import UsageError


def require_default(pace: Pace, option: str) -> None:
    """Refuse a pace of nothing.

    Args:
        pace: how fast.
        option: what would make it the pace of something.

    Raises:
        UsageError: one of its options is given.
    """
    for item in fields(Pace):
        if getattr(pace, item.name) != item.default:
            name = item.name.replace("_", "-")
            raise UsageError(f"--{name} means nothing without {option}")
