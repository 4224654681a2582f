"""MySQL and MariaDB: rows are lists of literals, as the server itself writes them when they are
read back: QUOTE of text, HEX of bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from metasnapshot.format.codec import is_blob
from metasnapshot.format.columns import Columns
from metasnapshot.format.scalars import plain_text
from metasnapshot.metastore.bulk.convert import (
    Convert,
    converter,
    json_texts,
    looked_up,
    same,
    unless_null,
)
from metasnapshot.metastore.bulk.digest import TableDigest
from metasnapshot.metastore.engines.mysql_locks import naming
from metasnapshot.metastore.results import FEW_ROWS, stream
from metasnapshot_models.definitions import Column

STATEMENT_SIZE = 1 << 20
"""Bytes of a statement, unless a single row is larger."""
_TEXT = ("varchar", "text", "mediumtext", "longtext")
_TYPES: dict[str, tuple[str, ...]] = {
    "integer": ("smallint", "int", "bigint"),
    "bool": ("tinyint",),
    "string": _TEXT,
    "enum": _TEXT,
    "bytes": ("blob", "mediumblob", "longblob", "varbinary"),
    "message": ("blob", "mediumblob", "longblob", "varbinary"),
    "timestamp": ("datetime", "timestamp"),
    "uuid": ("binary",),
    "json": ("longtext", "json"),
}
"""Types whose literals are known, by kind of column."""
_QUOTED = str.maketrans({"\\": "\\\\", "'": "\\'", "\0": "\\0", "\x1a": "\\Z"})
_SPECIAL = "\\'\0\x1a"


class MysqlTable:
    """A table of a MySQL store. See Table."""

    def __init__(self, connection: sa.Connection, table: str, shape: Sequence[Column]) -> None:
        self._connection = connection
        self._driver: Any = connection.connection.driver_connection
        quote = connection.dialect.identifier_preparer.quote_identifier
        names = [quote(column.name) for column in shape]
        self._table, self._name = table, quote(table)
        self._insert = f"INSERT INTO {self._name} ({', '.join(names)}) VALUES ".encode()
        self._literals = ", ".join(map(_literal, shape, names))
        self._convert = converter(shape, map(_convert, shape))
        types = _column_types(connection, table)
        self._is_known = all(types.get(column.name) in _TYPES[column.type.kind] for column in shape)

    def insert(self, batches: Iterable[Columns]) -> TableDigest:
        """See Table."""
        digest = TableDigest()
        with naming(self._connection, self._table), self._driver.cursor() as cursor:
            for columns in batches:
                fields = self._convert(columns)
                lines = [line.encode() for line in map(",".join, zip(*fields, strict=True))]
                digest.add(lines)
                for group in _statements(lines):
                    cursor.execute(self._insert + b"(%b)" % b"),(".join(group))
        return digest

    def digest(self) -> TableDigest | None:
        """See Table."""
        if not self._is_known:
            return None
        digest = TableDigest()
        statement = f"SELECT CAST(CONCAT_WS(',', {self._literals}) AS BINARY) FROM {self._name}"
        rows = stream(self._connection, sa.text(statement), FEW_ROWS).scalars()
        digest.add(filter(None, rows))  # NULL: longer than max_allowed_packet
        return digest


def _column_types(connection: sa.Connection, table: str) -> dict[str, str]:
    rows = connection.execute(
        sa.text(
            "SELECT column_name, data_type FROM information_schema.columns "
            "WHERE table_schema = database() AND table_name = :table"
        ),
        {"table": table},
    )
    return {row[0]: row[1] for row in rows}


def _statements(lines: Sequence[bytes]) -> Iterable[Sequence[bytes]]:
    group: list[bytes] = []
    size = 0
    for line in lines:
        if group and size + len(line) > STATEMENT_SIZE:
            yield group
            group, size = [], 0
        group.append(line)
        size += len(line) + 3
    if group:
        yield group


def _literal(column: Column, name: str) -> str:
    """The expression of a column's literal."""
    kind = column.type.kind
    if kind in ("integer", "bool"):
        return f"IFNULL({name}, 'NULL')"
    if is_blob(column.type) or kind == "uuid":
        return f"IFNULL(CONCAT('X''', HEX({name}), ''''), 'NULL')"
    if kind == "timestamp":
        return f"QUOTE({name})"
    return f"QUOTE(CONVERT({name} USING utf8mb4))"


def _convert(column: Column) -> Convert:
    """What makes the literals of a column's plain values."""
    kind = column.type.kind
    if is_blob(column.type):
        return unless_null(_hex, "NULL")
    if kind == "bool":
        return looked_up({False: "0", True: "1", None: "NULL"})
    if kind == "enum":
        names = {json: f"'{db}'" for json, db in column.type.members.items()}
        return looked_up({**names, None: "NULL"})
    if kind == "json":
        return _quoted(json_texts(column))
    each: dict[str, Callable[[Any], str]] = {
        "integer": str,
        "timestamp": lambda text: f"'{plain_text(text).replace('T', ' ')}'",
        "uuid": lambda text: _hex(UUID(text).bytes),
    }
    return unless_null(each[kind], "NULL") if kind in each else _quoted(same)


def _hex(data: bytes) -> str:
    return f"X'{data.hex().upper()}'"


def _quoted(to_text: Convert) -> Convert:
    """Quote the text that values become, and escape it if any of it has to be."""

    def convert(values: Sequence[Any]) -> Sequence[str]:
        texts = to_text(values)
        joined = "".join(filter(None, texts))
        if any(char in joined for char in _SPECIAL):
            texts = [text and text.translate(_QUOTED) for text in texts]
        return ["NULL" if text is None else f"'{text}'" for text in texts]

    return convert
