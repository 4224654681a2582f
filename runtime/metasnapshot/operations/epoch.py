"""Which snapshot serves a table at an epoch (SET QUERY_EPOCH), as a compute node finds it.

Source: src/storage/src/hummock/backup_reader.rs at v1.9.0, v1.10.0, v2.1.0, v3.0.3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from metasnapshot.catalogue.clusters import entries_of
from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import MetasnapshotError, SnapshotNotFound, UsageError
from metasnapshot.format.rules import known_release, rules_at
from metasnapshot.format.scalars import U64_MAX

PURE_EPOCH = U64_MAX & ~0xFFFF
"""The low 16 bits of an epoch are a key's spill offset; a query's epoch has none."""
BY_TABLE, COMMITTED = "query_by_table", "query_committed"
"""Rules: a table's own epochs are looked at; exactly its committed one is wanted."""

Serves = Callable[[ManifestEntry, int, int], bool]
"""Whether a snapshot serves a table at an epoch."""


class EpochNotFound(SnapshotNotFound):
    """No snapshot serves this epoch."""

    def __init__(self, table_id: int, epoch: int, known: tuple[int, ...]) -> None:
        MetasnapshotError.__init__(
            self,
            f"backup include epoch {epoch} not found",
            hint=f"table {table_id} is served at {', '.join(map(str, known))}"
            if known
            else f"no snapshot has table {table_id}; of a cluster before 2.1, give --release",
        )
        self.table_id = table_id
        self.epoch = epoch
        self.known = known


class BackupReader:
    """Snapshots by table and epoch. Versions that were read are kept until their snapshot leaves
    the manifest.
    """

    def __init__(self, repository: Repository, release: str | None = None) -> None:
        """Use a backup directory by the rule of a release; of none, each snapshot by that of the
        release that its entry names.

        Raises:
            UsageError: the release is not known.
        """
        self._repository = repository
        self._given = None if release is None else _rule(known_release(release))
        self._versions: dict[int, Any] = {}

    def find(self, table_id: int, epoch: int) -> ManifestEntry:
        """The first snapshot of the manifest that serves a table at an epoch.

        Raises:
            EpochNotFound: none does.
        """
        pure = epoch & PURE_EPOCH
        for entry in self._named():
            serves = self._given or _rule_of(entry)
            if serves(entry, table_id, pure):
                return entry
        raise EpochNotFound(table_id, pure, self._epochs(table_id))

    def version(self, snapshot_id: int) -> Any:
        """A snapshot's HummockVersion message; the snapshot is read once.

        Raises:
            SnapshotNotFound: the manifest has no such id.
            DamageError: it is damaged.
        """
        if snapshot_id not in self._versions:
            with self._repository.open(snapshot_id) as reader:
                self._versions[snapshot_id] = reader.hummock_version.message
        return self._versions[snapshot_id]

    def refresh(self, manifest_id: int) -> None:
        """Follow a notification of the meta node: read the manifest again if its id is greater, and
        forget the versions of snapshots that left it.
        """
        if manifest_id <= self._repository.manifest().manifest_id:
            return
        known = self._repository.refresh_manifest().ids
        self._versions = {key: found for key, found in self._versions.items() if key in known}

    def _named(self) -> list[ManifestEntry]:
        """The snapshots that a compute node can find: those that the manifest names."""
        named = self._repository.manifest().ids
        return [entry for entry in entries_of(self._repository) if entry.id in named]

    def _epochs(self, table_id: int) -> tuple[int, ...]:
        """Committed epochs of a table in all snapshots."""
        infos = (entry.state_table_info for entry in self._named())
        found = (info[table_id].committed_epoch for info in infos if table_id in info)
        return tuple(dict.fromkeys(found))


def _rule_of(entry: ManifestEntry) -> Serves:
    """The rule of the release that made an entry. Where it names none that is known, its form says
    it: the epochs of the whole cluster are in no entry since 2.1.
    """
    try:
        return _rule(known_release(entry.rw_version or ""))
    except UsageError:
        if entry.max_committed_epoch:
            return _is_between_of_table
        return _is_committed


def _rule(release: str | None) -> Serves:
    rules = rules_at(release) if release else frozenset[str]()
    if COMMITTED in rules:
        return _is_committed
    return _is_between_of_table if BY_TABLE in rules else _is_between


def _is_committed(entry: ManifestEntry, table_id: int, epoch: int) -> bool:
    info = entry.state_table_info.get(table_id)
    return info is not None and info.committed_epoch == epoch


def _is_between_of_table(entry: ManifestEntry, table_id: int, epoch: int) -> bool:
    if not entry.state_table_info:
        return _is_between(entry, table_id, epoch)
    info = entry.state_table_info.get(table_id)
    return info is not None and (info.safe_epoch or 0) <= epoch <= info.committed_epoch


def _is_between(entry: ManifestEntry, table_id: int, epoch: int) -> bool:
    del table_id
    return (entry.safe_epoch or 0) <= epoch <= (entry.max_committed_epoch or 0)
