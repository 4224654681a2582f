"""Rows in and out of Hummock: what compute nodes upload and read, and what a compactor rewrites.

Reads follow src/storage/src/hummock/store/version.rs and iterator/forward_user.rs: of all versions
of a key in the SSTs that have its table, the newest that is not after the epoch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from cluster.catalogue import Relation
from cluster.hummock import U64_MAX, HummockManager, ssts_of
from cluster.metastore import MetaStore
from cluster.objects import Bucket, sst_path
from cluster.release import ERA
from cluster.rows import Value, decode, encode_aware, encode_basic, encode_key
from cluster.sst import Entry, build, in_order, read

Row = tuple[Value, ...]


class ObjectLost(Exception):
    """An object that a version names is not there."""


class Storage:
    """A data directory, as a compute node has it; `uncommitted` are the objects that it uploaded
    and no version names yet.
    """

    def __init__(self, store: MetaStore, bucket: Bucket, directory: str) -> None:
        self._store, self._bucket, self._directory = store, bucket, directory
        self.uncommitted: set[int] = set()

    def upload(self, entries: Sequence[Entry]) -> Any:
        """Write an SST; gives its SstableInfo."""
        object_id = self._store.next_ids("sstable_object")
        built = build(object_id, in_order(entries), ERA)
        self._bucket.put(sst_path(self._directory, object_id), built.data)
        self.uncommitted.add(object_id)
        return built.info

    def min_uncommitted_object_id(self) -> int:
        """What the collector asks of compute nodes (gc.rs, collect_min_uncommitted_object_id)."""
        return min(self.uncommitted, default=U64_MAX)

    def rows(self, version: Any, relation: Relation, epoch: int) -> list[Row]:
        """A relation's rows at an epoch, by key."""
        ssts = [
            sst
            for found in ssts_of(version).values()
            for sst in found
            if relation.id in sst.table_ids
        ]
        entries = self._entries(ssts)
        table = (entry for entry in entries if entry.table_id == relation.id)
        newest = newest_versions(table, epoch)
        return [decode(relation.columns, entry.value or b"") for entry in newest]

    def compact(self, hummock: HummockManager) -> None:
        """Rewrite all SSTs into one of the last level: of each key the newest version, if that is
        no delete and its table still is there.
        """
        removed = ssts_of(hummock.version)
        ssts = [sst for found in removed.values() for sst in found]
        newest = newest_versions(self._entries(ssts), U64_MAX)
        made = [self.upload(newest)] if newest else []
        hummock.replace(removed, made)
        self.uncommitted.clear()

    def _entries(self, ssts: Sequence[Any]) -> list[Entry]:
        """The entries of SSTs, of the tables that each still stands for."""
        found: list[Entry] = []
        for sst in ssts:
            path = sst_path(self._directory, sst.object_id)
            data = self._bucket.get(path)
            if data is None:
                raise ObjectLost(path)
            assert len(data) == sst.file_size
            tables = set(sst.table_ids)
            entries = read(data, sst.meta_offset)
            found.extend(entry for entry in entries if entry.table_id in tables)
        return found


def newest_versions(entries: Iterable[Entry], epoch: int) -> list[Entry]:
    """Of each key the newest version up to an epoch, without deletes, in order."""
    newest: dict[bytes, Entry] = {}
    for entry in in_order([item for item in entries if item.epoch <= epoch]):
        newest.setdefault(entry.user_key, entry)
    return [entry for entry in newest.values() if entry.value is not None]


def entries_of_change(
    relation: Relation, before: Iterable[Row], after: Iterable[Row], epoch: int
) -> list[Entry]:
    """What turns the rows of a relation into others."""
    old, new = _by_key(relation, before), _by_key(relation, after)
    encode = encode_basic if relation.is_view else encode_aware
    puts = [
        Entry(key, epoch, encode(relation.columns, row))
        for key, row in new.items()
        if old.get(key) != row
    ]
    return [*puts, *(Entry(key, epoch, None) for key in old.keys() - new.keys())]


def _by_key(relation: Relation, rows: Iterable[Row]) -> dict[bytes, Row]:
    columns = [relation.columns[place] for place in relation.key]
    prefix = relation.id.to_bytes(4, "big")
    return {
        prefix + encode_key(columns, [row[place] for place in relation.key]): row for row in rows
    }
