"""Lines for a file of the registry, and the place where they go."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Block:
    """Lines, and their place: `KEY: after X`, `KEY: first`, `KEY: at the end`; or `KEY: X gets`,
    where the lines are what that line of X gets, and remarks. A KEY begins with `ddl.` or is
    `rules` where it is not one of models.yaml.
    """

    place: str
    lines: tuple[str, ...]

    @property
    def text(self) -> list[str]:
        """What is printed of it."""
        return ["", f"# {self.place}", *self.lines]


def word(name: str) -> str:
    """A name as YAML has it: bare where it can be."""
    return name if re.fullmatch(r"\w+", name) else json.dumps(name)
