"""Text that is not ASCII: in databases that do not say what it is, and in passwords."""

from __future__ import annotations

from pathlib import Path

import pytest
import worlds
from servers import Server

from metasnapshot.cli.app import main
from metasnapshot.errors import DatabaseError
from metasnapshot.metastore.connect import open_meta_store

TAG = worlds.TAGS[-1]
USER = "écrivain"


def sql_ascii(server: Server, database: str) -> str:
    """A database that holds bytes and does not say of which characters; its URL."""
    server.create(database)
    with server.admin("postgres").connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {database}")
        connection.exec_driver_sql(
            f"CREATE DATABASE {database} ENCODING 'SQL_ASCII' TEMPLATE template0 "
            "LC_COLLATE 'C' LC_CTYPE 'C'"
        )
    return server.url(database)


def test_a_database_that_is_sql_ascii(postgres_server: Server, tmp_path: Path) -> None:
    """What a restore writes is UTF-8, and is read back as the same."""
    backups = worlds.Backups(TAG, tmp_path)
    url = sql_ascii(postgres_server, "bytes")
    postgres_server.run("bytes", worlds.schema(TAG, postgres_server))
    backups.restore(url, cut_timestamps=True)
    assert main(["coverage", "--meta-store", url]) == 0
    layout = worlds.layout_of(backups.repository, 2)
    with backups.repository.open(2) as reader:
        fit = worlds.fit_of("postgresql")
        assert worlds.digests_of_store(url, layout) == worlds.digests_of_file(reader, layout, fit)


def test_bytes_that_are_no_text(postgres_server: Server) -> None:
    """In such a database they are an error (18), not one of ours, and none is repeated."""
    url = sql_ascii(postgres_server, "bytes")
    postgres_server.run("bytes", "CREATE TABLE t (a text); INSERT INTO t VALUES (E'hunter\\xE9');")
    with (
        pytest.raises(DatabaseError, match="invalid byte sequence") as caught,
        open_meta_store(url) as store,
        store.read_transaction() as connection,
    ):
        connection.exec_driver_sql("SELECT a FROM t").fetchall()
    assert "hunter" not in str(caught.value)


@pytest.mark.parametrize("password", ["sécrét", "€uro", "пароль"])
def test_a_user_and_a_password_beyond_ascii(
    password: str, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a server's own client made them."""
    is_postgres = server.engine == "postgresql"
    who = f'"{USER}"' if is_postgres else f"`{USER}`@'127.0.0.1'"
    database = "beyond"
    url = server.create(database)
    kind = "LOGIN PASSWORD" if is_postgres else "IDENTIFIED BY"
    grants = "CONNECT ON DATABASE beyond" if is_postgres else "ALL ON beyond.*"
    with server.admin(database).connect() as connection:
        if is_postgres:
            connection.exec_driver_sql(f"DROP ROLE IF EXISTS {who}")
        else:
            connection.exec_driver_sql(f"DROP USER IF EXISTS {who}")
    role = "ROLE" if is_postgres else "USER"
    server.run(database, f"CREATE {role} {who} {kind} '{password}'; GRANT {grants} TO {who};")
    host = url.rpartition("@")[2]
    typed = f"{server.engine}://{USER}:{password}@{host}"
    assert main(["coverage", "--meta-store", typed]) == 14
    assert "no table seaql_migrations" in capsys.readouterr().err
    assert main(["coverage", "--meta-store", typed.replace(password, "other")]) == 15
    if is_postgres:
        server.run(database, f"REVOKE CONNECT ON DATABASE beyond FROM {who}; DROP ROLE {who};")
