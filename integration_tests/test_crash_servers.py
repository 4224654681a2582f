"""kill -9 at any step of backup and restore with a server as meta store: nothing is lost, a re-run
converges.

A first run counts the steps: SQL statements, parts of COPY, commits, and calls that change a file.
Then forked processes die before or after one of them, spread evenly over the job, and after each of
the last, where it commits and writes the checkpoint or manifest. The database is kept from death to
death, so that each run also meets whatever the server still does for the one that died.
"""

from __future__ import annotations

import gc
import os
import select
import shutil
import signal
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import goldens
import psycopg
import pymysql
import pytest
import sqlalchemy as sa
import worlds
from exhaustive import WHOLE
from operations.test_crash import Steps
from servers import Server

from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import ConflictError
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.metastore.load import TableDigest
from metasnapshot.operations.backup import backup
from metasnapshot.operations.verify import verify
from metasnapshot.store.local import LocalStore

pytestmark = pytest.mark.skipif(
    not worlds.TAGS, reason="the schema scripts of the engines are not shipped"
)
T = TypeVar("T")
DATABASE = "crashed"
DRIVER_CALLS = (
    (psycopg.Copy, "__enter__"),
    (psycopg.Copy, "write"),
    (psycopg.Copy, "__exit__"),
    (psycopg.Connection, "commit"),
    (pymysql.connections.Connection, "commit"),
    (pymysql.connections.Connection, "query"),
)
"""Calls that reach the server past SQLAlchemy, or whose end it does not tell."""
SPREAD = 13 if WHOLE else 5
SPREAD_OF_RESTORE = 88 if WHOLE else SPREAD
"""Deaths that are spread evenly over a job."""
LAST = 12 if WHOLE else 4
"""Calls at the end of a job that each have a death after them."""
DIE_S = 600.0
"""What a job may take at most, with the machine busy."""
LOCK_S = 300.0
"""How long the server may take to notice that a client died."""
OLD = b"the old checkpoint"
SESSION = {
    "postgresql": ("SET lock_timeout = '300s'", "SET session_replication_role = replica"),
    "mysql": (
        "SET SESSION lock_wait_timeout = 300, innodb_lock_wait_timeout = 300",
        "SET SESSION foreign_key_checks = 0",
    ),
}
"""Wait for nobody forever, and delete rows in any order."""


class ServerSteps(Steps):
    """Steps on a server too."""

    def watch(self) -> None:
        super().watch()
        for place, name in DRIVER_CALLS:
            setattr(place, name, self._watched(getattr(place, name)))


def in_child(job: Callable[[], object], die_at: int | None = None) -> int:
    """Run a job in a forked process that dies at a step; returns its steps, or -1 if it died."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        said = "it ended early"
        try:
            steps = ServerSteps(die_at)
            steps.watch()
            job()
            said = str(steps.count)
        except Exception as error:  # noqa: BLE001 - the parent raises it
            said = repr(error)
        finally:
            os.write(writer, said.encode())
            os._exit(0)  # the servers are the parent's to stop
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        is_over = bool(select.select([file], [], [], DIE_S)[0])
        if not is_over:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        said = file.read().decode()
    assert is_over, f"the job hung; it was to die at step {die_at}"
    assert os.WIFSIGNALED(status) or said.isdigit(), said
    return int(said) if said else -1


def again(job: Callable[[], T]) -> T:
    """Run a job as soon as the server has let go of the lock of whoever died before."""
    deadline = time.monotonic() + LOCK_S
    while True:
        try:
            return job()
        except ConflictError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.01)


def deaths(steps: int, spread: int) -> list[int]:
    """Places to die in a job; what follows a call of the last ones is the next call's beginning."""
    last = steps - 2 * LAST
    assert last > spread
    return [*(number * last // spread for number in range(spread)), *range(last + 1, steps, 2)]


class World:
    """A database on a server, a tag's snapshots 2 and 7, and the state store that they name."""

    def __init__(self, server: Server, path: Path) -> None:
        self.server = server
        self.path = path
        self.url = server.create(DATABASE, worlds.schema(worlds.TAGS[-1], server))
        self.backups = worlds.Backups(worlds.TAGS[-1], path / "origin")
        self.layout = worlds.layout_of(self.backups.repository, 2)
        self.checkpoint = self.backups.state / goldens.DATA_DIRECTORY / "checkpoint" / "0"
        with self.session() as connection:
            self.tables = sa.inspect(connection).get_table_names()
            if server.engine == "postgresql":
                connection.exec_driver_sql(f"ALTER DATABASE {DATABASE} SET lock_timeout = '300s'")

    @contextmanager
    def session(self) -> Generator[sa.Connection]:
        with self.server.admin(DATABASE).connect() as connection:
            for statement in SESSION[self.server.engine]:
                connection.exec_driver_sql(statement)
            yield connection

    def restore(self) -> None:
        self.backups.restore(self.url, cut_timestamps=True)

    def replace(self, number: int = 2) -> None:
        self.backups.restore(self.url, number, cut_timestamps=True, clean=True)

    def create(self) -> None:
        self.backups.restore(self.url, cut_timestamps=True, create_schema=True)

    def drop(self) -> None:
        """No table, no checkpoint, no copy of one."""
        self.server.create(DATABASE)
        shutil.rmtree(self.backups.state)
        self.forget_replaced()

    def hold_old(self) -> None:
        """Snapshot 7's rows; its checkpoint would be snapshot 2's, so another stands for it."""
        self.replace(7)
        self.checkpoint.write_bytes(OLD)

    def take_lock(self) -> None:
        with open_meta_store(self.url) as store, store.write_transaction():
            pass

    def empty(self) -> None:
        """No row, no checkpoint, no copy of one."""
        with self.session() as connection:
            quote = connection.dialect.identifier_preparer.quote_identifier
            for table in self.rows():
                connection.exec_driver_sql(f"DELETE FROM {quote(table)}")
        shutil.rmtree(self.backups.state)
        self.forget_replaced()

    def forget_replaced(self) -> None:
        """Drop copies of replaced checkpoints: a run that finds one has other steps."""
        for path in (self.path / "origin" / "backup").glob("*.replaced"):
            path.unlink()

    def rows(self) -> dict[str, int]:
        """Number of rows of each table that has some, all at one moment."""
        with self.session() as connection:
            quote = connection.dialect.identifier_preparer.quote_identifier
            counts = [f"SELECT '{name}', count(*) FROM {quote(name)}" for name in self.tables]
            found = connection.exec_driver_sql(" UNION ALL ".join(counts)).fetchall()
        return {name: count for name, count in found if count}

    def digests(self) -> dict[str, TableDigest]:
        return worlds.digests_of_store(self.url, self.layout)

    def digests_of(self, repository: Repository, number: int) -> dict[str, TableDigest]:
        """What the database holds once a snapshot is restored."""
        with repository.open(number) as reader:
            fit = worlds.fit_of(self.server.engine)
            return worlds.digests_of_file(reader, self.layout, fit)

    def copy_backups(self, name: str) -> Repository:
        """The backups as they were at first, in a directory of their own."""
        shutil.copytree(self.path / "origin" / "backup", self.path / name / "backup")
        return Repository(LocalStore(self.path / name), "backup")

    def backup(self, repository: Repository) -> int:
        with open_meta_store(self.url) as store:
            return backup(store, repository).entry.id


@pytest.fixture(scope="module", autouse=True)
def _cheap_forks() -> Generator[None]:
    """Collections leave alone what is there already, and so do not copy it in each child; PyMySQL,
    which reads every trusted certificate for each connection, finds none.
    """
    gc.freeze()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", os.devnull)
        patch.setenv("SSL_CERT_DIR", os.devnull)
        yield
    gc.unfreeze()


@pytest.fixture
def world(server: Server, tmp_path: Path) -> World:
    return World(server, tmp_path)


def test_restore(world: World) -> None:
    """No row or every one, and no checkpoint before them; the same command ends what died."""
    wanted = world.digests_of(world.backups.repository, 2)
    steps = in_child(world.restore)
    complete, checkpoint = world.rows(), world.checkpoint.read_bytes()
    assert world.digests() == wanted
    outcomes = set[bool]()
    for number in deaths(steps, SPREAD_OF_RESTORE):
        world.empty()
        assert in_child(world.restore, number) == -1
        found = world.rows()
        assert found in ({}, complete)
        assert found or not world.checkpoint.exists()
        outcomes.add(bool(found))
        again(world.restore)
        assert world.digests() == wanted
        assert world.checkpoint.read_bytes() == checkpoint
    assert outcomes == {False, True}


def test_restore_with_the_schema(world: World) -> None:
    """MySQL commits each table as it is made: whatever is there, the same command ends it."""
    wanted = world.digests_of(world.backups.repository, 2)
    world.server.create(DATABASE)
    steps = in_child(world.create)
    for number in deaths(steps, SPREAD):
        world.drop()
        assert in_child(world.create, number) == -1
        again(world.create)
        assert world.digests() == wanted


def test_restore_over_other_rows(world: World) -> None:
    """The old rows with their checkpoint, or the new ones, and never some of each."""
    old, new = (world.digests_of(world.backups.repository, number) for number in (7, 2))
    assert old != new
    world.hold_old()
    steps = in_child(world.replace)
    checkpoint = world.checkpoint.read_bytes()
    assert checkpoint != OLD
    outcomes = set[bool]()
    found = new
    for number in deaths(steps, SPREAD):
        if found == new:
            world.hold_old()
        world.forget_replaced()
        assert in_child(world.replace, number) == -1
        found = world.digests()
        assert found in (old, new)
        assert world.checkpoint.read_bytes() in ((OLD, checkpoint) if found == new else (OLD,))
        outcomes.add(found == new)
        again(world.replace if found == new else world.take_lock)
        assert world.checkpoint.read_bytes() == (checkpoint if found == new else OLD)
    assert outcomes == {False, True}
    assert world.digests() == new


def test_backup(world: World) -> None:
    """At most an orphan file is left; every entry verifies; the next backup has all rows."""
    world.restore()
    rows = world.digests()
    whole = world.copy_backups("whole")
    steps = in_child(lambda: world.backup(whole))
    for number in deaths(steps, SPREAD):
        repository = world.copy_backups(str(number))
        assert in_child(lambda found=repository: world.backup(found), number) == -1
        repository.refresh_manifest()
        ids = repository.manifest().ids
        assert ids in ((1, 2, 7), (1, 2, 7, 9))
        assert set(repository.file_ids()) - set(ids) <= {9}
        for snapshot_id in ids:
            assert verify(repository, snapshot_id, "file").error is None
        last = world.backup(repository)
        assert last in (9, 10)
        assert repository.manifest().ids == (*ids, last)
        assert world.digests_of(repository, last) == rows
    assert world.digests() == rows
