"""What a metrics file or page says, for tests: every line by name, without the labels that say of
which directory and cluster it is.
"""

from __future__ import annotations

import re
from pathlib import Path

from shell import bare

from metasnapshot.cli.metrics import LINE


def gauges(path: Path) -> dict[str, float]:
    """Every value of a file."""
    return gauges_of(path.read_text())


def gauges_of(text: str) -> dict[str, float]:
    """Every value of a page; a line of another form fails."""
    lines = [line for line in text.splitlines() if not line.startswith("# ")]
    found = [re.fullmatch(LINE, line) for line in lines]
    assert None not in found
    return {bare(match[1]): float(match[2]) for match in found if match}
