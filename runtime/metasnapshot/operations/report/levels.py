"""The levels of a Hummock version, by compaction group."""

from __future__ import annotations

from typing import Any

from metasnapshot.operations.report.model import Hummock, LevelSize

GROUPS_MAX = 40
"""Compaction groups that a page lists, the largest first."""


def hummock_of(version: Any) -> Hummock:
    """Files and bytes of each level of the largest groups, and of all groups together."""
    groups = {number: _levels(number, levels) for number, levels in version.levels.items()}
    ranked = sorted(groups, key=lambda number: (-_size(groups[number]), number))
    return Hummock(
        version_id=int(version.id),
        levels=tuple(level for number in ranked[:GROUPS_MAX] for level in groups[number]),
        group_count=len(groups),
        files=sum(level.files for levels in groups.values() for level in levels),
        size=sum(map(_size, groups.values())),
    )


def _levels(group: int, levels: Any) -> list[LevelSize]:
    """Those with files; the sub levels of level 0 are one."""
    upper = [sst.file_size for sub in levels.l0.sub_levels for sst in sub.table_infos]
    found = [LevelSize(group, 0, len(upper), sum(upper))]
    for level in levels.levels:
        sizes = [sst.file_size for sst in level.table_infos]
        found.append(LevelSize(group, level.level_idx, len(sizes), sum(sizes)))
    return [level for level in found if level.files]


def _size(levels: list[LevelSize]) -> int:
    return sum(level.size for level in levels)
