from __future__ import annotations

import pytest

from metasnapshot.hummock.range_deletes import NO_DELETES, RangeDeletes
from metasnapshot.sst.deletes import NOTHING, Bound, Event


def event(key: str, epoch: int, *, is_behind: bool = False) -> Event:
    return Event(Bound(key.encode(), is_behind), epoch)


SSTS = (
    (event("b", 5), event("d", 7), event("f", NOTHING)),
    (event("c", 6), event("e", 9, is_behind=True), event("g", NOTHING)),
    (),
    (event("h", 8, is_behind=True), event("h", NOTHING, is_behind=True)),
)
UP_TO = {"a": -1, "b": 5, "c": 6, "d": 7, "e": 7, "ea": 7, "f": -1, "g": -1, "h": -1, "z": -1}
"""Of keys, for a read as of 8: that of 9, from behind e to g, it does not see."""


@pytest.mark.parametrize("key", UP_TO)
def test_a_delete_hides_what_is_as_new(key: str) -> None:
    """Of the deletes of all SSTs over a key, the newest that a read sees hides versions up to its
    own epoch; from a bound on, and behind a key where the bound is."""
    deletes = RangeDeletes(SSTS, 8)
    assert deletes
    hidden = [epoch for epoch in range(12) if deletes.hides(key.encode(), epoch)]
    assert hidden == list(range(UP_TO[key] + 1))


def test_a_later_read_sees_more() -> None:
    """As of 9 the last delete counts, behind its key and not at it; without any none is hidden."""
    deletes = RangeDeletes(SSTS, 9)
    assert [deletes.hides(key, 9) for key in (b"e", b"e\0", b"f", b"g")] == [
        False,
        True,
        True,
        False,
    ]
    assert not NO_DELETES
    assert not NO_DELETES.hides(b"", 0)
