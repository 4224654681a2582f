"""Write rows into a meta store, in a transaction of the caller, and read back that they are there.

A table's digest is a count and the sum of its rows' hashes: the same for the values that were sent
and for the values that the database then gives back, in whatever order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa
import xxhash

from metasnapshot.format.layout import shape_of
from metasnapshot.metastore.read import FETCH_ROWS, count_rows
from metasnapshot.metastore.schema import table_names
from metasnapshot.metastore.values import to_sqlite
from metasnapshot_models.codecs import CODECS
from metasnapshot_models.definitions import Layout

BATCH_ROWS = 500
BATCH_BYTES = 4 << 20
"""What one statement takes at most, unless a single row is larger."""
U64_MASK = (1 << 64) - 1

Values = tuple[Any, ...]


@dataclass
class TableDigest:
    """Rows of a table and the sum of their XXH64, modulo 2^64."""

    count: int = 0
    total: int = 0

    def add(self, values: Values) -> None:
        """Count one row in; a database without booleans gives back 0 and 1."""
        plain = [int(value) if isinstance(value, bool) else value for value in values]
        self.count += 1
        self.total += xxhash.xxh64_intdigest(msgspec.msgpack.encode(plain))
        self.total &= U64_MASK


def nonempty_tables(connection: sa.Connection) -> dict[str, int]:
    """Row counts of RisingWave's tables that have rows, those outside snapshots included.

    Left-over rows of such tables would be replayed onto the restored state (hummock_version_delta).
    """
    known = {codec.table for codec in CODECS.values()}
    counts = {
        table: count_rows(connection, table) for table in table_names(connection) if table in known
    }
    return {table: count for table, count in counts.items() if count}


def empty_tables(connection: sa.Connection, tables: Iterable[str]) -> None:
    """Delete all rows of these tables; foreign keys are looked at when the transaction ends."""
    for table in tables:
        connection.execute(sa.delete(sa.table(table)))


def database_values(layout: Layout, model: str, rows: Iterable[Any]) -> Iterator[Values]:
    """The values of each row as the database takes them, in the order of the shape."""
    columns = [(column.name, to_sqlite(column)) for column in shape_of(layout, model).columns]
    for row in rows:
        yield tuple(
            None if (value := getattr(row, name)) is None else to_db(value)
            for name, to_db in columns
        )


def digest_rows(layout: Layout, model: str, rows: Iterable[Any]) -> TableDigest:
    """What the digest of a table with these rows would be."""
    digest = TableDigest()
    for values in database_values(layout, model, rows):
        digest.add(values)
    return digest


def digest_table(connection: sa.Connection, layout: Layout, model: str) -> TableDigest:
    """The digest of a table as the database has it."""
    table = _table(layout, model)
    statement = sa.select(*table.c).execution_options(yield_per=FETCH_ROWS)
    digest = TableDigest()
    for values in connection.execute(statement):
        digest.add(tuple(values))
    return digest


def insert_rows(
    connection: sa.Connection, layout: Layout, model: str, rows: Iterable[Any]
) -> TableDigest:
    """Insert rows of a model; returns the digest of what was sent."""
    table = _table(layout, model)
    names = [column.name for column in table.columns]
    statement = sa.insert(table)
    digest = TableDigest()
    for batch in _batches(database_values(layout, model, rows)):
        for values in batch:
            digest.add(values)
        connection.execute(statement, [dict(zip(names, values, strict=True)) for values in batch])
    return digest


def set_sequences(connection: sa.Connection, tables: Iterable[str]) -> dict[str, int]:
    """Let every AUTOINCREMENT of these tables go on above the largest id; returns them by table.

    Upstream forgets user_default_privilege; here the schema says which tables have one.
    """
    rows = connection.exec_driver_sql(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%AUTOINCREMENT%'"
    )
    found: dict[str, int] = {}
    for name in [str(row[0]) for row in rows]:
        if name not in tables:
            continue
        largest = connection.exec_driver_sql(f'SELECT max(rowid) FROM "{name}"').scalar()
        connection.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
        if largest is not None:
            connection.exec_driver_sql(
                "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, largest)
            )
            found[name] = largest
    return found


def _table(layout: Layout, model: str) -> sa.TableClause:
    columns: list[sa.ColumnClause[Any]] = [
        sa.column(column.name) for column in shape_of(layout, model).columns
    ]
    return sa.table(CODECS[model].table, *columns)


def _batches(rows: Iterable[Values]) -> Iterator[Sequence[Values]]:
    batch: list[Values] = []
    size = 0
    for values in rows:
        batch.append(values)
        size += sum(len(value) for value in values if isinstance(value, (bytes, str)))
        if len(batch) >= BATCH_ROWS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
