"""The verbs, a file each: its options, its text, its JSON. This folder is their index.

A verb's file is named after it, and so is the function or the group of functions in it. Its first
line says under which heading it stands in `--help`, and what it does; that much is read without
importing it, so that `--help` loads none and a verb no other.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

HEADINGS = ("Everyday", "Look inside", "Keep house", "Set up")
"""In their order in `--help`."""
FOLDER = Path(__file__).parent
_HEAD = r'"""(?P<heading>[^:"]+): (?P<summary>[^"]+?)\.?(?:"""|\n)'


class Verb(NamedTuple):
    """A verb as `--help` lists it.

    Attributes:
        name: as it is typed.
        heading: one of HEADINGS.
        summary: what it does, without a full stop.
    """

    name: str
    heading: str
    summary: str

    @property
    def place(self) -> str:
        """Where its code is, as `module:name`."""
        name = self.name.replace("-", "_")
        return f"{__name__}.{name}:{name}"


@cache
def find_verbs() -> dict[str, Verb]:
    """Every verb by its name, in the order of the headings and of the alphabet; the files are
    read once a process.
    """
    files = [path for path in FOLDER.iterdir() if path.suffix == ".py" and path.name[0] != "_"]
    found = [_read(path) for path in files]
    found.sort(key=lambda verb: (HEADINGS.index(verb.heading), verb.name))
    return {verb.name: verb for verb in found}


@cache
def find_verb(word: str) -> Verb | None:
    """The verb of this name, if there is one; no other's file is read."""
    if not (word.isascii() and word.replace("-", "").isalpha()):
        return None
    path = FOLDER / f"{word.replace('-', '_')}.py"
    return _read(path) if path.is_file() else None


def _read(path: Path) -> Verb:
    with path.open(encoding="utf-8") as file:
        line = file.readline()
    match = re.match(_HEAD, line)
    if match is None or match["heading"] not in HEADINGS:
        raise ValueError(f"{path.name} does not open with a heading and a summary: {line!r}")
    return Verb(path.stem.replace("_", "-"), match["heading"], match["summary"])
