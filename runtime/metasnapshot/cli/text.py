"""What goes to the terminal: results on stdout, as text or JSON; notes and errors on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from metasnapshot.errors import MetasnapshotError, UsageError
from metasnapshot.operations.findings import Finding


def say(text: str) -> None:
    """A result.

    Raises:
        MetasnapshotError: stdout takes no more.
    """
    try:
        print(text)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise MetasnapshotError(f"cannot write the output: {error.strerror or error}") from error


def say_json(document: Mapping[str, Any]) -> None:
    """A result as one line of JSON, in ASCII: no terminal and no encoding changes it."""
    say(json.dumps(document))


def note(text: str) -> None:
    """Something the operator should know."""
    print(f"warning: {text}", file=sys.stderr)


def tell(finding: Finding) -> None:
    """What a check found."""
    print(f"{finding.severity}: {printable(str(finding))}", file=sys.stderr)


def complain(text: str, hint: str = "") -> None:
    """What went wrong, and what to do next."""
    print(f"error: {text}", file=sys.stderr)
    if hint:
        print(f"hint: {hint}", file=sys.stderr)


def printable(text: str) -> str:
    """The text with control characters shown, not sent: remarks and names are anybody's."""
    return "".join(char if char.isprintable() else "?" for char in text)


def table(rows: Sequence[Sequence[str]]) -> None:
    """Rows with aligned columns, the first being the head."""
    shown = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip_longest(*shown, fillvalue="")]
    for row in shown:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def beyond(layout: str, migrations: Sequence[str]) -> str:
    """What to say of migrations that no known release has."""
    return f"read as layout {layout}, though it has migrations beyond: {', '.join(migrations)}"


def releases(names: Sequence[str]) -> str:
    """`2.8.0 to 2.8.5`, or the only one."""
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"


def confirm(question: str, *, yes: bool) -> None:
    """Go on only if the operator says so, by --yes or at the prompt.

    Raises:
        UsageError: the answer was another, or nobody is there to ask.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{question} nobody is there to ask", hint="--yes says so beforehand")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("not confirmed", hint="nothing was changed")
