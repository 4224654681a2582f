"""A column's value in a model <-> in the database. What a database stores is not what a snapshot
says, and each engine stores it in its own way.

golden data of each release shows the forms: enums as their database names, JSON as text with keys
in string order, timestamps with a space, uuids as 16 bytes. A snapshot orders map keys by their
kind: numbers by value.

PostgreSQL has types of its own for JSON (in an order of its own), uuids and timestamps, to the
microsecond; MySQL's datetime holds seconds. What an engine would change without a word is an error
here, unless the caller asked for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from metasnapshot.errors import RowError, ValueUnfit
from metasnapshot.format import messages
from metasnapshot.format.codec import INTEGER_RANGES, enum_class, is_blob, wire_type
from metasnapshot.format.scalars import Blob, Timestamp, described
from metasnapshot_models.definitions import Column, ColumnType

FromDb = Callable[[Any], Any]
ToDb = Callable[[Any], Any]


_ESCAPED_ZERO = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""U+0000 in JSON; after one more backslash it is only the text of an escape."""


@dataclass(frozen=True)
class Forms:
    """In what forms an engine holds values.

    Attributes:
        has_timestamps: they have a type of their own, and are no text.
        has_uuids: so have uuids, and are no bytes.
        has_json: so has JSON, which drivers then parse.
        fraction_digits: digits after the second that a timestamp holds; None if it holds all.
        without_zero: what the engine is called if its text cannot hold U+0000.
    """

    has_timestamps: bool = False
    has_uuids: bool = False
    has_json: bool = False
    fraction_digits: int | None = None
    without_zero: str = ""


PLAIN = Forms()
"""Integers, text and bytes, each as long as it is: SQLite."""


def from_db(column: Column, era: str, forms: Forms) -> FromDb:
    """What turns a database's value of a column, not NULL, into the model's.

    The function raises RowError, with the column, for a value that the column cannot hold.
    """
    convert = _from_db(column, era, forms)

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
            text = f"not a {column.type.name}: {described(value)}"
            raise RowError(text, column=column.name) from error

    return checked


def to_db(column: Column, forms: Forms) -> ToDb | None:
    """What turns a model's value of a column, not None and fitted, into the database's; None if it
    is the same.
    """
    kind = column.type.kind
    if is_blob(column.type):
        return lambda value: value.bytes
    if kind == "enum":
        members = {
            enum_class(column.type.name)(json): db for json, db in column.type.members.items()
        }
        return members.__getitem__
    simple: dict[str, ToDb] = {
        "timestamp": lambda value: value.plain.replace("T", " "),
        "uuid": lambda value: value if forms.has_uuids else value.bytes,
        "json": _json_text if _has_keys(column.type.json) else _plain_json_text,
    }
    return simple.get(kind)


@dataclass(frozen=True)
class Fit:
    """What an engine holds.

    Attributes:
        forms: of the target's engine.
        cut_timestamps: cut them to what it holds, as RisingWave's own restore does, instead of
            refusing them.
        is_narrow: its text holds nothing beyond U+FFFF (MySQL's utf8mb3, RisingWave before 2.3.0).
    """

    forms: Forms
    cut_timestamps: bool = False
    is_narrow: bool = False


def fitted(column: Column, fit: Fit) -> ToDb | None:
    """What turns a model's value into the one that an engine gives back; None if that is the same.

    The function raises ValueUnfit for a value that the engine would change or refuse.
    """
    kind, name = column.type.kind, column.name
    digits, cut = fit.forms.fraction_digits, fit.cut_timestamps
    if digits is not None and kind == "timestamp":
        return lambda value: _fit_timestamp(value, digits, name, cut=cut)
    if kind not in ("string", "json"):
        return None
    if where := fit.forms.without_zero:
        return lambda value: _fit_text(value, _has_zero, f"{name} has U+0000", where)
    if fit.is_narrow:
        what = f"{name} has characters beyond U+FFFF"
        return lambda value: _fit_text(value, _has_wide, what, "a utf8mb3 table")
    return None


def canonical(values: Sequence[Any]) -> bytes:
    """A row's values as they are hashed, the same whichever engine they went through."""
    try:
        return _canonical_encoder.encode(values)
    except TypeError:  # of msgpack: a map whose keys are numbers: they are ordered as text
        plain = msgspec.to_builtins(
            values, str_keys=True, order="deterministic", builtin_types=(bytes,), enc_hook=_plain
        )
        return _canonical_encoder.encode(plain)


def _plain(value: Any) -> bytes | str:
    if isinstance(value, Blob):
        return value.bytes
    if isinstance(value, Timestamp):
        return value.plain
    raise TypeError(f"not a value of a model: {type(value).__name__}")


_canonical_encoder = msgspec.msgpack.Encoder(enc_hook=_plain, order="deterministic")


def _fit_timestamp(value: Timestamp, digits: int, name: str, *, cut: bool) -> Timestamp:
    text = value.plain
    second, _, fraction = text.partition(".")
    if not fraction[digits:].strip("0"):  # zeros that the engine leaves out are the same time
        return value
    if not cut:
        raise ValueUnfit(
            f"column {name}: {text} has more digits than the {digits} that the target's "
            "timestamps hold",
            hint="--cut-timestamps cuts them off, as RisingWave's own restore does",
        )
    return Timestamp.parse(f"{second}.{fraction[:digits]}")


def _fit_text(value: Any, is_unfit: Callable[[str], bool], what: str, where: str) -> Any:
    # In JSON the character stands as an escape: what PostgreSQL looks at is the decoded text.
    is_text = isinstance(value, str)
    text = value if is_text else _ESCAPED_ZERO.sub("\0", msgspec.json.encode(value).decode())
    if is_unfit(text):
        raise ValueUnfit(
            f"column {what}, which {where} cannot hold",
            hint="restore into another engine, or change the object before the backup",
        )
    return value


def _has_zero(text: str) -> bool:
    return "\0" in text


def _has_wide(text: str) -> bool:
    return any(char > "\uffff" for char in text)


def _from_db(column: Column, era: str, forms: Forms) -> FromDb:
    column_type = column.type
    if is_blob(column_type):
        return lambda value: Blob(_bytes(value), column_type, era)
    if column_type.kind == "enum":
        enum = enum_class(column_type.name)
        names = {db: enum(json) for json, db in column_type.members.items()}
        return names.__getitem__
    if column_type.kind == "json":
        return _from_json(column, era)
    if column_type.kind == "timestamp" and forms.has_timestamps:
        return _timestamp
    if column_type.kind == "uuid" and forms.has_uuids:
        return _uuid
    return _simple[column_type.kind](column_type)


def _from_json(column: Column, era: str) -> FromDb:
    # SQL's NULL never comes here; JSON's null in a column that may be NULL is no value of it.
    decoder = msgspec.json.Decoder(wire_type(column._replace(nullable=False)))
    if not _has_keys(column.type.json):
        return decoder.decode
    return lambda value: _ordered(decoder.decode(value), column.type.json, era)


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


def _timestamp(value: Any) -> Timestamp:
    if not isinstance(value, datetime) or value.tzinfo is not None:
        raise TypeError("timestamp")
    return Timestamp.parse(value.isoformat())


def _uuid(value: Any) -> UUID:
    if not isinstance(value, UUID):
        raise TypeError("uuid")
    return value


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError("blob")
    return value


def _has_keys(json_type: Any) -> bool:
    """Whether values of a JSON type can have keys, whose order means something."""
    if isinstance(json_type, tuple) and json_type[0] == "list":
        return _has_keys(json_type[1])
    return isinstance(json_type, tuple) or json_type not in ("String", *INTEGER_RANGES)


def _json_text(value: Any) -> str:
    return msgspec.json.encode(_with_text_keys(value)).decode()


def _plain_json_text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _ordered(value: Any, json_type: Any, era: str) -> Any:
    """The same JSON with the keys of maps in the order of a snapshot."""
    if isinstance(json_type, tuple) and json_type[0] == "list":
        return [_ordered(item, json_type[1], era) for item in value]
    if isinstance(json_type, tuple):
        # RisingWave's BTreeMap orders keys by their type: numbers by value, though JSON writes
        # them as text; the database orders both as text.
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
    """The same JSON with the keys of maps as text in byte order, as RisingWave writes it."""
    if isinstance(value, list):
        items: list[Any] = value  # pyright: ignore[reportUnknownVariableType]
        return [_with_text_keys(item) for item in items]
    if isinstance(value, dict):
        pairs: dict[Any, Any] = value  # pyright: ignore[reportUnknownVariableType]
        texts = {str(key): _with_text_keys(item) for key, item in pairs.items()}
        return {key: texts[key] for key in sorted(texts, key=str.encode)}
    return value
