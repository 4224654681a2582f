"""expire: what each rule keeps, and what stays whatever the rules say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import goldens
import pytest
from timed_directory import DAY, HOUR, NOW, directory, every, kept

import metasnapshot
from metasnapshot.catalogue import changes
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import DamageError, RetentionLocked, UsageError
from metasnapshot.operations.delete import delete, keep
from metasnapshot.operations.expire import Judged, Policy, expire, judge


def damage(backups: Repository, *ids: int) -> None:
    for number in ids:
        found = backups.store.read(backups.path(number))
        backups.store.put_if_match(backups.path(number), found.data[:-1] + b"?", found.etag)


def objects(backups: Repository) -> dict[str, bytes]:
    return {head.path: backups.store.read(head.path).data for head in backups.store.list("")}


def reasons(judged: list[Judged]) -> dict[int, list[str]]:
    return {item.entry.id: item.reasons for item in judged}


TIMES = {
    "last": (every(HOUR, 5), Policy(keep_last=3), [3, 4, 5]),
    "last of one hour": ([NOW, NOW, NOW], Policy(keep_last=2), [2, 3]),
    "last of fewer": (every(HOUR, 2), Policy(keep_last=9), [1, 2]),
    "minutely": (every(timedelta(seconds=20), 9), Policy(keep_minutely=2), [8, 9]),
    "minutely, of two hours": (
        [NOW - timedelta(minutes=61), NOW - HOUR, NOW],
        Policy(keep_minutely=2),
        [2, 3],
    ),
    "hourly": (every(timedelta(minutes=20), 9), Policy(keep_hourly=3), [4, 7, 9]),
    "hourly, at the hour": (
        [NOW.replace(minute=0) - timedelta(milliseconds=1), NOW.replace(minute=0), NOW],
        Policy(keep_hourly=2),
        [1, 3],
    ),
    "hourly, with gaps": ([NOW - 9 * DAY, NOW - 5 * HOUR, NOW], Policy(keep_hourly=2), [2, 3]),
    "daily": (every(timedelta(hours=8), 9), Policy(keep_daily=3), [4, 7, 9]),
    "daily, at midnight UTC": (
        [datetime(2026, 3, 3, 23, 59, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC), NOW],
        Policy(keep_daily=2),
        [1, 3],
    ),
    "weekly, Sunday and Monday": (
        [
            datetime(2026, 3, 1, 23, 59, tzinfo=UTC),
            datetime(2026, 3, 2, tzinfo=UTC),
            NOW,
        ],
        Policy(keep_weekly=2),
        [1, 3],
    ),
    "weekly, over the new year": (
        [
            datetime(2025, 12, 28, tzinfo=UTC),
            datetime(2025, 12, 29, tzinfo=UTC),
            datetime(2026, 1, 4, tzinfo=UTC),
        ],
        Policy(keep_weekly=3),
        [1, 3],
    ),
    "weekly, of two years": (
        [datetime(2025, 3, 5, tzinfo=UTC), NOW],
        Policy(keep_weekly=2),
        [1, 2],
    ),
    "monthly": (
        [
            datetime(2025, 3, 4, tzinfo=UTC),
            datetime(2026, 2, 1, tzinfo=UTC),
            datetime(2026, 2, 28, 23, 59, tzinfo=UTC),
            datetime(2026, 3, 1, tzinfo=UTC),
        ],
        Policy(keep_monthly=3),
        [1, 3, 4],
    ),
    "within": (
        [NOW - DAY - timedelta(milliseconds=1), NOW - DAY, NOW],
        Policy(keep_within=DAY),
        [2, 3],
    ),
    "within nothing": ([NOW - DAY, NOW, NOW], Policy(keep_within=timedelta(0)), [2, 3]),
    "rules add up": (every(DAY, 40), Policy(keep_last=2, keep_monthly=3), [8, 36, 39, 40]),
    "at least": (every(HOUR, 5), Policy(keep_last=1, min_count=4), [2, 3, 4, 5]),
}


@pytest.mark.parametrize(("times", "policy", "expected"), TIMES.values(), ids=TIMES.keys())
def test_what_a_rule_keeps(times: list[datetime], policy: Policy, expected: list[int]) -> None:
    """The newest of each of so many that have one, in UTC. Rules of time go by time, in whatever
    order ids are; the newest of a number are those of the largest ids.
    """
    assert kept(judge(directory(times), policy)) == expected
    number = len(times)
    turned = directory(times[::-1])
    by_time = {number + 1 - item for item in expected}
    if len(set(times)) == number and not policy.keep_last:
        assert set(kept(judge(turned, policy))) == by_time | {number}
    if not policy.is_by_time:
        assert kept(judge(turned, policy)) == expected


def test_the_reasons_are_said() -> None:
    """Newest first; a snapshot may have several, and one without any goes."""
    backups = directory([NOW - 40 * DAY, NOW - DAY, NOW - HOUR, NOW])
    keep(backups, [2])
    policy = Policy(
        keep_last=1,
        keep_hourly=1,
        keep_daily=1,
        keep_weekly=1,
        keep_monthly=2,
        keep_within=HOUR,
        min_count=1,
    )
    judged = judge(backups, policy)
    assert [item.entry.id for item in judged] == [4, 3, 2, 1]
    assert reasons(judged) == {
        4: [
            "last 1",
            "at least 1",
            "hourly 2026-03-04 12",
            "daily 2026-03-04",
            "weekly 2026-03-04",
            "monthly 2026-03-04",
            "within 60 minutes",
        ],
        3: ["within 60 minutes"],
        2: ["marked as kept"],
        1: ["monthly 2026-01-23"],
    }
    assert judged[0].taken_at == NOW


def test_a_judgement_changes_nothing() -> None:
    """Nor does carrying out one that lets nothing go."""
    backups = directory(every(DAY, 4))
    before = objects(backups)
    judged = judge(backups, Policy(keep_last=1))
    assert kept(judged) == [4]
    assert objects(backups) == before
    assert expire(backups, judge(backups, Policy(keep_last=4))) == []
    assert objects(backups) == before


def test_what_goes_is_gone() -> None:
    """From the manifest and from the store; the rest is as it was."""
    backups = directory(every(DAY, 4))
    keep(backups, [1])
    before = objects(backups)
    assert [item.id for item in expire(backups, judge(backups, Policy(keep_last=1)))] == [3, 2]
    fresh = Repository(backups.store, "backup")
    assert (fresh.manifest().ids, fresh.file_ids()) == ((1, 4), [1, 4])
    after = objects(backups)
    for number in (1, 4):
        assert after[backups.path(number)] == before[backups.path(number)]


@pytest.mark.parametrize("policy", [Policy(), Policy(min_count=5)])
def test_a_policy_that_keeps_nothing_is_refused(policy: Policy) -> None:
    """Nobody means it; a least number alone is no policy."""
    backups = directory(every(DAY, 2))
    with pytest.raises(UsageError, match="keeps nothing") as caught:
        judge(backups, policy)
    assert (caught.value.exit_code, "--keep-last" in caught.value.hint) == (2, True)


def test_what_has_no_time_stays() -> None:
    """Nobody knows how old it is; it takes nobody's place by time."""
    backups = directory([None, NOW - DAY, NOW, None])
    judged = judge(backups, Policy(keep_daily=1, keep_within=HOUR))
    assert [item.entry.id for item in judged] == [4, 3, 2, 1]
    assert kept(judged) == [1, 3, 4]
    assert reasons(judged)[1] == ["no epoch says when it was taken"]


def test_the_newest_that_verifies_stays() -> None:
    """Even if newer ones are damaged and the rules keep only those."""
    backups = directory(every(DAY, 5))
    damage(backups, 4, 5)
    judged = judge(backups, Policy(keep_last=2, min_count=0))
    assert kept(judged) == [3, 4, 5]
    assert reasons(judged)[3] == ["the newest that verifies"]
    expire(backups, judged)
    assert backups.file_ids() == [3, 4, 5]


def test_the_newest_that_verifies_may_have_lost_newer_files() -> None:
    """An entry whose file is gone is not sound either."""
    backups = directory(every(DAY, 3))
    backups.store.delete(backups.path(3))
    assert kept(judge(backups, Policy(keep_last=1))) == [2, 3]


def test_without_a_sound_one_nothing_goes() -> None:
    """Damage, exit 4: whatever is left may still be mended."""
    backups = directory(every(DAY, 3))
    damage(backups, 1, 2, 3)
    before = objects(backups)
    with pytest.raises(DamageError, match="no snapshot verifies") as caught:
        judge(backups, Policy(keep_last=1))
    assert (caught.value.exit_code, objects(backups)) == (4, before)


def test_an_empty_directory_has_nothing_to_judge() -> None:
    """And nothing to delete."""
    backups = directory([])
    before = objects(backups)
    judged = judge(backups, Policy(keep_last=1))
    assert (judged, expire(backups, judged), objects(backups)) == ([], [], before)


def test_one_that_somebody_else_deleted_is_no_error() -> None:
    """The others go all the same, and are told."""
    backups = directory(every(DAY, 4))
    judged = judge(backups, Policy(keep_last=1))
    delete(Repository(backups.store, "backup"), [2])
    assert [item.id for item in expire(backups, judged)] == [3, 1]
    assert Repository(backups.store, "backup").manifest().ids == (4,)


def test_one_that_somebody_marked_meanwhile_stops_it() -> None:
    """Nothing is deleted, exit 16."""
    backups = directory(every(DAY, 4))
    judged = judge(backups, Policy(keep_last=1))
    keep(Repository(backups.store, "backup"), [2])
    before = objects(backups)
    with pytest.raises(RetentionLocked, match="kept: 2") as caught:
        expire(backups, judged)
    assert (caught.value.exit_code, objects(backups)) == (16, before)


def test_one_that_was_made_meanwhile_stays() -> None:
    """It was not judged."""
    backups = directory(every(DAY, 3))
    judged = judge(backups, Policy(keep_last=1))
    snapshot = metasnapshot.loads(goldens.SMALL.read_bytes())
    snapshot.id = 9
    changes.create(Repository(backups.store, "backup"), snapshot)
    expire(backups, judged)
    assert Repository(backups.store, "backup").manifest().ids == (3, 9)
