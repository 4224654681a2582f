"""PostgreSQL."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import sqlalchemy as sa

from metasnapshot.errors import UsageError
from metasnapshot.metastore.ddl import Syntax
from metasnapshot.metastore.engines import postgres_locks as locks
from metasnapshot.metastore.engines.postgres_copy import PostgresTable
from metasnapshot.metastore.engines.postgres_errors import reason
from metasnapshot.metastore.engines.postgres_keys import foreign_keys_last
from metasnapshot.metastore.kinds import POSTGRES
from metasnapshot.metastore.schema import Declared, counted_columns
from metasnapshot.metastore.server import OPTION_HINT, Reason, ServerStore
from metasnapshot.metastore.session import Session, session_of
from metasnapshot.metastore.url_options import postgres_options
from metasnapshot.metastore.values import Forms
from metasnapshot.store.lock import this_holder
from metasnapshot_models.definitions import Column

LOCK_KEY = 0x6D657461736E6170
"""PostgreSQL's advisory locks are numbers; this one reads `metasnap`."""
DRILL_KEY = LOCK_KEY + 1
"""That of drills, in which restores take the other."""
_APPLICATION_BYTES = 63
_HOLDER = """
SELECT l.pid, a.usename, a.client_addr, a.application_name, a.xact_start
FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.classid = %(high)s AND l.objid = %(low)s
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_TRIGGERS = """
SELECT t.relname, 'trigger', g.tgname FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid
WHERE NOT g.tgisinternal AND g.tgenabled <> 'D' AND pg_table_is_visible(t.oid)
UNION ALL
SELECT t.relname, 'rule', r.rulename FROM pg_rewrite r JOIN pg_class t ON t.oid = r.ev_class
WHERE r.rulename <> '_RETURN' AND r.ev_enabled <> 'D' AND pg_table_is_visible(t.oid)
"""
_OWNED_SEQUENCES = """
SELECT t.relname, a.attname, CAST(CAST(s.oid AS regclass) AS text)
FROM pg_depend d
JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
JOIN pg_class t ON t.oid = d.refobjid
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
WHERE d.deptype IN ('a', 'i') AND pg_table_is_visible(t.oid) ORDER BY 1, 2
"""


class Postgres:
    """See Engine, and ServerEngine."""

    name = POSTGRES.name
    schemes = POSTGRES.schemes
    driver = "postgresql+psycopg"
    extra = "postgres"
    is_file = False
    commits_ddl = False
    password_variable = None  # libpq knows its own
    forms = Forms(
        has_timestamps=True,
        has_uuids=True,
        has_json=True,
        fraction_digits=6,
        without_zero="PostgreSQL",
    )
    syntax = Syntax(
        engine=name, types="postgres", now="extract(epoch from now())::bigint", serial="serial"
    )

    @contextmanager
    def open(
        self,
        url: sa.URL,
        *,
        may_create: bool,  # noqa: ARG002 - a file
        lock_wait_s: float,
    ) -> Generator[ServerStore]:
        """See Engine."""
        store = ServerStore(url, self, lock_wait_s)
        try:
            yield store
        finally:
            store.close()

    def arguments(self, url: sa.URL) -> tuple[sa.URL, dict[str, Any]]:
        """See Engine."""
        from psycopg import pq  # noqa: PLC0415 - an extra

        hosts = {name: url.query[name] for name in ("host", "port") if name in url.query}
        plain = url.set(query=hosts)  # SQLAlchemy reads several of them
        keywords = [option.keyword.decode() for option in pq.Conninfo.get_defaults()]
        others = {name: value for name, value in url.query.items() if name not in hosts}
        return plain, dict(postgres_options(others, keywords))

    def session_arguments(self, session: Session) -> dict[str, Any]:  # noqa: ARG002 - MySQL's
        """See ServerEngine. Each transaction sets what it needs. In a database that is SQL_ASCII
        text would else be bytes.
        """
        return {"client_encoding": "UTF8"}

    @contextmanager
    def reading(self, connection: sa.Connection) -> Generator[None]:
        """See ServerEngine."""
        begin = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
        with self._locked(connection, begin):
            yield

    @contextmanager
    def writing(self, connection: sa.Connection) -> Generator[None]:
        """See ServerEngine."""
        with self._locked(connection, "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"):
            taken = connection.exec_driver_sql(f"SELECT pg_try_advisory_xact_lock({LOCK_KEY})")
            if not taken.scalar():
                raise session_of(connection).locked_by(_holder(connection, LOCK_KEY))
            name = f"metasnapshot, {this_holder()}".encode("ascii", "replace")[:_APPLICATION_BYTES]
            connection.exec_driver_sql(
                "SELECT set_config('application_name', %s, true)", (name.decode(),)
            )
            yield

    @contextmanager
    def drilling(self, connection: sa.Connection) -> Generator[None]:
        """See ServerEngine. It has no snapshot, and so keeps nobody's vacuum waiting."""
        with connection.begin():
            locks.set_limits(connection)
            taken = connection.exec_driver_sql(f"SELECT pg_try_advisory_xact_lock({DRILL_KEY})")
            if not taken.scalar():
                holder = _holder(connection, DRILL_KEY)
                raise session_of(connection).locked_by(holder, "drill")
            yield

    @contextmanager
    def _locked(self, connection: sa.Connection, begin: str) -> Generator[None]:
        """A transaction in which nobody changes tables that are there. To look which those are
        takes a snapshot; so it is a transaction of its own.
        """
        while True:
            with connection.begin():
                locks.set_limits(connection)
                tables = locks.readable_tables(connection)
            with connection.begin():
                connection.exec_driver_sql(begin)
                locks.set_limits(connection)
                try:
                    locks.lock(connection, tables, locks.READING)
                    locks.lock_indexes(connection, tables)
                except locks.TableGone:
                    continue
                yield
                return

    def reason(self, error: Any, *, is_unreachable: bool) -> Reason:
        """See ServerEngine."""
        return reason(error, is_unreachable=is_unreachable)

    def driver_reason(self, error: Exception) -> Reason:
        """See ServerEngine."""
        return Reason(UsageError, f"{type(error).__name__}: {error}", OPTION_HINT)

    def table(
        self, connection: sa.Connection, table: str, shape: Sequence[Column]
    ) -> PostgresTable:
        """See Engine."""
        return PostgresTable(connection, table, shape)

    def is_narrow(self, connection: sa.Connection) -> bool:  # noqa: ARG002 - MySQL's is asked
        """See Engine."""
        return False

    def prepare_load(
        self, connection: sa.Connection, tables: Sequence[str], known: Sequence[str]
    ) -> None:
        """See Engine. It refuses to delete what others refer to, row by row; so all are emptied."""
        quote = connection.dialect.identifier_preparer.quote
        names = list(map(quote, known))
        locks.lock(connection, names, locks.EMPTYING if tables else locks.LOADING)
        if tables:
            connection.exec_driver_sql(f"TRUNCATE {', '.join(names)}")

    def is_conflict(self, error: Any) -> bool:
        """See Engine."""
        return getattr(error, "sqlstate", None) in locks.RETRIED

    def set_sequences(self, connection: sa.Connection, tables: set[str]) -> dict[str, int]:
        """See Engine. Every sequence that a column owns, by DEFAULT nextval or as an identity."""
        found: dict[str, int] = {}
        for table, column, sequence in connection.exec_driver_sql(_OWNED_SEQUENCES).fetchall():
            if table not in tables:
                continue
            largest = connection.exec_driver_sql(f'SELECT max("{column}") FROM "{table}"').scalar()
            if largest is not None:
                connection.exec_driver_sql("SELECT setval(%s::regclass, %s)", (sequence, largest))
                found[table] = largest
        return found

    def foreign_keys_last(self, connection: sa.Connection) -> AbstractContextManager[bool]:
        """See Engine."""
        return foreign_keys_last(connection)

    def triggers(self, connection: sa.Connection) -> Sequence[Any]:
        """See Engine."""
        return connection.exec_driver_sql(_TRIGGERS).fetchall()

    def charset(self, connection: sa.Connection) -> tuple[str, str]:  # noqa: ARG002 - MySQL's
        """See Engine."""
        return "", ""

    def set_charset(self, connection: sa.Connection, charset: str, collation: str) -> None:
        """See Engine."""

    def fire_deferred(self, connection: sa.Connection) -> None:
        """See Engine."""
        connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")

    def declared(self, connection: sa.Connection, table: str) -> Declared:
        """See Engine."""
        return Declared(counted=counted_columns(connection, table))


def _holder(connection: sa.Connection, key: int) -> str:
    """Who holds the advisory lock. Whom this user may not see has a process id alone."""
    halves = {"high": key >> 32, "low": key & 0xFFFFFFFF}
    row = connection.exec_driver_sql(_HOLDER, halves).fetchone()
    if row is None:
        return "its holder has just ended"
    pid, user, address, application, since = row
    who = f"user {user}" if user else "somebody"
    where = f" from {address}" if address else ""
    what = f" ({application})" if application else ""
    began = f" since {since.isoformat(timespec='seconds')}" if since else ""
    return f"{who}{where}{what}, server process {pid}{began}"
