"""A backup beside a writer in full flight is one instant of the store, on every engine.

The writer, a process of its own, moves amounts between accounts, and accounts between two tables:
one near the middle of a snapshot, the next further on. What all accounts hold together never
changes. The backups take their time: before each table they wait for the writer's next commit.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import goldens
import pytest
import sqlalchemy as sa
import worlds
from exhaustive import WHOLE
from servers import Server

from metasnapshot.catalogue.repository import Repository
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.metastore.read import count_rows
from metasnapshot.operations import backup as operation
from metasnapshot.operations.backup import BackupOptions, backup
from metasnapshot.store.memory import MemoryStore

ROUNDS = 70 if WHOLE else 8
"""Backups of each store."""
ACCOUNTS = 12
TOTAL = 1_000_000
TABLES = (("hummock_sequence", "seq"), ("session_parameter", "value"))
"""Where accounts are: numbers in one table, text in the other."""
READY = "ready\n"
WAIT_S = 300.0
PAUSE_MAX_S = 100.0
"""What a commit may take at most; the machine may be busy with other things."""
WRITER_SECONDS_MAX = 570
"""A writer that is forgotten ends by itself."""


class Writer:
    """The accounts; transfers between them, each in a transaction."""

    def __init__(self, engine: sa.Engine) -> None:
        self.commits = 0
        self.slowest_s = 0.0
        self._connection = engine.connect()
        self._random = Random(3)  # noqa: S311 - not for secrets
        self._held = [TOTAL // ACCOUNTS] * ACCOUNTS
        self._held[0] += TOTAL % ACCOUNTS
        self._table = [0] * ACCOUNTS
        with self._connection.begin():
            for account in range(ACCOUNTS):
                self._insert(account)

    def transfer(self) -> None:
        """Move an amount, and now and then also an account to the other table."""
        one, other = self._random.sample(range(ACCOUNTS), 2)
        amount = self._random.randint(0, self._held[one])
        self._held[one] -= amount
        self._held[other] += amount
        start = time.monotonic()
        with self._connection.begin():
            self._run("UPDATE {table} SET {column} = :value WHERE name = :name", one)
            self._run("UPDATE {table} SET {column} = :value WHERE name = :name", other)
            if self._random.random() < 0.3:
                self._run("DELETE FROM {table} WHERE name = :name", one)
                self._table[one] = 1 - self._table[one]
                self._insert(one)
        self.commits += 1
        self.slowest_s = max(self.slowest_s, time.monotonic() - start)

    def _insert(self, account: int) -> None:
        self._run("INSERT INTO {table} (name, {column}) VALUES (:name, :value)", account)

    def _run(self, statement: str, account: int) -> None:
        table, column = TABLES[self._table[account]]
        held = self._held[account]
        parameters: dict[str, Any] = {"name": f"account {account}"}
        if ":value" in statement:
            parameters["value"] = held if self._table[account] == 0 else str(held)
        text = sa.text(statement.format(table=table, column=column))
        self._connection.execute(text, parameters)


def main() -> int:
    """Transfer until standard input ends; each commit is counted in a file, for whoever waits."""
    signal.alarm(WRITER_SECONDS_MAX)
    engine = sa.create_engine(sys.argv[1], connect_args=json.loads(sys.argv[2]))
    counter = os.open(sys.argv[3], os.O_WRONLY)
    writer = Writer(engine)
    sys.stdout.write(READY)
    sys.stdout.flush()
    while not select.select([sys.stdin], [], [], 0)[0]:
        writer.transfer()
        os.pwrite(counter, writer.commits.to_bytes(8, "little"), 0)
    sys.stdout.write(json.dumps({"commits": writer.commits, "slowest_s": writer.slowest_s}))
    return 0


class Progress:
    """How far the writer is, and after the block how it fared."""

    def __init__(self, counter: Path, process: subprocess.Popen[str]) -> None:
        self.done: dict[str, float] = {}
        self._counter = counter
        self._process = process

    def wait_for_commit(self, *_: object) -> None:
        """Until the writer has committed once more."""
        before, deadline = self.commits(), time.monotonic() + WAIT_S
        while self.commits() == before:
            assert self._process.poll() is None, "the writer died"
            assert time.monotonic() < deadline, "the writer is blocked"
            time.sleep(0.0005)

    def commits(self) -> int:
        return int.from_bytes(self._counter.read_bytes(), "little")


@contextmanager
def writing(url: str, arguments: dict[str, Any], counter: Path) -> Generator[Progress]:
    """A writer at work in a process of its own."""
    counter.write_bytes(bytes(8))
    command = [sys.executable, __file__, url, json.dumps(arguments), str(counter)]
    paths = [str(Path(__file__).parent), str(Path(goldens.__file__).parent)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == READY
            progress = Progress(counter, process)
            yield progress
            said, _ = process.communicate(timeout=WAIT_S)  # this ends its standard input
            progress.done = json.loads(said)
        finally:
            process.kill()


def held(sections: dict[str, list[Any]]) -> list[int]:
    """What each account holds in a snapshot."""
    return [
        *(row.seq for row in sections["hummock_sequences"] if row.name.startswith("account")),
        *(
            int(row.value)
            for row in sections["session_parameters"]
            if row.name.startswith("account")
        ),
    ]


def back_up(url: str, state: Path, before_table: Callable[..., None]) -> tuple[int, ...]:
    """What the accounts hold in a new snapshot."""

    def counted(connection: sa.Connection, table: str) -> int:
        before_table()
        return count_rows(connection, table)

    backups = Repository(MemoryStore(), "backup")
    with pytest.MonkeyPatch.context() as patch, open_meta_store(url) as store:
        patch.setattr(operation, "count_rows", counted)
        options = BackupOptions(f"fs://{state}", goldens.DATA_DIRECTORY)
        entry = backup(store, backups, options).entry
    return tuple(held(backups.get(entry.id).sections))


def check(url: str, driver_url: str, arguments: dict[str, Any], folder: Path) -> None:
    """Every backup has all accounts with all that they hold; the writer never stands still."""
    goldens.write_state(goldens.SHIPPED / "v3.0.3", folder / "state")
    with writing(driver_url, arguments, folder / "counter") as progress:
        found = [back_up(url, folder / "state", progress.wait_for_commit) for _ in range(ROUNDS)]
    assert {(len(amounts), sum(amounts)) for amounts in found} == {(ACCOUNTS, TOTAL)}
    assert len(set(found)) == ROUNDS
    assert progress.done["commits"] > 10 * ROUNDS
    assert progress.done["slowest_s"] < PAUSE_MAX_S


def test_on_a_server(server: Server, tmp_path: Path) -> None:
    """PostgreSQL and MariaDB: a transaction is a cut, and blocks nobody."""
    if not worlds.TAGS:
        pytest.skip("the schema scripts of the engines are not shipped")
    tag = worlds.TAGS[-1]
    data = (tag / worlds.FOLDERS[server.engine][0] / "data.sql").read_text()
    url = server.create("transfers", worlds.schema(tag, server) + data)
    with server.admin("transfers").connect() as connection:
        connection.exec_driver_sql("DELETE FROM hummock_version_delta")
        driver_url = connection.engine.url.render_as_string(hide_password=False)
    check(url, driver_url, {}, tmp_path)


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
def test_on_sqlite(mode: str, tmp_path: Path) -> None:
    """Read where it is, with WAL; or copied before, with a journal."""
    path = goldens.copy_store(goldens.SHIPPED / "v3.0.3", tmp_path / "meta.db")
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM hummock_version_delta")
        connection.commit()
        connection.execute(f"PRAGMA journal_mode={mode}")
    connection.close()
    check(f"sqlite:///{path}", f"sqlite:///{path}", {"timeout": WAIT_S}, tmp_path)


if __name__ == "__main__":
    sys.exit(main())
