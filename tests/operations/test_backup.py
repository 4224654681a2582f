"""backup, against what RisingWave's own builder made of the same meta stores."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import goldens
import pytest

import metasnapshot
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import (
    DeltaError,
    InconsistentStore,
    MetasnapshotError,
    ObjectMissing,
    RowError,
    UnknownFormat,
    UsageError,
)
from metasnapshot.hummock.checkpoint import write_checkpoint
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations.backup import NOT_PINNED, BackupOptions, BackupResult, backup
from metasnapshot.store.local import LocalStore
from metasnapshot_models.layouts import LAYOUTS

TAG = goldens.SHIPPED / "v3.0.3"


def run(store: Path, backups: Repository, state: Path, **options: Any) -> BackupResult:
    with open_meta_store(f"sqlite:///{store}") as meta_store:
        found = BackupOptions(f"fs://{state}", goldens.DATA_DIRECTORY, **options)
        return backup(meta_store, backups, found)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return goldens.copy_store(TAG, tmp_path / "meta.db")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    goldens.write_state(TAG, tmp_path / "state")
    return tmp_path / "state"


@pytest.fixture
def backups(tmp_path: Path) -> Repository:
    return Repository(LocalStore(tmp_path / "backups"), "backup")


@pytest.mark.parametrize("tag", goldens.STORES, ids=lambda tag: tag.name)
def test_a_backup_has_the_rows_of_upstreams(tag: Path, tmp_path: Path) -> None:
    """Section by section the rows of golden snapshot 7; only the row meta_backup says the next
    id."""
    goldens.write_state(tag, tmp_path / "state")
    backups = goldens.copy_backups(tag, tmp_path)
    result = run(tag / "meta.db", backups, tmp_path / "state")
    expected, found = backups.get(7), backups.get(result.entry.id)
    assert (result.entry.id, tag.name.removeprefix("v") in result.releases) == (9, True)
    for section, rows in expected.sections.items():
        others = [row for row in rows if getattr(row, "name", "") != "meta_backup"]
        mine = [row for row in found.sections[section] if getattr(row, "name", "") != "meta_backup"]
        assert sorted(map(repr, mine)) == sorted(map(repr, others)), section
    sequences = {row.name: row.seq for row in found.sections["hummock_sequences"]}
    assert sequences["meta_backup"] == 10
    assert found.hummock_version.json == expected.hummock_version.json
    assert sorted(backups.entry(7).ssts) == list(result.entry.ssts)
    assert backups.entry(7).state_table_info == result.entry.state_table_info


@pytest.mark.parametrize("tag", goldens.STORES, ids=lambda tag: tag.name)
def test_two_backups_of_one_state_are_identical(tag: Path, tmp_path: Path) -> None:
    """Apart from the ids: rows by primary key, maps by key."""
    goldens.write_state(tag, tmp_path / "state")
    snapshots: list[metasnapshot.MetaSnapshot] = []
    for name in ("one", "two"):
        backups = Repository(LocalStore(tmp_path / name), "backup")
        snapshots.append(backups.get(run(tag / "meta.db", backups, tmp_path / "state").entry.id))
    assert metasnapshot.dumps(snapshots[0]) == metasnapshot.dumps(snapshots[1])


def test_ids_follow_the_sequence_and_what_is_taken(
    store: Path, state: Path, backups: Repository
) -> None:
    """The first id is meta_backup's, the next is one more; the meta store itself does not
    change."""
    before = store.read_bytes()
    assert [run(store, backups, state).entry.id for _ in range(3)] == [9, 10, 11]
    assert store.read_bytes() == before
    assert backups.manifest().ids == (9, 10, 11)


def test_a_cluster_that_never_had_a_backup(store: Path, state: Path, backups: Repository) -> None:
    """Without a row meta_backup the id is 1 and the snapshot has the row, as RisingWave's own
    would."""
    with sqlite3.connect(store) as connection:
        connection.execute("DELETE FROM hummock_sequence WHERE name = 'meta_backup'")
    connection.close()
    result = run(store, backups, state)
    rows = {row.name: row.seq for row in backups.get(1).sections["hummock_sequences"]}
    assert (result.entry.id, rows["meta_backup"]) == (1, 2)


def test_the_entry_carries_the_options(store: Path, state: Path, backups: Repository) -> None:
    """Remarks and release go into the manifest; the release is not guessed where several are
    possible."""
    assert run(store, backups, state).entry.rw_version is None
    entry = run(store, backups, state, remarks="nightly é", rw_version="3.0.2").entry
    written = json.loads(entry.raw)
    assert (written["remarks"], written["rw_version"]) == ("nightly é", "3.0.2")


def test_a_release_without_doubt_is_named(tmp_path: Path) -> None:
    """Only 2.4.0 has its migrations; a branch without a tag is no release to name."""
    found = {tag.name: tag for tag in goldens.STORES}
    for name, expected in (("v2.4.0", "2.4.0"), ("main-2026-08-21", None)):
        if name in found:
            goldens.write_state(found[name], tmp_path / name)
            backups = Repository(LocalStore(tmp_path / f"b{name}"), "backup")
            entry = run(found[name] / "meta.db", backups, tmp_path / name).entry
            assert entry.rw_version == expected


def test_deltas_that_lead_nowhere_are_an_error(
    store: Path, state: Path, backups: Repository
) -> None:
    """Both ids are named and nothing is written: a snapshot of the older version would be wrong."""
    with sqlite3.connect(store) as connection:
        connection.execute("DELETE FROM hummock_version_delta WHERE id < 105")
        connection.execute("UPDATE hummock_version_delta SET id = 106, prev_id = 105")
    connection.close()
    with pytest.raises(DeltaError, match="version delta 105, id: its row has id 106"):
        run(store, backups, state)
    assert list(backups.store.list("")) == []


def test_a_missing_checkpoint_is_an_error(store: Path, tmp_path: Path, backups: Repository) -> None:
    """Never an empty version: exit 17, and nothing written."""
    with pytest.raises(ObjectMissing, match="hummock_001/checkpoint/0") as caught:
        run(store, backups, tmp_path / "nowhere")
    assert caught.value.exit_code == 17
    assert list(backups.store.list("")) == []


@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE brand_new (id integer)", 'ALTER TABLE "user" ADD COLUMN shoe integer'],
)
def test_what_the_registry_does_not_know_is_not_left_out(
    store: Path, state: Path, backups: Repository, statement: str
) -> None:
    """An unknown table or column fails the backup by name, exit 14."""
    with sqlite3.connect(store) as connection:
        connection.execute(statement)
    connection.close()
    with pytest.raises(UnknownFormat, match=r"unknown (brand_new|user\.shoe)") as caught:
        run(store, backups, state)
    assert caught.value.exit_code == 14
    assert list(backups.store.list("")) == []


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        (
            "UPDATE \"user\" SET name = CAST(x'00' AS blob) WHERE user_id = 1",
            "table user, row 0, column name",
        ),
        ("UPDATE catalog_version SET name = 'UNHEARD' WHERE name = 'NOTIFICATION'", "column name"),
        (
            "UPDATE fragment SET state_table_ids = NULL",
            "section fragments, row 0, column state_table_ids",
        ),
    ],
)
def test_a_value_that_no_row_can_hold(
    store: Path, state: Path, backups: Repository, statement: str, place: str
) -> None:
    """It is named, with table, row and column, and no half snapshot stays."""
    with sqlite3.connect(store) as connection:
        connection.execute(statement)
    connection.close()
    with pytest.raises(RowError, match=place):
        run(store, backups, state)
    assert list(backups.store.list("")) == []


def test_rows_that_upstream_forgot_are_told(tmp_path: Path) -> None:
    """Rows of a table that the release's snapshots lack: a note with the count."""
    found = {tag.name: tag for tag in goldens.STORES}
    tag = found.get("v2.6.0")
    if tag is None:  # the store is not shipped: the same from 2.2.0, whose snapshots lack nothing
        tag = found["v2.2.0"]
    goldens.write_state(tag, tmp_path / "state")
    backups = Repository(LocalStore(tmp_path / "backups"), "backup")
    warnings = run(tag / "meta.db", backups, tmp_path / "state").warnings
    missed = {"v2.6.0": ["table cdc_table_snapshot_splits has 5 rows"], "v2.2.0": []}
    assert warnings[0] == NOT_PINNED
    assert [text.partition(" that")[0] for text in warnings[1:]] == missed[tag.name]


def test_the_protobuf_form_is_written_where_the_release_writes_it(
    tmp_path: Path, store: Path
) -> None:
    """A store of branch release-2.8 (66 migrations) gives the second form of hummock_version."""
    tag = next(item for item in goldens.TAGS if item.name == "v2.8.4")
    if not (tag / "meta.db").exists():
        _make_store(tag, store)
    else:
        goldens.copy_store(tag, store)
    with sqlite3.connect(store) as connection:
        connection.execute(
            "INSERT INTO seaql_migrations VALUES "
            "('m20260624_000000_pending_sink_state_object_fk', 1)"
        )
    connection.close()
    goldens.write_state(tag, tmp_path / "state")
    backups = Repository(LocalStore(tmp_path / "backups"), "backup")
    result = run(store, backups, tmp_path / "state")
    snapshot = backups.get(result.entry.id)
    assert (snapshot.layout, snapshot.hummock_version.form) == ("release-2.8", "protobuf")
    seven = metasnapshot.loads((tag / "backup" / "7.snapshot").read_bytes())
    assert snapshot.hummock_version.json == seven.hummock_version.json


def _make_store(tag: Path, path: Path) -> None:
    """A store with a tag's schema and migrations and no other rows but the storage parameters."""
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.executescript((tag / "schema.sqlite.sql").read_text())
        names = (tag / "migrations.txt").read_text().split()
        connection.executemany(
            "INSERT INTO seaql_migrations VALUES (?, 1)", [(name,) for name in names]
        )
    connection.close()


def test_the_state_store_is_found_in_the_system_parameters(
    store: Path, state: Path, backups: Repository
) -> None:
    """Without options the backup looks where the cluster's own parameters say."""
    with sqlite3.connect(store) as connection:
        connection.execute(
            "UPDATE system_parameter SET value = ? WHERE name = 'state_store'",
            (f"hummock+fs://{state}",),
        )
    connection.close()
    with open_meta_store(f"sqlite:///{store}") as meta_store:
        assert backup(meta_store, backups).entry.hummock_version_id == 105
    with sqlite3.connect(store) as connection:
        connection.execute("DELETE FROM system_parameter WHERE name = 'state_store'")
    connection.close()
    with (
        pytest.raises(UsageError, match="no system parameter state_store"),
        open_meta_store(f"sqlite:///{store}") as meta_store,
    ):
        backup(meta_store, backups)


@pytest.mark.parametrize(
    "statement", ["DELETE FROM seaql_migrations", "DROP TABLE seaql_migrations"]
)
def test_a_store_that_is_no_meta_store(
    store: Path, state: Path, backups: Repository, statement: str
) -> None:
    """Exit 14, and the words say what is missing."""
    with sqlite3.connect(store) as connection:
        connection.execute(statement)
    connection.close()
    with pytest.raises(UnknownFormat, match="seaql_migrations"):
        run(store, backups, state)


def test_newer_migrations_without_new_tables_are_noted(
    store: Path, state: Path, backups: Repository
) -> None:
    """A later release that changed no table is backed up as the latest known layout, and that is
    said."""
    with sqlite3.connect(store) as connection:
        connection.execute("INSERT INTO seaql_migrations VALUES ('m20990101_000000_data_only', 1)")
    connection.close()
    result = run(store, backups, state)
    assert result.layout == "3.0.1"
    assert "m20990101_000000_data_only" in result.warnings[1]


def test_a_manifest_that_cannot_be_written_leaves_no_file(
    store: Path, state: Path, backups: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest is as it was, and a cron job that tries again and again fills no disk."""

    def refuse(*_: object) -> None:
        raise MetasnapshotError("no manifest today")

    with monkeypatch.context() as patched:
        patched.setattr(Repository, "change_manifest", refuse)
        with pytest.raises(MetasnapshotError, match="no manifest today"):
            run(store, backups, state)
    assert [head.path for head in backups.store.list("")] == ["backup/manifest.json"]
    again = Repository(backups.store, "backup")
    assert run(store, again, state).entry.id == 9


def test_a_newer_checkpoint_than_the_deltas(
    store: Path, tmp_path: Path, backups: Repository
) -> None:
    """Without deltas it is what it says; older ones mean a meta store from another time."""
    layout = LAYOUTS["3.0.1"]
    version = metasnapshot.loads(
        (TAG / "backup" / "7.snapshot").read_bytes()
    ).hummock_version.message
    version.id = 200
    write_checkpoint(LocalStore(tmp_path / "ahead"), goldens.DATA_DIRECTORY, version, layout)
    with pytest.raises(InconsistentStore, match="expected 105, actual 200"):
        run(store, backups, tmp_path / "ahead")
    with sqlite3.connect(store) as connection:
        connection.execute("DELETE FROM hummock_version_delta")
    connection.close()
    assert run(store, backups, tmp_path / "ahead").entry.hummock_version_id == 200
