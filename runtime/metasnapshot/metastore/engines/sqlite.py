"""SQLite: the meta store of one process, in a file."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import sqlalchemy as sa

from metasnapshot.metastore.ddl import Syntax
from metasnapshot.metastore.engines.sqlite_busy import is_busy
from metasnapshot.metastore.engines.sqlite_file import SqliteStore, open_sqlite
from metasnapshot.metastore.engines.sqlite_rows import SqliteTable
from metasnapshot.metastore.kinds import SQLITE
from metasnapshot.metastore.schema import Declared, delete_rows
from metasnapshot.metastore.values import PLAIN
from metasnapshot_models.definitions import Column

_TRIGGERS = "SELECT tbl_name, 'trigger', name FROM sqlite_master WHERE type = 'trigger'"
_DDL = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :table"
_INFO = "SELECT name, type, pk, dflt_value FROM pragma_table_info(:table)"
_KEYS = 'SELECT id, "from", on_delete FROM pragma_foreign_key_list(:table) ORDER BY id, seq'
_COUNTED = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%AUTOINCREMENT%'"


class Sqlite:
    """See Engine."""

    name = SQLITE.name
    schemes = SQLITE.schemes
    driver = "sqlite"
    is_file = True
    commits_ddl = False
    password_variable = None
    forms = PLAIN
    syntax = Syntax(
        engine=name,
        types="sqlite",
        now="CAST(strftime('%s', 'now') AS integer)",
        counts=("", "AUTOINCREMENT"),
        has_key_names=False,
    )

    @contextmanager
    def open(self, url: sa.URL, *, may_create: bool, lock_wait_s: float) -> Generator[SqliteStore]:
        """See Engine."""
        yield open_sqlite(url, may_create=may_create, lock_wait_s=lock_wait_s)

    def arguments(self, url: sa.URL) -> tuple[sa.URL, dict[str, Any]]:
        """See Engine. How a file is opened is decided by what is done with it."""
        return url.set(query={}), {}

    def table(self, connection: sa.Connection, table: str, shape: Sequence[Column]) -> SqliteTable:
        """See Engine."""
        return SqliteTable(connection, table, shape)

    def is_narrow(self, connection: sa.Connection) -> bool:  # noqa: ARG002 - other engines ask
        """See Engine."""
        return False

    def prepare_load(
        self,
        connection: sa.Connection,
        tables: Sequence[str],
        known: Sequence[str],  # noqa: ARG002 - servers lock them
    ) -> None:
        """See Engine. Only one transaction writes at a time."""
        delete_rows(connection, tables)

    def is_conflict(self, error: Any) -> bool:
        """See Engine."""
        return is_busy(error)

    def set_sequences(self, connection: sa.Connection, tables: set[str]) -> dict[str, int]:
        """See Engine. The table sqlite_sequence has the largest id that was ever given."""
        found: dict[str, int] = {}
        for name in connection.exec_driver_sql(_COUNTED).scalars().all():
            if name not in tables:
                continue
            largest = connection.exec_driver_sql(f'SELECT max(rowid) FROM "{name}"').scalar()
            connection.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
            if largest is not None:
                connection.exec_driver_sql(
                    "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, largest)
                )
                found[name] = largest
        return found

    def foreign_keys_last(self, connection: sa.Connection) -> nullcontext[bool]:  # noqa: ARG002
        """See Engine. They are looked at when the transaction ends."""
        return nullcontext(enter_result=True)

    def triggers(self, connection: sa.Connection) -> Sequence[Any]:
        """See Engine."""
        return connection.exec_driver_sql(_TRIGGERS).fetchall()

    def charset(self, connection: sa.Connection) -> tuple[str, str]:  # noqa: ARG002 - MySQL's
        """See Engine."""
        return "", ""

    def set_charset(self, connection: sa.Connection, charset: str, collation: str) -> None:
        """See Engine."""

    def fire_deferred(self, connection: sa.Connection) -> None:
        """See Engine. Triggers act at once."""

    def declared(self, connection: sa.Connection, table: str) -> Declared:
        """See Engine. Reflection makes TEXT of uuid_text, and does not see what a delete does to a
        column that refers to another table by itself.
        """
        named = {"table": table}
        ddl = connection.execute(sa.text(_DDL), named).scalar()
        counts = "AUTOINCREMENT" in str(ddl).upper()
        rows = connection.execute(sa.text(_INFO), named).all()
        keys: dict[int, tuple[list[str], str]] = {}
        for key, column, action in connection.execute(sa.text(_KEYS), named):
            keys.setdefault(key, ([], "" if action == "NO ACTION" else str(action).lower()))
            keys[key][0].append(column)
        return Declared(
            types={row[0]: row[1] for row in rows},
            counted={row[0] for row in rows if counts and row[2]},
            defaults={row[0]: row[3] for row in rows if row[3]},
            on_delete={tuple(columns): action for columns, action in keys.values()},
        )
