"""restore: its plan, and what it does when something stands in the way."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import goldens
import pytest
import sqlalchemy as sa

from metasnapshot.errors import (
    ConflictError,
    InconsistentStore,
    MetasnapshotError,
    StorageError,
    TargetNotEmpty,
    UnknownFormat,
)
from metasnapshot.hummock.checkpoint import decode_checkpoint
from metasnapshot.metastore.bulk.digest import TableDigest
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.metastore.engines.sqlite_rows import SqliteTable
from metasnapshot.operations.restore import load as loading
from metasnapshot.operations.restore import restoration as operation
from metasnapshot.operations.restore.plan import RestoreOptions, RestorePlan
from metasnapshot.operations.restore.restoration import RestoreResult, plan_restore, restore
from metasnapshot_models.codecs import CODECS
from metasnapshot_models.definitions import Layout

TAG = goldens.SHIPPED / "v3.0.3"
CHECKS = [
    "snapshot verified",
    "nothing unknown in it",
    "hummock sequences",
    "storage",
    "target schema",
    "triggers and rules",
    "target empty",
    "values",
    "cluster id",
    "version checkpoint",
    "hummock objects",
]


class Target:
    """An emptied meta store, snapshots that point to a local state store, and that store."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = goldens.empty_store(TAG, path / "target.db")
        self.state = path / "state"
        self.backups = goldens.copy_backups(TAG, path)
        goldens.point_to_state(self.backups, self.state, (2, 7))

    def options(self, **options: Any) -> RestoreOptions:
        options = {"no_object_check": True, **options}
        return RestoreOptions(f"fs://{self.state}", "hummock_001", **options)

    def plan(self, **options: Any) -> RestorePlan:
        with open_meta_store(f"sqlite:///{self.store}") as meta_store:
            return plan_restore(self.backups, meta_store, 2, self.options(**options))

    def restore(self, **options: Any) -> RestoreResult:
        with open_meta_store(f"sqlite:///{self.store}") as meta_store:
            return restore(self.backups, meta_store, 2, self.options(**options))

    def execute(self, *statements: str) -> None:
        with sqlite3.connect(self.store) as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self.store) as connection:
            found = connection.execute(f'SELECT * FROM "{table}"').fetchall()
        connection.close()
        return found

    def fingerprint(self) -> dict[str, str]:
        """A hash of every file below the test's folder."""
        return {
            str(path): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.path.rglob("*"))
            if path.is_file()
        }


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return Target(tmp_path)


def results(plan: RestorePlan) -> dict[str, str]:
    return {check.name: check.result for check in plan.checks}


def test_a_plan_has_every_check_in_order_and_writes_nothing(target: Target) -> None:
    """All checks pass with their reasons, and no byte of any file changes."""
    before = target.fingerprint()
    plan = target.plan()
    assert target.fingerprint() == before
    assert [check.name for check in plan.checks] == CHECKS
    assert [name for name, result in results(plan).items() if result != "ok"] == ["hummock objects"]
    assert all(check.reason for check in plan.checks)
    assert (plan.error, plan.layout, plan.sequences_from) == (None, "3.0.1", 7)
    assert sum(plan.rows.values()) == 315
    assert not plan.replaces_checkpoint


def test_a_failed_check_ends_the_plan(target: Target) -> None:
    """The one that failed is named with its reason; those behind it were not looked at."""
    target.execute("INSERT INTO catalog_version VALUES ('NOTIFICATION', 1)")
    plan = target.plan()
    found = results(plan)
    assert found["target empty"] == "failed"
    assert (found["target schema"], found["cluster id"]) == ("ok", "not checked")
    with pytest.raises(TargetNotEmpty, match=r"catalog_version \(1\)"):
        plan.require()


def test_a_column_that_would_refuse_the_rows(target: Target) -> None:
    """An unknown column without default that takes no NULL is exit 14; with a default it is not."""
    target.execute("ALTER TABLE \"view\" ADD COLUMN note text NOT NULL DEFAULT ''")
    assert target.plan().error is None
    target.execute(
        'DROP TABLE "view"',
        'CREATE TABLE "view" (view_id integer PRIMARY KEY, name text, properties text, '
        "definition text, columns blob, shoe integer NOT NULL)",
    )
    with pytest.raises(UnknownFormat, match=r"view\.shoe takes no NULL and has no default"):
        target.restore()


def test_clean_empties_what_it_names(target: Target) -> None:
    """Rows of every table of RisingWave's go, those that are in no snapshot too."""
    with sqlite3.connect(target.store) as connection:
        connection.execute("ATTACH ? AS golden", (str(TAG / "meta.db"),))
        for table in ("hummock_version_delta", "catalog_version", "compaction_task"):
            connection.execute(f"INSERT INTO main.{table} SELECT * FROM golden.{table}")
    connection.close()
    plan = target.plan(clean=True)
    assert plan.empties == {"catalog_version": 2, "compaction_task": 3, "hummock_version_delta": 7}
    result = target.restore(clean=True)
    assert result.rows["catalog_version"] == 2
    assert target.rows("hummock_version_delta") == target.rows("compaction_task") == []


def test_auto_increments_go_on_above_the_rows(target: Target) -> None:
    """Every AUTOINCREMENT table, user_default_privilege too; what was left behind is corrected."""
    target.execute("INSERT INTO sqlite_sequence VALUES ('user_default_privilege', 999999)")
    result = target.restore()
    rows = target.rows("sqlite_sequence")
    stored = dict(rows)
    assert len(rows) == len(stored), rows
    largest = max(row[0] for row in target.rows("user_default_privilege"))
    assert stored["user_default_privilege"] == largest == 31
    golden = sqlite3.connect(f"file:{goldens.restored(TAG)}?mode=ro", uri=True)
    assert stored == dict(golden.execute("SELECT * FROM sqlite_sequence").fetchall())
    golden.close()
    assert result.sequences == stored


def test_sequences_are_raised_on_request(target: Target) -> None:
    """Above every object and snapshot id that the directory mentions, and never lowered."""
    (target.path / "backup" / "41.snapshot").write_bytes(b"an orphan")
    plan = target.plan(bump_sequences=True)
    values = {row.name: row.seq for row in plan.sequences}
    assert values["meta_backup"] == 42
    assert values["sstable_object"] == 9007199254740999
    reason = next(check.reason for check in plan.checks if check.name == "hummock sequences")
    assert "meta_backup raised from 9 to 42" in reason
    target.restore(bump_sequences=True)
    assert dict(target.rows("hummock_sequence"))["meta_backup"] == 42


def test_the_replaced_checkpoint_is_kept(target: Target) -> None:
    """Beside the backups, byte for byte, and named in the result."""
    path = target.state / "hummock_001" / "checkpoint" / "0"
    path.parent.mkdir(parents=True)
    path.write_bytes((TAG / "checkpoint.2.bin").read_bytes() + b"")
    old = path.read_bytes()
    assert target.plan().replaces_checkpoint
    result = target.restore()
    assert result.replaced_checkpoint is not None
    assert (target.path / result.replaced_checkpoint).read_bytes() == old
    assert decode_checkpoint(path.read_bytes(), "v3.0.3").id == 105


@pytest.mark.parametrize("owner", ["own", "other"])
def test_a_data_directory_has_one_cluster(target: Target, owner: str) -> None:
    """cluster_id/0 must be absent or the snapshot's; another cluster's is exit 11."""
    cluster_id = str(target.backups.get(2).sections["clusters"][0].cluster_id)
    path = target.state / "hummock_001" / "cluster_id" / "0"
    path.parent.mkdir(parents=True)
    path.write_text(cluster_id if owner == "own" else "00000000-0000-0000-0000-000000000001")
    if owner == "own":
        target.restore()
        return
    with pytest.raises(ConflictError, match="already used by another cluster") as caught:
        target.restore()
    assert (caught.value.exit_code, target.rows("user")) == (11, [])


def test_a_restore_that_died_before_its_checkpoint_is_finished(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows are recognised as its own; only the checkpoint is written."""

    def fail(*_: object) -> str:
        raise StorageError("the store went away")

    with monkeypatch.context() as patched:
        patched.setattr(operation, "write_checkpoint", fail)
        with pytest.raises(StorageError, match="went away"):
            target.restore()
    assert len(target.rows("user")) == 4
    assert not (target.state / "hummock_001").exists()
    plan = target.plan()
    assert (plan.loaded, plan.error) == (True, None)
    before = target.store.read_bytes()
    target.restore()
    assert target.store.read_bytes()[100:] == before[100:]
    assert (target.state / "hummock_001" / "checkpoint" / "0").exists()


def test_rows_that_differ_are_not_taken_for_its_own(target: Target) -> None:
    """As many rows as the snapshot has, one of them changed: not empty, exit 13."""
    target.restore()
    target.execute("UPDATE catalog_version SET version = version + 1")
    with pytest.raises(TargetNotEmpty):
        target.restore()


def test_a_database_that_gives_back_other_values_is_rolled_back(target: Target) -> None:
    """Each table is read back before the commit."""
    target.execute(
        "CREATE TRIGGER meddle AFTER INSERT ON session_parameter BEGIN "
        "UPDATE session_parameter SET value = 'x'; END"
    )
    with pytest.raises(InconsistentStore, match="table session_parameter gives back"):
        target.restore()
    assert target.rows("user") == []
    assert not target.state.exists()


def test_tables_come_back_in_the_form_in_which_they_were_sent(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No table of a golden snapshot has to be compared a second time, as models."""
    monkeypatch.delattr(loading, "digest_table")
    target.restore()


def test_another_form_of_the_same_values_is_no_damage(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table whose rows come back in a form that was not sent is compared as models, each once;
    its rows are those that upstream's own restore wrote."""
    compared: list[str] = []
    honest = loading.digest_table

    def note(connection: sa.Connection, layout: Layout, model: str) -> TableDigest:
        compared.append(CODECS[model].table)
        return honest(connection, layout, model)

    monkeypatch.setattr(loading, "digest_table", note)
    monkeypatch.setattr(SqliteTable, "digest", lambda _: None)
    result = target.restore()
    with closing(sqlite3.connect(f"file:{goldens.restored(TAG)}?mode=ro", uri=True)) as golden:
        for table in set(compared) - {"system_parameter"}:  # where the state store is differs
            expected = golden.execute(f'SELECT * FROM "{table}"').fetchall()
            assert target.rows(table) == expected
    assert (len(compared), len(set(compared))) == (len(result.rows), len(result.rows))


def test_damage_in_another_form_is_damage(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compared as models, a changed value is found as well, and nothing is committed."""
    monkeypatch.setattr(SqliteTable, "digest", lambda _: None)
    target.execute(
        "CREATE TRIGGER meddle AFTER INSERT ON session_parameter BEGIN "
        "UPDATE session_parameter SET value = 'x'; END"
    )
    with pytest.raises(InconsistentStore, match="table session_parameter gives back"):
        target.restore()
    assert target.rows("user") == []


def test_a_checkpoint_that_somebody_else_writes_is_noticed(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in the store afterwards must be the snapshot's version."""
    honest = operation.write_checkpoint

    def meddle(store: Any, directory: str, version: Any, layout: Any) -> str:
        version.id = 1
        return honest(store, directory, version, layout)

    monkeypatch.setattr(operation, "write_checkpoint", meddle)
    with pytest.raises(MetasnapshotError, match="does not hold the snapshot's version"):
        target.restore()
