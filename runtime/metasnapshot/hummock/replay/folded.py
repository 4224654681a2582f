"""The deltas of a compaction group folded into one: releases up to 2.0.

Source: summarize_group_deltas and apply_version_delta at v1.10.0, v2.0.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from metasnapshot.errors import DeltaError, VersionError
from metasnapshot.hummock.replay.groups import (
    are_there,
    construct,
    insert_compacted,
    levels_of,
    remove_compacted,
)
from metasnapshot.hummock.replay.levels import OVERLAPPING, Group
from metasnapshot.hummock.replay.rules import Rules
from metasnapshot.hummock.replay.split import Ids, split_by_members
from metasnapshot.hummock.replay.sst import Sst, read_sst
from metasnapshot.hummock.replay.version import Working


@dataclass
class _Folded:
    """All deltas of a group as one.

    Attributes:
        removed_levels: levels that lose SSTs.
        removed: ids of all of them.
        inserts: IntraLevelDeltas that insert.
        construct, table_change, destroy: the last of each.
        meta_changes: all of them.
        vnode_partition_count: that of the last IntraLevelDelta.
    """

    removed_levels: set[int] = field(default_factory=set[int])
    removed: set[int] = field(default_factory=set[int])
    inserts: list[Any] = field(default_factory=list[Any])
    construct: Any = None
    table_change: Any = None
    destroy: bool = False
    meta_changes: list[Any] = field(default_factory=list[Any])
    vnode_partition_count: int = 0


def apply_folded(
    version: Working, group_id: int, deltas: Sequence[Any], *, is_commit: bool
) -> None:
    """Apply the deltas of a group.

    Raises:
        DeltaError: they do not fit.
    """
    try:
        _apply(version, group_id, _fold(deltas), is_commit=is_commit)
    except VersionError as error:
        rule = "commit" if is_commit else "compaction"
        raise DeltaError(str(error), 0, group_id, rule) from error


def _fold(deltas: Iterable[Any]) -> _Folded:
    folded = _Folded()
    for delta in deltas:
        kind = delta.WhichOneof("delta_type")
        if kind == "intra_level":
            intra = delta.intra_level
            if intra.removed_table_ids:
                folded.removed_levels.add(intra.level_idx)
                folded.removed.update(intra.removed_table_ids)
            if intra.inserted_table_infos:
                folded.inserts.append(intra)
            folded.vnode_partition_count = intra.vnode_partition_count
        elif kind == "group_construct":
            folded.construct = delta.group_construct
        elif kind == "group_destroy":
            folded.destroy = True
        elif kind == "group_meta_change":
            folded.meta_changes.append(delta.group_meta_change)
        elif kind == "group_table_change":
            folded.table_change = delta.group_table_change
        else:
            raise VersionError("delta_type is not set")
    return folded


def _apply(version: Working, group_id: int, folded: _Folded, *, is_commit: bool) -> None:
    if folded.construct is not None:
        construct(version, group_id, folded.construct)
    elif folded.table_change is not None:
        _change_tables(version, folded.table_change)
    if group_id not in version.groups:
        raise VersionError("compaction group should exist")
    group = version.groups[group_id]
    for change in folded.meta_changes:
        members = {*group.member_table_ids, *change.table_ids_add}
        group.member_table_ids = sorted(members.difference(change.table_ids_remove))
    if is_commit:
        _commit(group, folded, version.rules)
    else:
        _compact(version, group, folded)
    if folded.destroy:
        del version.groups[group_id]


def _change_tables(version: Working, change: Any) -> None:
    """Tables move from one group to another, which both exist."""
    origin = version.groups.get(change.origin_group_id)
    target = version.groups.get(change.target_group_id)
    moved = set(change.table_ids)
    if origin is None or target is None:
        return
    ids = Ids(change.new_sst_start_id)
    split_by_members(origin, target, moved, ids, version.rules, change.version)
    origin.member_table_ids = [table for table in origin.member_table_ids if table not in moved]
    target.member_table_ids = sorted({*target.member_table_ids, *moved})


def _commit(group: Group, folded: _Folded, rules: Rules) -> None:
    if folded.inserts and folded.inserts[-1].level_idx:
        raise VersionError("we should only add to L0 when we commit an epoch")
    if (folded.removed or folded.removed_levels) and not folded.destroy:
        raise VersionError("no sst should be deleted when committing an epoch")
    if rules.commits_each:
        for delta in folded.inserts:
            group.add_sub_level(delta.l0_sub_level_id, OVERLAPPING, _ssts([delta], rules))
    elif folded.inserts:
        ssts = _ssts(folded.inserts, rules)
        group.add_sub_level(folded.inserts[-1].l0_sub_level_id, OVERLAPPING, ssts)


def _compact(version: Working, group: Group, folded: _Folded) -> None:
    levels = [
        level for number in sorted(folded.removed_levels) for level in levels_of(group, number)
    ]
    if not are_there(levels, folded.removed):
        return
    for number in sorted(folded.removed_levels):
        remove_compacted(group, number, folded.removed)
    if folded.inserts:
        last = type(folded.inserts[-1])(
            level_idx=folded.inserts[-1].level_idx,
            l0_sub_level_id=folded.inserts[-1].l0_sub_level_id,
            vnode_partition_count=folded.vnode_partition_count,
        )
        ssts = _ssts(folded.inserts, version.rules)
        insert_compacted(group, last, ssts, version.members_of(group.group_id))
    if 0 in folded.removed_levels:
        group.drop_empty_sub_levels()


def _ssts(deltas: Iterable[Any], rules: Rules) -> list[Sst]:
    return [read_sst(message, rules) for delta in deltas for message in delta.inserted_table_infos]
