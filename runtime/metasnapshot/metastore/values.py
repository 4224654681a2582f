"""A column's value in a model <-> in the database. What a database stores is not what a snapshot
says.

golden data of each release shows the forms: enums as their database names, JSON as text with keys
in string order, timestamps with a space, uuids as 16 bytes. A snapshot orders map keys by their
kind: numbers by value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec

from metasnapshot.errors import RowError
from metasnapshot.format import messages
from metasnapshot.format.codec import INTEGER_RANGES, enum_class, is_blob, wire_type
from metasnapshot.format.scalars import Blob, Timestamp
from metasnapshot_models.definitions import Column, ColumnType

FromDb = Callable[[Any], Any]
ToDb = Callable[[Any], Any]


def from_sqlite(column: Column, era: str) -> FromDb:
    """What turns SQLite's value of a column, not NULL, into the model's.

    The function raises RowError, with the column, for a value that the column cannot hold.
    """
    convert = _from_sqlite(column, era)

    def checked(value: Any) -> Any:
        try:
            return convert(value)
        except (
            ValueError,
            TypeError,
            KeyError,
            AttributeError,
            RecursionError,
            msgspec.MsgspecError,
        ) as error:
            text = f"{value!r:.60}" if not is_blob(column.type) else "a value that is no blob"
            raise RowError(f"not a {column.type.name}: {text}", column=column.name) from error

    return checked


def to_sqlite(column: Column) -> ToDb:
    """What turns a model's value of a column, not None, into SQLite's."""
    kind = column.type.kind
    if is_blob(column.type):
        return lambda value: value.bytes
    if kind == "enum":
        members = {
            enum_class(column.type.name)(json): db for json, db in column.type.members.items()
        }
        return members.__getitem__
    simple: dict[str, ToDb] = {
        "timestamp": lambda value: Timestamp.parse(value.text).text.replace("T", " "),
        "uuid": lambda value: value.bytes,
        "json": lambda value: msgspec.json.encode(_with_text_keys(value)).decode(),
    }
    return simple.get(kind, lambda value: value)


def _from_sqlite(column: Column, era: str) -> FromDb:
    column_type = column.type
    if is_blob(column_type):
        return lambda value: Blob(_bytes(value), column_type, era)
    if column_type.kind == "enum":
        enum = enum_class(column_type.name)
        names = {db: enum(json) for json, db in column_type.members.items()}
        return names.__getitem__
    if column_type.kind == "json":
        decoder = msgspec.json.Decoder(wire_type(column._replace(nullable=False)))
        return lambda value: _ordered(decoder.decode(value), column_type.json, era)
    return _simple[column_type.kind](column_type)


_simple: dict[str, Callable[[ColumnType], FromDb]] = {
    "integer": lambda column_type: _integer(column_type.integer),
    "bool": lambda _: _bool,
    "string": lambda _: _str,
    "timestamp": lambda _: Timestamp.parse,
    "uuid": lambda _: lambda value: UUID(bytes=_bytes(value)),
}


def _integer(name: str) -> FromDb:
    low, high = INTEGER_RANGES[name]

    def check(value: Any) -> int:
        if not isinstance(value, int) or not low <= value <= high:
            raise ValueError(name)
        return value

    return check


def _bool(value: Any) -> bool:
    if value not in (0, 1):
        raise ValueError("bool")
    return bool(value)


def _str(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text")
    return value


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError("blob")
    return value


def _ordered(value: Any, json_type: Any, era: str) -> Any:
    """The same JSON with the keys of maps in the order of a snapshot."""
    if isinstance(json_type, tuple) and json_type[0] == "list":
        return [_ordered(item, json_type[1], era) for item in value]
    if isinstance(json_type, tuple):
        key_order = str.encode if json_type[1] == "String" else int
        keys: list[Any] = sorted(value, key=key_order)
        return {key: _ordered(value[key], json_type[2], era) for key in keys}
    if isinstance(value, dict):
        fields: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType]
        return _by_field(fields, messages.field_order(json_type, era))
    return value


def _by_field(value: dict[str, Any], order: dict[str, int]) -> dict[str, Any]:
    """The fields of a message in proto3 JSON, in the order of the message."""
    return dict(sorted(value.items(), key=lambda pair: order.get(pair[0], len(order))))


def _with_text_keys(value: Any) -> Any:
    """The same JSON with the keys of maps as text in byte order, as RisingWave's JSON columns have
    them.
    """
    if isinstance(value, list):
        items: list[Any] = value  # pyright: ignore[reportUnknownVariableType]
        return [_with_text_keys(item) for item in items]
    if isinstance(value, dict):
        pairs: dict[Any, Any] = value  # pyright: ignore[reportUnknownVariableType]
        texts = {str(key): _with_text_keys(item) for key, item in pairs.items()}
        return {key: texts[key] for key in sorted(texts, key=str.encode)}
    return value
