"""restore --clone: a second cluster beside the living one, which shares nothing with it that could
be kept apart, and says what could not.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from object_restores import restored, with_full_backup
from object_world import ObjectWorld
from shell import BACKUPS, TARGET, Shell

OWN = ("--hummock-storage-url", "fs://new", "--hummock-storage-directory", "data_2")
CLONE = ("restore", "latest", *TARGET, *BACKUPS, "--clone")
WITH_OBJECTS = (*CLONE, "--with-objects", *OWN)
DATA = "hummock_001"


@pytest.fixture
def shell(world: ObjectWorld, capsys: pytest.CaptureFixture[str]) -> Shell:
    return with_full_backup(world, capsys)


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return sorted(connection.execute(query).fetchall(), key=repr)


def cluster_of(path: Path) -> str:
    ((found,),) = rows(path, "SELECT lower(hex(cluster_id)) FROM cluster")
    return str(found)


def test_a_clone_is_another_cluster(world: ObjectWorld, shell: Shell) -> None:
    """Another cluster id, no workers and none of their properties, other places for state and
    backups; every other row as it is, every object byte for byte; the living cluster's files stay
    as they are.
    """
    before = {path: data for path, data in shell.files().items() if path != world.empty}
    code, found = shell.answer(*WITH_OBJECTS)
    assert code == 0, found
    assert restored(world) == world.objects
    assert cluster_of(world.empty) != cluster_of(world.meta)
    tables = [name for (name,) in rows(world.meta, "SELECT name FROM sqlite_master WHERE sql > ''")]
    others = {"worker", "worker_property", "cluster", "system_parameter", "hummock_sequence"}
    compared = sorted(set(found["rows"]) - others)
    assert len(compared) > 25
    for table in (*compared, "worker", "worker_property"):
        assert table in tables
        here = rows(world.empty, f'SELECT * FROM "{table}"')
        assert here == ([] if table in others else rows(world.meta, f'SELECT * FROM "{table}"'))
    values = dict(rows(world.empty, "SELECT name, value FROM system_parameter"))
    said = dict(rows(world.meta, "SELECT name, value FROM system_parameter"))
    own = {
        "state_store": "hummock+fs://new",
        "data_directory": "data_2",
        "backup_storage_url": "fs://new",
        "backup_storage_directory": "data_2/backup",
    }
    assert values == said | own
    workers = len(rows(world.meta, "SELECT 1 FROM worker"))
    properties = len(rows(world.meta, "SELECT 1 FROM worker_property"))
    assert min(workers, properties) > 1
    clone = found["plan"]["clone"]
    assert clone["left_out"] == {"worker": workers, "worker_property": properties}
    assert clone["cluster_ids"][0].replace("-", "") == cluster_of(world.empty)
    assert clone["of"][0].replace("-", "") == cluster_of(world.meta)
    assert {path: path.read_bytes() for path in before} == before


def test_what_no_meta_node_has_shown_is_said(shell: Shell) -> None:
    """In the plan, and in the closing list; and nothing there says that the first cluster must not
    start again.
    """
    code, out, _ = shell.run(*WITH_OBJECTS, "--plan")
    assert (code, "no real meta node has shown" in " ".join(out.split())) == (0, True)
    code, found = shell.answer(*WITH_OBJECTS)
    said = " ".join(found["checklist"])
    assert "no real meta node has shown" in said
    assert "never start again" not in said
    assert "disk caches" in said


SOURCES = {
    "Weiß ÄÖÜ": {"connector": "postgres-cdc", "slot.name": "slot_7", "password": "geheim"},
    "o'brien; --": {"connector": "kafka", "topic": "t", "properties.sasl.password": "geheim"},
    "back\\slash": {"connector": "MySQL-CDC", "server.id": "5454"},
    "null": {"connector": "kafka", "group.id.prefix": "mine", "topic": "t"},
}
SINKS = {
    "o'brien; --": {
        "connector": "jdbc",
        "jdbc.url": "jdbc:postgresql://u:geheim@h:1/db?password=geheim",
        "table.name": "out",
    },
    "back\\slash": {"connector": "blackhole"},
    "null": {"connector": "iceberg", "database.name": "d", "table.name": "t"},
}
COMMON = [
    ("replication slot", "slot_7", "source Weiß ÄÖÜ, postgres-cdc"),
    ("consumer group", "rw-consumer-{fragment}", "source o'brien; --, kafka"),
    ("replication server id", "5454", "source back\\slash, mysql-cdc"),
    ("consumer group", "mine-{fragment}", "source null, kafka"),
    ("sink target", "out", "sink o'brien; --, jdbc"),
    ("iceberg table", "d t", "sink null, iceberg"),
]
CHANGED = (("source", "with_properties", SOURCES), ("sink", "properties", SINKS))


def connect_to(world: ObjectWorld) -> None:
    """Let the cluster's sources and sinks be those above."""
    with closing(sqlite3.connect(world.meta)) as connection, connection:
        connection.execute("UPDATE source SET with_properties = '{}'")
        connection.execute("UPDATE sink SET properties = '{}'")
        for table, column, found in CHANGED:
            for name, properties in found.items():
                done = connection.execute(
                    f"UPDATE {table} SET {column} = ? WHERE rowid IN "
                    f"(SELECT rowid FROM {table} WHERE name = ? LIMIT 1)",
                    (json.dumps(properties), name),
                )
                assert done.rowcount == 1, name


def test_what_stays_common_is_told_by_name(
    world: ObjectWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    """Slots, consumer groups, targets of sinks and iceberg tables, in the plan before and in the
    closing list after; no password with them.
    """
    connect_to(world)
    shell = with_full_backup(world, capsys)
    code, found = shell.answer(*WITH_OBJECTS, "--plan")
    assert code == 0, found
    outside = [(item["kind"], item["name"], item["of"]) for item in found["clone"]["outside"]]
    jdbc = next(item for item in outside if item[2].endswith("jdbc"))
    assert "h:1/db" in jdbc[1]
    assert jdbc[1].endswith(" out")
    outside[outside.index(jdbc)] = COMMON[4]
    query = "SELECT table_namespace, table_name, catalog_name FROM iceberg_tables"
    iceberg = [
        ("iceberg table", f"{namespace}.{name}", f"catalogue {catalogue}")
        for namespace, name, catalogue in rows(world.meta, query)
    ]
    assert iceberg
    assert sorted(outside) == sorted(COMMON + iceberg)
    code, out, _ = shell.run(*WITH_OBJECTS)
    assert code == 0
    plan, _, after = " ".join(out.split()).partition("before you start the cluster:")
    for text in (plan, after):
        for kind, name, of in COMMON + iceberg:
            assert f"{name} ({of})" in text, (kind, name)
        assert "geheim" not in text


def test_secrets_need_the_first_clusters_key(world: ObjectWorld, shell: Shell) -> None:
    """The closing list says how many, and what they need; nothing if there are none."""
    count = len(rows(world.meta, "SELECT 1 FROM secret"))
    assert count
    said = " ".join(shell.answer(*WITH_OBJECTS)[1]["checklist"])
    assert f"{count} secrets need" in said
    assert "RW_SECRET_STORE_PRIVATE_KEY_HEX" in said


def test_a_clone_is_restored_once(world: ObjectWorld, shell: Shell) -> None:
    """The same command again finds all done; after one that died before the checkpoint it writes
    that alone; the id is the same each time, and another in another place.
    """
    first = shell.answer(*WITH_OBJECTS)[1]["plan"]["clone"]["cluster_ids"]
    before = shell.files()
    code, out, _ = shell.run(*WITH_OBJECTS)
    assert (code, "restored already" in out) == (0, True)
    assert shell.files() == before
    (world.path / "new/data_2/checkpoint/0").unlink()
    code, found = shell.answer(*WITH_OBJECTS)
    assert (code, found["plan"]["loaded"], found["plan"]["done"]) == (0, True, False)
    assert shell.files() == before
    world.empty.unlink()
    elsewhere = ("--hummock-storage-url", "fs://new", "--hummock-storage-directory", "data_3")
    code, found = shell.answer(*CLONE, "--create-schema", "--with-objects", *elsewhere)
    assert code == 0, found
    assert found["plan"]["clone"]["cluster_ids"] != first


def test_a_clone_of_a_clone(world: ObjectWorld, shell: Shell) -> None:
    """Backed up in a directory of its own and cloned again: a third id; into the directory, or the
    meta store, of the clone before: refused. The first cluster's backups take no snapshot of it.
    """
    assert shell.run(*WITH_OBJECTS)[0] == 0
    own = ("--backup-storage-url", "fs://of_clone")
    store = ("--meta-store", "sqlite:///empty.db")
    assert shell.run("backup", *store, *BACKUPS, "--meta-node-stopped", "--with-objects")[0] == 11
    assert shell.run("backup", *store, *own, "--meta-node-stopped", "--with-objects")[0] == 0
    again = ("restore", "latest", *own, "--clone", "--with-objects", "--create-schema")
    third = ("--meta-store", "sqlite:///third.db")
    place = ("--hummock-storage-url", "fs://new", "--hummock-storage-directory")
    assert shell.run(*again, *store, *place, "data_3")[0] == 11
    assert shell.run(*again, *third, *place, "data_2")[0] == 2
    code, found = shell.answer(*again, *third, *place, "data_3")
    assert code == 0, found
    ids = {cluster_of(world.path / name) for name in ("meta.db", "empty.db", "third.db")}
    assert len(ids) == 3
    assert found["plan"]["clone"]["left_out"] == {"worker": 0, "worker_property": 0}


def test_a_clone_without_objects_wants_them_there(world: ObjectWorld, shell: Shell) -> None:
    """Somebody else may have copied them; 17 where they are missing."""
    assert shell.run(*CLONE, *OWN)[0] == 17
    shutil.copytree(world.state / DATA, world.path / "new/data_2")
    (world.path / "new/data_2/checkpoint/0").unlink()
    code, found = shell.answer(*CLONE, *OWN)
    assert code == 0, found
    assert cluster_of(world.empty) != cluster_of(world.meta)
