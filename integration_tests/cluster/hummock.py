"""The Hummock manager of a simulated cluster: versions by version deltas, each a row of the meta
store before it applies, and checkpoints.

Rules are those of src/meta/src/hummock/manager/: mod.rs (boot), transaction.rs and commit_epoch.rs,
checkpoint.rs, versioning.rs, gc.rs (`delete_version_deltas`). What a delta does to a version is
upstream's apply_version_delta, by the replay that backups use too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import hummock_chains
import xxhash
import zstandard
from hummock_ssts import all_ssts

from cluster.metastore import MetaStore
from cluster.objects import Bucket
from cluster.release import RELEASE, RULES, new
from metasnapshot.hummock.checkpoint import CHECKPOINT_NAME
from metasnapshot.hummock.replay.apply import apply_delta
from metasnapshot.hummock.replay.version import Working

ZSTD, ZSTD_LEVEL = 1, 3
U64_MAX = (1 << 64) - 1
GROUP = 3
"""StaticCompactionGroupId::MaterializedView: where the tables of users go."""


class Inconsistent(Exception):
    """Where upstream panics or refuses."""


class HummockManager:
    """Versions of a data directory.

    Attributes:
        version: the current HummockVersion message.
        pins: the oldest version that each compute node still reads.
        may_delete: objects that a checkpoint dropped: candidates of the minor collection.
    """

    def __init__(self, store: MetaStore, bucket: Bucket, directory: str) -> None:
        self._store, self._bucket = store, bucket
        self._path = f"{directory}/{CHECKPOINT_NAME}"
        self._safe_points: list[int] = []
        self.pins: dict[str, int] = {}
        self.may_delete: set[int] = set()
        self._deltas: dict[int, Any] = {}
        self._boot()

    def _boot(self) -> None:
        """Load the checkpoint and replay the deltas after it; without a checkpoint, start from the
        first version (mod.rs, load_meta_store_state_impl).
        """
        data = self._bucket.get(self._path)
        if data is None:
            self.version = hummock_chains.Cluster(RELEASE).first_version()
            self._checkpoint = new("hummock.HummockVersionCheckpoint", version=self.version)
            self._write_checkpoint(self._checkpoint)
        else:
            self._checkpoint = _decode(data)
            self.version = self._checkpoint.version
        for number, row in self._store.deltas():
            if number <= self._checkpoint.version.id:
                continue
            delta = new("hummock.HummockVersionDelta")
            delta.ParseFromString(row)
            if delta.prev_id != self.version.id:
                raise Inconsistent(
                    f"delta prev_id {delta.prev_id}, redo state id {self.version.id}"
                )
            self._install(delta)

    @property
    def checkpoint_id(self) -> int:
        """Id of the version in the checkpoint."""
        return int(self._checkpoint.version.id)

    def commit(self, epoch: int, ssts: Sequence[Any], new_tables: Iterable[int] = ()) -> None:
        """Commit an epoch of all tables (commit_epoch.rs): its SSTs are one new L0 sub level.

        Raises:
            Inconsistent: an object was handed to deletion before.
        """
        gone = self._store.column("hummock_gc_history", "object_id")
        if refused := gone.intersection(sst.object_id for sst in ssts):
            raise Inconsistent(f"objects {refused} are rejected from being committed")
        delta = self._delta()
        groups = {table: info.compaction_group_id for table, info in self._tables().items()}
        for table, group in (groups | dict.fromkeys(new_tables, GROUP)).items():
            info = delta.state_table_info_delta[table]
            info.committed_epoch, info.compaction_group_id = epoch, group
        if ssts:
            added = delta.group_deltas[GROUP].group_deltas.add().new_l0_sub_level
            added.inserted_table_infos.extend(ssts)
        self._persist(delta)

    def unregister(self, tables: Sequence[int]) -> None:
        """Drop tables: they leave the version, and since 2.8.4 the SSTs
        (compaction_group_manager.rs, unregister_table_ids).
        """
        delta = self._delta()
        delta.removed_table_ids.extend(tables)
        for table in tables:
            group = self._tables()[table].compaction_group_id
            pruned = delta.group_deltas[group].group_deltas
            pruned.add().truncate_tables.table_ids.append(table)
        self._persist(delta)

    def replace(self, removed: Mapping[int, Sequence[Any]], made: Sequence[Any]) -> None:
        """A compaction's result (compaction/mod.rs, report_compact_task): the SSTs that it read, by
        level, go; those that it made come into the last level.
        """
        delta = self._delta()
        group = self.version.levels[GROUP]
        deltas = delta.group_deltas[GROUP].group_deltas
        version_id = group.compaction_group_version_id
        for level, ssts in removed.items():
            intra = deltas.add().intra_level
            intra.level_idx, intra.compaction_group_version_id = level, version_id
            intra.removed_table_ids.extend(sst.sst_id for sst in ssts)
        if made:
            intra = deltas.add().intra_level
            intra.level_idx, intra.compaction_group_version_id = len(group.levels), version_id
            intra.inserted_table_infos.extend(made)
        self._persist(delta)

    def create_version_checkpoint(self) -> None:
        """Checkpoint the current version; objects that only older versions have become stale, and
        those that no reader and no safe point needs, candidates of the minor collection
        (checkpoint.rs).
        """
        if self.version.id == self.checkpoint_id:
            return
        once = set(object_ids(self._checkpoint.version)).union(self._added())
        checkpoint = new("hummock.HummockVersionCheckpoint", version=self.version)
        checkpoint.stale_objects.MergeFrom(self._checkpoint.stale_objects)
        stale = checkpoint.stale_objects[self.version.id]
        stale.id.extend(sorted(once.difference(object_ids(self.version))))
        for number in [*checkpoint.stale_objects]:
            if number < self.min_pinned_version_id:
                self.may_delete.update(checkpoint.stale_objects[number].id)
                del checkpoint.stale_objects[number]
        self._write_checkpoint(checkpoint)
        self._checkpoint = checkpoint

    def delete_version_deltas(self) -> int:
        """Delete the deltas that the checkpoint has; none while a backup is at work (gc.rs)."""
        if self._safe_points:
            return 0
        kept = {key: item for key, item in self._deltas.items() if key > self.checkpoint_id}
        self._deltas = kept
        return self._store.delete_deltas(self.checkpoint_id)

    def register_safe_point(self) -> None:
        """What a backup job holds until it ends (context.rs)."""
        self._safe_points.append(self.version.id)

    def unregister_safe_point(self) -> None:
        self._safe_points.pop()

    @property
    def min_pinned_version_id(self) -> int:
        """The oldest version that anybody needs (versioning.rs)."""
        return min([*self.pins.values(), *self._safe_points], default=U64_MAX)

    def tracked_object_ids(self) -> set[int]:
        """Objects that no collection takes: of the checkpoint, added since, or stale but pinned
        (versioning.rs, get_tracked_object_ids).
        """
        stale = self._checkpoint.stale_objects.items()
        pinned = (item.id for number, item in stale if number >= self.min_pinned_version_id)
        return set(object_ids(self._checkpoint.version)).union(self._added(), *pinned)

    def _tables(self) -> Any:
        return self.version.state_table_info

    def _added(self) -> Iterator[int]:
        """Objects that came in after the checkpoint."""
        for number, delta in self._deltas.items():
            if number <= self.checkpoint_id:
                continue
            for group in delta.group_deltas.values():
                for item in group.group_deltas:
                    ssts = [
                        *item.new_l0_sub_level.inserted_table_infos,
                        *item.intra_level.inserted_table_infos,
                    ]
                    yield from (sst.object_id for sst in ssts)

    def _delta(self) -> Any:
        number = self.version.id
        return new("hummock.HummockVersionDelta", id=number + 1, prev_id=number)

    def _persist(self, delta: Any) -> None:
        self._store.insert_delta(delta)
        self._install(delta)

    def _install(self, delta: Any) -> None:
        working = Working(self.version, RULES)
        apply_delta(working, delta)
        self.version = working.message()
        self._deltas[delta.id] = delta

    def _write_checkpoint(self, checkpoint: Any) -> None:
        """In the envelope that releases since 3.0.0 write."""
        payload = zstandard.compress(checkpoint.SerializeToString(), ZSTD_LEVEL)
        envelope = new("hummock.HummockVersionCheckpointEnvelope", payload=payload)
        envelope.compression_algorithm = ZSTD
        envelope.checksum = xxhash.xxh64_intdigest(payload)
        self._bucket.put(self._path, envelope.SerializeToString())


def ssts_of(version: Any) -> dict[int, list[Any]]:
    """The SSTs of the users' group by level, 0 for all of L0, oldest first."""
    group = version.levels[GROUP]
    levels = {0: all_ssts(group.l0.sub_levels)}
    levels |= {level.level_idx: list(level.table_infos) for level in group.levels}
    return {level: ssts for level, ssts in levels.items() if ssts}


def object_ids(version: Any) -> Iterator[int]:
    """The objects of a version."""
    for group in version.levels.values():
        yield from (sst.object_id for sst in all_ssts([*group.l0.sub_levels, *group.levels]))


def _decode(data: bytes) -> Any:
    envelope = new("hummock.HummockVersionCheckpointEnvelope")
    envelope.ParseFromString(data)
    if envelope.checksum != xxhash.xxh64_intdigest(envelope.payload):
        raise Inconsistent("checkpoint checksum mismatch")
    assert envelope.compression_algorithm == ZSTD
    plain = zstandard.ZstdDecompressor().decompressobj().decompress(envelope.payload)
    checkpoint = new("hummock.HummockVersionCheckpoint")
    checkpoint.ParseFromString(plain)
    return checkpoint
