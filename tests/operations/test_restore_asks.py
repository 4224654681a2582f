"""What a restore asks of slow stores, and when: once, and never while it holds locks of the meta
store.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import goldens
import pytest

from metasnapshot.contents.ownership import CLUSTER_ID_NAME
from metasnapshot.errors import ConflictError
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.metastore.engines.sqlite_file import SqliteStore
from metasnapshot.operations.restore.plan import RestoreOptions
from metasnapshot.operations.restore.restoration import Restoring, restoring
from metasnapshot.store.local import LocalStore
from metasnapshot.store.port import READ_MAX, Names, ObjectHead, Store, StoredObject
from metasnapshot.store.through import Through

TAG = goldens.SHIPPED / "v3.0.3"
FOLDER = goldens.DATA_DIRECTORY
IN, OUT = "in a write transaction", "outside"


class Log:
    """What was asked, and whether the meta store was locked then."""

    def __init__(self) -> None:
        self.where = OUT
        self.asked: list[tuple[str, str, str]] = []

    def note(self, what: str, path: str) -> None:
        self.asked.append((self.where, what, path))

    @property
    def inside(self) -> list[tuple[str, str, str]]:
        return [asked for asked in self.asked if asked[0] == IN]


class Slow(Through):
    """A store that notes when it is asked."""

    def __init__(self, inner: Store, log: Log) -> None:
        super().__init__(inner)
        self.log = log

    def head(self, path: str) -> ObjectHead | None:
        self.log.note("head", path)
        return super().head(path)

    def read(self, path: str, size_max: int = READ_MAX) -> StoredObject:
        self.log.note("read", path)
        return super().read(path, size_max)

    def open_reader(self, path: str) -> AbstractContextManager[BinaryIO]:
        self.log.note("open", path)
        return super().open_reader(path)

    def list(self, prefix: str) -> Iterator[ObjectHead]:
        self.log.note("list", prefix)
        return super().list(prefix)

    def names(self, directory: str) -> Names:
        self.log.note("names", directory)
        return super().names(directory)

    def put_if_absent(self, path: str, data: bytes) -> str:
        self.log.note("put", path)
        return super().put_if_absent(path, data)

    def put_if_match(self, path: str, data: bytes, etag: str) -> str:
        self.log.note("put", path)
        return super().put_if_match(path, data, etag)

    def delete(self, path: str) -> None:
        self.log.note("delete", path)
        super().delete(path)


class World:
    """An empty meta store, and slow stores with backups 1, 2 and 7 and the cluster's state."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path, self.state = path, path / "state"
        self.target = goldens.empty_store(TAG, path / "target.db")
        self.backups = goldens.copy_backups(TAG, path)
        goldens.point_to_state(self.backups, self.state, (2, 7))
        self.log = Log()
        self.backups.store = Slow(self.backups.store, self.log)
        self.store = Slow(LocalStore(self.state), self.log)
        transaction = SqliteStore.write_transaction

        @contextmanager
        def noted(store: SqliteStore) -> Generator[Any]:
            with transaction(store) as connection:
                self.log.where = IN
                yield connection
                self.log.where = OUT

        monkeypatch.setattr(SqliteStore, "write_transaction", noted)

    @contextmanager
    def restoring(self, **options: Any) -> Generator[Restoring]:
        given = RestoreOptions(f"fs://{self.state}", FOLDER, **options)
        with (
            open_meta_store(f"sqlite:///{self.target}", may_create=True) as meta_store,
            restoring(self.backups, meta_store, 2, given, self.store) as run,
        ):
            yield run

    def run(self, *, is_planned: bool, **options: Any) -> None:
        with self.restoring(**options) as run:
            if is_planned:
                run.plan(is_load=True).require()
            run.load()

    def execute(self, statement: str) -> None:
        with closing(sqlite3.connect(self.target, isolation_level=None)) as connection:
            connection.execute(statement)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def with_checkpoint(world: World) -> None:
    (world.state / FOLDER / "checkpoint").mkdir(parents=True)
    (world.state / FOLDER / "checkpoint" / "0").write_bytes(b"of another time")


def with_rows(world: World) -> None:
    world.run(is_planned=False, no_object_check=True)
    world.execute("UPDATE object SET created_at = '2001-01-01 00:00:00'")


def with_all(world: World) -> None:
    world.run(is_planned=False, no_object_check=True)


def with_half(world: World) -> None:
    with_all(world)
    (world.state / FOLDER / "checkpoint" / "0").unlink()


def with_owner(world: World) -> None:
    (world.state / FOLDER).mkdir(parents=True, exist_ok=True)
    with world.backups.open(2) as reader:
        [row] = reader.rows("clusters")
    path = world.state / FOLDER / CLUSTER_ID_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(str(row.cluster_id))


CASES: dict[str, tuple[Callable[[World], None], dict[str, Any]]] = {
    "empty": (lambda _: None, {}),
    "its own directory": (with_owner, {}),
    "a checkpoint there": (with_checkpoint, {}),
    "rows there": (with_rows, {"clean": True}),
    "ended well": (with_all, {}),
    "died before its checkpoint": (with_half, {}),
    "sequences raised": (with_owner, {"bump_sequences": True}),
    "no tables": (lambda world: world.target.unlink(), {"create_schema": True}),
}


@pytest.mark.parametrize("is_planned", [True, False], ids=["planned", "at once"])
@pytest.mark.parametrize("case", CASES)
def test_no_store_is_asked_in_the_write_transaction(
    case: str, world: World, *, is_planned: bool
) -> None:
    """And each question before it is put once: whose the directory is, and whether there is a
    checkpoint.
    """
    begin, options = CASES[case]
    begin(world)
    world.log.asked.clear()
    world.run(is_planned=is_planned, no_object_check=True, **options)
    assert world.log.inside == []
    asked = Counter(asked[1:] for asked in world.log.asked)
    assert asked["read", f"{FOLDER}/{CLUSTER_ID_NAME}"] == 1
    writes = 0 if case == "ended well" else 1
    assert asked["head", f"{FOLDER}/checkpoint/0"] <= 1 + writes
    assert asked["put", f"{FOLDER}/checkpoint/0"] == writes


def test_objects_are_looked_for_outside_too(world: World) -> None:
    """Also where nobody made a plan before; each object once."""
    with world.backups.open(2) as reader:
        goldens.write_objects(reader, world.state)
    world.log.asked.clear()
    world.run(is_planned=False)
    assert world.log.inside == []
    heads = Counter(path for _, what, path in world.log.asked if what == "head")
    objects = {path: count for path, count in heads.items() if path.endswith(".data")}
    assert len(objects) > 3
    assert set(objects.values()) == {1}


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO session_parameter VALUES ('x', 'y', NULL)",
        "DELETE FROM worker_property",
    ],
)
def test_rows_that_change_after_the_plan_are_refused(world: World, statement: str) -> None:
    """The target is asked again, under its lock: of a restore that had ended, and of one with
    --clean.
    """
    with_all(world)
    with world.restoring(no_object_check=True, clean=True) as run:
        run.plan(is_load=True).require()
        world.execute(statement)
        with pytest.raises(ConflictError, match="have changed since the plan"):
            run.load()
