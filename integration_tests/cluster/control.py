"""A simulated cluster as upstream's test scripts handle theirs: start it, stop it, run SQL, back it
up, restore it (src/storage/backup/integration_tests/common.sh).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from cluster.command import Command, Done
from cluster.frontend import Answer, Session
from cluster.meta import Buckets, MetaNode
from cluster.metastore import MetaStore
from cluster.objects import Bucket
from cluster.release import RELEASE

DATA_DIRECTORY = "hummock_001"
BACKUP_DIRECTORY = "backup"
MetaStorePlace = tuple[str, list[str], Callable[[], None]]
"""A meta store's URL, the same in risectl's options, and what empties it."""


class CommandFailed(Exception):
    """A command that had to succeed did not."""

    def __init__(self, arguments: tuple[str, ...], done: Done) -> None:
        super().__init__(f"{' '.join(arguments)}: exit {done.code}\n{done.out}{done.err}")


class Cluster:
    """A cluster on a meta store and a bucket.

    Attributes:
        url: of the bucket, that has data and backups both.
        clock: of the cluster.
    """

    def __init__(
        self,
        meta_store: str,
        sql: Sequence[str],
        clean: Callable[[], None],
        buckets: Buckets,
        url: str,
        run: Command,
    ) -> None:
        """Have a cluster; it does not run yet.

        Args:
            meta_store: URL of the meta store.
            sql: the same as risectl's options say it.
            clean: empties it, as before a restore.
            buckets: the object store.
            url: the bucket's.
            run: runs the command under test.
        """
        self.store = MetaStore(meta_store)
        self.url, self.clock = url, buckets.clock
        self.meta_store_options = tuple(sql)
        self._clean, self._buckets, self._run = clean, buckets, run
        self._node: MetaNode | None = None

    def beside(self, place: MetaStorePlace, url: str) -> Cluster:
        """Another cluster, which knows the same buckets and does not run yet."""
        return Cluster(*place, self._buckets, url, self._run)

    @property
    def node(self) -> MetaNode:
        assert self._node is not None, "the cluster runs"
        return self._node

    @property
    def bucket(self) -> Bucket:
        return self.open_bucket(self.url)

    def open_bucket(self, url: str) -> Bucket:
        """A bucket, this cluster's or another."""
        return self._buckets.open(url)

    def start(self) -> None:
        """start_cluster: with the system parameters of risedev's profile, if it is new."""
        initial = {
            "state_store": f"hummock+{self.url}",
            "data_directory": DATA_DIRECTORY,
            "backup_storage_url": self.url,
            "backup_storage_directory": BACKUP_DIRECTORY,
            "use_new_object_prefix_strategy": "true",
            "barrier_interval_ms": "1000",
            "time_travel_retention_ms": "0",
        }
        assert self._node is None, "it is stopped"
        self._node = MetaNode(self.store, self._buckets, initial)

    def first_start(self) -> None:
        """On an empty database: the release's tables, then start_cluster."""
        self.run("create-schema", "--release", RELEASE, "--meta-store", self.store.url)
        self.start()

    def stop(self) -> None:
        """stop_cluster: whether it runs or not."""
        if self._node is not None:
            self._node.stop()
            self._node = None
        self.store.close()

    def sql(self, text: str) -> Answer:
        """execute_sql: statements in a session of their own; gives the rows of the last."""
        return Session(self.node).run(text)

    def run(self, *arguments: str) -> Done:
        """Run a command that has to succeed."""
        done = self._run(*arguments)
        if done.code:
            raise CommandFailed(arguments, done)
        return done

    def attempt(self, *arguments: str) -> Done:
        """Run a command that may fail."""
        return self._run(*arguments)

    def backup(self) -> int:
        """backup: through the meta node; gives the snapshot's id."""
        done = self.run("meta", "backup-meta", "--via-meta", self.node.url, "--json")
        return int(done.json["snapshot_id"])

    def backup_stopped(self) -> int:
        """The same with the meta node stopped: from meta store and checkpoint as they lie there."""
        self.stop()
        done = self.run(
            "backup",
            *("--meta-store", self.store.url),
            *self.places(),
            *("--rw-version", RELEASE),
            "--into-cluster-directory",
            "--meta-node-stopped",
            "--json",
        )
        self.start()
        return int(done.json["snapshot"]["id"])

    def delete_snapshot(self, number: int) -> None:
        """delete_snapshot: through the meta node."""
        words = ("meta", "delete-meta-snapshots", "--snapshot-ids", str(number))
        self.run(*words, "--via-meta", self.node.url, "--yes")

    def prepare_restore(self) -> None:
        """What comes before each restore: no node runs, and the meta store has no rows."""
        self.stop()
        self._clean()

    def restore(self, number: int, *more: str) -> None:
        """restore: of a snapshot of the cluster's own directory."""
        self.prepare_restore()
        self.run(*self.restore_command(number), *more)

    def restore_command(self, number: int) -> list[str]:
        """In risectl's words, but for --create-schema."""
        return [
            *("meta", "restore-meta"),
            *("--meta-snapshot-id", str(number)),
            *self.meta_store_options,
            *("--backup-storage-url", self.url),
            *("--hummock-storage-url", self.url),
            "--validate-integrity",
            "--create-schema",
        ]

    def places(self) -> list[str]:
        """Where its backups are, as options."""
        return [
            *("--backup-storage-url", self.url),
            *("--backup-storage-directory", BACKUP_DIRECTORY),
        ]

    def full_gc_sst(self) -> set[int]:
        """full_gc_sst: `risectl hummock trigger-full-gc -s 0`."""
        return self.node.collector.full(0)

    def listed(self) -> list[dict[str, Any]]:
        """What `list` says of its directory."""
        found: list[dict[str, Any]] = self.run("list", *self.places(), "--json").json["snapshots"]
        return found


def sqlite_place(path: Path) -> MetaStorePlace:
    """A meta store in a file."""
    options = ["--meta-store-type", "sqlite", "--sql-endpoint", str(path)]
    return f"sqlite:///{path}", options, partial(_empty_sqlite, path)


def _empty_sqlite(path: Path) -> None:
    """clean_sqlite_data: the schema stays, its list of migrations is emptied too."""
    with sqlite3.connect(path) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (name,) in names.fetchall():
            connection.execute(f"DELETE FROM [{name}]")
    connection.close()
