"""A directory of snapshots that were taken at chosen times, and what a policy keeps of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import goldens
import msgspec

import metasnapshot
from metasnapshot.catalogue.repository import Repository
from metasnapshot.catalogue.times import EPOCH_START
from metasnapshot.operations.expire import Judged
from metasnapshot.store.memory import MemoryStore

NOW = datetime(2026, 3, 4, 12, 30, tzinfo=UTC)
"""A Wednesday."""
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def entry(number: int, time: datetime | None) -> dict[str, object]:
    """A manifest entry with a table that was committed last at a time."""
    epoch = 0 if time is None else (time - EPOCH_START) // timedelta(milliseconds=1) << 16
    tables = {"5": {"committed_epoch": epoch, "compaction_group_id": 2}} if time else {}
    return {
        "id": number,
        "hummock_version_id": 1,
        "ssts": [],
        "format_version": 2,
        "state_table_info": tables,
    }


def directory(times: Sequence[datetime | None]) -> Repository:
    """A directory whose snapshots 1, 2, … were taken then."""
    store, entries = MemoryStore(), list[dict[str, object]]()
    snapshot = metasnapshot.loads(goldens.SMALL.read_bytes())
    for snapshot.id, time in enumerate(times, 1):
        store.put_if_absent(f"backup/{snapshot.id}.snapshot", metasnapshot.dumps(snapshot))
        entries.append(entry(snapshot.id, time))
    manifest = {"manifest_id": len(entries), "snapshot_metadata": entries}
    store.put_if_absent("backup/manifest.json", msgspec.json.encode(manifest))
    return Repository(store, "backup")


def every(step: timedelta, count: int, newest: datetime = NOW) -> list[datetime]:
    """Times up to the newest, oldest first."""
    return [newest - number * step for number in reversed(range(count))]


def kept(judged: list[Judged]) -> list[int]:
    return sorted(item.entry.id for item in judged if item.reasons)
