"""The deltas of a compaction group, one by one: releases from 2.1 on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from metasnapshot.errors import DeltaError, VersionError
from metasnapshot.hummock.replay.levels import OVERLAPPING, Group, Level
from metasnapshot.hummock.replay.rules import Rules
from metasnapshot.hummock.replay.split import Ids, merge, split_by_key, split_by_members
from metasnapshot.hummock.replay.sst import Sst, changed, read_sst
from metasnapshot.hummock.replay.version import Working

NO_MEMBER_TABLE_IDS, SPLIT_BY_KEY = 2, 3
"""CompatibilityVersion: the tables are those of state_table_info; a key says where to split."""


def apply_group(version: Working, group_id: int, deltas: Sequence[Any], *, is_commit: bool) -> None:
    """Apply the deltas of a group in their order.

    Raises:
        DeltaError: one does not fit.
    """
    l0_compacted = False
    for delta in deltas:
        rule = delta.WhichOneof("delta_type")
        try:
            if rule == "intra_level" and not is_commit:
                _compact(version, group_id, delta.intra_level)
                l0_compacted |= delta.intra_level.level_idx == 0
            else:
                _apply_one(version, group_id, delta, rule, is_commit=is_commit)
        except VersionError as error:
            raise DeltaError(str(error), 0, group_id, str(rule)) from error
    if l0_compacted and group_id in version.groups:
        version.groups[group_id].drop_empty_sub_levels()


def _apply_one(
    version: Working, group_id: int, found: Any, rule: str | None, *, is_commit: bool
) -> None:
    if rule is None:
        raise VersionError("delta_type is not set")
    delta = getattr(found, rule)
    if rule == "intra_level":
        _commit_intra_level(version.group(group_id), delta, version.rules)
    elif rule == "new_l0_sub_level":
        _commit(version, group_id, delta, is_commit=is_commit)
    elif rule == "group_construct":
        construct(version, group_id, delta)
    elif rule == "group_destroy":
        version.groups.pop(group_id, None)
    elif rule == "group_merge":
        _merge(version, delta.left_group_id, delta.right_group_id)
    else:
        prune(version.group(group_id), set(delta.table_ids), version.rules)


def construct(version: Working, group_id: int, delta: Any) -> None:
    """Make a group, and split it off another if it has a parent.

    Raises:
        VersionError: the parent does not exist (since 2.1), or has nothing to configure it by.
    """
    rules = version.rules
    if not delta.HasField("group_config"):
        raise VersionError("missing field group_config")
    child = Group(group_id, delta.group_config.max_level)
    child.parent_group_id = delta.parent_group_id
    child.member_table_ids = list(delta.table_ids)
    version.groups[group_id] = child
    if not delta.parent_group_id:
        return
    parent = version.groups.get(delta.parent_group_id)
    if parent is None:
        if rules.folded:
            return
        raise VersionError(f"non-existing parent group id {delta.parent_group_id} to init from")
    ids = Ids(delta.new_sst_start_id)
    if delta.version >= SPLIT_BY_KEY and not rules.folded:
        split_by_key(parent, child, _split_key(delta), ids, rules)
        return
    members = set(delta.table_ids)
    if delta.version >= NO_MEMBER_TABLE_IDS:
        members = version.members_of(group_id)
    split_by_members(parent, child, members, ids, rules, delta.version)


def insert_compacted(group: Group, delta: Any, ssts: Sequence[Sst], members: set[int]) -> None:
    """Insert what a compaction made into the level that it was made for.

    Args:
        group: changed in place.
        delta: an IntraLevelDelta: level_idx, l0_sub_level_id, vnode_partition_count.
        ssts: what is inserted.
        members: the tables of the group.

    Raises:
        VersionError: there is no such level, or SSTs would overlap.
    """
    tables = [list(sst.message.table_ids) for sst in ssts]
    count = delta.vnode_partition_count
    if delta.level_idx == 0:
        target = _sub_level(group, delta.l0_sub_level_id)
        if not target.ssts and len(members) == 1 and all(set(item) == members for item in tables):
            target.vnode_partition_count = count
    else:
        target = group.level(delta.level_idx)
        if not target.ssts and all(len(item) == 1 for item in tables):
            target.vnode_partition_count = count
        elif target.vnode_partition_count and not count and len(members) > 1:
            target.vnode_partition_count = 0
    target.insert_sorted(ssts)


def remove_compacted(group: Group, level_idx: int, ids: set[int]) -> None:
    """Drop what a compaction read from a level, or from all sub levels of L0.

    Raises:
        VersionError: there is no such level.
    """
    for level in levels_of(group, level_idx):
        level.remove(ids)


def levels_of(group: Group, level_idx: int) -> list[Level]:
    """A level, or all sub levels of L0."""
    return group.l0 if level_idx == 0 else [group.level(level_idx)]


def are_there(levels: Iterable[Level], ids: set[int]) -> bool:
    """Whether every SST is in one of these levels."""
    missing = set(ids)
    for level in levels:
        missing -= level.ids.keys()
    return not missing


def prune(group: Group, tables: set[int], rules: Rules) -> None:
    """Take tables out of every SST; those of no table go at once or stay, as the release has it."""
    for level in group.all_levels():
        if any(not tables.isdisjoint(sst.message.table_ids) for sst in level.ssts):
            level.replace([_without(sst, tables, rules) for sst in level.ssts])
    group.version_id += 1
    if rules.normalizes:
        for level in group.all_levels():
            level.keep(lambda sst: bool(sst.message.table_ids))
            level.recount()
        group.drop_empty_sub_levels()


def _split_key(delta: Any) -> bytes | None:
    return delta.split_key if delta.HasField("split_key") else None


def _without(sst: Sst, tables: set[int], rules: Rules) -> Sst:
    if tables.isdisjoint(sst.message.table_ids):
        return sst
    message = changed(sst.message)
    message.table_ids[:] = [table for table in sst.message.table_ids if table not in tables]
    return Sst(message, rules)


def _commit_intra_level(group: Group, delta: Any, rules: Rules) -> None:
    """A commit in the form before 2.1."""
    if delta.removed_table_ids:
        raise VersionError("no sst should be deleted when committing an epoch")
    if delta.level_idx:
        raise VersionError("we should only add to L0 when we commit an epoch")
    ssts = [read_sst(message, rules) for message in delta.inserted_table_infos]
    if ssts:
        group.add_sub_level(delta.l0_sub_level_id, OVERLAPPING, ssts)


def _commit(version: Working, group_id: int, delta: Any, *, is_commit: bool) -> None:
    if not is_commit:
        raise VersionError("a new sub level in L0 without a commit")
    group = version.group(group_id)
    ssts = [read_sst(message, version.rules) for message in delta.inserted_table_infos]
    if ssts:
        newest = group.l0[-1].sub_level_id if group.l0 else 0
        group.add_sub_level(newest + 1, OVERLAPPING, ssts)


def _compact(version: Working, group_id: int, delta: Any) -> None:
    group, rules = version.group(group_id), version.rules
    removed = set(delta.removed_table_ids)
    ssts = [read_sst(message, rules) for message in delta.inserted_table_infos]
    if rules.group_version:
        if delta.compaction_group_version_id != group.version_id:
            return
    elif not are_there(levels_of(group, delta.level_idx) if removed else (), removed):
        return
    if removed:
        remove_compacted(group, delta.level_idx, removed)
    if ssts:
        insert_compacted(group, delta, ssts, version.members_of(group_id))


def _sub_level(group: Group, sub_level_id: int) -> Level:
    for level in group.l0:
        if level.sub_level_id == sub_level_id:
            return level
    raise VersionError(
        f"should find the level to insert into when applying compaction generated delta. sub "
        f"level idx: {sub_level_id}, sub levels: {[level.sub_level_id for level in group.l0]}"
    )


def _merge(version: Working, left_id: int, right_id: int) -> None:
    members = [*sorted(version.members_of(left_id)), *sorted(version.members_of(right_id))]
    if members != sorted(members):
        raise VersionError("tables of the merged groups are not ascending")
    known = list(version.groups)
    for side, group_id in (("right", right_id), ("left", left_id)):
        if group_id not in version.groups:
            raise VersionError(f"compaction group should exist {side} {group_id} all {known}")
    right = version.groups.pop(right_id)
    merge(version.group(left_id), right)
