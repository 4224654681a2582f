from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import duckdb  # pyright: ignore[reportMissingTypeStubs]
import pyarrow as pa  # pyright: ignore[reportMissingTypeStubs]

ROOT = Path(__file__).parents[1]
FLOORS = ROOT / "build" / "floors"


def floors() -> dict[str, str]:
    """The oldest releases that the extras take."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = [item.split(">=") for item in project["optional-dependencies"]["query"]]
    return {item[0]: item[1] for item in found}


def test_the_lock_has_the_floors() -> None:
    """`make floors` installs the oldest releases that pyproject takes, and tests with those."""
    text = (ROOT / "requirements.floors.lock").read_text(encoding="utf-8")
    locked = dict(re.findall(r"^(\w+)==(\S+)", text, re.MULTILINE))
    assert locked.keys() == floors().keys()
    for name, version in floors().items():
        assert locked[name].startswith(f"{version}.")
    if str(FLOORS) in sys.path:
        assert (duckdb.__version__, pa.__version__) == (locked["duckdb"], locked["pyarrow"])
