"""The meta node of a simulated cluster, with its one compute node: what starts, in which order, on
a meta store and a data directory (src/meta/node/src/server.rs, src/meta/src/manager/env.rs and
src/meta/src/hummock/manager/mod.rs at v3.0.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from meta_node import serve

from cluster.backups import BackupManager, ComputeReader, Config
from cluster.catalogue import Catalogue
from cluster.garbage import Collector
from cluster.hummock import HummockManager
from cluster.metastore import MetaStore
from cluster.objects import Bucket, Clock
from cluster.sst import Entry
from cluster.storage import Storage
from metasnapshot.store.location import HUMMOCK_PREFIX

EPOCH_ORIGIN_MS = 1_617_235_200_000
"""2021-04-01, where epochs begin (src/common/src/util/epoch.rs)."""
EPOCH_STEP = 1 << 16
COMPUTE_NODE = "compute-1"


class WrongOwner(Exception):
    """The data directory is another cluster's."""


class Buckets:
    """Buckets by URL, each opened once."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._open: dict[str, Bucket] = {}

    def open(self, url: str) -> Bucket:
        if url not in self._open:
            self._open[url] = Bucket(url, self.clock)
        return self._open[url]


class MetaNode:
    """A meta node that runs until `stop`.

    Attributes:
        url: where it serves backups.
        unflushed: changes of rows that wait for the next checkpoint epoch.
    """

    def __init__(self, store: MetaStore, buckets: Buckets, initial: dict[str, str]) -> None:
        """Start on a meta store; of the initial parameters, those count that it has not."""
        self.store = store
        self.unflushed: list[str] = []
        self._clock = buckets.clock
        if store.is_new():
            store.first_launch()
        for name in initial.keys() - store.parameters().keys():
            store.set_parameter(name, initial[name])
        parameters = store.parameters()
        bucket = buckets.open(parameters["state_store"].removeprefix(HUMMOCK_PREFIX))
        directory = parameters["data_directory"]
        self._claim(bucket, directory)
        self.catalogue = Catalogue(store)
        self.hummock = HummockManager(store, bucket, directory)
        self.storage = Storage(store, bucket, directory)
        self.reader = ComputeReader(_config(parameters))
        self.backups = BackupManager(store, self.hummock, _config(parameters), self._notify)
        self.collector = Collector(
            store,
            self.hummock,
            bucket,
            directory,
            self._clock,
            self.backups.pinned_object_ids,
            self.storage.min_uncommitted_object_id,
        )
        self._unpin()
        self._stack = ExitStack()
        self.url = self._stack.enter_context(serve(self.backups))

    def stop(self) -> None:
        self._stack.close()

    def commit(self, entries: Sequence[Entry], epoch: int, new_tables: Sequence[int] = ()) -> None:
        """Upload what an epoch wrote, and commit it."""
        ssts = [self.storage.upload(entries)] if entries else []
        self.hummock.commit(epoch, ssts, new_tables)
        self.storage.uncommitted.clear()
        self._unpin()

    def compact(self) -> None:
        """Compact all there is."""
        self.storage.compact(self.hummock)
        self._unpin()

    def drop_tables(self, tables: Sequence[int]) -> None:
        self.hummock.unregister(tables)
        self._unpin()

    def next_epoch(self) -> int:
        """An epoch after all others: the time."""
        now = (int(self._clock.now() * 1000) - EPOCH_ORIGIN_MS) * EPOCH_STEP
        infos = self.hummock.version.state_table_info.values()
        last = max((info.committed_epoch for info in infos), default=0)
        return max(now, last + EPOCH_STEP)

    def alter_system(self, name: str, value: str) -> None:
        """ALTER SYSTEM SET: stored, then told to everybody (manager/system_param.rs)."""
        self.store.set_parameter(name, value)
        self.backups.apply(_config(self.store.parameters()))
        self._notify()

    def housekeep(self) -> None:
        """What timers do: checkpoint, trim, minor collection."""
        self.hummock.create_version_checkpoint()
        self.hummock.delete_version_deltas()
        self.collector.minor()

    def _notify(self) -> None:
        self.reader.follow(self.backups.config, self.backups.known.manifest_id)

    def _unpin(self) -> None:
        """The compute node reads the newest version and needs no older one."""
        self.hummock.pins[COMPUTE_NODE] = self.hummock.version.id

    def _claim(self, bucket: Bucket, directory: str) -> None:
        """The data directory belongs to one cluster (write_exclusive_cluster_id)."""
        path, own = f"{directory}/cluster_id/0", str(self.store.cluster_id())
        owner = bucket.get(path)
        if owner is None:
            bucket.put(path, own.encode())
        elif owner.decode() != own:
            raise WrongOwner(f"data directory is already used by cluster {owner.decode()}")


def _config(parameters: dict[str, Any]) -> Config:
    return parameters["backup_storage_url"], parameters["backup_storage_directory"]
