"""backup: what it refuses, what it only rehearses, and what it says."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import goldens
import pytest

from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import DamageError, UnknownFormat, UsageError
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations.backup import NOT_PINNED, BackupOptions, BackupResult, backup
from metasnapshot.store.local import LocalStore
from metasnapshot.store.memory import MemoryStore

TAG = goldens.SHIPPED / "v3.0.3"


class Cluster:
    """A meta store and a state store whose parameters name each other."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = goldens.copy_store(TAG, path / "meta.db")
        self.state = goldens.write_state(TAG, path / "state")
        self.set("state_store", f"hummock+{self.state.url}")

    def set(self, name: str, value: str | None) -> None:
        self.execute("UPDATE system_parameter SET value = ? WHERE name = ?", (value, name))

    def execute(self, statement: str, parameters: tuple[Any, ...] = ()) -> None:
        with sqlite3.connect(self.store) as connection:
            connection.execute(statement, parameters)
        connection.close()

    def backup(self, backups: Repository, **options: Any) -> BackupResult:
        with open_meta_store(f"sqlite:///{self.store}") as meta_store:
            return backup(meta_store, backups, BackupOptions(**options))


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


@pytest.fixture
def backups(tmp_path: Path) -> Repository:
    return Repository(LocalStore(tmp_path / "backups"), "backup")


def test_a_dry_run_writes_nothing_and_knows_all(cluster: Cluster, backups: Repository) -> None:
    """It tells id, rows, bytes and checksum of exactly the snapshot that a backup then makes."""
    rehearsed = cluster.backup(backups, dry_run=True)
    assert list(backups.store.list("")) == []
    assert not (cluster.path / "backups").exists()
    made = cluster.backup(backups)
    assert (made.entry, made.rows, made.size, made.checksum) == (
        rehearsed.entry,
        rehearsed.rows,
        rehearsed.size,
        rehearsed.checksum,
    )


def test_a_dry_run_finds_what_would_fail(cluster: Cluster, backups: Repository) -> None:
    """An unknown table fails the rehearsal too."""
    cluster.execute("CREATE TABLE brand_new (id integer)")
    with pytest.raises(UnknownFormat, match="unknown brand_new"):
        cluster.backup(backups, dry_run=True)


def test_unknown_tables_are_left_out_only_on_request_and_on_record(
    cluster: Cluster, backups: Repository
) -> None:
    """The remarks say what is missing, beside the operator's own."""
    cluster.execute("CREATE TABLE brand_new (id integer)")
    cluster.execute('ALTER TABLE "user" ADD COLUMN shoe integer')
    result = cluster.backup(backups, allow_unknown_tables=True, remarks="nightly")
    assert result.omitted == ("brand_new", "user.shoe")
    assert result.entry.remarks == "nightly [left out: brand_new, user.shoe]"
    assert Repository(backups.store, "backup").entry(9).remarks == result.entry.remarks
    assert "brand_new is unknown and left out: a restore loses it" in result.warnings
    without = cluster.backup(backups, allow_unknown_tables=True)
    assert without.entry.remarks == "[left out: brand_new, user.shoe]"


def test_missing_columns_are_never_allowed(cluster: Cluster, backups: Repository) -> None:
    """What the layout has cannot be left out."""
    cluster.execute('ALTER TABLE "user" DROP COLUMN can_login')
    with pytest.raises(UnknownFormat, match=r"missing user\.can_login"):
        cluster.backup(backups, allow_unknown_tables=True)


@pytest.mark.parametrize(
    ("url", "directory"),
    [
        ("{root}/own", "backup"),
        ("{root}", "own/backup"),
        ("{root}/own/", "/backup/"),
        ("{root}/state/../own", "backup"),
    ],
)
def test_the_clusters_own_directory_is_refused(
    cluster: Cluster, tmp_path: Path, url: str, directory: str
) -> None:
    """However it is spelt; the meta node would overwrite the entry."""
    cluster.set("backup_storage_url", f"fs://{tmp_path}/own")
    cluster.set("backup_storage_directory", "backup")
    own = Repository(LocalStore(Path(url.format(root=tmp_path))), directory)
    with pytest.raises(UsageError, match="the cluster's own backup directory") as caught:
        cluster.backup(own)
    assert (caught.value.exit_code, "--into-cluster-directory" in caught.value.hint) == (2, True)
    assert not (tmp_path / "own").exists()
    assert cluster.backup(own, into_cluster_directory=True).entry.id == 9


def test_the_clusters_default_directory_is_refused(cluster: Cluster) -> None:
    """Parameters that are not set mean {data_directory}/backup in the state store."""
    cluster.execute("DELETE FROM system_parameter WHERE name LIKE 'backup_storage%'")
    with pytest.raises(UsageError, match="own backup directory"):
        cluster.backup(Repository(cluster.state, "hummock_001/backup"))
    assert cluster.backup(Repository(cluster.state, "elsewhere")).entry.id == 9


def test_pins_are_not_claimed(cluster: Cluster, backups: Repository) -> None:
    """Not pinned, and said so, unless the meta node is stopped."""
    running, stopped = cluster.backup(backups), cluster.backup(backups, meta_node_stopped=True)
    assert (running.pinned, running.warnings) == (False, (NOT_PINNED,))
    assert (stopped.pinned, stopped.warnings) == (True, ())


class LyingStore(MemoryStore):
    """A store that says a write went well and gives back other bytes."""

    @contextmanager
    def open_reader(self, path: str) -> Generator[BinaryIO]:
        with super().open_reader(path) as file:
            data = bytearray(file.read())
            data[len(data) // 2] ^= 1
            file.seek(0)
            file.write(data)
            file.seek(0)
            yield file


def test_what_does_not_read_back_is_not_named(cluster: Cluster) -> None:
    """The file is read again before the manifest names it; a damaged one is deleted."""
    backups = Repository(LyingStore(), "backup")
    with pytest.raises(DamageError, match="checksum mismatch"):
        cluster.backup(backups)
    assert [head.path for head in backups.store.list("")] == ["backup/manifest.json"]
    assert backups.manifest().ids == ()
