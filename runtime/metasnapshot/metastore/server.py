"""A meta store on a server: PostgreSQL, MySQL or MariaDB.

Each transaction has a connection of its own. A reading one is a consistent cut (REPEATABLE READ,
read only) with cursors on the server's side; a writing one takes a lock that keeps a second restore
out and holds foreign keys to the commit.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
import xxhash
from sqlalchemy import exc

from metasnapshot.errors import (
    AuthenticationError,
    ConflictError,
    DatabaseError,
    InconsistentStore,
    UsageError,
)
from metasnapshot.metastore.lock_holders import POSTGRES_KEY, of_mysql, of_postgres
from metasnapshot.metastore.results import closing_results
from metasnapshot.metastore.url import connect_arguments, shown
from metasnapshot.store.lock import this_holder

CONNECT_TIMEOUT_S = 10
LOCK_WAIT_S = 30
"""How long a statement waits for a table or row that another session has locked."""
RESTORE_LOCK = "metasnapshot-restore"
"""What the name of MySQL's lock begins with. Its locks are the whole server's, and have 64
characters at most: a hash of the database's name follows.
"""
_POSTGRES_LOCK = f"SELECT pg_try_advisory_xact_lock({POSTGRES_KEY})"
_APPLICATION_BYTES = 63
_MYSQL_DENIED = (1044, 1045, 1698)
_MYSQL_HUNG_UP = (1153, 2006, 2013)
_DENIED = re.compile(
    r"password authentication failed|no password supplied|no pg_hba.conf entry|authentication "
    r"failed|role .* does not exist",
    re.IGNORECASE,
)
_MYSQL_VALUE = re.compile(
    r"(?<=entry )'.*'(?= for key)|(?<=value: )'.*'(?= for )|(?<=value )'.*'(?= for )"
    r"|(?<=CONVERT_VALUE: )'.*'|(?<=json text: ).*(?= for column)",
    re.DOTALL | re.IGNORECASE,
)
_POSTGRES_VALUE = re.compile(r': ".*"$', re.DOTALL)
"""What a server repeats of a value: `invalid input syntax for type integer: "..."`."""
_COPY_PLACE = re.compile(r"COPY [^,:]+, line \d+(, column [^,:]+)?")
_MYSQL_SETTINGS = (
    "sql_mode = 'ANSI_QUOTES,STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO'",
    "time_zone = '+00:00'",
    "net_write_timeout = 3600",
    "net_read_timeout = 3600",
    "wait_timeout = 28800",
    f"lock_wait_timeout = {LOCK_WAIT_S}",
    f"innodb_lock_wait_timeout = {LOCK_WAIT_S}",
)
_MYSQL_SESSION = f"""SET SESSION {", ".join(_MYSQL_SETTINGS)}
/*!50708 , max_execution_time = 0 */
/*M!100300 , max_statement_time = 0, idle_transaction_timeout = 0 */
/*M!100300 , idle_readonly_transaction_timeout = 0, idle_write_transaction_timeout = 0 */
"""
"""What a session of ours has, whatever the server's defaults are. MariaDB passes over comments of
MySQL's versions from 5.7 on, and MySQL over MariaDB's, so each sees only variables that it has.
"""
_POSTGRES_SESSION = f"""
SELECT set_config(name, CASE name WHEN 'lock_timeout' THEN '{LOCK_WAIT_S}s' ELSE '0' END, true)
FROM pg_settings WHERE name IN ('lock_timeout', 'statement_timeout', 'transaction_timeout',
  'idle_in_transaction_session_timeout')
"""
"""The same on PostgreSQL. It asks which of them there are: transaction_timeout came with 17."""
_LOCK_WAITS = ("55P03", 1205)
"""What PostgreSQL and MySQL say when somebody else kept a lock for too long."""
_FOREIGN_KEYS = """
SELECT table_name, column_name, referenced_table_name, referenced_column_name
FROM information_schema.key_column_usage
WHERE table_schema = database() AND referenced_table_name IS NOT NULL
"""


class ServerStore:
    """A meta store on a server."""

    def __init__(self, url: sa.URL) -> None:
        """Prepare to connect; nothing is sent yet.

        Raises:
            UsageError: the driver is not installed, or an option is wrong.
        """
        self.url = shown(url)
        self._is_postgres = url.get_backend_name() == "postgresql"
        try:
            plain, arguments = connect_arguments(url)
            arguments["connect_timeout"] = CONNECT_TIMEOUT_S
            if not self._is_postgres:
                arguments |= {"charset": "utf8mb4", "init_command": _MYSQL_SESSION}
            self._engine = sa.create_engine(
                plain, connect_args=arguments, poolclass=sa.NullPool, hide_parameters=True
            )
        except (ImportError, exc.ArgumentError) as error:
            extra = "postgres" if self._is_postgres else "mysql"
            raise UsageError(
                f"no driver for {url.get_backend_name()}: {error}",
                hint=f"install metasnapshot[{extra}]",
            ) from error

    def close(self) -> None:
        """Let go of everything."""
        self._engine.dispose()

    @contextmanager
    def read_transaction(self) -> Generator[sa.Connection]:
        """See MetaStore."""
        with self._connection() as connection:
            if self._is_postgres:
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                connection.exec_driver_sql("SET TRANSACTION READ ONLY")
                connection.exec_driver_sql(_POSTGRES_SESSION)
            else:
                connection.exec_driver_sql(
                    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"
                )
                connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
            yield connection.execution_options(stream_results=True)

    @contextmanager
    def write_transaction(self) -> Generator[sa.Connection]:
        """See MetaStore."""
        with self._connection() as connection:
            if self._is_postgres:
                connection.exec_driver_sql(_POSTGRES_SESSION)
                self._lock_postgres(connection)
                yield connection
                return
            self._lock_mysql(connection)
            connection.exec_driver_sql("SET SESSION foreign_key_checks = 0")
            yield connection
            self._check_foreign_keys(connection)

    def _lock_postgres(self, connection: sa.Connection) -> None:
        if not connection.exec_driver_sql(_POSTGRES_LOCK).scalar():
            raise self._locked_by(of_postgres(connection))
        name = f"metasnapshot, {this_holder()}".encode("ascii", "replace")[:_APPLICATION_BYTES]
        connection.exec_driver_sql(
            "SELECT set_config('application_name', %s, true)", (name.decode(),)
        )

    def _lock_mysql(self, connection: sa.Connection) -> None:
        """Where names of databases know no case, nor does the lock's."""
        statement = "SELECT database(), @@lower_case_table_names"
        database, folds = connection.exec_driver_sql(statement).one()
        database = str(database).lower() if folds else str(database)
        name = f"{RESTORE_LOCK}-{xxhash.xxh64_hexdigest(database.encode())}"
        if not connection.exec_driver_sql("SELECT GET_LOCK(%s, 0)", (name,)).scalar():
            raise self._locked_by(of_mysql(connection, name))

    def _locked_by(self, holder: str) -> ConflictError:
        return ConflictError(
            f"another restore is at work on {self.url}: {holder}", hint="wait until it has ended"
        )

    def _check_foreign_keys(self, connection: sa.Connection) -> None:
        """What MySQL would have refused row by row, had it looked; it cannot look at the end."""
        keys = connection.exec_driver_sql(_FOREIGN_KEYS).fetchall()
        for table, column, target, target_column in keys:
            broken = connection.exec_driver_sql(
                f'SELECT count(*) FROM "{table}" AS child LEFT JOIN "{target}" AS parent '
                f'ON parent."{target_column}" = child."{column}" '
                f'WHERE child."{column}" IS NOT NULL AND parent."{target_column}" IS NULL'
            ).scalar()
            if broken:
                raise InconsistentStore(
                    f"{broken} rows of {table} break a foreign key: {column} -> {target}"
                )

    @contextmanager
    def _connection(self) -> Generator[sa.Connection]:
        """One connection and one transaction, with the driver's errors translated."""
        try:
            with self._connect() as connection, connection.begin(), closing_results(connection):
                try:
                    yield connection
                except self._engine.dialect.loaded_dbapi.Error:
                    connection.invalidate()  # it may be gone: a rollback would fail, and tell less
                    raise
        except exc.DBAPIError as error:
            is_unreachable = error.connection_invalidated or error.statement is None
            raise self._translate(error.orig, is_unreachable=is_unreachable) from error
        except self._engine.dialect.loaded_dbapi.Error as error:  # of a load, past SQLAlchemy
            raise self._translate(error, is_unreachable=False) from error

    def _connect(self) -> sa.Connection:
        try:
            return self._engine.connect()
        except OSError as error:  # PyMySQL opens the files of TLS before it connects
            raise DatabaseError(
                f"{self.url}: {error}", hint="check ssl-ca, ssl-cert and ssl-key"
            ) from error

    def _translate(
        self, error: Any, *, is_unreachable: bool
    ) -> DatabaseError | AuthenticationError | ConflictError:
        text = _without_values(error)
        code = error.args[0] if error is not None and error.args else None
        if code in _LOCK_WAITS or getattr(error, "sqlstate", None) in _LOCK_WAITS:
            return ConflictError(
                f"{self.url}: another session has locked what is needed: {text}",
                hint="end its transaction (pg_stat_activity, SHOW PROCESSLIST), then try again",
            )
        if code in _MYSQL_DENIED or _DENIED.search(text):
            return AuthenticationError(
                f"{self.url}: {text}", hint="check user and password (docs/guide.md, meta stores)"
            )
        hint = "is the server up, and this its address?" if is_unreachable else ""
        if code in _MYSQL_HUNG_UP:
            hint = "is the server up? it also hangs up on rows above its max_allowed_packet"
        return DatabaseError(f"{self.url}: {text}", hint=hint)


def _without_values(error: Any) -> str:
    """What the server said, in one line. PostgreSQL's DETAIL and CONTEXT show values of rows, which
    may be secrets: only the place is kept of them.
    """
    diagnosis: Any = getattr(error, "diag", None)
    said = getattr(diagnosis, "message_primary", None)
    if said is None:
        return " ".join(_MYSQL_VALUE.sub("(a value)", str(error)).split())
    said = _POSTGRES_VALUE.sub("", said)
    place = _COPY_PLACE.match(diagnosis.context or "")
    return f"{place[0]}: {said}" if place else said
