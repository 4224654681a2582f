"""The one loop behind every generated codec: the bytes of a row <-> a model, exactly.

A row is decoded in two steps. First the inside of every blob is cut out, found by `"column":[` in
the order of the columns (inside a string the quotes are escaped, so nothing else can look like it);
then what is left is decoded into a *wire* Struct that has exactly the columns of the shape. That
Struct, encoded again, must give the same bytes: this one check catches duplicate keys, spaces,
another order, `007`. Encoding runs the same way back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET

from metasnapshot.errors import RowError
from metasnapshot.format.scalars import U64_MAX, Blob, Fixed, Timestamp, described
from metasnapshot_models.codecs import CODECS
from metasnapshot_models.definitions import Column, ColumnType, Layout, Shape

INTEGER_RANGES: dict[str, tuple[int, int]] = {
    "i16": (-(1 << 15), (1 << 15) - 1),
    "i32": (-(1 << 31), (1 << 31) - 1),
    "i64": (-(1 << 63), (1 << 63) - 1),
    "u32": (0, (1 << 32) - 1),
    "u64": (0, U64_MAX),
}
"""Smallest and largest value of each integer type of the registry."""
_PATH = r"at `\$\.([A-Za-z0-9_]+)"
_ENUM = "Invalid enum value"
_FIELD = r"field `([A-Za-z0-9_]+)`"
_NO_BLOB: list[int] = []
FAILURES = (msgspec.MsgspecError, UnicodeError, RecursionError, OverflowError)
"""What msgspec raises on bad input; deep nesting and bad UTF-8 are not among its own errors."""

_encoder = msgspec.json.Encoder()


class RowCodec:
    """Encodes and decodes the rows of one model in one layout."""

    def __init__(self, shape: Shape, model: type[msgspec.Struct], era: str) -> None:
        self.shape = shape
        self.model = model
        self._era = era
        self._names = [column.name for column in shape.columns]
        self.absent = [name for name in model.__struct_fields__ if name not in self._names]
        self._blobs = [column for column in shape.columns if is_blob(column.type)]
        self.blob_keys = [(column, b'"%s":[' % column.name.encode()) for column in self._blobs]
        fields = [(column.name, wire_type(column)) for column in shape.columns]
        self._wire = msgspec.defstruct(shape.name, fields, kw_only=True, forbid_unknown_fields=True)
        self.decoder = msgspec.json.Decoder(self._wire)
        self._convert = [
            (column.name, from_wire)
            for column in shape.columns
            if (from_wire := _from_wire(column.type)) is not None
        ]
        if self._blobs:
            from metasnapshot.format import blobs  # noqa: PLC0415 - loads numpy

            self._decode_blob, self._encode_blob = blobs.decode, blobs.encode

    def decode(self, row: bytes) -> Any:
        """Decode the bytes of a row into its model.

        Raises:
            RowError: the row is not one of this shape, or not in the form that RisingWave writes.
        """
        rest, found = self._cut(row)
        wire = self._decode_wire(rest)
        values = msgspec.structs.asdict(wire)
        for name, from_wire in self._convert:
            if values[name] is not None:
                values[name] = _convert(from_wire, values[name], name)
        for column in self._blobs:
            data = found.get(column.name)
            values[column.name] = None if data is None else Blob(data, column.type, self._era)
        return self.model(**values)

    def encode(self, row: msgspec.Struct) -> bytes:
        """Encode a model into the bytes of a row.

        Raises:
            RowError: it has a column too many or too few for this shape, or a value that does not
                fit.
        """
        values = self._values(row)
        found: list[tuple[bytes, bytes]] = []
        for column, key in self.blob_keys:
            value = values[column.name]
            if value is None:
                continue
            if not isinstance(value, Blob):
                raise RowError(f"expected a Blob, got {type(value).__name__}", column=column.name)
            found.append((key, self._encode_blob(value.bytes)))
            values[column.name] = _NO_BLOB
        try:
            rest = _encoder.encode(self._wire(**values))
        except (TypeError, *FAILURES) as error:
            raise RowError(f"a value that no row can hold: {error}") from error
        self._decode_wire(rest)
        return _splice(rest, found)

    def _values(self, row: msgspec.Struct) -> dict[str, Any]:
        """The columns of a model as the wire Struct takes them."""
        if not isinstance(row, self.model):
            raise RowError(f"expected a {self.model.__name__}, got {type(row).__name__}")
        for name in self.absent:
            if getattr(row, name) is not UNSET:
                raise RowError(f"{self.shape.name} has no such column", column=name)
        values: dict[str, Any] = {name: getattr(row, name) for name in self._names}
        for name, value in values.items():
            if value is UNSET:
                raise RowError(f"{self.shape.name} has this column, the row does not", column=name)
            if isinstance(value, (Timestamp, UUID)):
                values[name] = str(value)
        return values

    def _cut(self, row: bytes) -> tuple[bytes, dict[str, bytes]]:
        """Take the blobs out of a row: what is left, and the bytes by column."""
        found: dict[str, bytes] = {}
        parts: list[bytes] = []
        position = 0
        for column, key in self.blob_keys:
            at = row.find(key, position)
            if at < 0:  # null, or missing: the wire Struct will tell
                continue
            start = at + len(key)
            end = row.find(b"]", start)
            if end < 0:
                raise RowError("an array without an end", column=column.name)
            try:
                found[column.name] = self._decode_blob(row, start, end)
            except ValueError as error:
                raise RowError(str(error), column=column.name) from error
            parts.append(row[position:start])
            position = end
        return (b"".join([*parts, row[position:]]) if parts else row), found

    def _decode_wire(self, rest: bytes) -> msgspec.Struct:
        try:
            wire = self.decoder.decode(rest)
        except FAILURES as error:
            raise _row_error(error) from error
        if _encoder.encode(wire) != rest:
            raise RowError(
                "not in the form that RisingWave writes (a duplicate key, a space, another order "
                "of columns, or a value written another way)"
            )
        return wire


def row_codec(layout: Layout, model: str) -> RowCodec:
    """The codec of a model's rows in a layout."""
    return _codec(model, layout.shapes[model], layout.era)


@cache
def _codec(model: str, shape: str, era: str) -> RowCodec:
    codec = CODECS[model]
    return RowCodec(codec.shapes[shape], codec.model, era)


def is_blob(column_type: ColumnType) -> bool:
    """Whether a column holds bytes, raw or of a protobuf message."""
    return column_type.kind in ("bytes", "message")


@cache
def enum_class(name: str) -> type[Any]:
    """The generated StrEnum of this name."""
    return getattr(import_module("metasnapshot_models.enums"), name)


def wire_type(column: Column) -> Any:
    """The type that msgspec checks a column's JSON against, once the inside of blobs is cut out."""
    inner = _wire_types[column.type.kind](column.type)
    return inner | None if column.nullable else inner


def _integer(name: str) -> Any:
    low, high = INTEGER_RANGES[name]
    if high == U64_MAX:  # msgspec takes no bound over 63 bits
        return Annotated[int, msgspec.Meta(ge=low)]
    return Annotated[int, msgspec.Meta(ge=low, le=high)]


def _json(json_type: Any) -> Any:
    if json_type == "parallelism":
        return Literal["Adaptive", "Custom"] | Fixed
    if json_type == "String":
        return str
    if isinstance(json_type, str):
        return _integer(json_type) if json_type in INTEGER_RANGES else dict[str, Any]
    parts = [_json(part) for part in json_type[1:]]
    return list[parts[0]] if json_type[0] == "list" else dict[parts[0], parts[1]]


_wire_types: Mapping[str, Callable[[ColumnType], Any]] = {
    "integer": lambda column_type: _integer(column_type.integer),
    "bool": lambda _: bool,
    "string": lambda _: str,
    "bytes": lambda _: Annotated[list[int], msgspec.Meta(max_length=0)],
    "message": lambda _: Annotated[list[int], msgspec.Meta(max_length=0)],
    "timestamp": lambda _: str,
    "uuid": lambda _: str,
    "enum": lambda column_type: Literal[tuple(column_type.members)],
    "json": lambda column_type: _json(column_type.json),
}


def _from_wire(column_type: ColumnType) -> Callable[[Any], Any] | None:
    """What makes a model's value of a wire value, for kinds where they differ."""
    if column_type.kind == "enum":
        return enum_class(column_type.name)
    return {"timestamp": Timestamp, "uuid": _uuid}.get(column_type.kind)


def _uuid(text: str) -> UUID:
    value = UUID(text)
    if str(value) != text:
        raise ValueError(f"{described(text)} is not a uuid as RisingWave writes it")
    return value


def _convert(from_wire: Callable[[Any], Any], value: Any, column: str) -> Any:
    try:
        return from_wire(value)
    except ValueError as error:
        raise RowError(str(error), column=column) from error


def _splice(rest: bytes, found: list[tuple[bytes, bytes]]) -> bytes:
    """Put the arrays of the blobs in the place of the empty ones."""
    parts: list[bytes] = []
    position = 0
    for key, text in found:
        end = rest.index(key, position) + len(key) - 1
        parts += (rest[position:end], text)
        position = end + 2
    return b"".join([*parts, rest[position:]]) if parts else rest


def _row_error(error: Exception) -> RowError:
    """Translate msgspec's error; its text names the column."""
    text = str(error)
    match = re.search(_PATH, text) or re.search(_FIELD, text)
    column = match[1] if match else ""
    if isinstance(error, RecursionError):
        text = "JSON nested too deep"
    if text.startswith(_ENUM):  # the value would follow
        text = _ENUM + text[len(text.partition(" - at `$")[0]) :]
    return RowError(text.partition(" - at `$")[0], column=column)
