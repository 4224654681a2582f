"""expire: which snapshots a retention policy lets go, each with the reasons why it stays or goes.

A rule keeps the newest snapshot of each of the last so many minutes, hours, days, weeks or months
that have one, by the time when they were taken (UTC). Under any rules these stay: what is marked as
kept, what a backup copies objects of, what has no time, the newest one that verifies, and the
newest of a number; and everything while rules of time meet a snapshot that is ahead of all clocks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from metasnapshot.catalogue.clusters import entries_of
from metasnapshot.catalogue.ledger import read_ledger
from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.catalogue.marker import marker_path, read_marker
from metasnapshot.catalogue.records import Records
from metasnapshot.catalogue.repository import Repository
from metasnapshot.catalogue.times import newest_first
from metasnapshot.errors import ConflictError, DamageError, MetasnapshotError, UsageError
from metasnapshot.operations.delete import delete
from metasnapshot.spans import spelt

Bucket = Callable[[datetime], object]
BUCKETS: dict[str, Bucket] = {
    "minutely": lambda time: time.strftime("%Y-%m-%d %H:%M"),
    "hourly": lambda time: time.strftime("%Y-%m-%d %H"),
    "daily": lambda time: time.date(),
    "weekly": lambda time: time.isocalendar()[:2],
    "monthly": lambda time: (time.year, time.month),
}


@dataclass(frozen=True)
class Policy:
    """What to keep: numbers of snapshots, and all within a time.

    Attributes:
        keep_last: keep this many of the newest.
        keep_minutely: keep the newest of each of this many minutes.
        keep_hourly: keep the newest of each of this many hours.
        keep_daily: keep the newest of each of this many days.
        keep_weekly: keep the newest of each of this many weeks.
        keep_monthly: keep the newest of each of this many months.
        keep_within: keep what is at most this much older than the newest, such as 7d.
        min_count: never leave fewer snapshots.

    Raises:
        UsageError: a number is below zero.
    """

    keep_last: int = 0
    keep_minutely: int = field(default=0, kw_only=True)
    keep_hourly: int = 0
    keep_daily: int = 0
    keep_weekly: int = 0
    keep_monthly: int = 0
    keep_within: timedelta | None = None
    min_count: int = 1

    def __post_init__(self) -> None:
        if min(*self._numbers, self.min_count) < 0:
            raise UsageError("a number of snapshots below zero")

    @property
    def _numbers(self) -> tuple[int, ...]:
        return (
            self.keep_last,
            self.keep_minutely,
            self.keep_hourly,
            self.keep_daily,
            self.keep_weekly,
            self.keep_monthly,
        )

    @property
    def is_empty(self) -> bool:
        """Whether it would keep nothing."""
        return not any(self._numbers) and self.keep_within is None

    @property
    def is_by_time(self) -> bool:
        """Whether it keeps by time and not only by number, so that what is left goes by time."""
        return self.keep_within is not None or any(self._numbers[1:])


@dataclass
class Judged:
    """A snapshot, when it was taken, and the rules that keep it; none: it goes."""

    entry: ManifestEntry
    taken_at: datetime | None
    reasons: list[str] = field(default_factory=list[str])


def judge(repository: Repository, policy: Policy, now: datetime | None = None) -> list[Judged]:
    """Say of every snapshot why it stays, newest first.

    Args:
        repository: the directory.
        policy: what to keep.
        now: by default the clock's.

    Raises:
        UsageError: a policy that keeps nothing.
        ConflictError: the directory has snapshots of more than one cluster, and none is named.
        DamageError: no snapshot verifies, so that none may go.
    """
    if policy.is_empty:
        raise UsageError(
            "a policy that keeps nothing", hint="--keep-last 7, --keep-daily 14 or the like"
        )
    read_ledger(repository.store, repository.directory)  # of a damaged one nobody knows the marks
    records = Records(repository)
    found = [_judged(records, entry) for entry in newest_first(entries_of(repository))]
    is_future = policy.is_by_time and bool(records.ahead(records.clocks(now)))
    for number, item in enumerate(found):
        if number < policy.keep_last:
            item.reasons.append(f"last {policy.keep_last}")
        if number < policy.min_count:
            item.reasons.append(f"at least {policy.min_count}")
        if item.entry.id in records.kept:
            item.reasons.append("marked as kept")
        if _is_copied(repository, records, item.entry.id):
            item.reasons.append("its objects are being copied")
        if item.taken_at is None:
            item.reasons.append("no epoch says when it was taken")
        if is_future:
            item.reasons.append("a snapshot is of the future: nothing goes by time")
    _judge_by_time(found, policy)
    if any(not item.reasons for item in found):
        _newest_sound(repository, found).reasons.append("the newest that verifies")
    return found


def expire(repository: Repository, judged: list[Judged]) -> list[ManifestEntry]:
    """Delete what no rule keeps; returns the entries.

    Raises:
        ConflictError: a snapshot that was to stay is gone meanwhile; nothing is deleted.
        RetentionLocked: one was marked as kept meanwhile; nothing is deleted.
    """
    gone = [item.entry.id for item in judged if not item.reasons]
    repository.reread()
    present = set(repository.ids)
    if lost := [item.entry.id for item in judged if item.reasons and item.entry.id not in present]:
        raise ConflictError(
            f"snapshot {lost[0]}, which was to stay, is gone meanwhile", hint="look again"
        )
    return delete(repository, [number for number in gone if number in present]) if gone else []


def _judged(records: Records, entry: ManifestEntry) -> Judged:
    taken = records.taken(entry)
    return Judged(entry, None if taken is None else taken.time)


def _is_copied(repository: Repository, records: Records, snapshot_id: int) -> bool:
    """Whether a backup is at work on it, as far as anybody knows: only a process of this host is
    known to be gone.
    """
    store, directory = repository.store, repository.directory
    if marker_path(directory, snapshot_id) not in records.heads:
        return False
    marker = read_marker(store, directory, snapshot_id)
    return marker is None or not marker.holder.is_gone


def _judge_by_time(found: list[Judged], policy: Policy) -> None:
    timed = [(item, item.taken_at) for item in found if item.taken_at is not None]
    timed.sort(key=lambda pair: (pair[1], pair[0].entry.id), reverse=True)
    for name, bucket in BUCKETS.items():
        left, seen = int(getattr(policy, f"keep_{name}")), set[object]()
        for item, time in timed:
            place = bucket(time)
            if place not in seen and len(seen) < left:
                seen.add(place)
                item.reasons.append(f"{name} {place if isinstance(place, str) else time.date()}")
    if policy.keep_within is not None and timed:
        newest = timed[0][1]
        for item, time in timed:
            if newest - time <= policy.keep_within:
                item.reasons.append(f"within {spelt(policy.keep_within)}")


def _newest_sound(repository: Repository, found: list[Judged]) -> Judged:
    for item in found:
        try:
            with repository.open(item.entry.id) as reader:
                reader.require_known()
                return item
        except MetasnapshotError:
            continue
    raise DamageError(
        "no snapshot verifies, so none is expired", hint="metasnapshot verify --all says why"
    )
