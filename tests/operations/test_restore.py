"""restore, against what RisingWave's own restore made of the same snapshots."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import goldens
import pytest

import metasnapshot
from metasnapshot import MetaSnapshot
from metasnapshot.catalogue import changes
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import (
    DamageError,
    InconsistentStore,
    MetasnapshotError,
    TargetNotEmpty,
    UnknownFormat,
    UsageError,
)
from metasnapshot.hummock.checkpoint import decode_checkpoint
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations.backup import backup
from metasnapshot.operations.restore.plan import RestoreOptions
from metasnapshot.operations.restore.restoration import RestoreResult, restore
from metasnapshot.store.local import LocalStore
from metasnapshot_models.layouts import LAYOUTS

TAG = goldens.SHIPPED / "v3.0.3"
RESTORED = [
    tag
    for tag in goldens.STORES
    if list(tag.glob("restored/*.db")) or list(tag.glob("restored*.db"))
]


class Target:
    """An emptied meta store, a repository whose snapshots point to a local state store, and that
    store."""

    def __init__(self, tag: Path, path: Path) -> None:
        self.store = goldens.empty_store(tag, path / "target.db")
        self.state = path / "state"
        self.backups = goldens.copy_backups(tag, path)
        goldens.point_to_state(self.backups, self.state, (2, 7))

    def run(self, number: int = 2, **options: Any) -> RestoreResult:
        with open_meta_store(f"sqlite:///{self.store}") as meta_store:
            found = RestoreOptions(
                f"fs://{self.state}", "hummock_001", no_object_check=True, **options
            )
            return restore(self.backups, meta_store, number, found)

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        return rows(self.store, table)

    def is_untouched(self) -> bool:
        with sqlite3.connect(self.store) as connection:
            names = [
                row[0]
                for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            ]
        connection.close()
        return not any(self.rows(name) for name in names) and not self.state.exists()

    def change(self, number: int, section: str, change: Any) -> None:
        """Rewrite a snapshot's section."""
        snapshot: MetaSnapshot = self.backups.get(number)
        snapshot.sections[section] = change(snapshot.sections[section])
        path = self.store.parent / "backup" / f"{number}.snapshot"
        path.write_bytes(metasnapshot.dumps(snapshot))


def rows(store: Path, table: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(store) as connection:
        found = connection.execute(f'SELECT * FROM "{table}"').fetchall()
    connection.close()
    return sorted(found, key=repr)


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return Target(TAG, tmp_path)


@pytest.mark.parametrize("tag", RESTORED, ids=lambda tag: tag.name)
def test_a_restore_gives_the_rows_of_upstreams(tag: Path, tmp_path: Path) -> None:
    """Table by table the rows of RisingWave's own restore; only where the state is differs."""
    target = Target(tag, tmp_path)
    result = target.run(2)
    assert result.plan.sequences_from == 7
    layout = LAYOUTS[result.plan.layout]
    golden = goldens.restored(tag)
    with sqlite3.connect(f"file:{golden}?mode=ro", uri=True) as connection:
        names = [
            row[0]
            for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
    connection.close()
    for name in names:
        expected = rows(golden, name)
        if name == "system_parameter":
            expected = [row for row in expected if row[0] != "state_store"]
            assert [row for row in target.rows(name) if row[0] != "state_store"] == expected
        else:
            assert target.rows(name) == expected, name
    checkpoint = (target.state / "hummock_001" / "checkpoint" / "0").read_bytes()
    snapshot = target.backups.get(2)
    assert decode_checkpoint(checkpoint, layout.era) == snapshot.hummock_version.message


@pytest.mark.parametrize("tag", RESTORED, ids=lambda tag: tag.name)
def test_a_backup_of_a_restore_is_the_snapshot(tag: Path, tmp_path: Path) -> None:
    """Restored and backed up again, every row is as it was; sequences are the newest's."""
    target = Target(tag, tmp_path)
    target.run(2)
    with open_meta_store(f"sqlite:///{target.store}") as meta_store:
        again = target.backups.get(backup(meta_store, target.backups).entry.id)
    expected = target.backups.get(2)
    for section, expected_rows in expected.sections.items():
        if section != "hummock_sequences":
            assert sorted(map(repr, again.sections[section])) == sorted(map(repr, expected_rows)), (
                section
            )
    assert again.hummock_version.json == expected.hummock_version.json


def test_the_newest_snapshot_restores_its_own_sequences(target: Target) -> None:
    """With no newer one the sequences are the snapshot's."""
    assert target.run(7).plan.sequences_from == 7


def test_a_sequence_that_the_newest_lacks(target: Target) -> None:
    """The superset rule: named, and nothing written."""
    target.change(
        7,
        "hummock_sequences",
        lambda found: [row for row in found if row.name != "compaction_task"],
    )
    with pytest.raises(InconsistentStore, match=r"superset requirement.*compaction_task"):
        target.run(2)
    assert target.is_untouched()


def test_a_sequence_that_went_back(target: Target) -> None:
    """The monotonic rule: named with both values, and nothing written."""

    def lower(found: list[Any]) -> list[Any]:
        for row in found:
            if row.name == "compaction_task":
                row.seq = 1
        return found

    target.change(7, "hummock_sequences", lower)
    with pytest.raises(InconsistentStore, match=r"monotonicity requirement.*compaction_task is 1"):
        target.run(2)
    assert target.is_untouched()


@pytest.mark.parametrize(
    "table", ["user", "seaql_migrations", "hummock_version_delta", "compaction_task"]
)
def test_tables_with_rows_are_refused(target: Target, table: str) -> None:
    """Any table of RisingWave's, in a snapshot or not, by name and count; exit 13, and it keeps its
    rows."""
    with sqlite3.connect(target.store) as connection:
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute("ATTACH ? AS golden", (str(TAG / "meta.db"),))
        connection.execute(f'INSERT INTO main."{table}" SELECT * FROM golden."{table}" LIMIT 2')
    connection.close()
    before = target.rows(table)
    with pytest.raises(TargetNotEmpty, match=rf"{table} \(2\)") as caught:
        target.run(2)
    assert (caught.value.exit_code, caught.value.rows) == (13, {table: 2})
    assert target.rows(table) == before
    assert not target.state.exists()


@pytest.mark.parametrize(
    "statement", ['ALTER TABLE "user" DROP COLUMN can_login', "DROP TABLE hummock_table_change_log"]
)
def test_a_target_that_lacks_something(target: Target, statement: str) -> None:
    """A table or column that the layout has and the target lacks: named, exit 14."""
    with sqlite3.connect(target.store) as connection:
        connection.execute(statement)
    connection.close()
    with pytest.raises(UnknownFormat, match=r"user\.can_login|hummock_table_change_log") as caught:
        target.run(2)
    assert (caught.value.exit_code, target.is_untouched()) == (14, True)


@pytest.mark.parametrize(
    ("url", "directory", "name"),
    [("fs:///elsewhere", "hummock_001", "state_store"), (None, "other", "data_directory")],
)
def test_another_storage_is_refused(
    target: Target, url: str | None, directory: str, name: str
) -> None:
    """The options must name the snapshot's storage exactly, and the error shows no credentials."""
    with (
        pytest.raises(UsageError, match=f"{name} mismatch") as caught,
        open_meta_store(f"sqlite:///{target.store}") as meta_store,
    ):
        restore(
            target.backups,
            meta_store,
            2,
            RestoreOptions(url or f"fs://{target.state}", directory, no_object_check=True),
        )
    assert (caught.value.exit_code, target.is_untouched()) == (2, True)


def test_credentials_stay_out_of_the_mismatch(tmp_path: Path) -> None:
    """The golden snapshot's state store has a password; the message has asterisks."""
    backups = goldens.copy_backups(TAG, tmp_path)
    store = goldens.empty_store(TAG, tmp_path / "t.db")
    with (
        pytest.raises(UsageError) as caught,
        open_meta_store(f"sqlite:///{store}") as meta_store,
    ):
        restore(backups, meta_store, 2, RestoreOptions(f"fs://{tmp_path}/state"))
    assert "hummockadmin" not in str(caught.value)
    assert "****@127.0.0.1:9301/hummock001" in str(caught.value)


def test_the_overwrite_moves_four_parameters(target: Target, tmp_path: Path) -> None:
    """State store, data directory and the two of the backup; the checkpoint goes to the new
    place."""
    moved = tmp_path / "moved"
    with open_meta_store(f"sqlite:///{target.store}") as meta_store:
        options = RestoreOptions(
            f"fs://{moved}",
            "dir_2",
            overwrite_hummock_storage_endpoint=True,
            overwrite_backup_storage_url="fs:///b",
            overwrite_backup_storage_directory="backup_2",
            no_object_check=True,
        )
        restore(target.backups, meta_store, 2, options)
    values = {row[0]: row[1] for row in target.rows("system_parameter")}
    assert values["state_store"] == f"hummock+fs://{moved}"
    assert (values["data_directory"], values["backup_storage_url"]) == ("dir_2", "fs:///b")
    assert values["backup_storage_directory"] == "backup_2"
    assert (moved / "dir_2" / "checkpoint" / "0").exists()


def test_an_overwrite_without_its_parameter(target: Target) -> None:
    """Upstream's words for a parameter that is not in the snapshot."""
    target.change(
        2,
        "system_parameters",
        lambda found: [row for row in found if row.name != "backup_storage_url"],
    )
    with pytest.raises(
        InconsistentStore, match="backup_storage_url not found in system_parameter table"
    ):
        target.run(
            2,
            overwrite_hummock_storage_endpoint=True,
            overwrite_backup_storage_url="fs:///b",
            overwrite_backup_storage_directory="d",
        )
    assert target.is_untouched()


@pytest.mark.parametrize("damaged", [2, 7])
def test_damage_stops_before_anything_is_written(target: Target, damaged: int) -> None:
    """A flipped bit in the snapshot, or in the newest whose sequences are needed."""
    path = target.store.parent / "backup" / f"{damaged}.snapshot"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamageError, match=f"checksum mismatch|snapshot {damaged}, the newest"):
        target.run(2)
    assert target.is_untouched()


def test_rows_that_break_foreign_keys_roll_back(target: Target) -> None:
    """A snapshot that contradicts itself does not become a meta store."""
    table_id = target.backups.get(2).sections["tables"][0].table_id
    target.change(2, "objects", lambda found: [row for row in found if row.oid != table_id])
    with pytest.raises(InconsistentStore, match="break foreign keys"):
        target.run(2)
    assert target.is_untouched()


def test_sections_that_nobody_knows_are_not_lost(target: Target) -> None:
    """A file with more sections than its layout is not restored without them."""
    snapshot = target.backups.get(2)
    snapshot.opaque = b"\1\0\0\0\2\0\0\0{}"
    (target.store.parent / "backup" / "2.snapshot").write_bytes(metasnapshot.dumps(snapshot))
    with pytest.raises(UnknownFormat, match=r"10 bytes beyond layout 3\.0\.1"):
        target.run(2)
    assert target.is_untouched()


def test_a_state_store_that_cannot_be_written(target: Target) -> None:
    """Told before the meta store is touched where that can be known."""
    target.state.parent.joinpath("state").write_text("a file, not a directory")
    with pytest.raises(MetasnapshotError) as caught:
        target.run(2)
    assert caught.value.exit_code == 17


def test_the_checkpoint_that_was_there_is_replaced(target: Target) -> None:
    """The target's data directory may have an older checkpoint."""
    LocalStore(target.state).put_if_absent("hummock_001/checkpoint/0", b"old")
    target.run(2)
    data = (target.state / "hummock_001" / "checkpoint" / "0").read_bytes()
    assert decode_checkpoint(data, "v3.0.3").id == 105


def test_a_repository_of_one(tmp_path: Path) -> None:
    """A fresh cluster's first snapshot restores."""
    target = Target(TAG, tmp_path)
    changes.delete(target.backups, [2, 7])
    alone = Repository(target.backups.store, "backup")
    goldens.point_to_state(alone, target.state, (1,))
    result = target.run(1) if alone.manifest().ids == (1,) else None
    assert result is not None
    assert result.rows["user"] == 3
