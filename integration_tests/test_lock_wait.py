"""What others have locked on a server is waited for as long as --meta-store-lock-wait says, and not
in their way; then it is 11, with the table, the session and its age."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import worlds
from servers import USER, Server

from metasnapshot.cli.app import main
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.metastore.read import count_rows
from metasnapshot.metastore.session import Blocker, Session

TAG = worlds.TAGS[-1]
DATABASE = "waits"
SOON = "--meta-store-lock-wait=1200ms"


@pytest.fixture
def backups(tmp_path: Path) -> worlds.Backups:
    return worlds.Backups(TAG, tmp_path)


@pytest.fixture
def url(server: Server, backups: worlds.Backups) -> str:
    """A meta store with the rows of snapshot 2."""
    found = server.create(DATABASE, worlds.schema(TAG, server))
    backups.restore(found, cut_timestamps=True)
    return found


@contextmanager
def open_transaction(server: Server, *statements: str) -> Generator[tuple[sa.Connection, int]]:
    """Somebody who began, did something and forgot it; with the server's number of the session."""
    with server.admin(DATABASE).connect() as other:
        asks = "pg_backend_pid()" if server.engine == "postgresql" else "connection_id()"
        number = other.exec_driver_sql(f"SELECT {asks}").scalar()
        for statement in statements:
            other.exec_driver_sql(statement)
        yield other, int(number or 0)


def verb(name: str, url: str, backups: worlds.Backups, *more: str) -> int:
    """A command that reads or writes a meta store."""
    root = backups.state.parent
    directory = f"--backup-storage-url=fs://{root}"
    state = ("--hummock-storage-url", f"fs://{backups.state}")
    words = {
        "coverage": ["coverage"],
        "backup": ["backup", directory, *state, "--meta-node-stopped"],
        "diff": ["diff", "2", directory],
        "restore": [
            *("restore", "7", directory, *state, "--clean", "--cut-timestamps", "--yes"),
            "--no-object-check",
        ],
    }[name]
    return main([*words, "--meta-store", url, *more])


FORGOTTEN = [
    ("object", "ALTER TABLE object ADD COLUMN forgotten integer"),
    ("hummock_sequence", "LOCK TABLE hummock_sequence IN ACCESS EXCLUSIVE MODE"),
    ("session_parameter", "TRUNCATE session_parameter"),
    ("seaql_migrations", "DROP TABLE seaql_migrations"),
    ("user", 'ALTER TABLE "user" RENAME TO users'),
    ("sink", "CREATE RULE nothing AS ON DELETE TO sink DO INSTEAD NOTHING"),
    ("fragment", "CLUSTER fragment USING fragment_pkey"),
    ("source", "ALTER TABLE source ALTER COLUMN name TYPE text USING name || ''"),
]


@pytest.mark.parametrize(("table", "statement"), FORGOTTEN)
def test_a_reader_behind_a_forgotten_change(
    table: str,
    statement: str,
    postgres_server: Server,
    backups: worlds.Backups,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit 11 with table, process and age; the table is as it was, and no snapshot is there."""
    url = postgres_server.create(DATABASE, worlds.schema(TAG, postgres_server))
    with open_transaction(postgres_server, "BEGIN", statement) as (_, number):
        codes = [verb(name, url, backups, SOON) for name in ("coverage", "backup")]
    said = capsys.readouterr().err.splitlines()
    assert codes == [11, 11]
    found = [line for line in said if f"server process {number}, for " in line]
    assert len(found) == 2
    assert all(re.search(rf'table "?{table}"? is locked by user \w+ from \S+', it) for it in found)
    assert (
        said.count(
            f"hint: end its transaction (SELECT pg_terminate_backend({number})), or wait longer: "
            "--meta-store-lock-wait 10m"
        )
        == 2
    )
    assert len(backups.repository.manifest().entries) == 3


CHANGES = [
    "REINDEX TABLE object",
    "REINDEX INDEX object_pkey",
    "CREATE INDEX forgotten ON object (owner_id)",
    "ALTER TABLE object SET (fillfactor = 90)",
    "ALTER TABLE object ALTER COLUMN owner_id SET STATISTICS 10",
    "ALTER TABLE object DISABLE TRIGGER USER",
    "ALTER TABLE object ADD CONSTRAINT forgotten CHECK (oid > 0) NOT VALID",
    "DROP INDEX forgotten_before",
]
"""Changes whose locks let some or all readers pass, until the planner looks at an index."""


@pytest.mark.parametrize("statement", CHANGES)
def test_a_change_that_is_held_open(
    statement: str,
    postgres_server: Server,
    backups: worlds.Backups,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Of an index too: a backup and a restore end well, or with 11, table, process and age, within
    the time to wait; a restore never ends well beside it, and changes nothing."""
    url = postgres_server.create(DATABASE, worlds.schema(TAG, postgres_server))
    backups.restore(url, cut_timestamps=True)
    postgres_server.run(DATABASE, "CREATE INDEX forgotten_before ON object (owner_id)")
    rows = _count(url)
    for name in ("backup", "restore"):
        with open_transaction(postgres_server, "BEGIN", statement) as (_, number):
            capsys.readouterr()
            code = verb(name, url, backups, SOON)
        said = capsys.readouterr().err
        if name == "backup" and code == 0:
            continue
        assert code == 11, said
        assert re.search(rf"table object\w* is locked by .*server process {number}, for \d", said)
    assert _count(url) == rows


@pytest.mark.parametrize("table", ["object", "hummock_sequence", "seaql_migrations", "user"])
def test_a_reader_behind_locked_tables_of_mysql(
    table: str,
    mariadb_server: Server,
    backups: worlds.Backups,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The same of LOCK TABLES, which no list of transactions shows."""
    url = mariadb_server.create(DATABASE, worlds.schema(TAG, mariadb_server))
    with open_transaction(mariadb_server, f"LOCK TABLES `{table}` WRITE") as (_, number):
        codes = [verb(name, url, backups, SOON) for name in ("coverage", "backup")]
    said = capsys.readouterr().err
    assert codes == [11, 11]
    pattern = rf"table {table} is locked by user {USER} from \S+, server process {number}, for \d+"
    assert len(re.findall(pattern, said)) == 2
    assert f"KILL {number}" in said


def test_a_reader_goes_on_when_the_table_is_free(server: Server, url: str) -> None:
    """It waits; and a change that writes all rows anew hides none of them from it."""
    rows = _count(url)
    change = {
        "postgresql": "ALTER TABLE object ALTER COLUMN owner_id TYPE integer USING owner_id + 0",
        "mysql": "LOCK TABLES `object` WRITE",
    }[server.engine]
    end = {"postgresql": "COMMIT", "mysql": "UNLOCK TABLES"}[server.engine]
    with open_transaction(server, "BEGIN", change) as (other, _):
        later = threading.Timer(1.5, lambda: other.exec_driver_sql(end))
        later.start()
        assert _count(url) == rows > 0
        later.join()


def test_a_change_of_mysqls_while_we_wait_asks_for_another_cut(
    mariadb_server: Server, backups: worlds.Backups
) -> None:
    """Tables that were made anew since the cut began are read in a new cut."""
    url = mariadb_server.create(DATABASE, worlds.schema(TAG, mariadb_server))
    backups.restore(url, cut_timestamps=True)
    rows = _count(url)
    with open_transaction(mariadb_server, "LOCK TABLES `object` WRITE") as (other, _):

        def change() -> None:
            other.exec_driver_sql("ALTER TABLE `object` FORCE")
            other.exec_driver_sql("UNLOCK TABLES")

        later = threading.Timer(1.0, change)
        later.start()
        assert _count(url) == rows > 0
        later.join()


def _count(url: str) -> int:
    with open_meta_store(url) as store, store.read_transaction() as connection:
        return count_rows(connection, "object")


def test_a_restore_behind_an_open_reader(
    server: Server, url: str, backups: worlds.Backups, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 11 with who reads, on an engine whose readers keep writers out; nothing changed."""
    rows = _count(url)
    keeps = {
        "postgresql": ["BEGIN", "SELECT * FROM object"],
        "mysql": ["BEGIN", "SELECT * FROM `object` FOR UPDATE"],
    }[server.engine]
    with open_transaction(server, *keeps) as (_, number):
        assert verb("restore", url, backups, SOON) == 11
    said = capsys.readouterr().err
    assert re.search(rf"table object is locked by .*server process {number}, for \d+ second", said)
    assert _count(url) == rows


def test_nobody_queues_behind_a_restore_that_waits(
    postgres_server: Server, backups: worlds.Backups
) -> None:
    """Readers go on while it waits for one of them, and it loads once that one has ended."""
    url = postgres_server.create(DATABASE, worlds.schema(TAG, postgres_server))
    backups.restore(url, cut_timestamps=True)
    codes: list[int] = []
    wait = "--meta-store-lock-wait=5m"
    with open_transaction(postgres_server, "BEGIN", "SELECT * FROM object") as (other, number):
        job = threading.Thread(target=lambda: codes.append(verb("restore", url, backups, wait)))
        job.start()
        with postgres_server.admin(DATABASE).connect() as reader:
            _wait_for(lambda: reader.exec_driver_sql(_WAITS, (number,)).scalar())
            reader.exec_driver_sql("SET lock_timeout = '20s'")
            for _ in range(3):
                assert reader.exec_driver_sql("SELECT count(*) FROM object").scalar()
        assert not codes
        other.exec_driver_sql("ROLLBACK")
        job.join()
    assert codes == [0]


_WAITS = """
SELECT count(*) FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))
"""


def _wait_for(found: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 120
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_who_queues_in_front_is_named(
    postgres_server: Server, backups: worlds.Backups, capsys: pytest.CaptureFixture[str]
) -> None:
    """An ALTER TABLE that itself waits for a reader keeps us waiting too: it is named, and that it
    waits."""
    url = postgres_server.create(DATABASE, worlds.schema(TAG, postgres_server))
    with open_transaction(postgres_server, "BEGIN", "SELECT * FROM object") as (first, number):
        second = threading.Thread(
            target=lambda: postgres_server.run(DATABASE, "ALTER TABLE object ADD COLUMN b integer")
        )
        second.start()
        with postgres_server.admin(DATABASE).connect() as watcher:
            _wait_for(lambda: watcher.exec_driver_sql(_WAITS, (number,)).scalar())
        assert verb("coverage", url, backups, SOON) == 11
        first.exec_driver_sql("ROLLBACK")
        second.join()
    assert ", which itself waits for it; waited 1 second" in capsys.readouterr().err


def test_a_prepared_transaction_has_no_process() -> None:
    """It has no number that could be ended, and is named as what it is."""
    blocker = Blocker(None, age_s=7200)
    said = Session("db", 1).blocked("t", blocker, "KILL {}")
    assert "locked by a prepared transaction, for 2 hours; waited 1 second" in str(said)
    assert "KILL" not in said.hint
