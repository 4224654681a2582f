"""What keeps the tables of a meta store from being those of a release: no more and no less.

Names tell most releases apart; foreign keys and columns that hold bytes tell the others. Tables and
columns that no release has ever had are somebody else's: they may stand beside.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from metasnapshot.metastore.ddl import CreateTable, Reference, Schema, is_binary, schema_of
from metasnapshot.metastore.engines import Engine, engine_of
from metasnapshot.metastore.schema import LiveColumn, live_foreign_keys, live_schema
from metasnapshot_models.codecs import CODECS
from metasnapshot_models.ddl import TABLES
from metasnapshot_models.layouts import LAYOUTS, RELEASES

EVER = {table.name: {column.name for column in table.columns} for table in TABLES}
"""Columns by table that some release has."""
_KEYS_EVER = {
    (table.name, key.columns, key.references, key.referenced)
    for table in TABLES
    for key in table.foreign_keys
}
RISINGWAVE_TABLES = frozenset(
    {
        *EVER,
        *(codec.table for codec in CODECS.values()),
        *(name for layout in LAYOUTS.values() for name in layout.excluded_tables),
    }
)
"""Tables that some release has."""


@dataclass(frozen=True)
class LiveTables:
    """The tables of a meta store as they are."""

    engine: Engine
    columns: dict[str, list[LiveColumn]]
    foreign_keys: dict[str, set[Reference]]


def live_tables(connection: sa.Connection) -> LiveTables:
    """Look at the tables of a meta store."""
    schema, keys = live_schema(connection), live_foreign_keys(connection)
    return LiveTables(engine_of(connection), schema, keys)


def misfits(live: LiveTables, release: str) -> list[str]:
    """What is not as a release's own migrations would have made it, one phrase each."""
    schema = schema_of(release, live.engine.syntax)
    missing = [table.name for table in schema.tables if table.name not in live.columns]
    return [*(f"no table {name}" for name in missing), *misfits_there(live, schema)]


def misfits_there(live: LiveTables, schema: Schema) -> list[str]:
    """The same of the tables that are there, whatever else is missing."""
    known = {table.name for table in schema.tables}
    known |= set(LAYOUTS[RELEASES[schema.release].layout].excluded_tables)
    strays = [name for name in live.columns if name in RISINGWAVE_TABLES and name not in known]
    found = [f"table {name} is another release's" for name in strays]
    for table in schema.tables:
        if (columns := live.columns.get(table.name)) is not None:
            found += _of_table(table, columns, live.foreign_keys.get(table.name, set()))
    return found


def _of_table(table: CreateTable, columns: list[LiveColumn], keys: set[Reference]) -> Iterator[str]:
    name, there = table.name, {column.name for column in columns}
    yield from (f"no column {name}.{column}" for column in table.columns if column not in there)
    for column in columns:
        place = f"column {name}.{column.name}"
        if column.name in table.columns:
            if is_binary(column.sql_type) != (column.name in table.binary):
                yield f"{place} is {column.sql_type.lower()}"
        elif column.name in EVER[name]:
            yield f"{place} is another release's"
        elif column.is_required:
            yield f"{place} takes no NULL and has no default"
    for key in sorted(table.foreign_keys - keys):
        yield f"no foreign key {_shown(name, key)}"
    for key in sorted(keys - table.foreign_keys):
        if (name, *key) in _KEYS_EVER:
            yield f"foreign key {_shown(name, key)} is another release's"


def _shown(table: str, key: Reference) -> str:
    columns, target, _ = key
    return f"{table} ({', '.join(columns)}) -> {target}"
