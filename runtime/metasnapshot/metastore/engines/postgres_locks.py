"""PostgreSQL's locks on tables, taken so that nobody queues behind us.

Who waits for a lock makes others wait that come later, even readers: behind an open SELECT a
TRUNCATE would stop a whole cluster. So each try is short, and given up whole before the next.

All that a backup reads is locked before its snapshot is taken: what a TRUNCATE or an ALTER TABLE
that rewrites rows commits after the snapshot would look empty in it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from metasnapshot.metastore.session import Blocker, session_of

TRY_S, PAUSE_S = 1.0, 0.1
LOCK_NOT_AVAILABLE, DEADLOCK, UNDEFINED_TABLE = "55P03", "40P01", "42P01"
TRANSACTION_TIMEOUT_SINCE = 17
"""Major version of the server."""
RETRIED = (LOCK_NOT_AVAILABLE, DEADLOCK)
READING, LOADING, EMPTYING = "ACCESS SHARE", "SHARE ROW EXCLUSIVE", "ACCESS EXCLUSIVE"
"""Modes: nobody changes the tables; nobody else writes; nobody else reads either."""
_EXCLUSIVE = ["AccessExclusiveLock"]
_WRITING = [
    *("RowExclusiveLock", "ShareUpdateExclusiveLock", "ShareLock", "ShareRowExclusiveLock"),
    *("ExclusiveLock", *_EXCLUSIVE),
]
_IN_THE_WAY = {
    READING: _EXCLUSIVE,
    LOADING: _WRITING,
    EMPTYING: [*_WRITING, "AccessShareLock", "RowShareLock"],
}
"""Modes in which somebody else's lock keeps ours away."""
_TABLES = """
SELECT CAST(CAST(c.oid AS regclass) AS text) FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND pg_table_is_visible(c.oid) AND has_table_privilege(c.oid, 'SELECT') ORDER BY 1
"""
_BLOCKER = """
SELECT CAST(CAST(coalesce(i.indrelid, l.relation) AS regclass) AS text), l.pid, a.usename,
  a.client_addr, a.application_name, extract(epoch FROM clock_timestamp() - a.xact_start),
  NOT l.granted
FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
LEFT JOIN pg_index i ON i.indexrelid = l.relation
WHERE l.locktype = 'relation' AND l.pid IS DISTINCT FROM pg_backend_pid()
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.mode = ANY(%s)
  AND CAST(CAST(coalesce(i.indrelid, l.relation) AS regclass) AS text) = ANY(%s)
ORDER BY l.granted DESC, a.xact_start NULLS LAST LIMIT 1
"""


def readable_tables(connection: sa.Connection) -> list[str]:
    """The tables that are found without a schema's name and may be read, quoted."""
    return [str(name) for name in connection.exec_driver_sql(_TABLES).scalars()]


def set_limits(connection: sa.Connection) -> None:
    """Give this transaction limits of its own, whatever the server's are, and take no snapshot."""
    names = ["statement_timeout", "idle_in_transaction_session_timeout"]
    version = connection.dialect.server_version_info
    if version and int(version[0]) >= TRANSACTION_TIMEOUT_SINCE:
        names.append("transaction_timeout")
    for name in names:
        connection.exec_driver_sql(f"SET LOCAL {name} = 0")
    _set_try(connection, session_of(connection).lock_wait_s)


def lock(connection: sa.Connection, tables: Sequence[str], mode: str) -> None:
    """Lock tables, by their quoted names, until the transaction ends.

    Raises:
        ConflictError: somebody else had one for as long as we wait.
        TableGone: one is not there any more.
    """
    if tables:
        _wait(connection, tables, mode, f"LOCK TABLE {', '.join(tables)} IN {mode} MODE")


def lock_indexes(connection: sa.Connection, tables: Sequence[str]) -> None:
    """Lock the indexes of tables for reading too, as the planner of a query does: REINDEX
    lets LOCK TABLE pass, and keeps queries waiting. Takes a snapshot.

    Raises:
        ConflictError, TableGone: as for lock.
    """
    if tables:
        looks = (f"SELECT 1 FROM {table} WHERE false" for table in tables)
        _wait(connection, tables, READING, " UNION ALL ".join(looks))


def _wait(connection: sa.Connection, tables: Sequence[str], mode: str, statement: str) -> None:
    """Run what needs locks on tables, in short tries."""
    session = session_of(connection)
    deadline = time.monotonic() + session.lock_wait_s
    while True:
        left = deadline - time.monotonic()
        try:
            with connection.begin_nested():
                _set_try(connection, left)
                connection.exec_driver_sql(statement)
        except exc.DBAPIError as error:
            code = getattr(error.orig, "sqlstate", None)
            if code == UNDEFINED_TABLE:
                raise TableGone from error
            if code not in RETRIED:
                raise
            if (left := deadline - time.monotonic()) <= 0:
                table, blocker = _blocker(connection, tables, mode)
                end = "SELECT pg_terminate_backend({})"
                raise session.blocked(table, blocker, end) from error
            time.sleep(min(PAUSE_S, left))
        else:
            _set_try(connection, session.lock_wait_s)
            return


class TableGone(Exception):
    """Somebody dropped a table since we looked which there are."""


def _set_try(connection: sa.Connection, left_s: float) -> None:
    """How long a statement may queue for a lock. 0 would mean for ever."""
    milliseconds = max(1, round(1000 * min(TRY_S, left_s)))
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {milliseconds}")


def _blocker(
    connection: sa.Connection, tables: Sequence[str], mode: str
) -> tuple[str, Blocker | None]:
    """A table that we wait for, and whom. Whom this user may not see has a process id alone."""
    row: Any = connection.exec_driver_sql(_BLOCKER, (_IN_THE_WAY[mode], list(tables))).fetchone()
    if row is None:
        return tables[0] if len(tables) == 1 else f"one of {len(tables)}", None
    table, pid, user, address, application, age_s, is_waiting = row
    who = f"user {user}" if user else ""
    who += f" from {address}" if address else ""
    who += f" ({application})" if application else ""
    age = None if age_s is None else float(age_s)
    return table, Blocker(pid, who.strip(), age, is_waiting=bool(is_waiting))
