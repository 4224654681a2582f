"""Compaction groups are split (GroupConstruct with a parent, GroupTableChange) and merged.

A split walks the parent's levels, L0 first, and moves what belongs to the child; an SST with keys
of both is referred to by both, each reference with an id of its own from one running counter.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence

from metasnapshot.errors import VersionError
from metasnapshot.hummock.keys import FIRST, Bound, bound, table_id
from metasnapshot.hummock.replay.levels import NONOVERLAPPING, Group, Level
from metasnapshot.hummock.replay.rules import Rules
from metasnapshot.hummock.replay.sst import Sst, changed

TRIVIAL_SPLIT = 0
"""CompatibilityVersion of deltas before 1.0: an SST that moves as a whole keeps its id behind."""

Take = Callable[[Level], list[Sst]]
"""Takes the SSTs of the child out of a level of the parent, and returns them."""


class Ids:
    """The running counter of new sst_ids."""

    def __init__(self, first: int) -> None:
        self._next = first

    def take(self) -> int:
        """The next id."""
        self._next += 1
        return self._next - 1


def split_by_members(
    parent: Group, child: Group, members: set[int], ids: Ids, rules: Rules, version: int
) -> None:
    """Move the SSTs of these tables into a child group.

    Args:
        parent: loses them.
        child: gets them.
        members: ids of the child's tables.
        ids: gives new sst_ids.
        rules: of the release.
        version: CompatibilityVersion of the delta.
    """

    def take(level: Level) -> list[Sst]:
        left, taken = list[Sst](), list[Sst]()
        for sst in level.ssts:
            if members.isdisjoint(sst.message.table_ids):
                left.append(sst)
                continue
            # Also an SST that is the child's alone leaves a reference behind; those without tables
            # are dropped below, by the rule of the release.
            branch, rest = _branch(sst, members, ids, rules, version)
            taken.append(branch)
            left.append(rest)
        level.replace(left)
        _drop_without_tables(parent, level, rules)
        return taken

    _split(parent, child, take, rules)


def split_by_key(
    parent: Group, child: Group, split_key: bytes | None, ids: Ids, rules: Rules
) -> None:
    """Move all keys from this one on into a child group.

    Args:
        parent: keeps the keys before.
        child: gets the keys from it on.
        split_key: an encoded full key; None moves nothing.
        ids: gives new sst_ids.
        rules: of the release.
    """
    key = b"" if split_key is None else split_key
    at = bound(key, FIRST)

    def cut(sst: Sst) -> tuple[Sst | None, Sst | None]:
        return _cut(sst, key, ids, rules)

    def take(level: Level) -> list[Sst]:
        if split_key is None:
            return []
        divide = _divide_sorted if level.level_type == NONOVERLAPPING else _divide_each
        left, taken = divide(level.ssts, at, cut)
        level.replace(left)
        if taken:  # upstream leaves a level alone that nothing was taken from, its sizes included
            _drop_without_tables(parent, level, rules)
        return taken

    _split(parent, child, take, rules)


def merge(left: Group, right: Group) -> None:
    """Move everything of the right group into the left one.

    Raises:
        VersionError: SSTs would overlap where they must not.
    """
    following = max((level.sub_level_id + 1 for level in left.l0), default=0)
    for level in right.l0:
        number = level.sub_level_id
        if following:
            # Sub level ids must grow, and those of the right group may lie anywhere among the left
            # group's: they are numbered on from the newest.
            number, following = following, following + 1
        left.add_sub_level(number, level.level_type, level.ssts)
    for level in left.l0:
        # A partition by vnodes was made for the tables of one group; of the merged one it says
        # nothing.
        level.vnode_partition_count = 0
    for level in right.levels:
        if level.ssts:
            _move(left.level(level.level_idx), level.ssts)


def _split(parent: Group, child: Group, take: Take, rules: Rules) -> None:
    if rules.group_version:
        parent.version_id += 1
        child.version_id += 1
    for level in parent.l0:
        taken = take(level)
        if taken:
            _into_l0(child, level, taken)
    for level in parent.levels:
        taken = take(level)
        if taken:
            _move(child.level(level.level_idx), taken)
    if rules.split_drops_empty:
        parent.l0 = [level for level in parent.l0 if level.ssts]
    if rules.normalizes:
        parent.recount_l0()


def _into_l0(child: Group, level: Level, ssts: Sequence[Sst]) -> None:
    """Into the child's sub level of the same id, which is made where it is missing."""
    place = bisect_left([item.sub_level_id for item in child.l0], level.sub_level_id)
    if place < len(child.l0) and child.l0[place].sub_level_id == level.sub_level_id:
        target = child.l0[place]
        before = target.size, target.uncompressed
        target.add(ssts)
        if target.level_type == NONOVERLAPPING:
            target.sort()
        child.add_to_l0_sizes(target.size - before[0], target.uncompressed - before[1])
        return
    target = Level(0, level.level_type, level.sub_level_id)
    target.add(ssts)
    child.l0.insert(place, target)
    child.add_to_l0_sizes(target.size, target.uncompressed)


def _move(target: Level, ssts: Sequence[Sst]) -> None:
    target.add(ssts)
    target.sort()


def _has_tables(sst: Sst) -> bool:
    return bool(sst.message.table_ids)


def _drop_without_tables(parent: Group, level: Level, rules: Rules) -> None:
    """Drop SSTs that no table of the parent needs, and count what is left; releases that do not
    normalize only take what is dropped off their sizes.
    """
    dropped = level.keep(_has_tables)
    if rules.normalizes:
        level.recount()
        return
    before = level.size, level.uncompressed
    level.subtract(dropped)
    if level.level_idx == 0:
        parent.add_to_l0_sizes(level.size - before[0], level.uncompressed - before[1])


def _branch(sst: Sst, members: set[int], ids: Ids, rules: Rules, version: int) -> tuple[Sst, Sst]:
    """The child's reference and the parent's of an SST with tables of both."""
    branch, rest = changed(sst.message), changed(sst.message)
    # The order of the two takes is upstream's: ids are part of the version, byte for byte.
    branch.sst_id = ids.take()
    if not rules.tables_sorted:
        if version == TRIVIAL_SPLIT and members.issuperset(sst.message.table_ids):
            del rest.table_ids[:]
        else:
            rest.sst_id = ids.take()
        return Sst(branch, rules), Sst(rest, rules)
    rest.sst_id = ids.take()
    tables = sorted(members.intersection(sst.message.table_ids))
    branch.table_ids[:] = tables
    rest.table_ids[:] = [table for table in sst.message.table_ids if table not in members]
    # Nobody knows how the bytes divide between tables; upstream says half, on both sides.
    branch.sst_size = rest.sst_size = _half(sst, rules)
    return Sst(branch, rules), Sst(rest, rules)


def _half(sst: Sst, rules: Rules) -> int:
    return max(int(rules.split_leaves_one), sst.message.sst_size // 2)


def _cut(sst: Sst, split_key: bytes, ids: Ids, rules: Rules) -> tuple[Sst | None, Sst | None]:
    """Both sides of an SST with keys on both; a side without tables or keys is none, though it
    used up its id.
    """
    left, right = changed(sst.message), changed(sst.message)
    # The right side takes its id first, as upstream; a side that comes to nothing used its up.
    right.sst_id, left.sst_id = ids.take(), ids.take()
    left.key_range.right, left.key_range.right_exclusive = split_key, True
    right.key_range.left = split_key
    first = table_id(split_key)
    left.table_ids[:] = [table for table in sst.message.table_ids if table < first]
    right.table_ids[:] = [table for table in sst.message.table_ids if table >= first]
    left.sst_size = right.sst_size = _half(sst, rules)
    one, other = Sst(left, rules), Sst(right, rules)
    if not left.table_ids:
        return None, other
    if not right.table_ids:
        return one, None
    return (None, other) if left.key_range.left == left.key_range.right else (one, other)


Cut = Callable[[Sst], tuple[Sst | None, Sst | None]]


def _side(sst: Sst, at: Bound) -> str:
    """On which side of a key an SST lies."""
    if at <= sst.key[0]:
        return "right"
    end = sst.key[1]
    if at > end or (at == end and sst.message.key_range.right_exclusive):
        return "left"
    return "both"


def _divide_each(ssts: Sequence[Sst], at: Bound, cut: Cut) -> tuple[list[Sst], list[Sst]]:
    """What stays and what goes, in any order of key ranges."""
    left, right = list[Sst](), list[Sst]()
    for sst in ssts:
        side = _side(sst, at)
        one, other = cut(sst) if side == "both" else (sst, sst)
        if side != "right" and one is not None:
            left.append(one)
        if side != "left" and other is not None:
            right.append(other)
    return left, right


def _divide_sorted(ssts: Sequence[Sst], at: Bound, cut: Cut) -> tuple[list[Sst], list[Sst]]:
    """What stays and what goes of SSTs that do not overlap: at most one is cut."""
    if not ssts:
        return [], []
    # The last SST that starts before the key is the only one that the key can cut.
    place = max(0, bisect_left(ssts, at, key=lambda sst: sst.key[0]) - 1)
    side = _side(ssts[place], at)
    if side == "right":
        if place:
            raise VersionError(f"SST {ssts[place].id} lies right of a key that it starts before")
        return [], list(ssts)
    if side == "left":
        return list(ssts[: place + 1]), list(ssts[place + 1 :])
    one, other = cut(ssts[place])
    left = [*ssts[:place], *([one] if one else [])]
    return left, [*([other] if other else []), *ssts[place + 1 :]]
