"""What an engine gives of a column -> plain values, all at once; None where a look at each value is
needed, which also says what is wrong with which.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from metasnapshot.errors import RowError
from metasnapshot.format.codec import is_blob
from metasnapshot.format.columns import Columns
from metasnapshot.format.scalars import as_chrono
from metasnapshot.metastore.bulk.convert import Convert, looked_up, same, unless_null
from metasnapshot.metastore.values import Forms, from_db
from metasnapshot_models.definitions import Column

FEW_SHARE = 4
"""How many times fewer than its values a column's different values are, to be few."""
_NULL = type(None)


def reader_of(
    shape: Sequence[Column], era: str, forms: Forms
) -> Callable[[Sequence[Sequence[Any]]], Columns | None]:
    """What makes columns of plain values of an engine's rows."""
    converts = [_convert(column, era, forms) for column in shape]

    def read(rows: Sequence[Sequence[Any]]) -> Columns | None:
        found: Columns = []
        for (types, convert), values in zip(converts, zip(*rows, strict=True), strict=True):
            if not types.issuperset(map(type, values)):
                return None
            try:
                found.append(convert(values))
            except (ValueError, KeyError, RowError):
                return None
        return found

    return read


def _convert(column: Column, era: str, forms: Forms) -> tuple[frozenset[type], Convert]:
    """The types of a column's values, and what makes plain values of them."""
    kind = column.type.kind
    if is_blob(column.type):
        return frozenset({bytes, _NULL}), same
    names = {db: json for json, db in column.type.members.items()}
    known: dict[str, tuple[set[type], Convert]] = {
        "integer": ({int}, same),
        "bool": ({int, bool}, looked_up({0: False, 1: True, None: None})),
        "string": ({str}, same),
        "enum": ({str}, looked_up({**names, None: None})),
        "timestamp": ({str, datetime}, _once_each(unless_null(_timestamp, None))),
        "uuid": ({bytes, UUID}, unless_null(_uuid, None)),
        "json": ({str}, _once_each(unless_null(from_db(column, era, forms), None))),
    }
    types, convert = known[kind]
    return frozenset({*types, _NULL}), convert


def _once_each(convert: Convert) -> Convert:
    """Convert every different value once, where a column has few: many of a catalog's are alike."""

    def convert_once(values: Sequence[Any]) -> Sequence[Any]:
        different = list(set(values))
        if len(different) > len(values) // FEW_SHARE:
            return convert(values)
        return looked_up(dict(zip(different, convert(different), strict=True)))(values)

    return convert_once


def _timestamp(value: Any) -> str:
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            raise ValueError("a zone")
        value = value.isoformat()
    return as_chrono(value.replace(" ", "T", 1))


def _uuid(value: Any) -> str:
    return str(UUID(bytes=value) if isinstance(value, bytes) else value)
