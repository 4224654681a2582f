"""Make the tables of a release in a meta store, in a transaction of the caller.

SQLite and PostgreSQL make all or nothing. MySQL commits each table as it is made: a creation that
died leaves some of the tables, all empty, the list of migrations too. They stay, and the others are
made.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

import sqlalchemy as sa

from metasnapshot.errors import TargetNotEmpty, UnknownFormat
from metasnapshot.metastore.ddl import MIGRATIONS_TABLE, Schema
from metasnapshot.metastore.load import nonempty_tables, some_tables
from metasnapshot.metastore.misfits import live_tables, misfits_there
from metasnapshot.metastore.read import quoted


def tables_there(connection: sa.Connection, schema: Schema) -> list[str]:
    """Tables of the schema that the meta store has already, empty and as they should be.

    Raises:
        TargetNotEmpty: one has rows.
        UnknownFormat: one has other columns.
    """
    if rows := nonempty_tables(connection):
        raise TargetNotEmpty(rows, some_tables(rows))
    tables = live_tables(connection)
    live = tables.columns
    there = [table for table in schema.tables if table.name in live]
    for table in there:
        found = tuple(column.name for column in live[table.name])
        if sorted(found) != sorted(table.columns):
            differing = ", ".join(sorted(set(found) ^ set(table.columns)))
            raise UnknownFormat(
                f"table {table.name} is there and not that of {schema.release}: {differing}",
                hint="drop it, or give another database",
            )
    if found := misfits_there(tables, schema):
        raise UnknownFormat(
            f"tables are there that are not those of {schema.release}: {', '.join(found)}",
            hint="drop them, or give another database",
        )
    return [table.name for table in there]


def make_tables(connection: sa.Connection, schema: Schema) -> list[str]:
    """Make what is not there; returns the names of the tables that were made.

    Raises:
        TargetNotEmpty: a table is there and has rows.
        UnknownFormat: one is there and has other columns.
    """
    there = tables_there(connection, schema)
    for statement in schema.statements(there):
        connection.exec_driver_sql(statement)
    return [table.name for table in schema.tables if table.name not in there]


def write_migrations(connection: sa.Connection, names: Iterable[str]) -> None:
    """Say that these migrations are applied, so that a meta node finds nothing to do."""
    table = sa.table(MIGRATIONS_TABLE, quoted("version"), quoted("applied_at"))
    now = int(time.time())
    rows = [{"version": name, "applied_at": now} for name in names]
    connection.execute(sa.insert(table), rows)


def applied_migrations(connection: sa.Connection) -> frozenset[str]:
    """Names in the list of migrations."""
    found = connection.execute(sa.select(quoted("version")).select_from(sa.table(MIGRATIONS_TABLE)))
    return frozenset(str(row[0]) for row in found)
