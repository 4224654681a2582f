"""The collector of a simulated cluster: which objects go, by src/meta/src/hummock/manager/gc.rs and
time_travel.rs at v3.0.3.

A candidate stays if a backup of the current directory pins it, time travel has it, a compute node
may still commit it, or a version tracks it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import sqlalchemy as sa

from cluster.hummock import HummockManager, Inconsistent
from cluster.metastore import MetaStore
from cluster.objects import Bucket, Clock, sst_id, sst_path

MIN_SST_RETENTION_TIME_SEC = 5
"""As upstream's tests configure it (risedev profile ci-meta-backup-test-sql)."""
MINOR_GC_LEAST = 1000
HISTORY = sa.table(
    "hummock_gc_history",
    sa.column("object_id"),
    sa.column("mark_delete_at", sa.DateTime),
)


class Collector:
    """Full and minor collection of a data directory."""

    def __init__(
        self,
        store: MetaStore,
        hummock: HummockManager,
        bucket: Bucket,
        directory: str,
        clock: Clock,
        pinned: Callable[[], set[int]],
        min_uncommitted: Callable[[], int],
    ) -> None:
        self._store, self._hummock = store, hummock
        self._bucket, self._directory, self._clock = bucket, directory, clock
        self._pinned, self._min_uncommitted = pinned, min_uncommitted

    def full(self, retention_s: int = 0) -> set[int]:
        """List the data directory and delete what nobody needs (start_full_gc); gives what went."""
        retention_s = max(retention_s, MIN_SST_RETENTION_TIME_SEC)
        watermark = self._now() - retention_s
        found: set[int] = set()
        for item in self._bucket.list(f"{self._directory}/"):
            number = sst_id(item.path)
            if number is not None and item.modified < watermark:
                found.add(number)
        return self._complete(found)

    def minor(self, least: int = MINOR_GC_LEAST) -> set[int]:
        """Delete what checkpoints dropped and nobody needs, if there is enough of it
        (try_start_minor_gc); gives what went.
        """
        if len(self._hummock.may_delete) < least:
            return set()
        found, self._hummock.may_delete = self._hummock.may_delete, set()
        return self._complete(found)

    def _complete(self, candidates: set[int]) -> set[int]:
        """complete_gc_batch: the filters, in its order."""
        left = candidates - self._pinned()
        left -= self._store.column("hummock_sstable_info", "object_id")
        first = self._min_uncommitted()
        left = {number for number in left if number < first}
        left -= self._hummock.tracked_object_ids()
        self._write_history(left)
        self._bucket.delete([sst_path(self._directory, number) for number in sorted(left)])
        return left

    def _write_history(self, ids: Iterable[int]) -> None:
        marked = datetime.fromtimestamp(self._now(), UTC).replace(tzinfo=None)
        known = self._store.column(HISTORY.name, "object_id")
        rows = [{"object_id": number, "mark_delete_at": marked} for number in set(ids) - known]
        if rows:
            with self._store.transaction() as connection:
                connection.execute(sa.insert(HISTORY), rows)

    def _now(self) -> int:
        """Seconds, which a restart must not turn back."""
        now = int(self._clock.now())
        if now < self._store.sequences().get("now", 0):
            raise Inconsistent("unexpected decreasing now")
        self._store.set_sequence("now", now)
        return now
