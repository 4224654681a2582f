"""What makes an engine's form of a column's plain values, for the kinds that engines share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from metasnapshot.format.codec import INTEGER_RANGES
from metasnapshot.metastore.values import SQLITE, to_db
from metasnapshot_models.definitions import Column

Convert = Callable[[Sequence[Any]], Sequence[Any]]
"""All values of a column at once."""


def unless_null(change: Callable[[Any], Any], null: Any) -> Convert:
    """Change every value that is not None; None becomes `null`."""

    def convert(values: Sequence[Any]) -> Sequence[Any]:
        if None in values:
            return [null if value is None else change(value) for value in values]
        return list(map(change, values))

    return convert


def looked_up(table: dict[Any, Any]) -> Convert:
    """Take every value from a table; None is one of its keys."""
    return lambda values: list(map(table.__getitem__, values))


def json_text(column: Column) -> Callable[[Any], Any]:
    """What makes the text that RisingWave stores of a JSON value."""
    change = to_db(column, SQLITE)
    assert change is not None, "JSON is text in a database"
    return change


def is_numeric(json_type: Any) -> bool:
    """Whether a JSON value is an integer or a list of them."""
    if isinstance(json_type, tuple) and json_type[0] == "list":
        return json_type[1] in INTEGER_RANGES
    return json_type in INTEGER_RANGES
