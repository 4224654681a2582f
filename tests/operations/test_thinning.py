"""expire by minutes, hours and days: what is left of a past with many snapshots."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec
import pytest
from timed_directory import DAY, NOW, directory, every, kept

from metasnapshot.catalogue import marker
from metasnapshot.operations.delete import keep
from metasnapshot.operations.expire import Policy, expire, judge
from metasnapshot.store.lock import PID_MAX, this_holder

STEPS_S = [0, 20, 60, 60, 61, 600, 5000, 90_000]
"""Seconds from one snapshot to the next: ties and holes too."""
KINDS: dict[str, Callable[[datetime], int]] = {
    "minutely": lambda time: int(time.timestamp()) // 60,
    "hourly": lambda time: int(time.timestamp()) // 3600,
    "daily": lambda time: int(time.timestamp()) // 86_400,
}


def modelled(times: Sequence[datetime], policy: Policy) -> set[int]:
    """Which ids rules of minutes, hours and days keep, said otherwise than the code does."""
    found = {len(times)}
    for kind, bucket in KINDS.items():
        newest: dict[int, tuple[datetime, int]] = {}
        for number, time in enumerate(times, 1):
            place = bucket(time)
            newest[place] = max(newest.get(place, (time, number)), (time, number))
        count = int(getattr(policy, f"keep_{kind}"))
        found |= {newest[place][1] for place in sorted(newest, reverse=True)[:count]}
    return found


@pytest.mark.parametrize("seed", range(12))
def test_thinning_keeps_what_a_model_keeps(seed: int) -> None:
    """Minutes, hours and days over a random past, with holes and ties: neither more nor less. What
    is marked stays, and so does what a backup is at work on; a second time nothing goes.
    """
    dice = random.Random(seed)  # noqa: S311 - a walk, no secret
    spans = [timedelta(seconds=dice.choice(STEPS_S)) for _ in range(30)]
    times = [NOW - sum(spans[place:], timedelta(0)) for place in range(30)]
    policy = Policy(
        keep_minutely=dice.randrange(6),
        keep_hourly=dice.randrange(1, 6),
        keep_daily=dice.randrange(6),
    )
    backups = directory(times)
    marked, at_work = dice.sample(range(1, 31), 2)
    keep(backups, [marked])
    with marker.marked(backups.store, "backup", at_work):
        expire(backups, judge(backups, policy, NOW))
        left = set(backups.manifest().ids)
        assert left == modelled(times, policy) | {marked, at_work}
        assert all(item.reasons for item in judge(backups, policy, NOW))
    keep(backups, [marked], release=True)
    expire(backups, judge(backups, policy, NOW))
    assert set(backups.manifest().ids) == modelled(times, policy)


def test_a_dead_backups_snapshot_goes() -> None:
    """Its marker keeps nothing once its process is known to be gone; of another host nobody knows,
    and what says nothing may be anybody's.
    """
    backups = directory(every(DAY, 5))
    dead = msgspec.structs.replace(this_holder(), pid=PID_MAX)
    elsewhere = msgspec.structs.replace(dead, host="elsewhere")
    texts = [msgspec.json.encode(marker.Marker(holder)) for holder in (dead, elsewhere)]
    for number, text in enumerate([*texts, b"?"], 1):
        backups.store.put_if_absent(marker.marker_path("backup", number), text)
    assert kept(judge(backups, Policy(keep_last=1))) == [2, 3, 5]


def test_thinning_after_each_is_thinning_once() -> None:
    """Who expires after each backup of two days has what one expiry at their end leaves: nothing
    that a later rule wants goes by an earlier one.
    """
    policy = Policy(keep_minutely=6, keep_hourly=9, keep_daily=3)
    times = every(timedelta(minutes=25), 116)
    left: list[int] = []
    for number in range(1, len(times) + 1):
        left.append(number)
        wanted = modelled([times[one - 1] for one in left], policy)
        left = [one for place, one in enumerate(left, 1) if place in wanted]
    assert kept(judge(directory(times), policy, NOW)) == left
    assert len(left) < 20
