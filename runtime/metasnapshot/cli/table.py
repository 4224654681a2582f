"""Rows with aligned columns. On a terminal that is too narrow the last column goes on below itself;
where that is not enough, the columns that do not fit stand below their row, by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest

from metasnapshot.cli.screen import HANG, Painted, Part, columns_of, head, printable

GAP = 2
LAST_MIN = 24
"""The last column goes on below itself only if it has as much room."""
Row = Sequence[Part]


def laid(rows: Sequence[Row], width: int | None) -> list[tuple[list[Part], str]]:
    """Lines, each as its parts and what stands before that in which it goes on.

    Args:
        rows: the first is the head.
        width: columns of the terminal; None for any.
    """
    shown = [[_printable(cell) for cell in row] for row in rows]
    widths = [max(map(_size, column)) for column in zip_longest(*shown, fillvalue="")]
    fitting = _fitting(widths, width)
    first, *rest = shown
    lines = [(_line([head(str(name)) for name in first[:fitting]], widths), HANG)]
    hang = " " * sum(size + GAP for size in widths[: fitting - 1])
    for row in rest:
        lines.append((_line(row[:fitting], widths), hang if fitting == len(widths) else HANG))
        below = [
            (f"{name}: ", cell)
            for name, cell in zip(first[fitting:], row[fitting:], strict=True)
            if str(cell)
        ]
        parts: list[Part] = [HANG]
        for place, (name, cell) in enumerate(below):
            parts += [", " if place else "", name, cell]
        if below:
            lines.append((parts, HANG))
    return lines


def _fitting(widths: Sequence[int], width: int | None) -> int:
    """How many columns stand beside each other."""
    if width is None or sum(widths) + GAP * (len(widths) - 1) <= width:
        return len(widths)
    if sum(size + GAP for size in widths[:-1]) + LAST_MIN <= width:
        return len(widths)
    count = 1
    while sum(widths[: count + 1]) + GAP * count <= width:
        count += 1
    return count


def _line(row: Row, widths: Sequence[int]) -> list[Part]:
    """The cells, each but the last with the space that it leaves in its column."""
    parts: list[Part] = []
    last = max((place for place, cell in enumerate(row) if str(cell)), default=0)
    for cell, size in zip(row[: last + 1], widths, strict=False):
        parts += [cell, " " * (size - _size(cell) + GAP)]
    return parts[:-1]


def _printable(cell: Part) -> Part:
    if isinstance(cell, Painted):
        return replace(cell, text=printable(cell.text))
    return printable(cell)


def _size(cell: Part) -> int:
    return columns_of(str(cell))
