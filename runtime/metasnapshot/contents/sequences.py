"""hummock_sequence gives the next id of each kind: it must be above all that is in use, in a
snapshot and in every other of its directory.
"""

from __future__ import annotations

from typing import Any

from metasnapshot.errors import InconsistentStore
from metasnapshot.hummock.objects import sst_ids
from metasnapshot_models.models import HummockSequence

SEQUENCES_SECTION = "hummock_sequences"
BACKUP_SEQUENCE = "meta_backup"
"""The row of hummock_sequence that counts snapshots."""
OBJECT_SEQUENCE = "sstable_object"
"""The one that gives ids to all objects of Hummock, and to references to them."""
GROUP_SEQUENCE = "compaction_group"
STATIC_GROUPS_END = 5
"""Groups below it exist from the start, with the default config."""
FIRST_IDS = {OBJECT_SEQUENCE: 1, GROUP_SEQUENCE: STATIC_GROUPS_END, BACKUP_SEQUENCE: 1}
"""Where a sequence that has no row yet starts (src/meta/src/hummock/manager/sequence.rs)."""
I64_MAX = (1 << 63) - 1


def ids_in_use(snapshot_id: int, object_id: int, version: Any) -> dict[str, int]:
    """The largest id in use of each sequence, 0 if there is none.

    Args:
        snapshot_id: the largest of a snapshot.
        object_id: the largest of an object.
        version: a HummockVersion message, whose groups and SSTs count too.
    """
    ssts = (
        sst_ids(sst)[1]
        for levels in version.levels.values()
        for level in (*levels.l0.sub_levels, *levels.levels)
        for sst in level.table_infos
    )
    return {
        OBJECT_SEQUENCE: max(object_id, *ssts, 0),
        GROUP_SEQUENCE: max(version.levels, default=0),
        BACKUP_SEQUENCE: snapshot_id,
    }


def raise_sequences(rows: list[HummockSequence], in_use: dict[str, int]) -> list[str]:
    """Raise sequences above the ids in use; one without a row gets one if it would start too low.

    Returns:
        What was raised, in words.

    Raises:
        InconsistentStore: there is no id left above those in use.
    """
    found = {row.name: row for row in rows}
    raised: list[str] = []
    for name, largest in in_use.items():
        if largest >= I64_MAX:
            raise InconsistentStore(f"no {name} is left above {largest}")
        row = found.get(name) or HummockSequence(name=name, seq=FIRST_IDS[name])
        if row.seq <= largest:
            raised.append(f"{name} raised from {row.seq} to {largest + 1}")
            row.seq = largest + 1
            if name not in found:
                rows.append(row)
    return raised


def require_superset(
    target: list[HummockSequence], newest: list[HummockSequence], target_id: int, newest_id: int
) -> None:
    """Hold upstream's two rules between a snapshot's sequences and those of the newest.

    Raises:
        InconsistentStore: the newest lacks a sequence, or has a smaller value.
    """
    values = {row.name: row.seq for row in newest}
    hint = "is the newest snapshot of another cluster?"
    for row in target:
        if row.name not in values:
            raise InconsistentStore(
                f"violate superset requirement: snapshot {newest_id}, the newest, has no hummock "
                f"sequence {row.name}, snapshot {target_id} has",
                hint=hint,
            )
        if values[row.name] < row.seq:
            raise InconsistentStore(
                f"violate monotonicity requirement: hummock sequence {row.name} is "
                f"{values[row.name]} in snapshot {newest_id}, the newest, and {row.seq} in "
                f"snapshot {target_id}",
                hint=hint,
            )
