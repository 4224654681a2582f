"""What goes to the terminal: results on stdout, notes and errors on stderr."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import zip_longest


def say(text: str) -> None:
    """A result."""
    print(text)


def note(text: str) -> None:
    """Something the operator should know."""
    print(f"warning: {text}", file=sys.stderr)


def complain(text: str, hint: str = "") -> None:
    """What went wrong, and what to do next."""
    print(f"error: {text}", file=sys.stderr)
    if hint:
        print(f"hint: {hint}", file=sys.stderr)


def table(rows: Sequence[Sequence[str]]) -> None:
    """Rows with aligned columns, the first being the head; control characters are shown, not
    sent.
    """
    shown = [["".join(c if c.isprintable() else "?" for c in cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip_longest(*shown, fillvalue="")]
    for row in shown:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def releases(names: Sequence[str]) -> str:
    """`2.8.0 to 2.8.5`, or the only one."""
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
