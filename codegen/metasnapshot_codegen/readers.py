"""Which releases' own code reads the snapshots of a layout, as far as the registry tells.

RisingWave's decoder goes through its own sections in their order, takes each row by its own columns
and ignores what follows; the Hummock version may hold no field that its release does not know.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from metasnapshot_codegen.history import History, LayoutState
from metasnapshot_codegen.messages import Messages

VERSION = "hummock.HummockVersion"
Fields = frozenset[tuple[str, int, str, str, str]]


@dataclass(frozen=True)
class Reader:
    """A layout whose releases read a snapshot, and the sections that these leave unread."""

    layout: LayoutState
    unread: tuple[str, ...]


def readers(layout: LayoutState, history: History, messages: Messages) -> Iterator[Reader]:
    """The layouts whose releases read the snapshots of a layout: itself, and others."""
    held = version_fields(messages, layout.era)
    there = _sections(layout)
    for other in history.layouts:
        wanted = _sections(other)
        is_known = other.form == layout.form and held <= version_fields(messages, other.era)
        if is_known and there[: len(wanted)] == wanted:
            yield Reader(other, tuple(name for name, _ in there[len(wanted) :]))


def version_fields(messages: Messages, era: str) -> Fields:
    """All fields that a Hummock version can hold in an era, those of messages in it included."""
    state = messages.states.index(era)
    found: set[tuple[str, int, str, str, str]] = set()
    seen: set[str] = set()
    names = [VERSION]
    while names:
        name = names.pop()
        if name in seen:
            continue
        seen.add(name)
        for field in messages.messages.get(name, []):
            if field.since <= state <= field.until:
                found.add((name, field.number, field.name, field.type, field.label))
                names.append(field.type)
    return frozenset(found)


def _sections(layout: LayoutState) -> list[tuple[str, object]]:
    return [(name, layout.shapes[model].columns) for name, model in layout.sections]
