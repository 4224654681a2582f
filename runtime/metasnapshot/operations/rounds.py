"""Rounds of a full backup beside a living cluster. Its collector knows nothing of a snapshot that
nobody pins, and takes objects while they are copied; what vanished is made good by a newer
snapshot, which does not need it, and by a copy of the difference.

A round copies what the cluster wrote during the one before. So they end as soon as copying is
faster than writing, and there is no use in going on once one has no less to copy than the last.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from metasnapshot.catalogue import changes
from metasnapshot.catalogue.repository import Repository
from metasnapshot.contents.cluster import TABLES_SECTION
from metasnapshot.errors import MetasnapshotError, StorageError
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.hummock.objects import NeededObjects, sst_ids
from metasnapshot.operations.rebase import freed_bases
from metasnapshot.store.deletes import say_what_stays
from metasnapshot_models.enums import TableType

FASTER = (
    "stop the meta node for it (--meta-node-stopped), copy faster (--jobs, --memory, no "
    "--bwlimit), or when the cluster writes less; what was copied stays and is not copied twice"
)
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Round:
    """What one round came to.

    Attributes:
        size: bytes that it had to copy.
        copied: bytes that it copied.
        seconds: how long that took.
        written: bytes that its snapshot needs and the one before did not.
        between_s: seconds between the two snapshots.
        vanished: ids of objects that were gone before they were copied.
    """

    size: int
    copied: int
    seconds: float
    written: int = 0
    between_s: float = 0.0
    vanished: frozenset[int] = frozenset()


def is_lost(rounds: Sequence[Round]) -> bool:
    """Whether an object was missing in two rounds, one after the other: no collector took it, for
    the newer snapshot needs it too.
    """
    return len(rounds) > 1 and bool(rounds[-1].vanished & rounds[-2].vanished)


def why_no_more(rounds: Sequence[Round], rounds_max: int) -> StorageError | None:
    """Why a round after these would not help; None if it may."""
    last = rounds[-1]
    if len(rounds) > 1 and last.size >= rounds[-2].size:
        before = rounds[-2].size
        return _error(f"round {len(rounds)} had {last.size} bytes to copy, after {before}", last)
    if len(rounds) >= rounds_max:
        return _error(f"objects vanished in each of {len(rounds)} rounds", last)
    return None


def in_haste(places: Iterable[int], needed: NeededObjects, hasty: set[int]) -> list[int]:
    """Places in the order in which they are best copied: what is collected first comes first, then
    by size.
    """
    ids, sizes = needed.ids, needed.sizes
    return sorted(places, key=lambda place: (ids[place] not in hasty, sizes[place]))


def hasty_objects(reader: SnapshotReader) -> set[int]:
    """Ids of SSTs that live shortest: those of level 0, which compaction takes next, and those of
    the internal tables of joins and aggregations, which no time travel keeps.
    """
    rows = reader.rows(TABLES_SECTION)
    internal = {row.table_id for row in rows if row.table_type == TableType.INTERNAL}
    found = set[int]()
    for levels in reader.hummock_version.message.levels.values():
        for sub in levels.l0.sub_levels:
            found.update(sst_ids(sst)[0] for sst in sub.table_infos)
        for level in levels.levels:
            found.update(
                sst_ids(sst)[0] for sst in level.table_infos if internal.intersection(sst.table_ids)
            )
    return found


def written_between(older: NeededObjects, newer: NeededObjects) -> int:
    """Bytes of objects that the newer snapshot needs, and the older did not."""
    return sum(item.size for item in newer if older.place(item.id) is None)


def drop(repository: Repository, snapshot_id: int) -> list[str]:
    """Delete the snapshot of an earlier round, which a newer one replaces, or say why it stays."""
    before = len(repository.stays)
    try:
        with freed_bases(repository, {snapshot_id}):  # the newer one may be a delta of it
            changes.delete(repository, [snapshot_id])
    except MetasnapshotError as error:
        return [f"snapshot {snapshot_id} of an earlier round stays, partial: {error}"]
    return list(say_what_stays(repository.stays[before:]))


def _error(why: str, last: Round) -> StorageError:
    copied, written = _speed(last.copied, last.seconds), _speed(last.written, last.between_s)
    said = f"copied {copied}" + (f", the cluster wrote {written}" if last.between_s else "")
    return StorageError(f"cannot keep up with the cluster: {why}; {said}", hint=FASTER)


def _speed(size: int, seconds: float) -> str:
    return f"{size / MEGABYTE / seconds:.1f} MB/s" if seconds > 0 else f"{size} bytes"
