"""Range deletes of a table, of all its SSTs together: the newest for each key that a read sees.

Source: src/storage/src/hummock/iterator/delete_range_iterator.rs and forward_user.rs at 1.7.1: a
row is gone if some SST has a delete over its key that is as new as the row, or newer, and not newer
than the read.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence

from metasnapshot.sst.deletes import Bound, Event


class RangeDeletes:
    """Up to which epoch the versions of a key are deleted."""

    def __init__(self, ssts: Iterable[Sequence[Event]], epoch: int) -> None:
        """Lay the events of SSTs over each other.

        Args:
            ssts: the events of each, in order.
            epoch: of the read: newer deletes do not count.
        """
        self._bounds: list[Bound] = []
        self._epochs: list[int] = []
        events = sorted(
            (event.bound, number, place, event.epoch)
            for number, found in enumerate(ssts)
            for place, event in enumerate(found)
        )
        now: dict[int, int] = {}
        every: list[int] = []
        for bound, number, _, new in events:
            if number in now:
                every.remove(now.pop(number))
            if new <= epoch:
                now[number] = new
                insort(every, new)
            self._bounds.append(bound)
            self._epochs.append(every[-1] if every else -1)

    def __bool__(self) -> bool:
        return bool(self._bounds)

    def hides(self, key: bytes, epoch: int) -> bool:
        """Whether a version of a key, after its table's id, is deleted."""
        place = bisect_right(self._bounds, Bound(key, is_behind=False)) - 1
        return place >= 0 and epoch <= self._epochs[place]


NO_DELETES = RangeDeletes((), 0)
