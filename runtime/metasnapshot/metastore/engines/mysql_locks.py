"""Locks of MySQL and MariaDB that others hold: waited for by the server, named by us.

A statement on a table keeps its definition from being changed until the transaction ends. So each
table is looked at first: what a reader waits for, it waits for there, and no ALTER TABLE comes in
between. A reader keeps nobody else waiting.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from math import ceil
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from metasnapshot.metastore.session import Blocker, Session, session_of

WAIT_MIN_S, WAIT_MAX_S = 1, 31_536_000
"""What the servers take."""
LOCK_WAIT, DEADLOCK = 1205, 1213
CONFLICTS = (LOCK_WAIT, DEADLOCK)
DEFINITION_CHANGED, DENIED = 1412, 1142
ATTEMPTS_MAX = 10
_TABLES = """
SELECT table_name FROM information_schema.tables
WHERE table_schema = database() AND table_type = 'BASE TABLE' ORDER BY 1
"""
_AGE = "timestampdiff(SECOND, x.trx_started, convert_tz(now(), @@session.time_zone, 'SYSTEM'))"
_COLUMNS = "p.id, p.user, p.host"
_BLOCKERS = (
    # MySQL, and MariaDB where it is switched on: the table's definition
    f"""
SELECT {_COLUMNS}, {_AGE} FROM performance_schema.metadata_locks m
JOIN performance_schema.threads t ON t.thread_id = m.owner_thread_id
JOIN information_schema.processlist p ON p.id = t.processlist_id
LEFT JOIN information_schema.innodb_trx x ON x.trx_mysql_thread_id = p.id
WHERE m.object_schema = database() AND m.object_name = %(table)s AND m.lock_status = 'GRANTED'
  AND p.id <> connection_id() ORDER BY x.trx_started IS NULL, x.trx_started LIMIT 1
""",
    # MariaDB with its plugin
    f"""
SELECT {_COLUMNS}, {_AGE} FROM information_schema.metadata_lock_info m
JOIN information_schema.processlist p ON p.id = m.thread_id
LEFT JOIN information_schema.innodb_trx x ON x.trx_mysql_thread_id = p.id
WHERE m.table_schema = database() AND m.table_name = %(table)s
  AND p.id <> connection_id() ORDER BY x.trx_started IS NULL, x.trx_started LIMIT 1
""",
    # else the session with the oldest transaction in this database
    f"""
SELECT {_COLUMNS}, {_AGE} FROM information_schema.innodb_trx x
JOIN information_schema.processlist p ON p.id = x.trx_mysql_thread_id
WHERE p.db = database() AND p.id <> connection_id() ORDER BY x.trx_started LIMIT 1
""",
    # or sits in it and does nothing, as behind LOCK TABLES
    f"""
SELECT {_COLUMNS}, p.time FROM information_schema.processlist p
WHERE p.db = database() AND p.id <> connection_id() AND p.command = 'Sleep'
ORDER BY p.time DESC LIMIT 1
""",
)
"""Who may keep a table from us, the surest first. Each server has some of these views, and shows
them to users with some privileges.
"""


def wait_settings(session: Session) -> tuple[str, ...]:
    """The servers count whole seconds, and wait for one at least."""
    wait = min(max(ceil(session.lock_wait_s), WAIT_MIN_S), WAIT_MAX_S)
    return (f"lock_wait_timeout = {wait}", f"innodb_lock_wait_timeout = {wait}")


def code_of(error: Any) -> int | None:
    """A driver's error's number."""
    code = error.args[0] if error is not None and error.args else None
    return code if isinstance(code, int) else None


def look_at_tables(connection: sa.Connection) -> bool:
    """Keep the definitions of all tables until the transaction ends.

    Returns:
        Whether all are as they were when the transaction began.

    Raises:
        ConflictError: somebody else has one locked for as long as we wait.
    """
    with naming(connection, "of any name"):
        names = list(connection.exec_driver_sql(_TABLES).scalars())
    quote = connection.dialect.identifier_preparer.quote_identifier
    for name in names:
        try:
            with naming(connection, name):
                connection.exec_driver_sql(f"SELECT 1 FROM {quote(name)} LIMIT 1").fetchall()
        except exc.DBAPIError as error:
            code = code_of(error.orig)
            if code == DEFINITION_CHANGED:
                return False
            if code != DENIED:
                raise
    return True


@contextmanager
def naming(connection: sa.Connection, table: str) -> Generator[None]:
    """Say who has a table locked that a statement in the block waited for in vain.

    Raises:
        ConflictError: there is somebody.
    """
    try:
        yield
    except (exc.DBAPIError, connection.dialect.loaded_dbapi.Error) as error:
        if code_of(getattr(error, "orig", error)) not in CONFLICTS:
            raise
        blocker = _blocker(connection, table)
        raise session_of(connection).blocked(table, blocker, "KILL {}") from error


def _blocker(connection: sa.Connection, table: str) -> Blocker | None:
    for statement in _BLOCKERS:
        try:
            row: Any = connection.exec_driver_sql(statement, {"table": table}).fetchone()
        except exc.DBAPIError:
            continue  # this server does not have the view, or does not show it to us
        if row is not None:
            pid, user, host, age = row
            return Blocker(pid, f"user {user} from {host}", None if age is None else float(age))
    return None
