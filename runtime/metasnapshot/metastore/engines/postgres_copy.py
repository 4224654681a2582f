"""PostgreSQL: rows are the lines of its COPY, and are read back as the same.

What COPY gives for a value is defined to the character for each type that RisingWave uses; so the
lines are written as the server would write them, and one that comes back the same holds the same
values.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from metasnapshot.format.codec import is_blob
from metasnapshot.format.columns import Columns
from metasnapshot.metastore.bulk.convert import (
    Convert,
    converter,
    is_numeric,
    json_texts,
    looked_up,
    number_texts,
    same,
    unless_null,
)
from metasnapshot.metastore.bulk.digest import TableDigest
from metasnapshot_models.definitions import Column

NULL = "\\N"
JSONB = 3802
_TEXT = (25, 1043)
_TYPES: dict[str, tuple[int, ...]] = {
    "integer": (20, 21, 23),
    "bool": (16,),
    "string": _TEXT,
    "enum": _TEXT,
    "bytes": (17,),
    "message": (17,),
    "timestamp": (1114,),
    "uuid": (2950,),
    "json": (JSONB, 114, *_TEXT),
}
"""Numbers of the types (pg_type.dat) whose text is known, by kind of column."""
_SPECIAL = "\\\b\t\n\v\f\r"
_ESCAPES = str.maketrans(dict(zip(_SPECIAL, ("\\\\", *(f"\\{c}" for c in "btnvfr")), strict=True)))
_SETTINGS = """
SET LOCAL client_encoding = 'UTF8'; SET LOCAL bytea_output = 'hex'; SET LOCAL datestyle = 'ISO'
"""


class PostgresTable:
    """A table of a PostgreSQL store. See Table."""

    def __init__(self, connection: sa.Connection, table: str, shape: Sequence[Column]) -> None:
        self._driver: Any = connection.connection.driver_connection
        quote = connection.dialect.identifier_preparer.quote_identifier
        self._name = quote(table)
        self._columns = ", ".join(quote(column.name) for column in shape)
        with self._driver.cursor() as cursor:
            cursor.execute(_SETTINGS)
            cursor.execute(f"SELECT {self._columns} FROM {self._name} LIMIT 0")
            types = [column.type_code for column in cursor.description]
        pairs = list(zip(shape, types, strict=True))
        self._is_known = all(found in _TYPES[column.type.kind] for column, found in pairs)
        converts = (_convert(column, is_jsonb=found == JSONB) for column, found in pairs)
        self._convert = converter(shape, converts)

    def insert(self, batches: Iterable[Columns]) -> TableDigest:
        """See Table."""
        digest = TableDigest()
        statement = f"COPY {self._name} ({self._columns}) FROM STDIN"
        with self._driver.cursor() as cursor, cursor.copy(statement) as copy:
            for columns in batches:
                fields = self._convert(columns)
                lines = "\n".join(map("\t".join, zip(*fields, strict=True))).encode() + b"\n"
                digest.add(lines.splitlines(keepends=True))
                copy.write(lines)
        return digest

    def digest(self) -> TableDigest | None:
        """See Table."""
        if not self._is_known:
            return None
        digest = TableDigest()
        statement = f"COPY {self._name} ({self._columns}) TO STDOUT"
        with self._driver.cursor() as cursor, cursor.copy(statement) as copy:
            digest.add(copy)
        return digest


def _convert(column: Column, *, is_jsonb: bool) -> Convert:
    """What makes the fields of COPY of a column's plain values."""
    kind = column.type.kind
    if is_blob(column.type):
        return unless_null(lambda data: "\\\\x" + data.hex(), NULL)
    if kind == "bool":
        return looked_up({False: "f", True: "t", None: NULL})
    if kind == "enum":
        return looked_up({**column.type.members, None: NULL})
    if kind == "json":
        return _escaped(_jsonb_texts(column) if is_jsonb else json_texts(column))
    each: dict[str, Callable[[Any], str]] = {
        "integer": str,
        "timestamp": _timestamp,
        "uuid": str,
    }
    return unless_null(each[kind], NULL) if kind in each else _escaped(same)


def _escaped(to_text: Convert) -> Convert:
    """Escape the text that values become, if any of it has to be."""

    def convert(values: Sequence[Any]) -> Sequence[str]:
        texts = to_text(values)
        joined = "".join(filter(None, texts))
        if any(char in joined for char in _SPECIAL):
            texts = [text and text.translate(_ESCAPES) for text in texts]
        return [NULL if text is None else text for text in texts] if None in texts else texts

    return convert


def _timestamp(text: str) -> str:
    text = text.replace("T", " ")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _jsonb_texts(column: Column) -> Convert:
    """What makes the texts that jsonb has of values: with spaces, keys by length."""
    to_texts = json_texts(column)

    def convert(values: Sequence[Any]) -> Sequence[Any]:
        texts = to_texts(values)
        spaced = {text: text and _spaced_text(text) for text in set(texts)}
        return list(map(spaced.__getitem__, texts))

    def convert_numbers(values: Sequence[Any]) -> Sequence[Any]:
        if None in values:
            return convert(values)
        return number_texts(values).replace(",", ", ").split("\n")

    return convert_numbers if is_numeric(column.type.json) else convert


def _spaced_text(text: str) -> str:
    return _spaced(json.loads(text, parse_float=Decimal))


def _spaced(value: Any) -> str:
    if isinstance(value, dict):
        pairs: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType]
        names = sorted(pairs, key=lambda name: (len(name.encode()), name.encode()))
        fields = ", ".join(f"{_spaced(name)}: {_spaced(pairs[name])}" for name in names)
        return f"{{{fields}}}"
    if isinstance(value, list):
        items: list[Any] = value  # pyright: ignore[reportUnknownVariableType]
        return f"[{', '.join(map(_spaced, items))}]"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return json.dumps(value, ensure_ascii=False)
