"""A database of the user's that is lent for a while: empty before, and empty afterwards.

A table of ours, the marker, is made before anything else and dropped after everything else. It
says of which release the other tables are: a run that was killed leaves it, and the next run drops
what it names. Nothing else is ever dropped, and nothing at all once a meta node has begun to work
in the database: it writes tables that a restore leaves empty.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from metasnapshot.errors import ConflictError, MetasnapshotError, TargetNotEmpty
from metasnapshot.metastore.ddl import schema_of
from metasnapshot.metastore.engines import MetaStore, engine_of
from metasnapshot.metastore.read import count_rows, quoted
from metasnapshot_models.layouts import LAYOUTS, RELEASES

MARKER = "metasnapshot_drill"
COLUMNS = ("of_release", "was_charset", "was_collation")
"""No engine reserves these words."""
SHOWN = 5
WIDTH = 64
HINT = "give a database of its own that has no tables; a drill drops all that it made there"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lent:
    """A database that is empty, and nobody else's for the block."""

    store: MetaStore
    engine: str

    def mark(self, release: str) -> None:
        """Say of which release the tables will be that are made now.

        Raises:
            TargetNotEmpty: somebody has made one since the database was looked at.
        """
        with self.store.write_transaction() as connection:
            _require_empty(self.store.url, names_there(connection))
            charset, collation = engine_of(connection).charset(connection)
            columns = ", ".join(f"{name} varchar({WIDTH})" for name in COLUMNS)
            connection.exec_driver_sql(f"CREATE TABLE {MARKER} ({columns})")
            table = sa.table(MARKER, *map(quoted, COLUMNS))
            row = {"of_release": release, "was_charset": charset, "was_collation": collation}
            connection.execute(sa.insert(table), [row])


@contextmanager
def lent(store: MetaStore) -> Generator[Lent]:
    """Have an empty database for the block; what is made in it of the release that is marked is
    dropped afterwards, however the block ends.

    Raises:
        TargetNotEmpty: it has tables, and not only those of a run that was killed.
        ConflictError: another drill is at work on it; or a meta node uses what one left there.
        DatabaseError: it cannot be reached.
    """
    with store.drilling():
        with store.read_transaction(is_brief=True) as connection:
            names, engine = names_there(connection), engine_of(connection).name
            strays = names - _of_marker(connection, names)
        _require_empty(store.url, strays)
        if names:
            logger.warning("%s: dropping what a drill that was killed left there", store.url)
            _clear(store)
        try:
            yield Lent(store, engine)
        except BaseException:
            _clear_if_possible(store)
            raise
        _clear(store)


def names_there(connection: sa.Connection) -> set[str]:
    """Tables and views that a statement finds without the name of a schema."""
    found: Any = sa.inspect(connection)
    views: set[str] = {*found.get_view_names()}
    with suppress(NotImplementedError):  # of an engine that has none
        views |= {*found.get_materialized_view_names()}
    return {*found.get_table_names(), *views}


def _require_empty(url: str, names: Collection[str]) -> None:
    if not names:
        return
    shown = ", ".join(sorted(names)[:SHOWN])
    more = f" and {len(names) - SHOWN} more" * (len(names) > SHOWN)
    error = TargetNotEmpty(dict.fromkeys(names, 0), shown)
    error.args = (f"{url} is not empty: it has {shown}{more}",)
    error.hint = HINT
    raise error


def _marked(connection: sa.Connection) -> tuple[str, str, str] | None:
    """What the marker says; nothing if its maker was killed before it said anything."""
    table = sa.table(MARKER, *map(quoted, COLUMNS))
    rows = connection.execute(sa.select(*map(quoted, COLUMNS)).select_from(table)).all()
    if len(rows) != 1 or rows[0][0] not in RELEASES:
        return None
    release, charset, collation = map(str, rows[0])
    return release, charset, collation


def _of_marker(connection: sa.Connection, names: Collection[str]) -> set[str]:
    """The marker, and the tables that it may stand for."""
    if MARKER not in names:
        return set()
    marked = _marked(connection)
    return {MARKER, *_tables(connection, marked[0] if marked else None)}


def _tables(connection: sa.Connection, release: str | None) -> list[str]:
    """The tables of a release, in an order in which they can be dropped."""
    if release is None:
        return []
    made = schema_of(release, engine_of(connection).syntax).tables
    return [table.name for table in reversed(made)]


def _clear(store: MetaStore) -> None:
    """Drop what the marker stands for, and then the marker.

    Raises:
        ConflictError: a meta node works in the database.
    """
    with store.write_transaction() as connection:
        names = names_there(connection)
        if MARKER not in names:
            return
        marked = _marked(connection)
        release = marked[0] if marked else None
        _require_no_meta_node(store.url, connection, release, names)
        quote = connection.dialect.identifier_preparer.quote_identifier
        for name in _tables(connection, release):
            if name in names:
                connection.exec_driver_sql(f"DROP TABLE {quote(name)}")
        if marked and marked[1]:
            engine_of(connection).set_charset(connection, *marked[1:])
        connection.exec_driver_sql(f"DROP TABLE {MARKER}")


def _clear_if_possible(store: MetaStore) -> None:
    """The same where something has failed already, which is what counts."""
    try:
        _clear(store)
    except MetasnapshotError as error:
        text = "%s is not as it was: %s; the next drill drops what is left"
        logger.warning(text, store.url, error)


def _require_no_meta_node(
    url: str, connection: sa.Connection, release: str | None, names: Collection[str]
) -> None:
    """Rows in tables that no snapshot has are a meta node's."""
    excluded = LAYOUTS[RELEASES[release].layout].excluded_tables if release else ()
    used = [name for name in excluded if name in names and count_rows(connection, name)]
    if used:
        raise ConflictError(
            f"{url}: a drill was at work here, and a meta node has written into "
            f"{', '.join(sorted(used))} since",
            hint=f"if no cluster uses this database, drop its tables and {MARKER} yourself",
        )
