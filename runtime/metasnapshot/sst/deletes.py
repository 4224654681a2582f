"""Range deletes in the meta of an SST, as releases up to 1.7 wrote them: events along the keys.

Between an event and the next, versions of keys up to the event's epoch are deleted; an epoch that
is larger than any read's says that none is. Source:
src/storage/src/hummock/sstable/mod.rs and iterator/delete_range_iterator.rs at 0.19.0 to 1.7.1.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from metasnapshot.sst.meta_bytes import MetaBytes

NOTHING = (1 << 64) - 1
"""The epoch of an event from which on nothing is deleted."""
_U32_BE = struct.Struct(">I")
_COUNT = struct.Struct("<I")
_END = struct.Struct("<BQ")
"""is_excluded u8, epoch u64."""


class Bound(NamedTuple):
    """Where an event is: at a key, or right behind it."""

    key: bytes
    is_behind: bool


class Event(NamedTuple):
    """From a bound on, versions up to an epoch are deleted."""

    bound: Bound
    epoch: int


def read_deletes(source: MetaBytes, table_id: int | None) -> tuple[int, tuple[Event, ...]]:
    """Decode the events of a meta: how many there are, and those of one table, their keys without
    its id; none where no table is asked for.

    Raises:
        SstDamage: they are not in the order of their keys, or no events.
    """
    count = source.number(_COUNT)
    found: list[Event] = []
    last, now = (0, Bound(b"", is_behind=False)), NOTHING
    for number in range(count):
        here = source.place
        table = source.number(_U32_BE)
        key = source.take(source.number(_U32_BE))
        flag, epoch = _END.unpack(source.take(_END.size))
        bound = table, Bound(key, bool(flag))
        if flag > 1 or bound < last:
            raise here.damaged(f"range deletes: event {number} stands out of order, or is none")
        if number == count - 1:
            epoch = NOTHING  # upstream lets nothing reach beyond the last
        if table_id is not None and last[0] < table_id <= table and now != NOTHING:
            found.append(Event(Bound(b"", is_behind=False), now))
        if table == table_id:
            found.append(Event(bound[1], epoch))
        last, now = bound, epoch
    return count, tuple(found)
