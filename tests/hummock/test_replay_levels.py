"""A level keeps its sizes and the order of its keys up while SSTs come and go: the same as one that
adds up and sorts all of it every time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from exhaustive import WHOLE
from hummock_ssts import key
from hypothesis import given, settings
from hypothesis import strategies as st

from metasnapshot.errors import VersionError
from metasnapshot.format import messages
from metasnapshot.hummock.keys import ends_before
from metasnapshot.hummock.replay.levels import NONOVERLAPPING, OVERLAPPING, Level
from metasnapshot.hummock.replay.rules import rules_of
from metasnapshot.hummock.replay.sst import Sst

RULES = rules_of("3.0.3")
SST: Any = messages.message_class("hummock.SstableInfo", "v3.0.3")
U64 = 1 << 64
PLACES, IDS, EPOCHS = st.integers(0, 40), st.integers(1, 40), st.integers(0, 2)


@st.composite
def ssts(draw: st.DrawFn) -> Sst:
    """Few places and ids, so that ranges meet and ids come twice."""
    left, length = draw(PLACES), draw(st.sampled_from([0, 0, 0, 1, 3]))
    message = SST(sst_id=draw(IDS), sst_size=draw(st.integers(1, 100)))
    message.uncompressed_file_size = draw(st.integers(0, U64 - 1))
    if left:  # else it has no left end
        message.key_range.left = key(1, left, draw(EPOCHS))
    if left < 40:  # else it has no right end
        message.key_range.right = key(1, left + length, draw(EPOCHS))
    message.key_range.right_exclusive = draw(st.booleans())
    return Sst(message, RULES)


class Naive:
    """A level as a list. What it says of its sizes is kept apart from what they are."""

    def __init__(self, level_type: int) -> None:
        self.level_type = level_type
        self.ssts: list[Sst] = []
        self.said = [0, 0]

    def sums(self) -> list[int]:
        return [sum(sst.size for sst in self.ssts), sum(sst.uncompressed for sst in self.ssts)]

    def count(self, found: list[Sst], sign: int = 1) -> None:
        self.said[0] += sign * sum(sst.size for sst in found)
        self.said[1] += sign * sum(sst.uncompressed for sst in found)

    def order(self) -> bool:
        """Sort; tells whether nothing overlaps."""
        self.level_type = NONOVERLAPPING
        self.ssts = sorted(self.ssts, key=lambda sst: sst.key)
        neighbours = zip(self.ssts, self.ssts[1:], strict=False)
        return all(ends_before(a.message.key_range, b.message.key_range) for a, b in neighbours)


def insert(level: Level, naive: Naive, found: list[Sst]) -> bool:
    naive.ssts += found
    naive.count(found)
    return both(naive.order(), lambda: level.insert_sorted(found))


def add(level: Level, naive: Naive, found: list[Sst]) -> bool:
    """As a split or a merge does it; an overlapping level stays as it is."""
    naive.ssts += found
    naive.count(found)
    level.add(found)
    return level.level_type == OVERLAPPING or both(naive.order(), level.sort)


def remove(level: Level, naive: Naive, found: list[Sst]) -> bool:
    """As many as are found, some of which are there."""
    ids = {naive.ssts[sst.id % len(naive.ssts)].id if naive.ssts else 0 for sst in found}
    ids.add(0)
    naive.ssts = [sst for sst in naive.ssts if sst.id not in ids]
    naive.said = naive.sums()
    level.remove(ids)
    return True


def keep(level: Level, naive: Naive, found: list[Sst]) -> bool:
    ids = {naive.ssts[-1].id for sst in found if naive.ssts and sst.id % 2}
    dropped = [sst for sst in naive.ssts if sst.id in ids]
    naive.ssts = [sst for sst in naive.ssts if sst.id not in ids]
    assert level.keep(lambda sst: sst.id not in ids) == dropped
    naive.count(dropped, -1)
    level.subtract(dropped)
    return True


def replace(level: Level, naive: Naive, found: list[Sst]) -> bool:
    """Some SSTs have other sizes now, as after a truncation, or stand for themselves again."""
    sizes = {sst.id: sst.size for sst in found}
    for place, sst in enumerate(naive.ssts):
        if sst.id in sizes:
            changed = SST()
            changed.CopyFrom(sst.message)
            changed.sst_size = sizes[sst.id]
            naive.ssts[place] = Sst(changed, RULES)
    level.replace(list(naive.ssts))
    return True


def recount(level: Level, naive: Naive, found: list[Sst]) -> bool:
    assert found is not None
    naive.said = naive.sums()
    level.recount()
    return True


def both(fits: bool, change: Callable[[], None]) -> bool:  # noqa: FBT001 - what is expected
    """Make a change that must fail exactly if it does not fit."""
    if not fits:
        with pytest.raises(VersionError, match="must not overlap"):
            change()
        return False
    change()
    return True


CHANGES = [insert, insert, insert, remove, remove, add, keep, replace, recount]


@settings(max_examples=2000 if WHOLE else 100)
@given(
    st.sampled_from([NONOVERLAPPING, OVERLAPPING]),
    st.lists(st.tuples(st.sampled_from(CHANGES), st.lists(ssts(), max_size=3)), max_size=30),
)
def test_a_level_counts_as_if_it_counted_again(
    level_type: int, changes: list[tuple[Callable[..., bool], list[Sst]]]
) -> None:
    """After any changes: order, ids, and both sizes, what it says and what they are; and SSTs that
    overlap are refused exactly where a whole look would refuse them. Then a new level goes on.
    """
    level, naive = Level(0, level_type), Naive(level_type)
    for change, found in changes:
        if not change(level, naive, found):
            level, naive = Level(0, level_type), Naive(level_type)
        assert (level.level_type, level.ssts) == (naive.level_type, naive.ssts)
        assert set(level.ids) == {sst.id for sst in naive.ssts}
        assert [level.size, level.uncompressed] == [value % U64 for value in naive.said]
        said = level.size, level.uncompressed
        level.recount()
        assert [level.size, level.uncompressed] == [value % U64 for value in naive.sums()]
        level.size, level.uncompressed = said
