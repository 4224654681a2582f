"""When a snapshot was taken: its epochs say, in whatever store its file has been since.

An epoch is milliseconds since 2021-04-01 UTC, shifted left by 16 (src/common/src/util/epoch.rs).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from metasnapshot.catalogue.manifest import ManifestEntry

EPOCH_START = datetime(2021, 4, 1, tzinfo=UTC)
EPOCH_SHIFT = 16
AHEAD_MAX = timedelta(minutes=10)
"""How far clocks of hosts may be apart before what they say of ages is no use."""


def epoch_time(epoch: int) -> datetime:
    """The wall-clock time of an epoch, to the millisecond; the last there is for one beyond it."""
    try:
        return EPOCH_START + timedelta(milliseconds=epoch >> EPOCH_SHIFT)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def taken_at(entry: ManifestEntry) -> datetime | None:
    """When the state of a snapshot was committed last; None if its manifest entry has no epoch, as
    of a cluster without tables.
    """
    newest = entry.newest_epoch
    return epoch_time(newest) if newest else None


class Clocks(msgspec.Struct, frozen=True):
    """What time it is: by this host, and at least by the store, which stamped its newest object
    then; None if the store has no times.
    """

    host: datetime
    store: datetime | None

    def is_behind(self, time: datetime) -> bool:
        """Whether a time lies so far ahead of both that one of three clocks is wrong."""
        return time - max(self.host, self.store or self.host) > AHEAD_MAX

    def __str__(self) -> str:
        store = "" if self.store is None else f", {shown(self.store)} by the store's newest object"
        return f"{shown(self.host)} by this host{store}"


def shown(time: datetime) -> str:
    """A time for people, in UTC."""
    return time.astimezone(UTC).isoformat(" ", "seconds")


def exact(time: datetime) -> str:
    """A time in UTC that names this very moment, as ISO 8601 has it."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def newest_first(entries: Iterable[ManifestEntry]) -> list[ManifestEntry]:
    """Entries by id: ids only grow, while a clock may go back."""
    return sorted(entries, key=lambda item: item.id, reverse=True)
