"""The race of a full backup with a living cluster, which compacts and collects by upstream's rules:
complete with what the last snapshot needs, or 17; never complete and short.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cluster import Cluster
from cluster.control import BACKUP_DIRECTORY, sqlite_place
from cluster.objects import sst_id
from cluster.release import RELEASE
from s3 import S3Server

from metasnapshot.catalogue.area import look_for
from metasnapshot.catalogue.full import read_full
from metasnapshot.catalogue.repository import Repository
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations.backup_full import FullResult, backup_full
from metasnapshot.operations.backup_options import BackupOptions
from metasnapshot.operations.crew import ROUNDS, Pace
from metasnapshot.store.local import LocalStore
from metasnapshot.store.port import READ_MAX, Store, StoredObject
from metasnapshot.store.through import Through
from metasnapshot.store.url import open_store

pytest_plugins = ["cluster.fixtures"]
ONE = Pace(jobs=1)
TABLE = "CREATE TABLE t (k INTEGER, v VARCHAR, PRIMARY KEY (k))"
SSTS = 4


class Watched(Through):
    """The state store of a cluster that goes on while objects are read."""

    def __init__(self, inner: Store, act: Callable[[int], object]) -> None:
        super().__init__(inner)
        self.reads, self._act = 0, act

    def read(self, path: str, size_max: int = READ_MAX) -> StoredObject:
        if sst_id(path) is not None:
            self.reads += 1
            self._act(self.reads)
        return super().read(path, size_max)


class Race:
    """A cluster with some SSTs, and a backup directory beside it."""

    def __init__(self, cluster: Cluster, path: Path) -> None:
        self.cluster, self.path = cluster, path
        self.backups = Repository(LocalStore(path / "backups"), "backup")
        self.key = 0
        cluster.sql(TABLE)
        for _ in range(SSTS):
            self.write()
        cluster.node.hummock.create_version_checkpoint()

    def write(self, size: int = 10) -> None:
        self.key += 1
        text = "x" * size
        self.cluster.sql(
            f"SET RW_IMPLICIT_FLUSH TO true; INSERT INTO t VALUES ({self.key}, '{text}');"
        )

    def collect(self, size: int = 10) -> set[int]:
        """What a minute of a busy cluster does: two checkpoints, for what the first one calls stale
        is a candidate at the second. Gives what the collector took.
        """
        self.write(size)
        node = self.cluster.node
        node.compact()
        node.hummock.create_version_checkpoint()
        self.write()
        node.hummock.create_version_checkpoint()
        return node.collector.minor(1)

    def rows(self) -> list[int]:
        return sorted(key for key, _ in self.cluster.sql("SELECT * FROM t;"))

    def backup(self, act: Callable[[int], object], rounds: int = ROUNDS) -> FullResult:
        watched = Watched(open_store(self.cluster.url), act)
        options = BackupOptions(rw_version=RELEASE)
        with open_meta_store(self.cluster.store.url) as store:
            return backup_full(store, self.backups, options, ONE, watched, rounds_max=rounds)

    def expect_whole(self, done: FullResult) -> None:
        """What the side file names is what the snapshot needs, and all of it is there."""
        full = read_full(self.backups.store, "backup", done.backup.entry.id)
        assert full is not None, "no side file"
        assert list(full.objects.ids) == list(done.backup.needed.ids)
        assert all(look_for(self.backups.store, "backup", full.objects).seen), "short"

    def clone(self, number: int, url: str) -> Cluster:
        """The backup, started as a cluster of its own."""
        made = self.cluster.beside(sqlite_place(self.path / "clone.db"), url)
        made.run(
            *("restore", str(number), "--clone", "--with-objects", "--create-schema"),
            *("--backup-storage-url", f"fs://{self.path}/backups"),
            *("--backup-storage-directory", BACKUP_DIRECTORY, "--meta-store", made.store.url),
            *("--hummock-storage-url", url, "--hummock-storage-directory", "clone"),
        )
        made.start()
        return made


@pytest.fixture
def race(small_cluster: Cluster, tmp_path: Path) -> Race:
    return Race(small_cluster, tmp_path)


def test_a_collection_inside_each_read(race: Race) -> None:
    """Of the n-th object, for each n: all that is stale goes at that moment. The backup ends
    complete and whole, of a snapshot that needs nothing that is gone.
    """
    nth, took_some = 0, 0
    while True:
        nth += 1
        shutil.rmtree(race.path / "backups", ignore_errors=True)
        race.backups = Repository(LocalStore(race.path / "backups"), "backup")
        for _ in range(SSTS):
            race.write()
        race.cluster.node.hummock.create_version_checkpoint()
        gone = set[int]()
        at = nth

        def act(now: int, at: int = at, gone: set[int] = gone) -> None:
            if now == at:
                gone.update(race.collect())

        done = race.backup(act)
        assert done.complete, done.error
        race.expect_whole(done)
        assert race.backups.manifest().ids == (done.backup.entry.id,)
        if not gone:
            break
        took_some += done.rounds > 1
    assert nth > SSTS
    assert took_some >= SSTS - 1


def test_what_was_backed_up_beside_it_answers(race: Race, s3: S3Server) -> None:
    """The rows of the moment of its last snapshot, by SELECT on a clone, after the cluster went on
    and everything stale of it went.
    """
    seen = list[int]()

    def act(now: int) -> None:
        if now == 2:
            race.collect()
            seen.extend(race.rows())

    done = race.backup(act)
    assert (done.complete, done.rounds) == (True, 2)
    race.collect()
    race.cluster.full_gc_sst()
    clone = race.clone(done.backup.entry.id, s3.minio(s3.bucket()))
    try:
        assert sorted(key for key, _ in clone.sql("SELECT * FROM t;")) == seen
        clone.full_gc_sst()
        assert sorted(key for key, _ in clone.sql("SELECT * FROM t;")) == seen
    finally:
        clone.stop()


@pytest.mark.parametrize("rounds", [2, ROUNDS])
def test_a_writer_that_is_always_faster(race: Race, rounds: int) -> None:
    """Whatever is read, all of it is rewritten and collected first, and is larger each time: 17
    with both speeds; no side file; what was copied stays, and the next run, beside a quiet cluster,
    is complete and does not copy it twice.
    """

    def act(now: int) -> None:
        race.collect(2000 * now)

    done = race.backup(act, rounds)
    assert not done.complete
    assert done.error is not None
    assert done.error.exit_code == 17
    assert "cannot keep up" in str(done.error)
    assert str(done.error).count("MB/s") == 2
    assert 1 < done.rounds <= rounds
    folder = race.path / "backups/backup"
    assert list(folder.glob("*.full")) == []
    assert race.backups.manifest().ids == (done.backup.entry.id,)
    kept = {path.name for path in folder.glob("objects/*/*.*")}
    again = race.backup(lambda _: None)
    assert (again.complete, again.rounds) == (True, 1)
    race.expect_whole(again)
    assert kept <= {path.name for path in folder.glob("objects/*/*.*")}


def test_a_pin_that_a_restart_lost(race: Race) -> None:
    """The manifest in memory is what pins. A meta node that starts with another backup directory
    knows none of the snapshots of the first: their objects go, as upstream's go. The plain snapshot
    lacks them then (17); the full one, copied while they were pinned, is whole.
    """
    cluster = race.cluster
    number = cluster.backup()
    done = race.backup(lambda _: None)
    assert done.complete
    race.collect()
    assert cluster.run("verify", str(number), "--level", "objects", *at(cluster)).code == 0
    cluster.stop()
    cluster.store.set_parameter("backup_storage_directory", "elsewhere")
    cluster.start()
    race.collect()
    cluster.clock.let_pass(60)
    assert cluster.full_gc_sst()
    assert cluster.attempt("verify", str(number), "--level", "objects", *at(cluster)).code == 17
    race.expect_whole(done)
    place = ("--backup-storage-url", f"fs://{race.path}/backups")
    found = cluster.run("verify", "latest", "--content", "hashes", *place, "--json").json
    assert found["snapshots"][0]["ok"]


def at(cluster: Cluster) -> tuple[str, ...]:
    return (
        *cluster.places(),
        *("--hummock-storage-url", cluster.url, "--hummock-storage-directory", "hummock_001"),
    )
