"""Which objects a Hummock version needs, by the rule of each release: the `ssts` of a manifest
entry.

SSTs of all levels; up to 2.8 those of the table change logs in the version, from 3.0 on those in
the rows of hummock_table_change_log; vector files since 2.5, HNSW graph files since 2.6. Object
ids, never sst ids.
Source: MetaSnapshotMetadata::new, src/storage/backup/src/lib.rs at 1.10.0, 2.1.0, 2.6.0, 3.0.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from metasnapshot_models.models import HummockTableChangeLog


def object_ids(version: Any, change_logs: Iterable[HummockTableChangeLog] | None) -> list[int]:
    """Ids of the objects that a snapshot needs, ascending.

    Args:
        version: a HummockVersion message.
        change_logs: rows of hummock_table_change_log; None before 3.0, where the version holds the
            logs itself.
    """
    ids = set(_level_objects(version))
    ids.update(_vector_objects(version))
    if change_logs is None:
        ids.update(_own_change_logs(version))
    else:
        for row in change_logs:
            ids.update(change_log_objects(row))
    return sorted(ids)


def change_log_objects(row: HummockTableChangeLog) -> Iterator[int]:
    """Ids of the objects that a row of hummock_table_change_log refers to."""
    for blob in (row.new_value_sst, row.old_value_sst):
        message = blob.message
        ssts: list[Any] = message if isinstance(message, list) else []
        yield from (sst.object_id for sst in ssts)


def _level_objects(version: Any) -> Iterator[int]:
    for levels in version.levels.values():
        for level in (*levels.levels, *levels.l0.sub_levels):
            yield from (sst.object_id for sst in level.table_infos)


def _own_change_logs(version: Any) -> Iterator[int]:
    for logs in getattr(version, "table_change_logs", {}).values():
        for log in logs.change_logs:
            for sst in (*log.new_value, *log.old_value):
                yield sst.object_id


def _vector_objects(version: Any) -> Iterator[int]:
    for index in getattr(version, "vector_indexes", {}).values():
        kind = index.WhichOneof("variant")
        if kind is None:
            continue
        variant = getattr(index, kind)
        yield from (file.object_id for file in variant.vector_files)
        if kind == "hnsw_flat" and variant.HasField("graph_file"):
            yield variant.graph_file.object_id
