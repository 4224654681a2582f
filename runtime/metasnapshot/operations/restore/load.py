"""The part of a restore that writes rows, inside a transaction of the caller: every section goes
in, in an order in which foreign keys hold; when all is loaded, everything is read back, so that
what a trigger did to a table after its turn is seen too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import compress
from typing import Any, NamedTuple

import sqlalchemy as sa

from metasnapshot.contents.unique_keys import UniqueKeys
from metasnapshot.errors import InconsistentStore
from metasnapshot.format.columns import Columns
from metasnapshot.format.layout import shape_of
from metasnapshot.metastore.bulk.digest import TableDigest
from metasnapshot.metastore.bulk.table import Table
from metasnapshot.metastore.create import make_tables
from metasnapshot.metastore.engines import engine_of
from metasnapshot.metastore.load import (
    Target,
    digest_table,
    empty_tables,
    insert_columns,
    nonempty_tables,
    set_sequences,
    table_of,
)
from metasnapshot.operations.restore.source import Source
from metasnapshot.operations.restore.target import TargetChecks
from metasnapshot_models.enums import ObjectType

OBJECTS_SECTION = "objects"
KEPT_ROWS_MAX = 100_000
"""Objects that are kept in memory until those that they refer to are there."""


class _Sent(NamedTuple):
    """A table, and the digest of what was sent to it."""

    table: Table
    digest: TableDigest


def load(
    connection: sa.Connection, source: Source, checks: TargetChecks
) -> tuple[dict[str, int], dict[str, int]]:
    """Make the tables that are planned, empty those that are, load, and read all of it back.

    Returns:
        Rows by table, and the AUTOINCREMENT values that were set, by table.

    Raises:
        RowError: a row stands twice.
        InconsistentStore: the database does not give back what was sent.
        ValueUnfit: it cannot hold a value.
    """
    target = checks.target
    if checks.schema is not None:
        make_tables(connection, checks.schema)
    empty_tables(connection, checks.plan.empties)
    engine = engine_of(connection)
    with engine.foreign_keys_last(connection) as any_order:
        sent = {
            section: _insert(connection, source, target, section, any_order=any_order)
            for section in source.sections
        }
        engine.fire_deferred(connection)
    rows = {source.table(section): item.digest.count for section, item in sent.items()}
    sequences = set_sequences(connection, rows)
    for section, item in sent.items():
        _read_back(connection, source, target, section, item)
    if others := nonempty_tables(connection, left_out=rows):
        counts = ", ".join(f"{table} ({count})" for table, count in others.items())
        raise InconsistentStore(
            f"tables that were to be empty have rows now: {counts}",
            hint="nothing was committed; is it a trigger that wrote them?",
        )
    return rows, sequences


def _insert(
    connection: sa.Connection, source: Source, target: Target, section: str, *, any_order: bool
) -> _Sent:
    """Insert a section, every row of it once."""
    model = source.model(section)
    table = table_of(connection, target, model)
    keys = UniqueKeys(source.layout, section)
    sent = TableDigest()
    try:
        for batches in _waves(section, source, any_order=any_order):
            sent += insert_columns(table, target, model, keys.noting(batches))
    except connection.dialect.loaded_dbapi.Error:
        require_once(source, section)  # says what no database says in the same words
        raise
    keys.require(lambda: source.columns(section))
    return _Sent(table, sent)


def require_once(source: Source, section: str) -> None:
    """Refuse a section with a row twice.

    Raises:
        RowError: there is one.
    """
    keys = UniqueKeys(source.layout, section)
    for _ in keys.noting(source.columns(section)):
        pass
    keys.require(lambda: source.columns(section))


def _read_back(
    connection: sa.Connection, source: Source, target: Target, section: str, sent: _Sent
) -> None:
    """Compare a table with what was sent.

    One that gives back another form of its rows than was sent may still hold the same values: then
    they are compared as models.
    """
    if sent.table.digest() == sent.digest:
        return
    wanted = source.digest(target, section)
    stored = digest_table(connection, source.layout, source.model(section))
    if stored != wanted:
        raise InconsistentStore(
            f"table {source.table(section)} gives back {stored.count} rows, not the "
            f"{wanted.count} that it was sent, or other values",
            hint="nothing was committed; the plan names the triggers and rules on the tables",
        )


def _waves(section: str, source: Source, *, any_order: bool) -> Iterator[Iterable[Columns]]:
    """A section's rows, in parts that are inserted one after the other.

    Objects refer to objects: where foreign keys are looked at row by row, databases come first,
    then schemas, then the rest. The section is read once, unless its rest is too much to keep.
    """
    if section != OBJECTS_SECTION or any_order:
        yield source.columns(section)
        return
    shape = shape_of(source.layout, source.model(section)).columns
    at = [column.name for column in shape].index("obj_type")
    first = (ObjectType.DATABASE, ObjectType.SCHEMA)
    parts: dict[Any, list[Columns]] = {kind: [] for kind in first}
    rest: list[Columns] = []
    rows = 0
    for columns in source.columns(section):
        for kind in first:
            parts[kind] += _chosen([columns], at, lambda found, it=kind: found == it)
        rows += len(columns[0])
        if rows <= KEPT_ROWS_MAX:
            rest += _chosen([columns], at, lambda found: found not in first)
    yield from parts.values()
    if rows <= KEPT_ROWS_MAX:
        yield rest
    else:
        rest.clear()
        yield _chosen(source.columns(section), at, lambda found: found not in first)


def _chosen(
    batches: Iterable[Columns], at: int, is_chosen: Callable[[Any], bool]
) -> Iterator[Columns]:
    """The rows whose value of one column is chosen."""
    for columns in batches:
        chosen = list(map(is_chosen, columns[at]))
        yield [list(compress(values, chosen)) for values in columns]
