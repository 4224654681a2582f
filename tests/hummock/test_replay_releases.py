"""Each rule of replay begins or ends with the release that the sources say, not with a neighbour.

Golden chains are of some releases only, and cannot tell 2.2.0 from 2.2.1. Where they cannot, a
vector does: one small delta, and what each of the neighbours makes of it.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from hummock_ssts import key, split_key

from metasnapshot.errors import VersionError
from metasnapshot.format import messages
from metasnapshot.hummock.replay.apply import apply_delta
from metasnapshot.hummock.replay.rules import Rules, era_of_release, rules_of
from metasnapshot.hummock.replay.version import Working
from metasnapshot_models.layouts import RELEASES

AXIS = list(RELEASES)
BROUGHT: dict[str, list[tuple[str, Any]]] = {
    "folded": [("1.9.0", True), ("2.1.0", False)],
    "commits_each": [("1.9.0", False), ("2.0.1", True)],
    "commits_by_table": [("1.9.0", False), ("2.0.1", True)],
    "tables_sorted": [("1.9.0", False), ("2.1.0", True)],
    "sst_size": [("1.9.0", False), ("2.1.0", True)],
    "split_leaves_one": [("1.9.0", False), ("2.2.1", True)],
    "group_version": [("1.9.0", False), ("2.2.4", True)],
    "split_drops_empty": [("1.9.0", False), ("2.2.0", True)],
    "normalizes": [("1.9.0", False), ("2.7.3", True), ("2.8.0", False), ("2.8.1", True)],
    "tables": [("1.9.0", False), ("1.10.0", True)],
    "logs": [("1.9.0", True), ("3.0.0", False)],
    "logs_written": [("1.9.0", True), ("main-2026-08-21", False)],
    "logs_drop_on_commit": [("1.9.0", True), ("1.10.0", False)],
    "logs_keep_equal": [("1.9.0", False), ("2.3.0", True)],
    "logs_by_checkpoint": [("1.9.0", False), ("2.5.0", True)],
    "logs_checked": [("1.9.0", False), ("2.5.0", True)],
    "vector_ranges": [("1.9.0", False), ("2.6.0", True)],
    "watermarks_committed": [("1.9.0", False), ("2.1.0", True)],
    "watermarks_dropped": [("1.9.0", False), ("3.0.2", True)],
    "watermarks_256": [("1.9.0", True), ("2.1.0", False)],
    "watermarks_typed": [("1.9.0", False), ("2.8.0", True)],
    "filters_typed": [("1.9.0", False), ("main-2026-08-21", True)],
}
"""Each rule with the releases from which on it is so; of upstream's sources (facts/hummock.md)."""


def test_every_rule_is_looked_at() -> None:
    """The table above has every rule of Rules, so a new one needs its releases here."""
    assert BROUGHT.keys() == {field.name for field in fields(Rules)}


@pytest.mark.parametrize("name", BROUGHT)
def test_a_rule_begins_with_its_release(name: str) -> None:
    """In every release of the registry it is what the last line before says."""
    turns = dict(BROUGHT[name])
    found = [(release, getattr(rules_of(release), name)) for release in AXIS]
    expected: list[tuple[str, Any]] = []
    value: Any = None
    for release in AXIS:
        value = turns.get(release, value)
        expected.append((release, value))
    assert found == expected


class State:
    """A version with one group, 2, of tables 1 and 2, and the next delta, in a release's form."""

    def __init__(self, release: str) -> None:
        era = era_of_release(release)
        self.rules = rules_of(release)
        self.version: Any = messages.message_class("hummock.HummockVersion", era)(id=1)
        levels = self.version.levels[2]
        levels.group_id = 2
        levels.l0.SetInParent()
        levels.levels.add(level_idx=1, level_type=1)
        for table in (1, 2):
            info = self.version.state_table_info[table]
            info.committed_epoch, info.compaction_group_id = 10, 2
        self.delta: Any = messages.message_class("hummock.HummockVersionDelta", era)(
            id=2, prev_id=1
        )

    def add_sst(self, size: int) -> None:
        """An SST with keys of both tables, in a sub level of its own."""
        level = self.version.levels[2].l0.sub_levels.add(level_type=2, sub_level_id=1)
        sst = level.table_infos.add(object_id=5, sst_id=5, file_size=size)
        if self.rules.sst_size:
            sst.sst_size = size
        sst.key_range.left, sst.key_range.right = key(1, 1, 1), key(2, 1, 1)
        sst.table_ids[:] = [1, 2]
        level.total_file_size = self.version.levels[2].l0.total_file_size = size

    def split(self, *, by_key: bool) -> None:
        """Table 2 gets a group of its own, 9."""
        change = self.delta.group_deltas[9].group_deltas.add().group_construct
        change.group_id, change.parent_group_id, change.new_sst_start_id = 9, 2, 100
        change.version = 3 if by_key else 2
        change.group_config.max_level = 1
        if by_key:
            change.split_key = split_key(2)
        moved = self.delta.state_table_info_delta[2]
        moved.committed_epoch, moved.compaction_group_id = 10, 9

    def watermark(self, holder: Any, epoch: int) -> None:
        """A watermark of table 1."""
        found = holder[1].epoch_watermarks.add(epoch=epoch).watermarks.add(watermark=b"w")
        found.vnode_bitmap.body = b"\x00\xff"

    def apply(self) -> Any:
        """The version after the delta."""
        working = Working(self.version, self.rules)
        apply_delta(working, self.delta)
        return working.message()


def sst_sizes(version: Any, group: int) -> list[int]:
    return [
        sst.sst_size for level in version.levels[group].l0.sub_levels for sst in level.table_infos
    ]


@pytest.mark.parametrize("by_key", [True, False])
@pytest.mark.parametrize(
    ("release", "size", "half"),
    [
        ("2.1.5", 1, 0),
        ("2.2.0", 1, 0),
        ("2.2.1", 1, 1),
        ("2.2.2", 1, 1),
        ("3.0.3", 1, 1),
        ("2.2.0", 2, 1),
        ("2.2.1", 2, 1),
        ("2.2.0", 3, 1),
        ("2.2.1", 3, 1),
    ],
)
def test_a_split_halves_down_to_one_since_2_2_1(
    release: str, size: int, half: int, *, by_key: bool
) -> None:
    """An SST of one byte that is split has 0 on both sides up to 2.2.0, and 1 from 2.2.1 on."""
    state = State(release)
    state.add_sst(size)
    state.split(by_key=by_key)
    version = state.apply()
    assert (sst_sizes(version, 2), sst_sizes(version, 9)) == ([half], [half])


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize(
    ("release", "stays"),
    [("2.8.5", True), ("3.0.0", True), ("3.0.1", True), ("3.0.2", False), ("3.0.3", False)],
)
def test_a_removed_tables_watermarks_go_since_3_0_2(
    release: str, *, stays: bool, new: bool
) -> None:
    """Up to 3.0.1 they stay, unless the delta that removes the table also brings new ones."""
    state = State(release)
    state.watermark(state.version.table_watermarks, 5)
    if new:
        state.watermark(state.delta.new_table_watermarks, 12)
    state.delta.removed_table_ids.append(1)
    assert list(state.apply().table_watermarks) == ([1] if stays and not new else [])


@pytest.mark.parametrize(
    ("release", "count"), [("2.2.2", 0), ("2.2.3", 0), ("2.2.4", 1), ("2.2.5", 1), ("2.3.0", 1)]
)
def test_groups_count_their_splits_since_2_2_4(release: str, count: int) -> None:
    """The parent and the child count a split; an era that lacks the field counts in a later one."""
    state = State(release)
    state.split(by_key=True)
    working = Working(state.version, state.rules)
    apply_delta(working, state.delta)
    assert [working.groups[group].version_id for group in (2, 9)] == [count, count]


@pytest.mark.parametrize(
    ("release", "left"), [("2.1.4", 1), ("2.1.5", 1), ("2.2.0", 0), ("2.2.1", 0), ("2.8.0", 0)]
)
def test_a_split_drops_empty_sub_levels_since_2_2_0(release: str, left: int) -> None:
    """A sub level all of whose SSTs moved stays in the parent, empty, up to 2.1."""
    state = State(release)
    state.add_sst(8)
    sst = state.version.levels[2].l0.sub_levels[0].table_infos[0]
    sst.key_range.left = key(2, 0, 1)
    sst.table_ids[:] = [2]
    state.split(by_key=True)
    version = state.apply()
    assert (len(version.levels[2].l0.sub_levels), sst_sizes(version, 9)) == (left, [8])


@pytest.mark.parametrize(
    ("release", "total"),
    [
        ("2.7.2", 8),
        ("2.7.3", 4),
        ("2.7.4", 4),
        ("2.8.0", 8),
        ("2.8.1", 4),
        ("2.8.2", 4),
        ("3.0.0", 4),
    ],
)
def test_which_releases_recount_after_a_split(release: str, total: int) -> None:
    """The parent's sizes stay those before the split in 2.7.2 and 2.8.0."""
    state = State(release)
    state.add_sst(8)
    state.split(by_key=True)
    l0 = state.apply().levels[2].l0
    assert (l0.sub_levels[0].total_file_size, l0.total_file_size) == (total, total)


@pytest.mark.parametrize(
    ("release", "kept"),
    [
        ("2.2.6", [[6, 8]]),
        ("2.3.0", [[5, 6, 8]]),
        ("2.4.4", [[5, 6, 8]]),
        ("2.5.0", [[5, 6, 8]]),
    ],
)
def test_a_change_log_keeps_the_epoch_it_is_truncated_at_since_2_3(
    release: str, kept: list[list[int]]
) -> None:
    """Epochs 3, 5, 6 and 8, truncated at 5; the log of an earlier checkpoint goes as a whole."""
    assert truncated(release, [[1, 2], [3, 5, 6, 8]], 5) == kept


def truncated(release: str, logs: list[list[int]], epoch: int) -> list[list[int]]:
    """The epochs of table 1's logs after a delta that truncates them and adds one at 20."""
    state = State(release)
    for epochs in logs:
        _add_log(state.version.table_change_logs[1].change_logs.add(), epochs)
    change = state.delta.change_log_delta[1]
    change.truncate_epoch = epoch
    _add_log(change.new_log, [20])
    found = state.apply().table_change_logs[1].change_logs
    assert list(found[-1].epochs) == [20]
    return [list(item.epochs) for item in found[:-1]]


def _add_log(log: Any, epochs: list[int]) -> None:
    log.epochs[:] = epochs


@pytest.mark.parametrize(
    ("release", "epoch"), [("2.0.6", 5), ("2.0.7", 5), ("2.1.0", 10), ("2.1.1", 10)]
)
def test_watermarks_are_cleared_up_to_the_committed_epoch_since_2_1(
    release: str, epoch: int
) -> None:
    """Before, up to the table's safe epoch: here 5 of a table that committed 10."""
    state = State(release)
    if hasattr(state.version.state_table_info[1], "safe_epoch"):
        state.version.state_table_info[1].safe_epoch = 5
    state.watermark(state.version.table_watermarks, 3)
    found = state.apply().table_watermarks[1].epoch_watermarks
    assert [item.epoch for item in found] == [epoch]


@pytest.mark.parametrize(
    ("release", "kind"), [("2.7.3", 0), ("2.7.4", 0), ("2.8.0", 1), ("2.8.1", 1)]
)
def test_watermarks_say_their_kind_since_2_8(release: str, kind: int) -> None:
    """A version that does not say it is written with kind 1 from 2.8 on."""
    state = State(release)
    state.watermark(state.version.table_watermarks, 10)
    found = state.apply().table_watermarks[1]
    assert getattr(found, "raw_watermark_serde_type", 0) == kind


@pytest.mark.parametrize(
    ("release", "refused"), [("2.0.6", False), ("2.0.7", False), ("2.1.0", True), ("2.1.1", True)]
)
def test_table_ids_of_an_sst_ascend_since_2_1(release: str, *, refused: bool) -> None:
    """Before, nobody looked."""
    state = State(release)
    state.add_sst(8)
    state.version.levels[2].l0.sub_levels[0].table_infos[0].table_ids[:] = [2, 1]
    if not refused:
        assert Working(state.version, state.rules).groups[2].l0[0].ssts[0].id == 5
        return
    with pytest.raises(VersionError, match="not ascending"):
        Working(state.version, state.rules)
