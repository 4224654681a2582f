"""What goes to the terminal: results on stdout, as text or JSON; notes and errors on stderr.

All text goes out here, line by line, and no character of it moves a cursor, hides a word or begins
another line: names and remarks are anybody's.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from metasnapshot.cli.screen import (
    HANG,
    Color,
    Part,
    bad,
    coloured,
    doubtful,
    drawn,
    printable,
    wanted_color,
    width_of,
)
from metasnapshot.cli.table import laid
from metasnapshot.errors import MetasnapshotError, UsageError

if TYPE_CHECKING:
    from metasnapshot import Finding

Document = dict[str, Any]
"""What --json prints: one object a command, as docs/contract.md says. Keys are only ever added."""
SIZE_STEP = 1000
NAGIOS_OK, NAGIOS_CRITICAL, NAGIOS_UNKNOWN = 0, 2, 3
_STATUS = {NAGIOS_OK: "OK", NAGIOS_CRITICAL: "CRITICAL", NAGIOS_UNKNOWN: "UNKNOWN"}


def say(*parts: Part, hang: str = HANG) -> None:
    """A line of a result; a terminal gets it broken between words, and in colours.

    Raises:
        MetasnapshotError: stdout takes no more.
    """
    _write(drawn(parts, sys.stdout, hang=hang))


def say_page(text: str) -> None:
    """A result of several lines which hold nobody's names but ours, for a file or a shell."""
    for line in text.split("\n"):
        _write(printable(line))


def _write(text: str) -> None:
    try:
        print(text)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _unwritten(error) from error


def say_json(document: Mapping[str, Any]) -> None:
    """A result as one line of JSON, in ASCII: no terminal and no encoding changes it."""
    import json  # noqa: PLC0415 - not for text

    _write(json.dumps(document).replace("\x7f", "\\u007f"))


def flush() -> None:
    """See that what was said is written.

    Raises:
        MetasnapshotError: stdout takes no more.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _unwritten(error) from error


def note(text: str) -> None:
    """Something the operator should know."""
    remark(doubtful("warning:"), f" {shown_text(text)}")


class Notes(logging.Handler):
    """The way of warnings of the library: each is said once, in the colours of the run that made
    this, whichever of its threads warns.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said: set[str] = set()
        self._color: Color = wanted_color()

    def emit(self, record: logging.LogRecord) -> None:
        """Say it, if it was not yet said."""
        text = record.getMessage()
        if text not in self._said:
            self._said.add(text)
            with coloured(self._color):
                note(text)


@contextmanager
def noted() -> Generator[None]:
    """Say the warnings of the library that come in the block."""
    logger = logging.getLogger("metasnapshot")
    handler = Notes()
    logger.addHandler(handler)
    before, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.propagate = before
        logger.removeHandler(handler)


def tell(finding: Finding) -> None:
    """What a check found."""
    paint = bad if finding.severity == "error" else doubtful
    remark(paint(f"{finding.severity}:"), f" {finding}")


def complain(text: str, hint: str = "") -> None:
    """What went wrong, and what to do next."""
    remark(bad("error:"), f" {shown_text(text)}")
    if hint:
        remark(f"hint: {shown_text(hint)}")


def lament(error: BaseException) -> None:
    """Where a bug is, for the person who mends it."""
    import traceback  # noqa: PLC0415 - nearly never

    for text in traceback.format_exception(error):
        for line in text.rstrip("\n").split("\n"):
            remark(shown_text(line))


def shown_text(text: str) -> str:
    """A text whose URLs show no secret."""
    from metasnapshot import shown_text as shown  # noqa: PLC0415 - only where something went wrong

    return shown(text)


def remark(*parts: Part, end: str = "\n") -> None:
    """The way of all that is not a result. Where it cannot be written there is nobody to tell."""
    with suppress(OSError):
        print(drawn(parts, sys.stderr), end=end, file=sys.stderr, flush=True)


def _unwritten(error: OSError) -> MetasnapshotError:
    return MetasnapshotError(f"cannot write the output: {error.strerror or error}")


def table(rows: Sequence[Sequence[Part]]) -> None:
    """Rows with aligned columns, the first being the head."""
    for parts, hang in laid(rows, width_of(sys.stdout)):
        say(*parts, hang=hang)


def beyond(layout: str, migrations: Sequence[str]) -> str:
    """What to say of migrations that no known release has."""
    return f"read as layout {layout}, though it has migrations beyond: {', '.join(migrations)}"


def spelt_size(size: int) -> str:
    """Bytes in the largest unit of a thousand that leaves a number above one."""
    value, units = float(size), iter(("kB", "MB", "GB", "TB"))
    unit = "B"
    while value >= SIZE_STEP and (larger := next(units, None)):
        value, unit = value / SIZE_STEP, larger
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def shown_time(when: datetime | str) -> str:
    """A time of UTC as tables show it, without the zone that all of them have."""
    text = when if isinstance(when, str) else when.isoformat(" ", "seconds")
    return text.replace("T", " ").removesuffix("+00:00")


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
        raise UsageError(f"{question} nobody is there to ask", hint="--yes answers yes")
    remark(f"{question} [y/N] ", end="")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("not confirmed", hint="nothing was changed")


def nagios(code: int, text: str) -> int:
    """The one line that Nagios wants; returns its exit code."""
    _write(printable(f"METASNAPSHOT {_STATUS[code]} - {text}"))
    return code


def error_document(found: MetasnapshotError) -> Document:
    """What a failed command prints on stdout with --json."""
    return {
        "error": {
            "kind": type(found).__name__,
            "message": shown_text(str(found)),
            "hint": shown_text(found.hint),
            "exit_code": found.exit_code,
        }
    }
