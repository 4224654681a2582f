"""A command that is told of a run, and what it was told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import schemas
from shell import BACKUPS

SCRIPT = """#!/bin/sh
cat > "$1".json
env > "$1".env
printf '%s\\n' "$@" > "$1".words
echo told on stdout
"""
TELL = "'./tell me.sh'"
BOTH = ("--on-failure", f"{TELL} bad 'two words' $HOME", "--on-success", f"{TELL} good")
MISSING = ("show", "77", *BACKUPS)
"""A command that ends with 12."""


def write_script(folder: Path) -> None:
    """Put the command there that TELL names."""
    script = folder / "tell me.sh"
    script.write_text(SCRIPT)
    script.chmod(0o755)


def read_event(folder: Path, name: str) -> Any:
    """What it got on stdin when it was called with a name; None if it was not."""
    path = folder / f"{name}.json"
    if not path.exists():
        return None
    found = json.loads(path.read_bytes())
    assert schemas.matched("event", found) == "event"
    return found
