"""Random chains of deltas: what holds of every version, whatever came before."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import Any

import pytest
from exhaustive import WHOLE
from hummock_chains import Cluster
from hummock_ssts import all_ssts, is_ordered
from hypothesis import given, settings
from hypothesis import strategies as st

from metasnapshot.hummock.replay.apply import apply_delta
from metasnapshot.hummock.replay.rules import Rules
from metasnapshot.hummock.replay.stream import replay
from metasnapshot.hummock.replay.version import Working

RELEASES = ("1.10.0", "2.0.1", "2.1.0", "2.6.0", "2.7.3", "2.8.4", "3.0.3", "main-2026-08-21")
NONOVERLAPPING = 1
SPLITS = ("split by members", "split by key")
OTHERS = (
    *("nothing", "new group", "expired compaction", "drop", "destroy", "merge", "truncate"),
    *("compact l0", "compact to base", "compact down"),
)
Steps = list[tuple[str, int]]
"""Kind of a delta and seed of its choices."""
CHAINS = st.lists(
    st.tuples(
        st.one_of(st.just("commit"), st.sampled_from(OTHERS), st.sampled_from(SPLITS)),
        st.integers(0, 1 << 32),
    ),
    min_size=8,
    max_size=40,
)


def chain(release: str, steps: Steps) -> tuple[Rules, Any, list[tuple[str, Any, Any]]]:
    """Rules, the base, and of each step its kind, its delta and the version that it makes; a step
    that the release does not have is left out.
    """
    cluster = Cluster(release)
    base = version = cluster.first_version()
    made: list[tuple[str, Any, Any]] = []
    for step, seed in steps:
        if step not in cluster.steps:
            continue
        delta = cluster.delta(version, step, Random(seed))  # noqa: S311 - not for secrets
        working = Working(version, cluster.rules)
        apply_delta(working, delta)
        version = working.message()
        made.append((step, delta, version))
    return cluster.rules, base, made


def levels_of(version: Any) -> list[Any]:
    return [
        level
        for group in version.levels.values()
        for level in (*group.l0.sub_levels, *group.levels)
    ]


def tables_of_objects(version: Any) -> set[tuple[int, int]]:
    """Which object serves which table."""
    ssts = all_ssts(levels_of(version))
    return {(sst.object_id, table) for sst in ssts for table in sst.table_ids}


def check_structure(version: Any) -> None:
    for group_id, group in version.levels.items():
        assert group.group_id == group_id
        numbers = [level.sub_level_id for level in group.l0.sub_levels]
        assert numbers == sorted(set(numbers))
        assert [level.level_idx for level in group.levels] == [1, 2, 3]
        assert all(level.level_type == NONOVERLAPPING for level in group.levels)
    for level in levels_of(version):
        assert level.level_type != NONOVERLAPPING or is_ordered(level.table_infos)
    ids = [sst.sst_id for sst in all_ssts(levels_of(version))]
    assert len(ids) == len(set(ids))
    groups = {info.compaction_group_id for info in version.state_table_info.values()}
    assert groups <= set(version.levels)


def leaves_stale_sizes(delta: Any, before: Any, after: Any) -> bool:
    """Whether a split by key cut SSTs of a level from which nothing moved, their right side having
    no table: releases that normalize pass over such a level.
    """
    known = {sst.sst_id for sst in all_ssts(levels_of(before))}
    for group_id, found in delta.group_deltas.items():
        parent = after.levels[found.group_deltas[0].group_construct.parent_group_id]
        child = after.levels[group_id]
        moved = {(level.level_idx, level.sub_level_id) for level in child.l0.sub_levels}
        moved |= {(level.level_idx, 0) for level in child.levels if level.table_infos}
        for level in (*parent.l0.sub_levels, *parent.levels):
            is_cut = any(sst.sst_id not in known for sst in level.table_infos)
            if is_cut and (level.level_idx, level.sub_level_id) not in moved:
                return True
    return False


def check_sizes(version: Any, rules: Rules) -> None:
    for level in levels_of(version):
        sizes = [sst.sst_size if rules.sst_size else sst.file_size for sst in level.table_infos]
        assert level.total_file_size == sum(sizes)
        uncompressed = sum(sst.uncompressed_file_size for sst in level.table_infos)
        assert level.uncompressed_file_size == uncompressed
    for group in version.levels.values():
        levels = group.l0.sub_levels
        assert group.l0.total_file_size == sum(level.total_file_size for level in levels)
        uncompressed = sum(level.uncompressed_file_size for level in levels)
        assert group.l0.uncompressed_file_size == uncompressed


@pytest.mark.parametrize("release", RELEASES)
@settings(max_examples=200 if WHOLE else 20)
@given(steps=CHAINS)
def test_every_version_is_sound(release: str, steps: Steps) -> None:
    """Ids chain, levels are ordered, no reference is there twice, no table is without a group; and
    sizes are sums, at least until a split of a kind that leaves them stale.
    """
    rules, base, made = chain(release, steps)
    exact, before = True, base
    for number, (step, delta, version) in enumerate(made, base.id):
        assert (delta.prev_id, version.id) == (number, number + 1)
        check_structure(version)
        if step in SPLITS:
            exact &= rules.normalizes and not leaves_stale_sizes(delta, before, version)
        if exact:
            check_sizes(version, rules)
        before = version


@pytest.mark.parametrize("release", RELEASES)
@settings(max_examples=200 if WHOLE else 20)
@given(steps=CHAINS)
def test_only_what_a_delta_is_about_changes(release: str, steps: Steps) -> None:
    """A split or a merge loses no table of any object; an expired compaction and a delta without
    content change nothing but the id and empty sub levels.
    """
    _, base, made = chain(release, steps)
    versions = [base, *(version for _, _, version in made)]
    for (step, _, _), (before, after) in zip(made, pairwise(versions), strict=True):
        if step in {*SPLITS, "merge", "expired compaction", "nothing"}:
            assert tables_of_objects(after) == tables_of_objects(before)
        if step in {"expired compaction", "nothing"}:
            assert [level for level in levels_of(after) if level.table_infos] == [
                level for level in levels_of(before) if level.table_infos
            ]
            assert after.state_table_info == before.state_table_info


@pytest.mark.parametrize("release", RELEASES)
@settings(max_examples=200 if WHOLE else 20)
@given(steps=CHAINS)
def test_one_replay_is_all_its_steps(release: str, steps: Steps) -> None:
    """In one go, delta by delta in one run, and by way of a message after each delta: the same
    version, field for field. What goes in does not change, and the same goes in twice.
    """
    rules, base, made = chain(release, steps)
    rows = [(delta.id, delta.SerializeToString(deterministic=True)) for _, delta, _ in made]
    before = base.SerializeToString(deterministic=True)
    working = Working(base, rules)
    for _, delta, version in made:
        apply_delta(working, delta)
        assert working.message() == version
    assert working.message() == working.message()
    replayed = replay(base, rows, [rules])
    last = made[-1][2] if made else Working(base, rules).message()
    assert replayed.version == last
    assert replay(base, rows, [rules]) == replayed
    assert (replayed.base_id, replayed.applied) == (base.id, len(made))
    assert base.SerializeToString(deterministic=True) == before
    assert rows == [(delta.id, delta.SerializeToString(deterministic=True)) for _, delta, _ in made]
