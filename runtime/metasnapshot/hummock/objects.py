"""Which objects a Hummock version needs, by the rule of each release: the `ssts` of a manifest
entry.

SSTs of all levels; up to 2.8 those of the table change logs in the version, from 3.0 on those in
the rows of hummock_table_change_log; vector files since 2.5, HNSW graph files since 2.6. Object
ids, never sst ids.
Source: MetaSnapshotMetadata::new, src/storage/backup/src/lib.rs at 1.10.0, 2.1.0, 2.6.0, 3.0.3.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from metasnapshot.format.reader import SnapshotReader
from metasnapshot.hummock.identity import graph_tag, sst_tag, vector_tag
from metasnapshot.hummock.paths import DATA, GRAPH, SUFFIXES, VECTOR
from metasnapshot_models.models import HummockTableChangeLog

CHANGE_LOGS_SECTION = "hummock_table_change_logs"


class NeededObject(NamedTuple):
    """An object that a version refers to: its id, its suffix, its size in bytes; and what tells it
    from others of this id, where that is known: its tag, and of an SST where its meta starts.
    """

    id: int
    suffix: str
    size: int
    tag: int = 0
    meta_offset: int = 0


class NeededObjects:
    """Objects by id, each once, in a few bytes each: a million of them take some 35 MB."""

    def __init__(self, objects: Iterable[NeededObject]) -> None:
        ids, sizes, kinds = array("Q"), array("Q"), bytearray()
        tags, offsets = array("Q"), array("Q")
        for item in objects:
            ids.append(item.id)
            sizes.append(item.size)
            kinds.append(SUFFIXES.index(item.suffix))
            tags.append(item.tag)
            offsets.append(item.meta_offset)
        order = sorted(range(len(ids)), key=ids.__getitem__)
        self.ids, self.sizes, self.kinds = array("Q"), array("Q"), bytearray()
        self.tags, self.meta_offsets = array("Q"), array("Q")
        for place in order:
            if not self.ids or self.ids[-1] != ids[place]:
                self.ids.append(ids[place])
                self.sizes.append(sizes[place])
                self.kinds.append(kinds[place])
                self.tags.append(tags[place])
                self.meta_offsets.append(offsets[place])

    @classmethod
    def from_columns(
        cls, ids: array[int], sizes: array[int], kinds: bytearray, tags: array[int]
    ) -> NeededObjects:
        """Objects whose ids ascend already; where their metas start is not known."""
        found = cls(())
        found.ids, found.sizes, found.kinds, found.tags = ids, sizes, kinds, tags
        found.meta_offsets = array("Q", bytes(8 * len(ids)))
        return found

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, place: int) -> NeededObject:
        return NeededObject(
            self.ids[place],
            SUFFIXES[self.kinds[place]],
            self.sizes[place],
            self.tags[place],
            self.meta_offsets[place],
        )

    def __iter__(self) -> Iterator[NeededObject]:
        return (self[place] for place in range(len(self)))

    def place(self, object_id: int) -> int | None:
        """Where an object stands, None if it is not needed."""
        place = bisect_left(self.ids, object_id)
        return place if place < len(self.ids) and self.ids[place] == object_id else None

    @property
    def size(self) -> int:
        """Bytes of all of them."""
        return sum(self.sizes)


def needed_by(reader: SnapshotReader) -> NeededObjects:
    """The objects that a snapshot needs."""
    logged = CHANGE_LOGS_SECTION in reader.section_names
    logs = reader.rows(CHANGE_LOGS_SECTION) if logged else None
    return NeededObjects(needed_objects(reader.hummock_version.message, logs))


def object_ids(version: Any, change_logs: Iterable[HummockTableChangeLog] | None) -> list[int]:
    """Ids of the objects that a snapshot needs, ascending; arguments as needed_objects."""
    return sorted({item.id for item in needed_objects(version, change_logs)})


def needed_objects(
    version: Any, change_logs: Iterable[HummockTableChangeLog] | None
) -> Iterator[NeededObject]:
    """The objects that a snapshot needs, as often as it refers to them.

    Args:
        version: a HummockVersion message.
        change_logs: rows of hummock_table_change_log; None before 3.0, where the version holds the
            logs itself.
    """
    for levels in version.levels.values():
        for level in (*levels.levels, *levels.l0.sub_levels):
            yield from map(_data, level.table_infos)
    yield from _vector_objects(version)
    if change_logs is None:
        yield from _own_change_logs(version)
    else:
        for row in change_logs:
            yield from change_log_objects(row)


def change_log_objects(row: HummockTableChangeLog) -> Iterator[NeededObject]:
    """The objects that a row of hummock_table_change_log refers to."""
    for blob in (row.new_value_sst, row.old_value_sst):
        message = blob.message
        ssts: list[Any] = message if isinstance(message, list) else []
        yield from map(_data, ssts)


def sst_ids(sst: Any) -> tuple[int, int]:
    """The ids of an SST's object and of the SST: one and the same up to 0.1.17."""
    return (sst.object_id, sst.sst_id) if hasattr(sst, "object_id") else (sst.id, sst.id)


def _data(sst: Any) -> NeededObject:
    return NeededObject(sst_ids(sst)[0], DATA, sst.file_size, sst_tag(sst), sst.meta_offset)


def _own_change_logs(version: Any) -> Iterator[NeededObject]:
    for logs in getattr(version, "table_change_logs", {}).values():
        for log in logs.change_logs:
            yield from map(_data, (*log.new_value, *log.old_value))


def _vector_objects(version: Any) -> Iterator[NeededObject]:
    for index in getattr(version, "vector_indexes", {}).values():
        kind = index.WhichOneof("variant")
        if kind is None:
            continue
        variant = getattr(index, kind)
        for file in variant.vector_files:
            yield NeededObject(file.object_id, VECTOR, file.file_size, vector_tag(file))
        if kind == "hnsw_flat" and variant.HasField("graph_file"):
            graph = variant.graph_file
            yield NeededObject(graph.object_id, GRAPH, graph.file_size, graph_tag(graph))
