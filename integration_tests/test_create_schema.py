"""create-schema on real servers: the catalogue of RisingWave's own tables, to the letter.

What pg_dump and SHOW CREATE TABLE say of the tables that we make is what they say of those that the
release's own migrations made.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import goldens
import pytest
import worlds
from servers import Server

from metasnapshot.errors import TargetNotEmpty, UnknownFormat
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.metastore.ddl import schema_of
from metasnapshot.metastore.engines import engine_named
from metasnapshot.operations.create_schema import SchemaResult, create_schema, script
from metasnapshot_models.layouts import MIGRATIONS, RELEASES

TAG = worlds.TAGS[-1]
SETS = [
    [name for name, release in RELEASES.items() if release.migrations is migrations]
    for migrations in MIGRATIONS.values()
]
"""Releases with the same migrations."""


def release(tag: Path) -> str:
    return tag.name.removeprefix("v")


def create(url: str, version: str) -> SchemaResult:
    with open_meta_store(url) as store:
        return create_schema(store, version)


def catalogue(server: Server, database: str) -> list[str]:
    """Every statement that would make the tables of a database again, as the server says it."""
    if server.engine == "postgresql":
        command = ["pg_dump", "--schema-only", "--no-owner", server.url(database)]
        shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
        plain = re.sub(r"^(--.*|\\.*)\n", "", shown.stdout, flags=re.MULTILINE)
        return sorted(text.strip() for text in plain.split(";\n"))
    with server.admin(database).connect() as connection:
        tables = [row[0] for row in connection.exec_driver_sql("SHOW TABLES")]
        found = [connection.exec_driver_sql(f"SHOW CREATE TABLE `{name}`") for name in tables]
        return [_without_order_of_keys(str(rows.one()[1])) for rows in found]


def _without_order_of_keys(text: str) -> str:
    """Which of a table's indexes was made first means nothing."""
    lines = [line.rstrip(",") for line in re.sub(r" AUTO_INCREMENT=\d+", "", text).split("\n")]
    keys = sorted(line for line in lines if line.startswith("  KEY "))
    return "\n".join([*(line for line in lines if line not in keys), *keys])


def fresh(server: Server, database: str, text: str = "") -> str:
    """A database with the character set that MySQL gives by itself."""
    url = server.create(database)
    if server.engine == "mysql":
        with server.admin(database).connect() as connection:
            connection.exec_driver_sql("ALTER DATABASE CHARACTER SET latin1")
    if text:
        server.run(database, text)
    return url


@pytest.mark.parametrize("tag", worlds.TAGS, ids=goldens.name)
def test_the_schema_is_risingwaves_own(tag: Path, server: Server) -> None:
    """Columns, types, defaults, keys, indexes and sequences, names and order included."""
    fresh(server, "theirs", worlds.schema(tag, server))
    made = create(fresh(server, "ours"), release(tag))
    assert catalogue(server, "ours") == catalogue(server, "theirs")
    with server.admin("ours").connect() as connection:
        rows = connection.exec_driver_sql("SELECT version FROM seaql_migrations").fetchall()
    assert sorted(row[0] for row in rows) == sorted(goldens.migrations(tag))
    assert made.migrations == len(rows)


def test_the_script_makes_the_same(server: Server) -> None:
    """What --print prints, run by the engine's own client."""
    fresh(server, "printed", script(release(TAG), server.engine))
    create(fresh(server, "ours"), release(TAG))
    assert catalogue(server, "printed") == catalogue(server, "ours")


def test_again_is_nothing_to_do(server: Server) -> None:
    """The second time no table is made, and nothing is wrong."""
    url = fresh(server, "ours")
    assert create(url, release(TAG)).tables
    assert create(url, release(TAG)).tables == ()


def test_another_releases_tables_are_refused(server: Server) -> None:
    """Exit 14, with a table and its columns that differ."""
    url = fresh(server, "ours")
    create(url, "2.2.0")
    with server.admin("ours").connect() as connection:
        connection.exec_driver_sql("DELETE FROM seaql_migrations")
    with pytest.raises(UnknownFormat, match=r"table \w+ is there and not that of 3\.0\.3"):
        create(url, "3.0.3")


def test_a_living_cluster_is_refused(server: Server, tmp_path: Path) -> None:
    """Exit 13: it has rows."""
    url = server.create("living", worlds.schema(TAG, server))
    worlds.Backups(TAG, tmp_path).restore(url, cut_timestamps=True)
    with pytest.raises(TargetNotEmpty):
        create(url, release(TAG))


def test_what_a_creation_that_died_left_is_finished(mariadb_server: Server) -> None:
    """MySQL commits each table as it is made: the others are made, and the migrations written."""
    url = fresh(mariadb_server, "ours")
    statements = list(schema_of(release(TAG), engine_named("mysql").syntax).statements())
    with mariadb_server.admin("ours").connect() as connection:
        for statement in statements[:9]:
            connection.exec_driver_sql(statement)
    result = create(url, release(TAG))
    assert len(result.tables) == len(statements) - 9
    create(fresh(mariadb_server, "whole"), release(TAG))
    assert catalogue(mariadb_server, "ours") == catalogue(mariadb_server, "whole")


@pytest.mark.parametrize("name", [names[-1] for names in SETS])
def test_every_release_has_a_schema(name: str, server: Server) -> None:
    """Those without golden data too: the server takes every statement."""
    assert create(fresh(server, "ours"), name).tables


@pytest.mark.parametrize("tag", worlds.TAGS, ids=goldens.name)
def test_a_restore_makes_the_tables_itself(tag: Path, server: Server, tmp_path: Path) -> None:
    """--create-schema in an empty database; the rows are the snapshot's."""
    if server.engine == "mysql" and tag.name == "v2.2.0":
        pytest.skip("utf8mb3 cannot hold its rows")
    found = worlds.Backups(tag, tmp_path)
    url = fresh(server, "restored")
    result = found.restore(url, cut_timestamps=True, create_schema=True)
    assert len(result.plan.creates) > len(result.rows)
    layout = worlds.layout_of(found.repository, 2)
    with found.repository.open(2) as reader:
        fit = worlds.fit_of(server.engine)
        assert worlds.digests_of_store(url, layout) == worlds.digests_of_file(reader, layout, fit)


def test_a_restore_into_a_new_schema(server: Server, tmp_path: Path) -> None:
    """Its list of migrations is no reason to refuse it."""
    url = fresh(server, "ours")
    create(url, release(TAG))
    result = worlds.Backups(TAG, tmp_path).restore(url, cut_timestamps=True)
    assert set(result.plan.empties) == {"seaql_migrations"}
