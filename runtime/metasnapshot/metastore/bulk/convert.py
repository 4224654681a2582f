"""What makes an engine's form of a column's plain values, for the kinds that engines share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from metasnapshot.format.codec import INTEGER_RANGES
from metasnapshot.format.columns import Columns
from metasnapshot.metastore.values import PLAIN, to_db
from metasnapshot_models.definitions import Column

_encoder = msgspec.json.Encoder()
Convert = Callable[[Sequence[Any]], Sequence[Any]]
"""All values of a column at once."""


def unless_null(change: Callable[[Any], Any], null: Any) -> Convert:
    """Change every value that is not None; None becomes `null`."""

    def convert(values: Sequence[Any]) -> Sequence[Any]:
        if None in values:
            return [null if value is None else change(value) for value in values]
        return list(map(change, values))

    return convert


def converter(shape: Sequence[Column], converts: Iterable[Convert]) -> Callable[[Columns], Columns]:
    """What converts all columns of a shape."""
    each = [once_if_alike(*pair) for pair in zip(shape, converts, strict=True)]
    return lambda columns: [change(values) for change, values in zip(each, columns, strict=True)]


def once_if_alike(column: Column, convert: Convert) -> Convert:
    """Convert a column whose values are all equal by one of them: many of a catalog's are."""
    is_exact = column.type.kind != "json" or is_numeric(column.type.json)
    if convert is same or not is_exact:  # in other JSON True equals 1
        return convert

    def convert_once(values: Sequence[Any]) -> Sequence[Any]:
        if values[0] == values[-1] and values.count(values[0]) == len(values):
            return list(convert(values[:1])) * len(values)
        return convert(values)

    return convert_once


def looked_up(table: dict[Any, Any]) -> Convert:
    """Take every value from a table; None is one of its keys."""
    return lambda values: list(map(table.__getitem__, values))


def same(values: Sequence[Any]) -> Sequence[Any]:
    """Values that an engine takes as they are."""
    return values


def json_texts(column: Column) -> Convert:
    """What makes the texts that RisingWave stores of JSON values."""
    each = json_text(column)
    one_by_one = unless_null(each, None)
    if not is_numeric(column.type.json):
        return one_by_one

    def convert(values: Sequence[Any]) -> Sequence[Any]:
        return one_by_one(values) if None in values else number_texts(values).split("\n")

    return convert


def number_texts(values: Sequence[Any]) -> str:
    """Integers, or lists of them, as JSON, each on its line."""
    return _encoder.encode_lines(values).decode()[:-1]


def json_text(column: Column) -> Callable[[Any], Any]:
    """What makes the text that RisingWave stores of a JSON value."""
    change = to_db(column, PLAIN)
    assert change is not None, "JSON is text in a database"
    return change


def is_numeric(json_type: Any) -> bool:
    """Whether a JSON value is an integer or a list of them."""
    if isinstance(json_type, tuple) and json_type[0] == "list":
        return json_type[1] in INTEGER_RANGES
    return json_type in INTEGER_RANGES
