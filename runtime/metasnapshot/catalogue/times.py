"""When a snapshot was taken: its epochs say, in whatever store its file has been since.

An epoch is milliseconds since 2021-04-01 UTC, shifted left by 16 (src/common/src/util/epoch.rs).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from metasnapshot.catalogue.manifest import ManifestEntry

EPOCH_START = datetime(2021, 4, 1, tzinfo=UTC)
EPOCH_SHIFT = 16


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
    epochs = [info.committed_epoch for info in entry.state_table_info.values()]
    newest = max([*epochs, entry.max_committed_epoch or 0])
    return epoch_time(newest) if newest else None


def newest_first(entries: Iterable[ManifestEntry]) -> list[ManifestEntry]:
    """Entries by the time of their snapshots, then by id; those without a time come last."""
    oldest = datetime.min.replace(tzinfo=UTC)
    return sorted(entries, key=lambda item: (taken_at(item) or oldest, item.id), reverse=True)
