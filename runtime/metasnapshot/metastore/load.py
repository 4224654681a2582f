"""Write rows into an empty meta store, inside a transaction of the caller."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import sqlalchemy as sa

from metasnapshot.format.layout import shape_of
from metasnapshot.format.scalars import Blob
from metasnapshot.metastore.read import count_rows
from metasnapshot.metastore.schema import table_names
from metasnapshot.metastore.values import to_sqlite
from metasnapshot_models.codecs import CODECS
from metasnapshot_models.definitions import Layout

BATCH_ROWS = 500
BATCH_BYTES = 4 << 20
"""What one statement takes at most, unless a single row is larger."""


def nonempty_tables(connection: sa.Connection) -> dict[str, int]:
    """Row counts of RisingWave's tables that have rows, those outside snapshots included.

    Left-over rows of such tables would be replayed onto the restored state (hummock_version_delta).
    """
    known = {codec.table for codec in CODECS.values()}
    counts = {
        table: count_rows(connection, table) for table in table_names(connection) if table in known
    }
    return {table: count for table, count in counts.items() if count}


def insert_rows(
    connection: sa.Connection, layout: Layout, model: str, rows: Iterable[msgspec.Struct]
) -> int:
    """Insert rows of a model; returns how many."""
    shape = shape_of(layout, model)
    columns = [(column.name, to_sqlite(column)) for column in shape.columns]
    targets: list[sa.ColumnClause[Any]] = [sa.column(name) for name, _ in columns]
    statement = sa.insert(sa.table(CODECS[model].table, *targets))
    inserted = 0
    for batch in _batches(rows):
        parameters = [
            {
                name: None if (value := getattr(row, name)) is None else to_db(value)
                for name, to_db in columns
            }
            for row in batch
        ]
        connection.execute(statement, parameters)
        inserted += len(batch)
    return inserted


def _batches(rows: Iterable[msgspec.Struct]) -> Iterator[list[msgspec.Struct]]:
    batch: list[msgspec.Struct] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += _size(row)
        if len(batch) >= BATCH_ROWS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _size(row: Any) -> int:
    """About how many bytes a row holds in memory: its blobs and texts."""
    values = (getattr(row, name) for name in row.__struct_fields__)
    return sum(
        len(value.bytes) if isinstance(value, Blob) else len(value)
        for value in values
        if isinstance(value, (Blob, str))
    )
