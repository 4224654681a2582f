"""A session has limits of its own, whatever an administrator set for everybody else."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from servers import USER, Server

from metasnapshot.errors import ConflictError
from metasnapshot.metastore.connect import open_meta_store

DATABASE = "limits"
POSTGRES_LIMITS = (
    "statement_timeout",
    "lock_timeout",
    "transaction_timeout",
    "idle_in_transaction_session_timeout",
)
MYSQL_LIMITS = {
    "wait_timeout": 28800,
    "net_read_timeout": 3600,
    "net_write_timeout": 3600,
    "lock_wait_timeout": 30,
    "innodb_lock_wait_timeout": 30,
    "max_statement_time": 0,
    "idle_transaction_timeout": 0,
    "idle_readonly_transaction_timeout": 0,
    "idle_write_transaction_timeout": 0,
}


@contextmanager
def limited(server: Server) -> Generator[sa.Connection]:
    """A server whose sessions end after the shortest of times, and a session from before."""
    with server.admin(DATABASE).connect() as admin:
        if server.engine == "postgresql":
            query = "SELECT name FROM pg_settings WHERE name = ANY(%s)"
            found = admin.exec_driver_sql(query, (list(POSTGRES_LIMITS),)).scalars().all()
            change = [f"ALTER ROLE {USER} SET {name} = '300ms'" for name in found]
            undo = [f"ALTER ROLE {USER} RESET {name}" for name in found]
        else:
            before = {
                name: admin.exec_driver_sql(f"SELECT @@GLOBAL.{name}").scalar()
                for name in MYSQL_LIMITS
            }
            change = [f"SET GLOBAL {name} = 1" for name in before]
            undo = [f"SET GLOBAL {name} = {value}" for name, value in before.items()]
        try:
            for statement in change:
                admin.exec_driver_sql(statement)
            yield admin
        finally:
            for statement in undo:
                admin.exec_driver_sql(statement)


def limits_of(connection: sa.Connection) -> dict[str, Any]:
    if connection.dialect.name == "postgresql":
        query = "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)"
        rows = connection.exec_driver_sql(query, (list(POSTGRES_LIMITS),)).fetchall()
        return {name: int(value) for name, value in rows}
    return {
        name: int(connection.exec_driver_sql(f"SELECT @@SESSION.{name}").scalar() or 0)
        for name in MYSQL_LIMITS
    }


@pytest.mark.parametrize("kind", ["read_transaction", "write_transaction"])
def test_a_session_has_its_own_limits(server: Server, kind: str) -> None:
    """It may think for longer than the server lets others, and its limits are ours."""
    url = server.create(DATABASE)
    with (
        limited(server),
        open_meta_store(url) as store,
        getattr(store, kind)() as connection,
    ):
        found = limits_of(connection)
        time.sleep(1.3 if server.engine == "mysql" else 0.4)
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1
    if server.engine == "mysql":
        assert found == MYSQL_LIMITS
    else:
        assert found.pop("lock_timeout") == 1000
        assert set(found.values()) == {0}


def test_a_row_that_another_session_has_locked_is_a_conflict(server: Server) -> None:
    """A statement that gets no lock in time ends with 11; it does not wait for ever."""
    url = server.create(DATABASE, "CREATE TABLE kept (id integer); INSERT INTO kept VALUES (1);")
    with server.admin(DATABASE).connect() as other:
        other.exec_driver_sql("BEGIN")
        other.exec_driver_sql("SELECT * FROM kept FOR UPDATE")
        with (
            pytest.raises(ConflictError, match="another session has locked") as caught,
            open_meta_store(url, lock_wait_s=1) as store,
            store.write_transaction() as connection,
        ):
            connection.exec_driver_sql("DELETE FROM kept")
    assert caught.value.exit_code == 11
