"""A restore opens its snapshot once and hashes it twice; what triggers do is seen, and rows that
stand twice are refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import goldens
import pytest
from exhaustive import thin
from meter import Meter

import metasnapshot
from metasnapshot.catalogue import changes
from metasnapshot.cli.app import main
from metasnapshot.contents.unique_keys import keys_of
from metasnapshot.errors import DamageError, InconsistentStore, UnknownFormat
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.metastore.engines.sqlite import Sqlite
from metasnapshot.operations.check import check
from metasnapshot.operations.restore import load as loading
from metasnapshot.operations.restore import source
from metasnapshot.operations.restore.plan import RestoreOptions, RestorePlan
from metasnapshot.operations.restore.restoration import plan_restore, restore
from metasnapshot.operations.verify import verify
from metasnapshot_models.layouts import LAYOUTS

TAG = goldens.SHIPPED / "v3.0.3"
SECTIONS = [section for section, _ in LAYOUTS["3.0.1"].sections]


class World:
    """An empty meta store of a tag, a state store, and backups 1, 2 and 7 that point to it."""

    def __init__(self, path: Path, tag: Path = TAG) -> None:
        self.path, self.state = path, path / "state"
        self.store = goldens.empty_store(tag, path / "target.db")
        self.backups = goldens.copy_backups(tag, path)
        goldens.point_to_state(self.backups, self.state, (2, 7))

    def options(self, **options: Any) -> RestoreOptions:
        options = {"no_object_check": True, **options}
        return RestoreOptions(f"fs://{self.state}", goldens.DATA_DIRECTORY, **options)

    def restore(self, number: int = 2, **options: Any) -> RestorePlan:
        with open_meta_store(f"sqlite:///{self.store}") as store:
            return restore(self.backups, store, number, self.options(**options)).plan

    def plan(self, number: int = 2, **options: Any) -> RestorePlan:
        with open_meta_store(f"sqlite:///{self.store}") as store:
            return plan_restore(self.backups, store, number, self.options(**options))

    def command(self, *more: str) -> int:
        where = ["--meta-store", f"sqlite:///{self.store}", "--hummock-storage-url"]
        where += [f"fs://{self.state}", "--backup-storage-url", f"fs://{self.path}"]
        where += ["--backup-storage-directory", "backup", "--no-object-check"]
        return main(["restore", "2", *where, *more])

    def execute(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.store, isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)

    def change(self, number: int, change: Callable[[metasnapshot.MetaSnapshot], object]) -> None:
        snapshot = self.backups.get(number)
        change(snapshot)
        path = self.path / "backup" / f"{number}.snapshot"
        path.write_bytes(metasnapshot.dumps(snapshot))

    def is_untouched(self) -> bool:
        with closing(sqlite3.connect(self.store)) as connection:
            names = connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'kept%'"
            )
            counts = [
                connection.execute(f'SELECT count(*) FROM "{row[0]}"').fetchone()[0]
                for row in names.fetchall()
            ]
        return not any(counts) and not self.state.exists()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize("extra", [(), ("--clean", "--yes"), ("--cut-timestamps",), ("--json",)])
@pytest.mark.parametrize("tag", thin(goldens.STORES), ids=lambda tag: tag.name)
def test_plan_and_load_hash_the_file_twice(
    tag: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extra: tuple[str, ...]
) -> None:
    """Once to verify it, once to load it, and never more; it is opened once."""
    world = World(tmp_path, tag)
    changes.delete(world.backups, [7])  # the newest snapshot's file is another one
    size = (tmp_path / "backup" / "2.snapshot").stat().st_size
    meter = Meter(monkeypatch)
    assert world.command(*extra) == 0
    assert meter.opened["backup/2.snapshot"] == 1
    assert size < meter.total <= 2 * size


OTHER_ROWS = [
    "UPDATE object SET created_at = '2001-01-01 00:00:00'",
    "UPDATE hummock_version_stats SET id = id + 1",
    "UPDATE catalog_version SET version = version + 1",
    "UPDATE \"user\" SET name = name || 'x'",
]


@pytest.mark.parametrize(("room", "times"), [(None, 2), (0, 3)])
@pytest.mark.parametrize("statement", OTHER_ROWS)
def test_other_rows_cost_no_third_look(
    world: World,
    statement: str,
    room: int | None,
    times: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As many rows as the restore would load are compared with it first; what memory holds of it
    then is loaded from there, the rest is hashed once more. All of it arrives."""
    if room is not None:
        monkeypatch.setattr(source, "LOOKED_AT_MAX", room)
    changes.delete(world.backups, [7])
    assert world.command() == 0
    world.execute(statement)
    size = (world.path / "backup" / "2.snapshot").stat().st_size
    meter = Meter(monkeypatch)
    assert world.command("--clean", "--yes") == 0
    assert meter.opened["backup/2.snapshot"] == 1
    assert size < meter.total <= times * size
    assert world.plan(2).done


@pytest.mark.parametrize("tag", thin(goldens.STORES), ids=lambda tag: tag.name)
def test_keys_that_cannot_be_dropped_cost_no_further_look(
    tag: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where rows have to come in order, the objects are still read once; all of them arrive."""
    in_order = nullcontext(enter_result=False)
    monkeypatch.setattr(Sqlite, "foreign_keys_last", lambda *_: in_order)
    world = World(tmp_path, tag)
    changes.delete(world.backups, [7])
    size = (tmp_path / "backup" / "2.snapshot").stat().st_size
    meter = Meter(monkeypatch)
    assert world.command() == 0
    assert meter.opened["backup/2.snapshot"] == 1
    assert size < meter.total <= 2 * size


def test_objects_that_are_too_many_to_keep_are_read_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And none is lost or comes twice: a restore reads all of it back."""
    in_order = nullcontext(enter_result=False)
    monkeypatch.setattr(Sqlite, "foreign_keys_last", lambda *_: in_order)
    monkeypatch.setattr(loading, "KEPT_ROWS_MAX", 1)
    assert world.command() == 0
    with closing(sqlite3.connect(world.store)) as connection:
        (found,) = connection.execute("SELECT count(*) FROM object").fetchone()
    assert found == len(world.backups.get(2).sections["objects"])


@pytest.mark.parametrize("section", thin(SECTIONS))
def test_a_row_that_stands_twice_is_damage(world: World, section: str) -> None:
    """In any section: verify and plan say so, and a restore ends with 4 and nothing written."""
    source = world.backups.get(7)
    if not source.sections[section]:
        row = _any_row(section)
        if row is None:
            pytest.skip("no golden snapshot has a row of it")
        world.change(7, lambda it: it.sections[section].append(row))
    world.change(7, lambda it: it.sections[section].append(it.sections[section][-1]))
    result = verify(world.backups, 7, "refs")
    assert isinstance(result.error, DamageError)
    what = [item for item in result.findings.kept if "which the table holds once" in item.what]
    assert [item.section for item in what][:1] == [section]
    plan = world.plan(7)
    assert isinstance(plan.error, DamageError)
    assert f"section {section}: 2 rows have" in str(plan.error)
    with pytest.raises(DamageError, match=f"section {section}: 2 rows have") as caught:
        world.restore(7)
    assert caught.value.exit_code == 4
    assert world.is_untouched()


def _any_row(section: str) -> Any:
    """A row of a section out of the golden snapshots of this layout."""
    for path in goldens.SNAPSHOTS:
        if "v3.0.3" in str(path):
            found = metasnapshot.loads(path.read_bytes()).sections.get(section)
            if found:
                return found[0]
    return None


@pytest.mark.parametrize(
    ("section", "change"),
    [
        ("users", lambda row: setattr(row, "user_id", 900_001)),
        ("databases", lambda row: setattr(row, "database_id", 900_001)),
        ("user_privileges", lambda row: setattr(row, "id", 900_001)),
    ],
)
def test_a_name_that_two_rows_have_is_damage_too(world: World, section: str, change: Any) -> None:
    """Other keys that the tables hold unique: of a name, of a privilege."""

    def double(snapshot: metasnapshot.MetaSnapshot) -> None:
        found = metasnapshot.loads((TAG / "backup" / "7.snapshot").read_bytes()).sections[section]
        row = next(row for row in found if None not in [getattr(row, k, 0) for k in ("oid",)])
        change(row)
        snapshot.sections[section].append(row)

    world.change(7, double)
    result = verify(world.backups, 7, "refs")
    assert any("which the table holds once" in item.what for item in result.findings.kept)


def test_golden_snapshots_have_no_row_twice() -> None:
    """Every table has a primary key; what RisingWave wrote keeps to it."""
    for layout in LAYOUTS.values():
        for _, model in layout.sections:
            assert keys_of(layout, model)[0]


@pytest.mark.parametrize("data", [b"\0\0\0\0", b"\1\0\0\0\2\0\0\0{}", b"x", bytes(64)])
def test_bytes_beyond_the_layout_are_found(world: World, data: bytes) -> None:
    """By every level of verify (14), by check, and by a restore before it writes."""
    world.change(7, lambda snapshot: setattr(snapshot, "opaque", data))
    for level in ("file", "rows", "refs"):
        error = verify(world.backups, 7, level).error  # pyright: ignore[reportArgumentType]
        assert isinstance(error, UnknownFormat)
        assert "bytes beyond layout 3.0.1" in str(error)
    health = check(world.backups, None, 0)
    assert health.newest_id == 2
    assert "bytes beyond layout" in health.problems[0]
    with pytest.raises(UnknownFormat):
        world.restore(7)
    assert world.is_untouched()


TRIGGERS = [
    # where it sits, and what it does to a table whose turn is before or after
    ("hummock_table_change_log", "UPDATE catalog_version SET version = 0"),
    ("session_parameter", "UPDATE \"user\" SET name = name || 'x'"),
    ("session_parameter", "UPDATE session_parameter SET value = 'x'"),
    ("session_parameter", "DELETE FROM worker"),
    ("system_parameter", "UPDATE cluster SET created_at = '2001-01-01 00:00:00'"),
    ("secret", "INSERT OR REPLACE INTO hummock_version_delta SELECT * FROM kept_delta"),
    ("object", "INSERT OR REPLACE INTO compaction_task SELECT * FROM kept_task"),
    ("session_parameter", "UPDATE hummock_sequence SET seq = 1"),
    ("session_parameter", "UPDATE seaql_migrations SET applied_at = 1"),
]


@pytest.mark.parametrize(("table", "action"), TRIGGERS)
def test_what_a_trigger_changes_is_seen(world: World, table: str, action: str) -> None:
    """Whichever table it changes, and whenever: nothing is committed, and the plan names it."""
    if not _rows_of(table):
        table = "system_parameter"
    world.execute(
        f"ATTACH '{TAG / 'meta.db'}' AS golden",
        "CREATE TABLE kept_delta AS SELECT * FROM golden.hummock_version_delta LIMIT 1",
        "CREATE TABLE kept_task AS SELECT * FROM golden.compaction_task LIMIT 1",
    )
    world.execute(f'CREATE TRIGGER "Meddler" AFTER INSERT ON "{table}" BEGIN {action}; END')
    plan = world.plan()
    (line,) = [check for check in plan.checks if check.name == "triggers and rules"]
    assert (plan.error, line.result) == (None, "warning")
    assert f"trigger Meddler on {table}" in line.reason
    with pytest.raises(InconsistentStore, match=r"gives back|have rows now"):
        world.restore()
    assert world.is_untouched()


def _rows_of(table: str) -> bool:
    with closing(sqlite3.connect(f"file:{TAG / 'meta.db'}?mode=ro", uri=True)) as connection:
        return bool(connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0])


def test_a_trigger_that_does_nothing_to_it_stops_nothing(world: World) -> None:
    """It is named, and the rows are what they should be."""
    world.execute(
        "CREATE TABLE notes (a text)",
        "CREATE TRIGGER audit AFTER INSERT ON \"user\" BEGIN INSERT INTO notes VALUES ('x'); END",
    )
    plan = world.restore()
    assert [check.result for check in plan.checks if check.name.startswith("trigger")] == [
        "warning"
    ]
    assert not plan.error


def test_what_changes_between_plan_and_load_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that nobody was asked about are not emptied."""
    world.execute("INSERT INTO catalog_version VALUES ('NOTIFICATION', 1)")

    def agree(*_: object, **__: object) -> None:
        world.execute("INSERT INTO hummock_sequence VALUES ('meta_backup', 5)")

    monkeypatch.setattr("metasnapshot.cli.verbs.restore.confirm", agree)
    assert world.command("--clean") == 11
    with closing(sqlite3.connect(world.store)) as connection:
        assert connection.execute("SELECT * FROM hummock_sequence").fetchall() == [
            ("meta_backup", 5)
        ]
