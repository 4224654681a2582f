"""SQLite: rows are tuples of what the driver binds, and are read back as the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec
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
from metasnapshot.metastore.results import FEW_ROWS, MANY_ROWS
from metasnapshot_models.definitions import Column

_encoder = msgspec.msgpack.Encoder()


class SqliteTable:
    """A table of a SQLite store. See Table."""

    def __init__(self, connection: sa.Connection, table: str, shape: Sequence[Column]) -> None:
        self._driver: Any = connection.connection.driver_connection
        self._convert = converter(shape, map(_convert, shape))
        self._rows = FEW_ROWS if any(is_blob(column.type) for column in shape) else MANY_ROWS
        quote = connection.dialect.identifier_preparer.quote_identifier
        names = ", ".join(quote(column.name) for column in shape)
        marks = ", ".join("?" * len(shape))
        self._insert = f"INSERT INTO {quote(table)} ({names}) VALUES ({marks})"
        self._select = f"SELECT {names} FROM {quote(table)}"

    def insert(self, batches: Iterable[Columns]) -> TableDigest:
        """See Table."""
        digest = TableDigest()
        for columns in batches:
            rows = list(zip(*self._convert(columns), strict=True))
            digest.add(map(_encoder.encode, rows))
            self._driver.executemany(self._insert, rows)
        return digest

    def digest(self) -> TableDigest:
        """See Table."""
        digest = TableDigest()
        cursor = self._driver.execute(self._select)
        while rows := cursor.fetchmany(self._rows):
            digest.add(map(_encoder.encode, rows))
        return digest


def _convert(column: Column) -> Convert:
    """What makes bound values of the plain values of a column."""
    kind = column.type.kind
    if kind == "bool":
        return looked_up({False: 0, True: 1, None: None})
    if kind == "enum":
        return looked_up({**column.type.members, None: None})
    each: dict[str, Callable[[Any], Any]] = {
        "timestamp": lambda text: plain_text(text).replace("T", " "),
        "uuid": lambda text: UUID(text).bytes,
    }
    if kind == "json":
        return json_texts(column)
    if kind not in each:
        return same
    return unless_null(each[kind], None)
