"""The page of a comparison."""

from __future__ import annotations

from metasnapshot.operations.report.differences import Differences
from metasnapshot.pages.environment import rendered

TEMPLATE = "differences.html.j2"


def render_differences(found: Differences) -> str:
    """The page, as one file."""
    values = {"found": found, "made_at": found.made_at, "made_by": found.made_by}
    return rendered(TEMPLATE, values)
