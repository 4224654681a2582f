"""The examples of docs/library.md, as one program, which says at its end what it has loaded."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import goldens

import metasnapshot

PAGE = Path(__file__).parents[1] / "docs" / "library.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LOADED = """
import sys
print("loaded:", *sorted(name for name in sys.modules if name.startswith("metasnapshot.cli")),
      *sorted({"cyclopts", "rich"} & sys.modules.keys()))
print("of:", metasnapshot.__file__)
"""


def lay_out(folder: Path) -> Path:
    """The cluster that they work with, its objects included."""
    tag = goldens.SHIPPED / "v3.0.3"
    goldens.lay_out(tag, folder)
    with metasnapshot.open(tag / "backup" / "7.snapshot") as reader:
        goldens.write_objects(reader, folder / "state")
    return folder


def program() -> str:
    """All blocks, one after the other."""
    return "\n".join(BLOCK.findall(PAGE.read_text(encoding="utf-8"))) + LOADED


def run(python: Path | str, folder: Path) -> list[str]:
    """Run the examples in a folder that has a cluster; the lines that they print."""
    script = folder / "examples.py"
    script.write_text(program(), encoding="utf-8")
    command = [str(python), "-W", "error", str(script)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()
