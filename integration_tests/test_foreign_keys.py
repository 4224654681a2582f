"""PostgreSQL's foreign keys after a restore: the same keys, and they hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import worlds
from servers import Server

from metasnapshot.errors import DatabaseError
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.metastore.engines.postgres_keys import foreign_keys_last

TAG = worlds.TAGS[-1]
_KEYS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated
FROM pg_constraint WHERE contype = 'f' ORDER BY 1, 2
"""


@pytest.fixture
def backups(tmp_path: Path) -> worlds.Backups:
    return worlds.Backups(TAG, tmp_path)


@pytest.fixture
def target(postgres_server: Server) -> str:
    return postgres_server.create("keys", worlds.schema(TAG, postgres_server))


def asked(server: Server, statement: str) -> list[Any]:
    with server.admin("keys").connect() as connection:
        return list(connection.exec_driver_sql(statement))


def insert(url: str, *statements: str) -> bool:
    """Execute statements while the keys are apart; returns whether they are."""
    with (
        open_meta_store(url) as store,
        store.write_transaction() as connection,
        foreign_keys_last(connection) as any_order,
    ):
        for statement in statements:
            connection.exec_driver_sql(statement)
        return any_order


def test_the_keys_are_what_they_were(
    backups: worlds.Backups, target: str, postgres_server: Server
) -> None:
    """Names, definitions and that they are checked: a restore leaves all of it as it was."""
    before = asked(postgres_server, _KEYS)
    assert len(before) > 20
    backups.restore(target, cut_timestamps=True)
    assert asked(postgres_server, _KEYS) == before


def test_rows_that_break_a_key_are_refused(target: str, postgres_server: Server) -> None:
    """At the end of the block, all is rolled back, the keys are there, no value is shown."""
    before = asked(postgres_server, _KEYS)
    with pytest.raises(DatabaseError, match="violates foreign key") as caught:
        insert(target, "INSERT INTO database VALUES (4711, 'd', 'g', 1, 1)")
    assert "4711" not in str(caught.value)
    assert asked(postgres_server, _KEYS) == before
    assert asked(postgres_server, "SELECT * FROM database") == []


def test_a_key_that_could_not_be_made_again_as_it_was_stays(
    backups: worlds.Backups, target: str, postgres_server: Server
) -> None:
    """One with a comment, as an example: the rows are loaded in an order in which keys hold."""
    table, name = asked(postgres_server, _KEYS)[0][:2]
    asked_for = f"COMMENT ON CONSTRAINT \"{name}\" ON {table} IS 'kept'"
    with postgres_server.admin("keys").connect() as connection:
        connection.exec_driver_sql(asked_for)
    assert not insert(target)
    backups.restore(target, cut_timestamps=True)
    comments = "SELECT obj_description(oid, 'pg_constraint') FROM pg_constraint"
    assert ("kept",) in asked(postgres_server, comments)


def test_a_reader_of_the_tables_is_not_waited_for(
    backups: worlds.Backups, target: str, postgres_server: Server
) -> None:
    """Somebody who looks at a table keeps its keys from being dropped, not the restore from its
    end."""
    with postgres_server.admin("keys").connect() as reader:
        reader.exec_driver_sql("BEGIN")
        reader.exec_driver_sql("SELECT * FROM object")
        backups.restore(target, cut_timestamps=True)
        assert reader.exec_driver_sql("SELECT count(*) FROM object").scalar()
        reader.exec_driver_sql("ROLLBACK")
