"""Which objects hold the rows of a table, and which versions of its keys are its rows.

A version of a Hummock tree and the id of a table give sources: sorted runs of SSTs, in whose union
each key's newest version up to an epoch counts. Source: src/storage/src/hummock/utils.rs,
store/version.rs and iterator/forward_user.rs at v1.10.0 to v3.0.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from metasnapshot.errors import InconsistentStore, UsageError
from metasnapshot.format import messages
from metasnapshot.hummock.identity import sst_tag
from metasnapshot.hummock.keys import table_id as table_of
from metasnapshot.hummock.objects import sst_ids
from metasnapshot.hummock.range_deletes import NO_DELETES, RangeDeletes
from metasnapshot.hummock.replay.watermarks import NON_PK_PREFIX, PK_PREFIX, Bitmap

OVERLAPPING = 2
"""LevelType."""
GAP_MASK = 0xFFFF
"""Low bits of a key's epoch: which spilled part of the epoch it is of."""
PHYSICAL_SHIFT = 16
EPOCH_MAX = (1 << 64) - 1
LAST_VNODE = (1 << 15) - 1
LAST_OF_256 = 255


class SstRef(NamedTuple):
    """What a version says of an SST that may hold keys of a table; `epoch_max` of its keys is 0
    where it says none.
    """

    object_id: int
    size: int
    meta_offset: int
    tag: int = 0
    epoch_max: int = 0


class Watermark(NamedTuple):
    """Where the keys of a vnode that are gone end, or start where it descends."""

    key: bytes
    is_ascending: bool

    def hides(self, key: bytes) -> bool:
        """Whether a key, after its vnode, is gone."""
        return key < self.key if self.is_ascending else key > self.key


@dataclass(frozen=True)
class Scan:
    """How to read a table.

    Attributes:
        table_id: of it.
        epoch: versions of keys up to this one count.
        epoch_min: versions before this one do not.
        sources: runs of SSTs; in each, keys ascend from one SST to the next.
        watermarks: by vnode.
        deletes: of ranges of keys, which metas of SSTs say.
    """

    table_id: int
    epoch: int
    epoch_min: int
    sources: tuple[tuple[SstRef, ...], ...]
    watermarks: dict[int, Watermark] = field(default_factory=dict[int, Watermark], repr=False)
    deletes: RangeDeletes = field(default=NO_DELETES, repr=False)

    @property
    def refs(self) -> list[SstRef]:
        """Every SST once, by the id of its object."""
        found = {ref.object_id: ref for source in self.sources for ref in source}
        return [found[number] for number in sorted(found)]

    def sees(self, epoch: int) -> bool:
        """Whether a version of a key with this epoch is old enough, and not too old."""
        return self.epoch_min <= self._pure(epoch) <= self.epoch

    @property
    def hides_some(self) -> bool:
        """Whether there is any key that it may hide."""
        return bool(self.watermarks or self.deletes)

    def hides(self, table_key: bytes, epoch: int) -> bool:
        """Whether a watermark or a range delete says that a key is gone, of which this is the
        epoch of the newest version.
        """
        found = self.watermarks.get(int.from_bytes(table_key[:2], "big"))
        if found is not None and found.hides(table_key[2:]):
            return True
        return self.deletes.hides(table_key, self._pure(epoch))

    def _pure(self, epoch: int) -> int:
        return epoch if epoch == EPOCH_MAX or self.epoch & GAP_MASK else epoch & ~GAP_MASK


def committed_epoch(version: Any, table_id: int) -> int:
    """The epoch up to which a table's data is complete.

    Raises:
        InconsistentStore: the version does not know the table.
    """
    if hasattr(version, "state_table_info") and version.state_table_info:
        if table_id not in version.state_table_info:
            raise _unknown(version, table_id)
        return int(version.state_table_info[table_id].committed_epoch)
    return int(version.max_committed_epoch)


def plan_scan(
    version: Any, table_id: int, *, epoch: int | None = None, retention_s: int | None = None
) -> Scan:
    """Find the sources of a table, and the rules for the versions of its keys.

    Args:
        version: a HummockVersion message.
        table_id: of the table.
        epoch: up to which versions count; by default the one up to which its data is complete.
        retention_s: how long versions of its keys are kept, if not for ever.

    Raises:
        UsageError: the epoch is later than the one up to which its data is complete.
        InconsistentStore: the version does not know the table.
    """
    committed = committed_epoch(version, table_id)
    wanted = committed if epoch is None else epoch
    if wanted > committed:
        raise UsageError(
            f"epoch {wanted} is later than {committed}, up to which the data of table {table_id} "
            "is complete",
            hint="objects may hold later rows, but not all of them",
        )
    levels = version.levels[_group_of(version, table_id)]
    sources = [source for source in _sources(levels, table_id, wanted) if source]
    return Scan(
        table_id,
        wanted,
        epoch_before(wanted, retention_s),
        tuple(sources),
        dict(_watermarks(version, table_id, wanted)),
    )


def epoch_before(epoch: int, seconds: int | None) -> int:
    """The epoch so many seconds earlier; 0 where there is none, or no limit."""
    if seconds is None:
        return 0
    physical = (epoch >> PHYSICAL_SHIFT) - seconds * 1000
    return max(physical, 0) << PHYSICAL_SHIFT


def _group_of(version: Any, table_id: int) -> int:
    if hasattr(version, "state_table_info") and version.state_table_info:
        found = version.state_table_info.get(table_id)
        if found is not None and found.compaction_group_id in version.levels:
            return int(found.compaction_group_id)
        raise _unknown(version, table_id)
    for number, levels in version.levels.items():
        if table_id in levels.member_table_ids:
            return int(number)
    raise _unknown(version, table_id)


def _unknown(version: Any, table_id: int) -> InconsistentStore:
    return InconsistentStore(f"Hummock version {version.id} has no table {table_id}")


def _sources(levels: Any, table_id: int, epoch: int) -> Iterator[tuple[SstRef, ...]]:
    """The newest first."""
    for level in (*reversed(levels.l0.sub_levels), *levels.levels):
        found = [
            SstRef(
                sst_ids(sst)[0],
                sst.file_size,
                sst.meta_offset,
                sst_tag(sst),
                getattr(sst, "max_epoch", 0),
            )
            for sst in level.table_infos
            if _may_hold(sst, table_id, epoch)
        ]
        if level.level_type == OVERLAPPING:
            yield from ((ref,) for ref in found)
        else:
            yield tuple(found)


def _may_hold(sst: Any, table_id: int, epoch: int) -> bool:
    """Whether an SST may hold versions of a table's keys that count; its object may hold keys of
    tables that are not, or no longer, among its own.
    """
    if table_id not in sst.table_ids or getattr(sst, "min_epoch", 0) > epoch:
        return False
    left, right = sst.key_range.left, sst.key_range.right
    starts_after = bool(left) and table_of(left) > table_id
    return not starts_after and (not right or table_of(right) >= table_id)


def _watermarks(version: Any, table_id: int, epoch: int) -> Iterator[tuple[int, Watermark]]:
    """The watermark of each vnode that has one which hides keys from a scan.

    One that descends hides nothing where all of a vnode is read, for then the range has no key to
    be cut at; but for the last vnode that there can be, whose range has no end.
    """
    message = getattr(version, "table_watermarks", {}).get(table_id)
    if message is None or not _hides_keys(message):
        return
    last = last_vnode(version)
    seen = 0
    for item in sorted(message.epoch_watermarks, key=lambda item: -item.epoch):
        if item.epoch > epoch:
            continue
        bits = 0
        for watermark in item.watermarks:
            here = Bitmap.parse(watermark.vnode_bitmap.body).bits
            for vnode in _ones(here & ~seen):
                if message.is_ascending or vnode == last:
                    yield vnode, Watermark(watermark.watermark, message.is_ascending)
            bits |= here
        seen |= bits


def _hides_keys(message: Any) -> bool:
    """Whether a table's watermarks are a prefix of its keys: other kinds hide nothing."""
    kind = getattr(message, "raw_watermark_serde_type", 0)
    is_other = getattr(message, "is_non_pk_prefix", False)
    return (kind or (NON_PK_PREFIX if is_other else PK_PREFIX)) == PK_PREFIX


def _ones(bits: int) -> Iterable[int]:
    while bits:
        low = bits & -bits
        yield low.bit_length() - 1
        bits ^= low


def last_vnode(version: Any) -> int:
    """The last vnode that a release knows of: 255 where tables have no count of their own."""
    era = messages.era_of(version)
    first = messages.first_era_of("catalog.Table", "maybe_vnode_count")
    return LAST_VNODE if messages.later_era(era, first) == era else LAST_OF_256
