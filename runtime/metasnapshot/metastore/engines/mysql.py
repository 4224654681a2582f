"""MySQL and MariaDB."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import sqlalchemy as sa
import xxhash

from metasnapshot.errors import InconsistentStore
from metasnapshot.metastore.ddl import Syntax
from metasnapshot.metastore.engines import mysql_locks as locks
from metasnapshot.metastore.engines.mysql_errors import driver_reason, reason
from metasnapshot.metastore.engines.mysql_literals import MysqlTable
from metasnapshot.metastore.kinds import MYSQL
from metasnapshot.metastore.schema import Declared, counted_columns, delete_rows
from metasnapshot.metastore.server import Reason, ServerStore
from metasnapshot.metastore.session import Session, session_of
from metasnapshot.metastore.url_options import mysql_options
from metasnapshot.metastore.values import Forms
from metasnapshot_models.definitions import Column

RESTORE_LOCK = "metasnapshot-restore"
DRILL_LOCK = "metasnapshot-drill"
"""What the names of these two locks begin with. Locks are the whole server's, and have 64
characters at most: a hash of the database's name follows.
"""
_SETTINGS = (
    "sql_mode = 'ANSI_QUOTES,STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO'",
    "time_zone = '+00:00'",
    "net_write_timeout = 3600",
    "net_read_timeout = 3600",
    "wait_timeout = 28800",
)
_LIMITS = """
/*!50708 , max_execution_time = 0 */
/*M!100300 , max_statement_time = 0, idle_transaction_timeout = 0 */
/*M!100300 , idle_readonly_transaction_timeout = 0, idle_write_transaction_timeout = 0 */
"""
"""With _SETTINGS what a session of ours has, whatever the server's defaults are. MariaDB passes
over comments of MySQL's versions from 5.7 on, and MySQL over MariaDB's, so each sees only variables
that it has.
"""
_NARROW_COLUMNS = """
SELECT count(*) FROM information_schema.columns
WHERE table_schema = database() AND character_set_name IN ('utf8mb3', 'utf8')
"""
_FOREIGN_KEYS = """
SELECT table_name, column_name, referenced_table_name, referenced_column_name
FROM information_schema.key_column_usage
WHERE table_schema = database() AND referenced_table_name IS NOT NULL
"""
_AUTO_INCREMENTS = """
SELECT table_name, column_name FROM information_schema.columns
WHERE table_schema = database() AND locate('auto_increment', extra) > 0 ORDER BY 1
"""
_TRIGGERS = """
SELECT event_object_table, 'trigger', trigger_name FROM information_schema.triggers
WHERE event_object_schema = database()
"""


class Mysql:
    """See Engine, and ServerEngine."""

    name = MYSQL.name
    schemes = MYSQL.schemes
    driver = "mysql+pymysql"
    extra = "mysql"
    is_file = False
    commits_ddl = True
    password_variable = "MYSQL_PWD"  # noqa: S105 - a variable's name, as its own clients have
    forms = Forms(has_timestamps=True, fraction_digits=0)
    syntax = Syntax(
        engine=name,
        types="mysql",
        now="unix_timestamp()",
        quote="`",
        counts=("AUTO_INCREMENT", ""),
        has_inner_indexes=True,
        has_charsets=True,
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
        """See Engine. As text, PyMySQL would send a password in latin-1, which is not what MySQL's
        own clients made it of.
        """
        options = mysql_options(url.query)
        if password := options.get("password", url.password):
            options["password"] = password.encode()
        return url.set(query={}), options

    def session_arguments(self, session: Session) -> dict[str, Any]:
        """See ServerEngine."""
        settings = ", ".join([*_SETTINGS, *locks.wait_settings(session)])
        return {"charset": "utf8mb4", "init_command": f"SET SESSION {settings}{_LIMITS}"}

    @contextmanager
    def reading(self, connection: sa.Connection) -> Generator[None]:
        """See ServerEngine. What was changed after the cut, while we waited, asks for another."""
        with connection.begin():
            for _ in range(locks.ATTEMPTS_MAX):
                connection.exec_driver_sql(
                    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"
                )
                connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
                if locks.look_at_tables(connection):
                    break
            yield

    @contextmanager
    def writing(self, connection: sa.Connection) -> Generator[None]:
        """See ServerEngine."""
        with connection.begin():
            _take_lock(connection, RESTORE_LOCK, "restore")
            connection.exec_driver_sql("SET SESSION foreign_key_checks = 0")
            locks.look_at_tables(connection)
            yield
            _check_foreign_keys(connection)

    @contextmanager
    def drilling(self, connection: sa.Connection) -> Generator[None]:
        """See ServerEngine. The lock ends with the session."""
        with connection.begin():
            _take_lock(connection, DRILL_LOCK, "drill")
            yield

    def charset(self, connection: sa.Connection) -> tuple[str, str]:
        """See Engine."""
        statement = "SELECT @@character_set_database, @@collation_database"
        charset, collation = connection.exec_driver_sql(statement).one()
        return str(charset), str(collation)

    def set_charset(self, connection: sa.Connection, charset: str, collation: str) -> None:
        """See Engine."""
        if charset.isidentifier() and collation.isidentifier():
            connection.exec_driver_sql(
                f"ALTER DATABASE CHARACTER SET {charset} COLLATE {collation}"
            )

    def reason(self, error: Any, *, is_unreachable: bool) -> Reason:
        """See ServerEngine."""
        return reason(error, is_unreachable=is_unreachable)

    def driver_reason(self, error: Exception) -> Reason:
        """See ServerEngine."""
        return driver_reason(error)

    def table(self, connection: sa.Connection, table: str, shape: Sequence[Column]) -> MysqlTable:
        """See Engine."""
        return MysqlTable(connection, table, shape)

    def is_narrow(self, connection: sa.Connection) -> bool:
        """See Engine. utf8mb3 is what RisingWave's tables had before 2.3.0."""
        return bool(connection.exec_driver_sql(_NARROW_COLUMNS).scalar())

    def prepare_load(
        self,
        connection: sa.Connection,
        tables: Sequence[str],
        known: Sequence[str],  # noqa: ARG002 - row by row
    ) -> None:
        """See Engine."""
        for table in tables:
            with locks.naming(connection, table):
                delete_rows(connection, [table])

    def is_conflict(self, error: Any) -> bool:
        """See Engine."""
        return locks.code_of(error) in locks.CONFLICTS

    def set_sequences(self, connection: sa.Connection, tables: set[str]) -> dict[str, int]:
        """See Engine. An INSERT with an id moves AUTO_INCREMENT above it; there is nothing to set,
        and ALTER TABLE would commit.
        """
        found: dict[str, int] = {}
        for table, column in connection.exec_driver_sql(_AUTO_INCREMENTS).fetchall():
            if table not in tables:
                continue
            largest = connection.exec_driver_sql(f'SELECT max("{column}") FROM "{table}"').scalar()
            if largest is not None:
                found[table] = largest
        return found

    def foreign_keys_last(self, connection: sa.Connection) -> nullcontext[bool]:  # noqa: ARG002
        """See Engine. They are looked at when the transaction ends."""
        return nullcontext(enter_result=True)

    def triggers(self, connection: sa.Connection) -> Sequence[Any]:
        """See Engine."""
        return connection.exec_driver_sql(_TRIGGERS).fetchall()

    def fire_deferred(self, connection: sa.Connection) -> None:
        """See Engine. Triggers act at once."""

    def declared(self, connection: sa.Connection, table: str) -> Declared:
        """See Engine."""
        return Declared(counted=counted_columns(connection, table))


def _take_lock(connection: sa.Connection, prefix: str, what: str) -> None:
    """Keep others out who do the same. Where names of databases know no case, nor does the lock's.

    Raises:
        ConflictError: somebody else does it.
    """
    statement = "SELECT database(), @@lower_case_table_names"
    database, folds = connection.exec_driver_sql(statement).one()
    database = str(database).lower() if folds else str(database)
    name = f"{prefix}-{xxhash.xxh64_hexdigest(database.encode())}"
    if not connection.exec_driver_sql("SELECT GET_LOCK(%s, 0)", (name,)).scalar():
        raise session_of(connection).locked_by(_holder(connection, name), what)


def _holder(connection: sa.Connection, name: str) -> str:
    """Who holds a lock of GET_LOCK. MySQL does not say since when, but what he does and how long
    already; without the privilege PROCESS only of one's own user.
    """
    number = connection.exec_driver_sql("SELECT IS_USED_LOCK(%s)", (name,)).scalar()
    if number is None:
        return "its holder has just ended"
    for row in connection.exec_driver_sql("SHOW FULL PROCESSLIST").mappings():
        if row["Id"] == number:
            doing = f"{row['Command']} for {row['Time']} s"
            return f"user {row['User']} from {row['Host']}, connection {number}, in {doing}"
    return f"somebody, connection {number}"


def _check_foreign_keys(connection: sa.Connection) -> None:
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
