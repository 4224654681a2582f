"""The levels of a compaction group while deltas are applied: message -> Group -> message.

A level counts its SSTs twice: `size` and `uncompressed` are what the release says, which after a
split can be stale for a while, and `_true_size` what they are, kept up while SSTs come and go, so
that a release's recount costs nothing.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

from metasnapshot.errors import VersionError
from metasnapshot.format.scalars import U64_MAX
from metasnapshot.hummock.keys import ends_before
from metasnapshot.hummock.replay.rules import Rules
from metasnapshot.hummock.replay.sst import Sst, read_sst

NONOVERLAPPING, OVERLAPPING = 1, 2
"""LevelType."""


class Level:
    """A level, or a sub level of L0. A non-overlapping one is ordered by key range."""

    __slots__ = (
        "_keys",
        "_true_size",
        "_true_uncompressed",
        "ids",
        "level_idx",
        "level_type",
        "size",
        "ssts",
        "sub_level_id",
        "uncompressed",
        "vnode_partition_count",
    )

    def __init__(self, level_idx: int, level_type: int, sub_level_id: int = 0) -> None:
        self.level_idx = level_idx
        self.level_type = level_type
        self.sub_level_id = sub_level_id
        self.vnode_partition_count = 0
        self.ssts: list[Sst] = []
        self.ids: dict[int, Sst] = {}
        self.size = self.uncompressed = self._true_size = self._true_uncompressed = 0
        self._keys: list[Any] | None = None

    def add(self, ssts: Iterable[Sst]) -> None:
        """Append SSTs and count them."""
        size = uncompressed = 0
        for sst in ssts:
            size += sst.size
            uncompressed += sst.uncompressed
            self.ids[sst.id] = sst
            self.ssts.append(sst)
        self._keys = None
        self._count(size, uncompressed)

    def insert_sorted(self, ssts: Sequence[Sst]) -> None:
        """Insert SSTs where their key ranges belong, and count them.

        Raises:
            VersionError: they overlap others, or each other.
        """
        if self.level_type != NONOVERLAPPING:
            # A compaction's output is sorted by itself, so upstream calls the level sorted from now
            # on, and then insists on it.
            self.level_type = NONOVERLAPPING
            self.add(ssts)
            self.sort()
            return
        keys = self._sorted_keys()
        if keys is None:
            # An old checkpoint may hold a level out of order. It is sorted as a whole, once; the
            # quick way below needs an order to start from.
            self.add(ssts)
            self.sort()
            return
        for sst in sorted(ssts, key=_key):
            place = bisect_right(keys, sst.key)
            keys.insert(place, sst.key)
            self.ssts.insert(place, sst)
            self.ids[sst.id] = sst
            self._count(sst.size, sst.uncompressed)
            # The others were in order before, so only the new neighbours can overlap.
            self._check(max(place - 1, 0), place + 2)

    def sort(self) -> None:
        """Order by key range.

        Raises:
            VersionError: two overlap.
        """
        self.ssts.sort(key=_key)
        self._keys = None
        self._check(0, len(self.ssts))

    def remove(self, ids: set[int]) -> None:
        """Drop SSTs by their ids, if they are there, and count again what is left."""
        if ids.issuperset(self.ids):
            self._true_size = self._true_uncompressed = 0
            self.ssts, self.ids, self._keys = [], {}, None
        elif hit := self.ids.keys() & ids:
            keys = self._sorted_keys()
            if keys is None or len(self.ids) != len(self.ssts):
                # Without an order, or with an id that stands twice, every SST is looked at:
                # upstream drops all that bear the id.
                self.keep(lambda sst: sst.id not in hit)
            else:
                for number in hit:
                    self._remove_sorted(self.ids.pop(number), keys)
        self.recount()

    def keep(self, wanted: Callable[[Sst], bool]) -> list[Sst]:
        """Drop SSTs that are not wanted, without counting again; returns them."""
        dropped = [sst for sst in self.ssts if not wanted(sst)]
        if dropped:
            for sst in dropped:
                # What the level says stays stale on purpose: the caller's release decides whether
                # it counts again.
                self._count(-sst.size, -sst.uncompressed, said=False)
            self._set([sst for sst in self.ssts if wanted(sst)])
        return dropped

    def replace(self, ssts: list[Sst]) -> None:
        """Hold these SSTs instead, in this order; the sizes that it says stay as they are."""
        for sst in self.ssts:
            self._count(-sst.size, -sst.uncompressed, said=False)
        for sst in ssts:
            self._count(sst.size, sst.uncompressed, said=False)
        self._set(ssts)

    def subtract(self, ssts: Iterable[Sst]) -> None:
        """Take SSTs off the sizes that it says."""
        for sst in ssts:
            self.size = (self.size - sst.size) & U64_MAX
            self.uncompressed = (self.uncompressed - sst.uncompressed) & U64_MAX

    def recount(self) -> None:
        """Say the sizes that its SSTs have."""
        self.size, self.uncompressed = self._true_size, self._true_uncompressed

    def _set(self, ssts: list[Sst]) -> None:
        self.ssts = ssts
        self.ids = {sst.id: sst for sst in ssts}
        self._keys = None

    def _remove_sorted(self, sst: Sst, keys: list[Any]) -> None:
        """Drop an SST that the order of the keys finds."""
        place = bisect_left(keys, sst.key)
        # Two SSTs may have the same key range while one replaces the other: walk to the very one.
        while self.ssts[place] is not sst:
            place += 1
        del self.ssts[place], keys[place]
        self._count(-sst.size, -sst.uncompressed, said=False)

    def _count(self, size: int, uncompressed: int, *, said: bool = True) -> None:
        # Upstream's u64 wraps in release builds; a size that was stale can make it do so.
        self._true_size = (self._true_size + size) & U64_MAX
        self._true_uncompressed = (self._true_uncompressed + uncompressed) & U64_MAX
        if said:
            self.size = (self.size + size) & U64_MAX
            self.uncompressed = (self.uncompressed + uncompressed) & U64_MAX

    def _sorted_keys(self) -> list[Any] | None:
        """The keys of a non-overlapping level, made when they are first asked for and kept up from
        then on; None if the level is not in their order.
        """
        if self._keys is None and self.level_type == NONOVERLAPPING:
            keys = [sst.key for sst in self.ssts]
            self._keys = keys if all(one <= other for one, other in pairwise(keys)) else None
        return self._keys

    def _check(self, first: int, end: int) -> None:
        """Upstream's can_concat over these SSTs."""
        for place in range(first + 1, min(end, len(self.ssts))):
            one, other = self.ssts[place - 1], self.ssts[place]
            if not ends_before(one.message.key_range, other.message.key_range):
                raise VersionError(
                    f"SSTs {one.id} and {other.id} overlap in level {self.level_idx}, which must "
                    "not overlap"
                )


class Group:
    """The levels of a compaction group. `l0` is ordered by sub level id, oldest first; `levels[i]`
    is level i + 1.
    """

    __slots__ = (
        "group_id",
        "l0",
        "l0_size",
        "l0_uncompressed",
        "levels",
        "member_table_ids",
        "parent_group_id",
        "version_id",
    )

    def __init__(self, group_id: int, level_count: int = 0) -> None:
        self.group_id = group_id
        self.parent_group_id = 0
        self.member_table_ids: list[int] = []
        self.version_id = 0
        self.l0: list[Level] = []
        self.l0_size = self.l0_uncompressed = 0
        self.levels = [Level(number + 1, NONOVERLAPPING) for number in range(level_count)]

    def add_sub_level(self, sub_level_id: int, level_type: int, ssts: Iterable[Sst]) -> None:
        """Append a sub level to L0; the id of all ones makes none, as upstream.

        Raises:
            VersionError: it is not the newest.
        """
        if sub_level_id == U64_MAX:
            # Upstream's marker of a delta that adds nothing to L0.
            return
        if self.l0 and self.l0[-1].sub_level_id >= sub_level_id:
            raise VersionError(
                f"inserted new level is not the newest: prev newest: {self.l0[-1].sub_level_id}, "
                f"insert: {sub_level_id}"
            )
        level = Level(0, level_type, sub_level_id)
        level.add(ssts)
        self.l0.append(level)
        self.add_to_l0_sizes(level.size, level.uncompressed)

    def add_to_l0_sizes(self, size: int, uncompressed: int) -> None:
        """Count bytes into, or if negative out of, what L0 says."""
        self.l0_size = (self.l0_size + size) & U64_MAX
        self.l0_uncompressed = (self.l0_uncompressed + uncompressed) & U64_MAX

    def drop_empty_sub_levels(self) -> None:
        """Drop sub levels without SSTs; L0's sizes are those of its sub levels then."""
        self.l0 = [level for level in self.l0 if level.ssts]
        self.recount_l0()

    def recount_l0(self) -> None:
        """Let L0 say the sum of what its sub levels say."""
        self.l0_size = sum(level.size for level in self.l0) & U64_MAX
        self.l0_uncompressed = sum(level.uncompressed for level in self.l0) & U64_MAX

    def level(self, level_idx: int) -> Level:
        """A level below L0.

        Raises:
            VersionError: there is no such level.
        """
        if not 1 <= level_idx <= len(self.levels):
            raise VersionError(
                f"index out of bounds: the len is {len(self.levels)} but the index is "
                f"{level_idx - 1}"
            )
        return self.levels[level_idx - 1]

    def all_levels(self) -> list[Level]:
        """L0's sub levels, oldest first, and the levels below."""
        return [*self.l0, *self.levels]


def read_group(message: Any, rules: Rules) -> Group:
    """The levels of a message.

    Raises:
        VersionError: the release would not read it.
    """
    if not message.HasField("l0"):
        raise VersionError(f"compaction group {message.group_id} has no field l0")
    group = Group(message.group_id)
    group.parent_group_id = message.parent_group_id
    group.member_table_ids = list(message.member_table_ids)
    group.version_id = getattr(message, "compaction_group_version_id", 0)
    group.l0 = [_read_level(level, rules) for level in message.l0.sub_levels]
    group.l0_size = message.l0.total_file_size
    group.l0_uncompressed = message.l0.uncompressed_file_size
    group.levels = [_read_level(level, rules) for level in message.levels]
    return group


def write_group(group: Group, message: Any) -> None:
    """Fill an empty message with a group."""
    message.group_id = group.group_id
    message.parent_group_id = group.parent_group_id
    message.member_table_ids.extend(group.member_table_ids)
    if group.version_id:
        message.compaction_group_version_id = group.version_id
    message.l0.SetInParent()
    message.l0.total_file_size = group.l0_size
    message.l0.uncompressed_file_size = group.l0_uncompressed
    for level in group.l0:
        _write_level(level, message.l0.sub_levels.add())
    for level in group.levels:
        _write_level(level, message.levels.add())


def _read_level(message: Any, rules: Rules) -> Level:
    level = Level(message.level_idx, message.level_type, message.sub_level_id)
    level.vnode_partition_count = message.vnode_partition_count
    level.add(read_sst(sst, rules) for sst in message.table_infos)
    # The message's own sizes win over the count: a checkpoint may have been written while they
    # were stale, and the next delta goes on from there.
    level.size, level.uncompressed = message.total_file_size, message.uncompressed_file_size
    return level


def _write_level(level: Level, message: Any) -> None:
    message.level_idx = level.level_idx
    message.level_type = level.level_type
    message.sub_level_id = level.sub_level_id
    message.vnode_partition_count = level.vnode_partition_count
    message.total_file_size = level.size
    message.uncompressed_file_size = level.uncompressed
    message.table_infos.extend(sst.message for sst in level.ssts)


def _key(sst: Sst) -> Any:
    return sst.key
