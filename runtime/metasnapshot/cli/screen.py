"""How a line looks on a terminal: colours that mean something, and breaks between words alone.

Where there is no terminal, a line is its text, unbroken and without colours: that is what scripts
read. What parts hold is made printable here, so that only the colours below are ever sent.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Literal, TextIO, get_args

RESET = "\x1b[0m"
WIDTH_MIN = 40
"""On a narrower terminal lines are made for this one."""
HANG = "    "
"""Before what goes on in the next line: no name begins a line."""
DUMB = ("dumb", "unknown")
Color = Literal["auto", "always", "never"]
AUTO: Color = "auto"
COLORS: dict[str, Color] = {color: color for color in get_args(Color)}
COLOR_OPTION = "--color"
_COLOR: ContextVar[Color] = ContextVar("color", default=AUTO)


@dataclass(frozen=True, slots=True)
class Painted:
    """A text in a colour."""

    text: str
    code: str

    def __str__(self) -> str:
        return self.text


Part = str | Painted


def good(text: str) -> Painted:
    """Green: it is as it should be."""
    return Painted(text, "32")


def bad(text: str) -> Painted:
    """Red: it failed, is damaged or lost."""
    return Painted(text, "31")


def doubtful(text: str) -> Painted:
    """Yellow: somebody should look at it."""
    return Painted(text, "33")


def head(text: str) -> Painted:
    """Bold: the heads of columns."""
    return Painted(text, "1")


def printable(text: str) -> str:
    """The text with control characters shown, not sent: remarks and names are anybody's."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "?" for char in text)


def printable_rows(text: str, *, quoted: bool) -> str:
    """Lines whose cells begin no other line.

    Args:
        text: whole rows, each ended by a line break.
        quoted: whether a line break between quotes is a cell's, as in CSV.
    """
    parts = text.split('"') if quoted else [text]
    parts[::2] = ["\n".join(map(printable, part.split("\n"))) for part in parts[::2]]
    parts[1::2] = map(printable, parts[1::2])
    return '"'.join(parts)


@contextmanager
def coloured(color: Color) -> Generator[None]:
    """When to send colours, for the block."""
    token = _COLOR.set(color)
    try:
        yield
    finally:
        _COLOR.reset(token)


def wanted_color() -> Color:
    """When to send colours, as the command line says."""
    return _COLOR.get()


def color_of(words: Sequence[str]) -> Color:
    """When a command line wants colours. It is read before all else, so that what is wrong with the
    command line is told in colours or without; a value that there is not is left to the parser.
    """
    found: Color = AUTO
    ours = words[: words.index("--")] if "--" in words else words
    for word, following in pairwise([*ours, ""]):
        name, equals, value = word.partition("=")
        if name == COLOR_OPTION:
            said = value if equals else following
            found = COLORS.get(said, AUTO)
    return found


def is_coloured(stream: TextIO) -> bool:
    """Whether colours are sent. By default: to a terminal, unless NO_COLOR or TERM is against it;
    elsewhere only with FORCE_COLOR. What was typed wins over the environment.
    """
    if _COLOR.get() != AUTO:
        return _COLOR.get() == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") not in DUMB


def width_of(stream: TextIO) -> int | None:
    """Columns of the terminal; None if it is none, and lines may have any length."""
    if not stream.isatty():
        return None
    given = os.environ.get("COLUMNS", "")
    try:
        width = int(given) if given.isdecimal() else os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return None
    return max(width, WIDTH_MIN) if width else None


def columns_of(text: str) -> int:
    """Columns that a text takes: letters of East Asia take two, marks above others none."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(unicodedata.combining(char) > 0 for char in text)


def drawn(parts: Sequence[Part], stream: TextIO, *, hang: str = HANG) -> str:
    """What to send for a line: broken between words where the terminal ends, and in colours."""
    pairs = [(printable(str(part)), getattr(part, "code", "")) for part in parts]
    width = width_of(stream)
    lines = [pairs] if width is None else broken(pairs, width, hang)
    is_plain = not is_coloured(stream)
    return "\n".join(
        "".join(
            text if is_plain or not code or not text.strip() else f"\x1b[{code}m{text}{RESET}"
            for text, code in line
        )
        for line in lines
    )


Pairs = list[tuple[str, str]]


def broken(pairs: Pairs, width: int, hang: str) -> list[Pairs]:
    """A line of texts and colours as lines of at most a width, if its words allow it."""
    if columns_of("".join(piece for piece, _ in pairs)) <= width:
        return [pairs]
    lines: list[Pairs] = [[]]
    room, is_blank = width, True
    for word in words_of(pairs):
        text = "".join(piece for piece, _ in word)
        if not text.isspace() and columns_of(text) > room and not is_blank:
            lines[-1] = trimmed(lines[-1])
            lines.append([(hang, "")])
            room, is_blank = width - len(hang), True
        elif text.isspace() and is_blank and len(lines) > 1:
            continue
        lines[-1] += word
        room, is_blank = room - columns_of(text), is_blank and text.isspace()
    return lines


def words_of(pairs: Pairs) -> list[Pairs]:
    """Words and the space between them, in turn; a word may have several colours."""
    words: list[Pairs] = []
    was_space: bool | None = None
    for text, code in pairs:
        for is_space, chars in groupby(text, key=" ".__eq__):
            piece = ("".join(chars), code)
            if is_space == was_space:
                words[-1].append(piece)
            else:
                words.append([piece])
            was_space = is_space
    return words


def trimmed(line: Pairs) -> Pairs:
    """The line without the space at its end."""
    while line and line[-1][0].isspace():
        line = line[:-1]
    return line
