"""Clones of clusters of every release: what RisingWave's own code wrote, and a small cluster of
each list of migrations since SQL meta stores began.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from uuid import UUID

import goldens
import pytest
from exhaustive import thin
from shell import Shell

from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import UnknownFormat
from metasnapshot.format import messages
from metasnapshot.hummock.checkpoint import write_checkpoint
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations.backup import backup
from metasnapshot.operations.backup_options import BackupOptions
from metasnapshot.operations.create_schema import create_schema
from metasnapshot.operations.restore.plan import RestoreOptions
from metasnapshot.operations.restore.restoration import RestoreResult, restore
from metasnapshot.store.local import LocalStore
from metasnapshot_models.layouts import LAYOUTS, MIGRATIONS, RELEASES

FIRST = [
    next(name for name, release in RELEASES.items() if release.migrations is migrations)
    for migrations in MIGRATIONS.values()
]
"""The first release of each list of migrations."""
NOW = "2026-08-21 12:00:00"
CLUSTER = UUID("8a2c5d1e-0000-4000-8000-00000000002a")


def clone(snapshots: Repository, number: int, path: Path) -> RestoreResult:
    options = RestoreOptions(
        f"fs://{path}/new", "data_2", clone=True, create_schema=True, no_object_check=True
    )
    with open_meta_store(f"sqlite:///{path}/clone.db", may_create=True) as store:
        return restore(snapshots, store, number, options)


def counts(path: Path) -> dict[str, int]:
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        )
        return {
            name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
            for (name,) in tables.fetchall()
        }


@pytest.mark.parametrize("tag", thin(goldens.TAGS), ids=lambda tag: tag.name)
@pytest.mark.parametrize("number", [1, 2, 7])
def test_what_risingwave_wrote(tag: Path, number: int, tmp_path: Path) -> None:
    """Each table has the snapshot's rows, but for workers: none, and the cluster: another id."""
    snapshots = goldens.copy_backups(tag, tmp_path)
    done = clone(snapshots, number, tmp_path)
    made = done.plan.clone
    assert made is not None
    found = counts(tmp_path / "clone.db")
    with snapshots.open(number) as reader:
        places = {place.name: place.count for place in reader.places}
        names = dict(reader.definition.sections)
        ids = {str(row.cluster_id) for row in reader.rows("clusters")}
    assert set(made.of) == ids
    assert not set(made.cluster_ids) & ids
    assert len(made.cluster_ids) == places["clusters"]
    assert made.left_out == {
        "worker": places["workers"],
        "worker_property": places["worker_properties"],
    }
    assert (found["worker"], found["worker_property"]) == (0, 0)
    assert {table: count for table, count in found.items() if count} == {
        table: count for table, count in done.rows.items() if count
    }
    assert len(names) > 25


@pytest.mark.parametrize("release", FIRST)
def test_a_cluster_of_each_release(release: str, tmp_path: Path) -> None:
    """Two workers with their properties, in the tables of each release since 1.9: left out."""
    path, state = tmp_path / "meta.db", LocalStore(tmp_path / "state")
    with open_meta_store(f"sqlite:///{path}", may_create=True) as store:
        create_schema(store, release)
    with closing(sqlite3.connect(path)) as connection, connection:
        fill(connection, f"fs://{tmp_path}/state")
    layout = LAYOUTS[RELEASES[release].layout]
    version = messages.message_class("hummock.HummockVersion", "v3.0.3")()
    version.id = 1
    write_checkpoint(state, goldens.DATA_DIRECTORY, version, layout)
    snapshots = Repository(LocalStore(tmp_path / "backups"), "backup")
    with open_meta_store(f"sqlite:///{path}") as store:
        number = backup(store, snapshots, BackupOptions(rw_version=release)).entry.id
    done = clone(snapshots, number, tmp_path)
    made = done.plan.clone
    assert made is not None
    assert made.of == (str(CLUSTER),)
    assert made.left_out == {"worker": 2, "worker_property": 2}
    before, after = counts(path), counts(tmp_path / "clone.db")
    assert before["worker"] == before["worker_property"] == 2
    assert after == before | {"worker": 0, "worker_property": 0, "hummock_sequence": 1}


def fill(connection: sqlite3.Connection, url: str) -> None:
    """The rows of a cluster that has just started, and of two of its nodes."""
    for number in (1, 2):
        row = {"worker_id": number, "host": f"h{number}", "worker_type": "COMPUTE_NODE"}
        insert(connection, "worker", row | {"status": "RUNNING"})
        insert(connection, "worker_property", {"worker_id": number})
    insert(connection, "cluster", {"cluster_id": CLUSTER.bytes, "created_at": NOW})
    parameters = {
        "state_store": f"hummock+{url}",
        "data_directory": goldens.DATA_DIRECTORY,
        "backup_storage_url": url,
        "backup_storage_directory": "b",
    }
    for name, value in parameters.items():
        insert(connection, "system_parameter", {"name": name, "value": value})


def insert(connection: sqlite3.Connection, table: str, given: Mapping[str, object]) -> None:
    """A row of which some columns are given; the others get what their type takes."""
    defaults = {"integer": 1, "bigint": 1, "boolean": 0, "blob": b""}
    row = dict(given)
    for _, name, kind, not_null, _, is_key in connection.execute(
        f'PRAGMA table_info("{table}")'
    ).fetchall():
        if name not in row and (not_null or is_key or table == "worker_property"):
            word = kind.lower().partition("(")[0]
            row[name] = defaults.get(word, "{}" if "json" in word else "[]")
    names, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
    connection.execute(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', list(row.values()))


def test_a_v1_snapshot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One of the etcd era fits no SQL meta store, a clone's neither: exit 14, with the way back."""
    folder = tmp_path / "backup"
    folder.mkdir()
    source = goldens.SHIPPED / "v3.0.3" / "v1"
    for name in ("5.snapshot", "manifest.json"):
        (folder / name).write_bytes((source / name).read_bytes())
    shell = Shell(tmp_path, capsys)
    before = shell.files()
    code, found = shell.answer(
        *("restore", "5", "--clone", "--meta-store", f"sqlite:///{tmp_path}/clone.db"),
        *("--create-schema", "--backup-storage-url", f"fs://{tmp_path}"),
        *("--hummock-storage-url", f"fs://{tmp_path}/new", "--hummock-storage-directory", "d"),
    )
    assert code == UnknownFormat.exit_code, found
    assert shell.files() == before
