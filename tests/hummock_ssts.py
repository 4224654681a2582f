"""SSTs for random chains of version deltas, and what a version says about its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from random import Random
from typing import Any

from metasnapshot.format import messages
from metasnapshot.hummock.keys import table_id, user_key
from metasnapshot.hummock.replay.rules import Rules

SIZE_MIN = 1 << 20
"""Large enough that no chain halves an SST down to nothing."""


def key(table: int, place: int, epoch: int) -> bytes:
    """An encoded full key: a place in a table, whose first two bytes are the vnode."""
    return table.to_bytes(4, "big") + place.to_bytes(3, "big") + epoch.to_bytes(8, "big")


def split_key(table: int) -> bytes:
    """Before every key of a table."""
    return table.to_bytes(4, "big") + b"\0\0" + b"\xff" * 8


class Ssts:
    """Makes SSTs, with ids that were never used."""

    def __init__(self, rules: Rules, era: str) -> None:
        self._rules = rules
        self._class = messages.message_class("hummock.SstableInfo", era)
        self._next_id = 1_000

    def take_ids(self, count: int = 1) -> int:
        self._next_id += count
        return self._next_id - count

    def of_tables(self, random: Random, epoch: int, tables: Sequence[int]) -> Any:
        """A new SST with keys of these tables."""
        places = sorted(random.sample(range(1 << 24), 2))
        left, right = (min(tables), places[0]), (max(tables), places[1])
        return self.one(random, key(*left, epoch), key(*right, epoch), sorted(tables))

    def one(self, random: Random, left: bytes, right: bytes, tables: Iterable[int]) -> Any:
        sst = self._class()
        sst.object_id = sst.sst_id = self.take_ids()
        sst.key_range.left, sst.key_range.right = left, right
        sst.table_ids[:] = tables
        sst.file_size = SIZE_MIN + random.getrandbits(30)
        sst.uncompressed_file_size = 2 * sst.file_size
        if self._rules.sst_size and random.random() < 0.9:
            sst.sst_size = sst.file_size
        return sst

    def compacted(self, random: Random, version: Any, group: Any, read: Sequence[Any]) -> list[Any]:
        """What a compaction makes of SSTs: a few that do not overlap, between the same ends."""
        ends = {user_key(sst.key_range.left): sst.key_range.left for sst in read}
        for sst in read:
            if not sst.key_range.right_exclusive:
                ends[user_key(sst.key_range.right)] = sst.key_range.right
        points = [ends[point] for point in sorted(ends)]
        cuts = some(random, range(1, len(points)))[:3]
        members = set(members_of(version, group.group_id))
        tables = sorted(members.intersection(*[[t for sst in read for t in sst.table_ids]]))
        made: list[Any] = []
        for start, end in zip([0, *cuts], [*cuts, len(points)], strict=True) if points else ():
            left, right = points[start], points[end - 1]
            inside = [table for table in tables if table_id(left) <= table <= table_id(right)]
            if inside:
                made.append(self.one(random, left, right, inside))
        return made


def members_of(version: Any, group_id: int) -> list[int]:
    """The tables of a group, ascending."""
    infos = version.state_table_info
    return sorted(t for t, info in infos.items() if info.compaction_group_id == group_id)


def move(version: Any, delta: Any, tables: Iterable[int], group_id: int) -> None:
    for table in tables:
        info = delta.state_table_info_delta[table]
        old = version.state_table_info[table]
        info.committed_epoch, info.compaction_group_id = old.committed_epoch, group_id
        if "safe_epoch" in info.DESCRIPTOR.fields_by_name:
            info.safe_epoch = old.safe_epoch


def can_merge(version: Any, left: int, right: int) -> bool:
    members = [*members_of(version, left), *members_of(version, right)]
    levels = zip(version.levels[left].levels, version.levels[right].levels, strict=True)
    return members == sorted(members) and all(
        is_ordered(sorted([*one.table_infos, *other.table_infos], key=_range))
        for one, other in levels
    )


def is_ordered(ssts: Sequence[Any]) -> bool:
    """Whether SSTs stand in the order of their keys and do not overlap."""
    return all(_is_before(one.key_range, other.key_range) for one, other in pairwise(ssts))


def _is_before(key_range: Any, other: Any) -> bool:
    right, left = user_key(key_range.right), user_key(other.left)
    return right < left or (right == left and bool(key_range.right_exclusive))


def overlapping(ssts: Sequence[Any], read: Iterable[Any]) -> list[Any]:
    """Those of a level that a compaction of others must read too: whose keys lie between."""
    chosen: list[Any] = []
    while True:
        ranges = [_range(sst) for sst in (*read, *chosen)]
        left, right = min(item[0] for item in ranges), max(item[1] for item in ranges)
        more = [sst for sst in ssts if _range(sst)[0] <= right and left <= _range(sst)[1]]
        if len(more) == len(chosen):
            return more
        chosen = more


def _range(sst: Any) -> tuple[bytes, bytes]:
    return user_key(sst.key_range.left), user_key(sst.key_range.right)


def all_ssts(levels: Iterable[Any]) -> list[Any]:
    return [sst for level in levels for sst in level.table_infos]


def pick_group(version: Any, random: Random, wanted: Callable[[Any], object]) -> Any:
    """A group of which something is true, or None."""
    found = [group for _, group in sorted(version.levels.items()) if wanted(group)]
    return random.choice(found) if found else None


def some(random: Random, items: Sequence[int]) -> list[int]:
    """Some of these, in their order; perhaps none."""
    return [item for item in items if random.random() < 0.5]
