"""A restore into tables of another release: refused, whatever the list of migrations says."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import goldens
import pytest
from exhaustive import thin

from metasnapshot.errors import TargetNotEmpty, UnknownFormat
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.metastore.misfits import LiveTables, live_tables, misfits
from metasnapshot.operations.create_schema import create_schema
from metasnapshot.operations.restore.plan import RestoreOptions
from metasnapshot.operations.restore.restoration import plan_restore, restore
from metasnapshot_models.layouts import MIGRATIONS, RELEASES

FIRST = [
    next(name for name, release in RELEASES.items() if release.migrations is migrations)
    for migrations in MIGRATIONS.values()
]
"""The first release of each list of migrations."""
STORES = [tag for tag in goldens.STORES if (tag / "backup" / "2.snapshot").exists()]
PAIRS = [
    pair
    for one, other in [*pairwise(STORES), (STORES[0], STORES[-1])]
    for pair in ((one, other), (other, one))
]
MISFIT = r"another release's|no (table|column|foreign key) "
EMPTY, OWN, SNAPSHOTS = "empty list", "its own list", "the snapshot's list"


def tables_of(release: str, path: Path) -> LiveTables:
    with open_meta_store(f"sqlite:///{path}", may_create=True) as store:
        create_schema(store, release)
        with store.read_transaction() as connection:
            return live_tables(connection)


def test_no_releases_tables_pass_for_anothers(tmp_path: Path) -> None:
    """All pairs of lists of migrations, in both directions; each release's own tables fit it."""
    live = {name: tables_of(name, tmp_path / f"{name}.db") for name in FIRST}
    assert len(live) == 17
    for target, snapshot in product(FIRST, FIRST):
        found = misfits(live[target], snapshot)
        assert bool(found) == (target != snapshot), (target, snapshot, found)


@pytest.mark.parametrize(("there", "wanted"), [*pairwise(FIRST), *pairwise(reversed(FIRST))])
def test_a_schema_is_completed_or_refused(there: str, wanted: str, tmp_path: Path) -> None:
    """The empty tables of another release: those that are missing are made, if the others are what
    they should be."""
    path = tmp_path / "meta.db"
    tables_of(there, path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DELETE FROM seaql_migrations")
    before = path.read_bytes()
    try:
        found = misfits(tables_of(wanted, path), wanted)
    except UnknownFormat:
        found = []
        assert path.read_bytes() == before
    assert found == []


@pytest.mark.parametrize("tag", goldens.STORES, ids=lambda tag: tag.name)
def test_tables_that_risingwave_made_fit_their_release(tag: Path, tmp_path: Path) -> None:
    """Those of a cluster that lived, with whatever its migrations left behind."""
    store = goldens.copy_store(tag, tmp_path / "meta.db")
    with open_meta_store(f"sqlite:///{store}") as opened, opened.read_transaction() as connection:
        live = live_tables(connection)
    release = tag.name.removeprefix("v")
    if release not in RELEASES:
        release = next(name for name in RELEASES if name.startswith("main"))
    assert misfits(live, release) == []


class Target:
    """The emptied tables of one release, a state store, and the snapshots of another."""

    def __init__(self, tables: Path, snapshots: Path, path: Path) -> None:
        self.store = goldens.empty_store(tables, path / "target.db")
        self.state = path / "state"
        self.backups = goldens.copy_backups(snapshots, path)
        goldens.point_to_state(self.backups, self.state, (2, 7))

    def list_migrations(self, tag: Path) -> None:
        with closing(sqlite3.connect(self.store, isolation_level=None)) as connection:
            rows = [(name, 1) for name in goldens.migrations(tag)]
            connection.executemany("INSERT INTO seaql_migrations VALUES (?, ?)", rows)

    def execute(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.store, isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)

    def restore(self, **options: Any) -> None:
        with open_meta_store(f"sqlite:///{self.store}") as store:
            restore(self.backups, store, 2, self.options(**options))

    def options(self, **options: Any) -> RestoreOptions:
        options = {"no_object_check": True, **options}
        return RestoreOptions(f"fs://{self.state}", goldens.DATA_DIRECTORY, **options)


@pytest.mark.parametrize("listed", [EMPTY, OWN, SNAPSHOTS])
@pytest.mark.parametrize(("tables", "snapshots"), thin(PAIRS), ids=lambda tag: tag.name)
def test_another_releases_tables_are_refused(
    tables: Path, snapshots: Path, listed: str, tmp_path: Path
) -> None:
    """Exit 14 with --clean and without, what to do, and not a byte of the target is changed."""
    target = Target(tables, snapshots, tmp_path)
    if listed != EMPTY:
        target.list_migrations(tables if listed == OWN else snapshots)
    before = target.store.read_bytes()
    if sorted(goldens.migrations(tables)) == sorted(goldens.migrations(snapshots)):
        target.restore(clean=True)  # snapshots of 2.8.4 have more sections than those of 2.8.0
        return
    for options in ({}, {"clean": True}):
        with pytest.raises(UnknownFormat, match=MISFIT) as caught:
            target.restore(**options)
        assert caught.value.exit_code == 14
        assert "--create-schema" in caught.value.hint
    assert target.store.read_bytes() == before
    assert not target.state.exists()


@pytest.mark.parametrize("number", range(8))
def test_a_list_of_migrations_that_is_no_releases_is_refused(tmp_path: Path, number: int) -> None:
    """The right tables, but one migration too few or too many: exit 14 before they are emptied."""
    tag = goldens.SHIPPED / "v3.0.3"
    target = Target(tag, tag, tmp_path)
    target.list_migrations(tag)
    names = sorted(goldens.migrations(tag))
    statement = f"DELETE FROM seaql_migrations WHERE version = '{names[number * 8]}'"
    if number % 2:
        statement = f"INSERT INTO seaql_migrations VALUES ('m20990101_{number}', 1)"
    target.execute(statement)
    with pytest.raises(TargetNotEmpty):
        target.restore()
    with pytest.raises(UnknownFormat, match="is of another release: its seaql_migrations"):
        target.restore(clean=True)
    assert not target.state.exists()


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (
            "CREATE TABLE actor_dispatcher (id integer)",
            "table actor_dispatcher is another release's",
        ),
        ("DROP TABLE compaction_task", "no table compaction_task"),
        ("DROP TABLE hummock_version_delta", "no table hummock_version_delta"),
        ('ALTER TABLE "user" DROP COLUMN can_login', "no column user.can_login"),
        (
            "ALTER TABLE fragment ADD COLUMN vnode_mapping blob",
            "column fragment.vnode_mapping is another release's",
        ),
        (
            'ALTER TABLE "table" ADD COLUMN incoming_sinks text',
            "column table.incoming_sinks is another release's",
        ),
        ("CREATE TABLE my_notes (id integer NOT NULL)", None),
        ('ALTER TABLE "view" ADD COLUMN note text', None),
        ('CREATE VIEW actor_dispatcher AS SELECT * FROM "user"', None),
        ("CREATE INDEX mine ON catalog_version (version)", None),
    ],
)
def test_one_thing_too_few_or_too_many(tmp_path: Path, statement: str, words: str | None) -> None:
    """A table or column that the release lacks and another has; what no release has may stand
    beside."""
    tag = goldens.SHIPPED / "v3.0.3"
    target = Target(tag, tag, tmp_path)
    target.execute(statement)
    with open_meta_store(f"sqlite:///{target.store}") as store:
        error = plan_restore(target.backups, store, 2, target.options()).error
    if words is None:
        assert error is None
        return
    assert isinstance(error, UnknownFormat)
    assert words in str(error)
