"""Write rows into a meta store, in a transaction of the caller, and read back that they are there.

A table's digest is a count and the sum of its rows' hashes, in whatever order they come. It is
taken of models, and then is the same on every engine, or of the form in which one engine's rows are
sent and read back (bulk), which is several times as fast.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from metasnapshot.errors import ValueUnfit
from metasnapshot.format.columns import Columns
from metasnapshot.format.layout import shape_of
from metasnapshot.metastore.bulk.digest import TableDigest
from metasnapshot.metastore.bulk.table import Table, fitted_batches
from metasnapshot.metastore.engines import engine_of
from metasnapshot.metastore.read import count_rows, read_rows
from metasnapshot.metastore.schema import table_names
from metasnapshot.metastore.values import PLAIN, Fit, ToDb, canonical, fitted
from metasnapshot_models.codecs import CODECS
from metasnapshot_models.definitions import Layout

Values = tuple[Any, ...]

TABLES_SHOWN = 3


@dataclass(frozen=True)
class Target:
    """Where rows go: their layout, and what the engine there holds."""

    layout: Layout
    fit: Fit = field(default_factory=lambda: Fit(PLAIN))


def target_of(connection: sa.Connection, layout: Layout, *, cut_timestamps: bool) -> Target:
    """The target behind a connection."""
    engine = engine_of(connection)
    return Target(layout, Fit(engine.forms, cut_timestamps, engine.is_narrow(connection)))


def some_tables(rows: Mapping[str, int]) -> str:
    """Tables with their rows, in words: the fullest few, which tell what database it is, and how
    many others there are.
    """
    fullest = sorted(rows.items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{table} ({count})" for table, count in fullest[:TABLES_SHOWN])
    others = len(rows) - TABLES_SHOWN
    return shown if others <= 0 else f"{shown} and {others} other{'s' * (others > 1)}"


def nonempty_tables(connection: sa.Connection, left_out: Collection[str] = ()) -> dict[str, int]:
    """Row counts of RisingWave's tables that have rows, those outside snapshots included, but for
    some that are left out.

    Left-over rows of such tables would be replayed onto the restored state (hummock_version_delta).
    """
    tables = [table for table in known_tables(connection) if table not in left_out]
    counts = {table: count_rows(connection, table) for table in tables}
    return {table: count for table, count in counts.items() if count}


def empty_tables(connection: sa.Connection, tables: Iterable[str]) -> None:
    """Delete all rows of these tables, and keep others from writing into any of RisingWave's until
    the transaction ends; foreign keys are looked at then.
    """
    engine_of(connection).prepare_load(connection, list(tables), known_tables(connection))


def fitted_rows(target: Target, model: str, rows: Iterable[Any]) -> Iterator[Values]:
    """The values of each row as the engine will give them back, in the order of the shape.

    Raises:
        ValueUnfit: one that the engine would change or refuse.
    """
    columns = shape_of(target.layout, model).columns
    take = attrgetter(*(column.name for column in columns))
    fits = [
        (at, fit)
        for at, column in enumerate(columns)
        if (fit := fitted(column, target.fit)) is not None
    ]
    for number, row in enumerate(rows):
        values = take(row)
        if fits:
            try:
                values = _changed(values, fits)
            except ValueUnfit as error:
                table = CODECS[model].table
                raise ValueUnfit(f"table {table}, row {number}, {error}", hint=error.hint) from None
        yield values


def _changed(values: Values, changes: Sequence[tuple[int, ToDb]]) -> Values:
    """Values after changes of some that are not None."""
    found = list(values)
    for at, change in changes:
        if (value := found[at]) is not None:
            found[at] = change(value)
    return tuple(found)


def digest_rows(target: Target, model: str, rows: Iterable[Any]) -> TableDigest:
    """What the digest of a table with these rows would be."""
    digest = TableDigest()
    for values in fitted_rows(target, model, rows):
        digest.add([canonical(values)])
    return digest


def digest_table(connection: sa.Connection, layout: Layout, model: str) -> TableDigest:
    """The digest of a table as the database has it."""
    here = Target(layout)  # what a database gives fits itself
    return digest_rows(here, model, read_rows(connection, layout, model))


def table_of(connection: sa.Connection, target: Target, model: str) -> Table:
    """The table of a model, to be loaded as a whole."""
    shape = shape_of(target.layout, model).columns
    return engine_of(connection).table(connection, CODECS[model].table, shape)


def insert_columns(
    table: Table, target: Target, model: str, batches: Iterable[Columns]
) -> TableDigest:
    """Insert rows of a model, as columns of plain values; returns the digest of what was sent.

    Raises:
        ValueUnfit: a value that the engine would change or refuse.
    """
    shape = shape_of(target.layout, model).columns
    return table.insert(fitted_batches(batches, CODECS[model].table, shape, target.fit))


def set_sequences(connection: sa.Connection, tables: Iterable[str]) -> dict[str, int]:
    """Let every auto-increment of these tables go on above the largest id; returns them by table.

    Upstream forgets user_default_privilege; here the schema says which tables have one.
    """
    return engine_of(connection).set_sequences(connection, set(tables))


def known_tables(connection: sa.Connection) -> list[str]:
    """RisingWave's tables that the meta store has."""
    known = {codec.table for codec in CODECS.values()}
    return [table for table in table_names(connection) if table in known]
