"""docs/contract.md as tests read it: which keys its section on a verb names."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = (Path(__file__).parents[1] / "docs" / "contract.md").read_text(encoding="utf-8")
KEY = re.compile(r"`(\w+)`")
_JSON = PAGE.partition("\n## JSON\n")[2]
SHARED = set(KEY.findall(_JSON.partition("\n### ")[0]))
"""Keys of snapshots and findings, and of errors."""


def documented(verb: str) -> set[str]:
    """Keys that the section on the verb names, and those that are shared."""
    (section,) = re.findall(rf"\n### {re.escape(verb)}\n(.*?)(?=\n### |\Z)", _JSON, re.DOTALL)
    return SHARED | set(KEY.findall(section))
