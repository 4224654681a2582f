"""The backup manager of a simulated meta node, and the backup reader of its compute nodes.

The snapshots are this project's own, made out of the live meta store and its checkpoint; what holds
around them is upstream's: the safe point of a job, the manifest of the current place in memory, the
ids of its objects pinned, notifications after a success or a delete (backup_manager.rs at v3.0.3;
for reads src/storage/src/hummock/backup_reader.rs).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from meta_node import BackupService, JobFailed, message

from cluster.hummock import HummockManager
from cluster.metastore import MetaStore
from cluster.release import RELEASE
from metasnapshot.catalogue import changes
from metasnapshot.catalogue.manifest import Manifest
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import MetasnapshotError
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations.backup import BackupOptions, backup
from metasnapshot.operations.epoch import BackupReader
from metasnapshot.operations.pins import pinned_ids
from metasnapshot.store.url import open_store

SEQUENCE = "meta_backup"
Config = tuple[str, str]
"""Url and directory of the backups."""


class BackupManager(BackupService):
    """Makes, deletes and pins the snapshots of a cluster; `notify` is called when they change."""

    def __init__(
        self, store: MetaStore, hummock: HummockManager, config: Config, notify: Callable[[], None]
    ) -> None:
        super().__init__()
        self._store, self._hummock, self._notify = store, hummock, notify
        self.config = config
        self._repository = open_repository(config)

    def apply(self, config: Config) -> None:
        """Take another place for the backups (handle_new_config): those elsewhere pin nothing."""
        if config != self.config:
            self.config, self._repository = config, open_repository(config)

    @property
    def known(self) -> Manifest:
        """The manifest in memory."""
        return self._repository.manifest()

    def pinned_object_ids(self) -> set[int]:
        """What the collector keeps for backups (list_pinned_object_ids)."""
        return set(pinned_ids(self._repository).tolist())

    def begin(self) -> int:
        self._hummock.register_safe_point()
        return changes.next_id(self._repository, self._store.sequences().get(SEQUENCE, 1))

    def make(self, job: int) -> None:
        options = BackupOptions(
            remarks=self.remarks,
            rw_version=RELEASE,
            into_cluster_directory=True,  # this is the meta node
            meta_node_stopped=True,  # and it pins what it makes
        )
        try:
            with open_meta_store(self._store.url) as store:
                made = backup(store, self._repository, options).entry.id
            assert made == job
        except MetasnapshotError as error:
            raise JobFailed(str(error)) from error
        finally:
            self._store.set_sequence(SEQUENCE, job + 1)
            self._hummock.unregister_safe_point()
        self._notify()

    def remove(self, ids: Iterable[int]) -> None:
        changes.delete(self._repository, ids)
        self._notify()

    def entries(self) -> tuple[int, list[Any]]:
        return self.known.manifest_id, [_metadata(entry) for entry in self.known.entries]


class ComputeReader:
    """A compute node's way to the versions of backups."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._reader = BackupReader(open_repository(config), RELEASE)

    def follow(self, config: Config, manifest_id: int) -> None:
        """Take a notification: of another place, or of a newer manifest."""
        if config != self._config:
            self._config = config
            self._reader = BackupReader(open_repository(config), RELEASE)
        self._reader.refresh(manifest_id)

    def version(self, table_id: int, epoch: int) -> Any:
        """The version of the snapshot that serves a table at an epoch.

        Raises:
            EpochNotFound: none does.
        """
        return self._reader.version(self._reader.find(table_id, epoch).id)


def open_repository(config: Config) -> Repository:
    url, directory = config
    return Repository(open_store(url), directory)


def _metadata(entry: Any) -> Any:
    found = message(
        "MetaSnapshotMetadata",
        id=entry.id,
        hummock_version_id=entry.hummock_version_id,
        format_version=entry.format_version,
        rw_version=entry.rw_version,
        remarks=entry.remarks,
    )
    for table, info in entry.state_table_info.items():
        found.state_table_info[table].committed_epoch = info.committed_epoch
        found.state_table_info[table].compaction_group_id = info.compaction_group_id
    return found
