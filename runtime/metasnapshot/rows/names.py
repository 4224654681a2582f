"""Columns by their names, and keys for messages."""

from __future__ import annotations

from collections.abc import Sequence

from metasnapshot.errors import UsageError
from metasnapshot.rows.text import text_of
from metasnapshot.sst.keys import read_key
from metasnapshot.sst.place import Place
from metasnapshot.sst.schema import TableSchema

KEY_SHOWN = 60


def shown_key(table_key: bytes, schema: TableSchema) -> str:
    """A key for messages: `id=5, name=x`."""
    values = read_key(table_key, schema, Place())
    parts: list[str] = []
    for item, value in zip(schema.key, values, strict=True):
        column = schema.columns[item.index]
        text = "NULL" if value is None else text_of(value, column.type)
        shown = text if len(text) <= KEY_SHOWN else f"{text[:KEY_SHOWN]}…"
        parts.append(f"{column.name}={shown}")
    return ", ".join(parts) or "(none)"


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """Names of columns, of which some may be equal, made different."""
    taken, found = set(names), list[str]()
    for name in names:
        shown, number = name, 0
        while shown in found or (number and shown in taken):
            number += 1
            shown = f"{name}_{number}"
        found.append(shown)
    return tuple(found)


def choose_columns(
    schema: TableSchema, wanted: Sequence[str] | None, *, with_hidden: bool
) -> tuple[int, ...]:
    """The places of columns by their names; without any, of all that are not hidden.

    Raises:
        UsageError: there is no such column, or it stands twice.
    """
    if wanted is None:
        every = enumerate(schema.columns)
        found = [place for place, column in every if with_hidden or not column.is_hidden]
        return tuple(place for place in found if place not in schema.unstored)
    names = unique_names([column.name for column in schema.columns])
    for name in wanted:
        if name not in names:
            raise UsageError(
                f"table {schema.name} has no column {name}", hint=f"it has {', '.join(names)}"
            )
        if list(wanted).count(name) > 1:
            raise UsageError(f"column {name} is asked for twice", hint="name it once")
    return tuple(names.index(name) for name in wanted)
