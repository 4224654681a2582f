"""timeline: which objects and parameters changed, between which two snapshots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import goldens
import pytest
import v1_snapshots
from made_cluster import EPOCH, Made, copies, laid, shop
from shop_changes import CASES, Sections

import metasnapshot as package
from metasnapshot import Backups, Event, MetaSnapshot, SnapshotReader, Timeline
from metasnapshot.catalogue.facts import FACTS_NAME
from metasnapshot.catalogue.repository import Repository
from metasnapshot.catalogue.times import epoch_time
from metasnapshot.contents.cluster import SECTIONS, TABLE_KINDS
from metasnapshot.errors import UsageError
from metasnapshot.operations.diff import compare
from metasnapshot.operations.diff.sides import SnapshotSide
from metasnapshot.operations.timeline import names
from metasnapshot.operations.timeline.events import events_between
from metasnapshot.operations.timeline.gather import gather
from metasnapshot.store.local import LocalStore

START = epoch_time(EPOCH)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def told(repository: Repository, **how: Any) -> Timeline:
    return gather(repository, repository.manifest().entries, **how)


def changed(path: Path, change: Callable[[Sections], object], *, back: bool = False) -> list[Event]:
    """What a timeline says of a shop before and after a change, or the other way round."""
    made = [shop(1).finished(), shop(2).finished()]
    change(made[0 if back else 1].sections)
    steps = told(laid(path, made)).steps
    assert [(step.earlier.id, step.later.id) for step in steps] == [(1, 2)]
    return list(steps[0].events)


@pytest.mark.parametrize(("change", "expected"), CASES.values(), ids=CASES.keys())
def test_what_changed(
    tmp_path: Path, change: Callable[[Sections], object], expected: list[Event]
) -> None:
    """By name, with the id, the owner and what differs; and the other way round it is undone."""
    parameters = shop(1).finished().sections["system_parameters"]
    (interval,) = (row.value for row in parameters if row.name == "barrier_interval_ms")
    found = changed(tmp_path / "on", change)
    assert found == [
        replace(item, before=item.before and item.before.replace("250", interval))
        for item in expected
    ]
    undone = {"added": "removed", "removed": "added", "changed": "changed"}
    reverse = changed(tmp_path / "back", change, back=True)
    assert sorted((item.kind, undone[item.change], item.id or 0) for item in reverse) == sorted(
        (item.kind, item.change, item.id or 0) for item in found
    )


@pytest.mark.parametrize("section", ["tables", *SECTIONS])
def test_every_kind_is_seen(tmp_path: Path, section: str) -> None:
    """One of each kind goes from a golden snapshot: it is named, and nothing else is."""
    data = (goldens.SHIPPED / "v3.0.3" / "backup" / "7.snapshot").read_bytes()
    before, after = package.loads(data), package.loads(data)
    after.id = 8
    kinds: dict[Any, str] = {**TABLE_KINDS} if section == "tables" else {None: section}
    rows = after.sections[section]
    gone = next(row for row in rows if getattr(row, "table_type", None) in kinds)
    rows.remove(gone)
    events = [
        event for step in told(laid(tmp_path, [before, after])).steps for event in step.events
    ]
    (event,) = [event for event in events if event.change == "removed"]
    assert event.kind == kinds[getattr(gone, "table_type", None)]
    assert event.name.endswith(gone.name)
    assert [other for other in events if other != event and other.kind == event.kind] == []


def by_diff(repository: Repository, one: int, other: int) -> set[tuple[str, str, str]]:
    with repository.open(one) as before, repository.open(other) as after:
        sides = SnapshotSide(before), SnapshotSide(after)
        return {
            (change.kind, change.change, str(change.key[0]))
            for change in compare.diff_names(*sides)
        }


@pytest.mark.parametrize("tag", sorted(goldens.SHIPPED.glob("v*")), ids=goldens.name)
def test_it_is_what_diff_says(tag: Path, tmp_path: Path) -> None:
    """Of golden snapshots of each release: what two neighbours differ in by name."""
    repository = goldens.copy_backups(tag, tmp_path)
    found = told(repository)
    assert found.unread == ()
    for step in found.steps:
        expected = by_diff(repository, step.earlier.id, step.later.id)
        seen = {(event.kind, event.change, event.name) for event in step.events}
        renamed = {
            (event.kind, change, name)
            for event in step.events
            if "name" in event.columns
            for change, name in (("removed", event.before), ("added", event.after))
        }
        again = {name for _, change, name in seen if change != "changed"}
        plain = {item for item in expected - renamed if " #" not in item[2]}
        assert {item for item in plain if item[2] not in again} <= seen


def test_equal_snapshots_are_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of two equal sections costs a hash: sixty snapshots decode as many rows as one."""
    decoded: list[object] = []
    real = names.fingerprint
    monkeypatch.setattr(names, "fingerprint", lambda row: decoded.append(row) or real(row))
    counts: list[int] = []
    for count in (1, 60):
        decoded.clear()
        copies(tmp_path / str(count), shop().finished(), count)
        assert told(Repository(LocalStore(tmp_path / str(count)), "backup")).steps == ()
        counts.append(len(decoded))
    assert counts[0] == counts[1] > 10


def test_a_damaged_one_does_not_hide_the_rest(tmp_path: Path) -> None:
    """It is named; what changed is told from the one before it to the one after it. If some can be
    read it is 3, if none the code of the damage.
    """
    repository = laid(tmp_path, [shop(n, grown=n in (3, 4)).finished() for n in range(1, 6)])
    for number, code, steps in ((3, 3, [(2, 4), (4, 5)]), (4, 3, []), (1, 3, []), (2, 3, [])):
        path = tmp_path / "backup" / f"{number}.snapshot"
        path.write_bytes(path.read_bytes()[:-1] + b"?")
        found = told(repository)
        assert [(step.earlier.id, step.later.id) for step in found.steps] == steps
        assert (found.code, number in [item.stop.id for item in found.unread]) == (code, True)
    (tmp_path / "backup" / "5.snapshot").unlink()
    found = told(repository)
    assert [item.error.exit_code for item in found.unread] == [4, 4, 4, 4, 17]
    assert (found.code, found.points) == (4, ())


@pytest.mark.parametrize(
    ("since", "until", "stops", "steps"),
    [
        (None, None, [1, 2, 3, 4, 5, 6], [(2, 3), (4, 5)]),
        (2.5, None, [2, 3, 4, 5, 6], [(2, 3), (4, 5)]),
        (3.0, None, [3, 4, 5, 6], [(4, 5)]),
        (None, 2.5, [1, 2, 3], [(2, 3)]),
        (2.2, 2.8, [2, 3], [(2, 3)]),
        (3.2, 3.8, [3, 4], []),
        (None, 0.5, [1], []),
        (9.0, 10.0, [6], []),
        (9.0, None, [6], []),
        (4.0, 5.0, [4, 5], [(4, 5)]),
    ],
)
def test_a_part_of_the_time(
    tmp_path: Path,
    since: float | None,
    until: float | None,
    stops: list[int],
    steps: list[tuple[int, int]],
) -> None:
    """What may have changed in it: between its snapshots, the one before it and the one after."""
    repository = laid(tmp_path, [shop(n, grown=n in (3, 4)).finished() for n in range(1, 7)])
    found = told(
        repository,
        since=None if since is None else START + since * HOUR,
        until=None if until is None else START + until * HOUR,
    )
    assert [stop.id for stop in found.stops] == stops
    assert [(step.earlier.id, step.later.id) for step in found.steps] == steps


def gaps(found: Timeline) -> list[tuple[int, int | None]]:
    return [(gap.after_id, gap.before_id) for gap in found.gaps]


def test_gaps_are_longer_than_expected(tmp_path: Path) -> None:
    """By the time that is given, to the second; without one by the usual time. What cannot be read
    fills no gap, and the time since the newest is one.
    """
    minutes = [0, 1, 2, 3, 3 + 61 / 60, 5, 20, 21]
    hours = {number: minute / 60 for number, minute in enumerate(minutes, 1)}
    repository = laid(tmp_path, [shop(number).finished() for number in hours], hours)
    now = START + 21.5 * MINUTE
    assert gaps(told(repository, expected=MINUTE, now=now)) == [(4, 5), (6, 7)]
    assert gaps(told(repository, expected=61 * MINUTE / 60, now=now)) == [(6, 7)]
    assert gaps(told(repository, expected=15 * MINUTE, now=now)) == []
    assert gaps(told(repository, expected=MINUTE, now=now + MINUTE)) == [(4, 5), (6, 7), (8, None)]
    assert gaps(told(repository, now=now)) == [(6, 7)]
    until = START + 10 * MINUTE
    assert gaps(told(repository, expected=MINUTE, until=until, now=now)) == [(4, 5), (6, 7)]
    assert gaps(told(repository, expected=MINUTE, since=until, now=now)) == [(6, 7)]
    (tmp_path / "backup" / "2.snapshot").write_bytes(b"?")
    assert gaps(told(repository, expected=MINUTE, now=now)) == [(1, 3), (4, 5), (6, 7)]


def test_times_that_are_not_known(tmp_path: Path) -> None:
    """A snapshot without a time is compared with its neighbours all the same; a clock that was set
    back is told.
    """
    made = [Made(1).finished(), shop(2).finished(), Made(3).finished(), shop(4).finished()]
    repository = laid(tmp_path, made, {1: 1, 2: 5, 3: 3, 4: 6})
    assert told(repository).warnings == ("a clock was set back between snapshots 2 and 3",)
    (tmp_path / "backup" / FACTS_NAME).unlink()
    found = told(repository)
    assert found.untimed == (1, 3)
    assert [(step.earlier.id, step.later.id) for step in found.steps] == [(1, 2), (2, 3), (3, 4)]
    assert [stop.id for stop in found.points] == [2, 4, 1, 3]


def test_the_other_way_round_is_refused(tmp_path: Path) -> None:
    """Before anything is read; and so is a time without its zone."""
    repository = laid(tmp_path, [shop(1).finished()])
    with pytest.raises(UsageError, match="--to lies before --from"):
        told(repository, since=START + HOUR, until=START)
    backups = Backups(f"fs://{tmp_path}")
    with pytest.raises(UsageError, match="without its zone"):
        package.timeline(backups, START.replace(tzinfo=None))
    assert package.timeline(backups).points[0].id == 1


def events_of(before: MetaSnapshot, after: MetaSnapshot) -> list[Event]:
    readers = [SnapshotReader(BytesIO(package.dumps(each))) for each in (before, after)]
    one = names.names_of(readers[0], None)
    return list(events_between(one, names.names_of(readers[1], one)))


@pytest.mark.parametrize("layout", ["v1-0.19", "v1-2.0"])
def test_v1(layout: str) -> None:
    """Names, owners and columns of V1 snapshots of one format; of a V1 and a V2 one names alone."""
    one, other = (v1_snapshots.cluster(layout, n, view=f"SELECT {n}") for n in (1, 2))
    view = Event("views", "changed", "dev.public.v", 1004, ("sql",), "root")
    assert events_of(one, other) == [view]
    other.sections["view"] = []
    gone = Event("views", "removed", "dev.public.v", 1004, owner="root")
    assert events_of(one, other) == [gone]
    found = events_of(one, shop(2).finished())
    assert gone in found
    assert Event("tables", "added", "dev.public.products", 103, owner="root") in found
    assert not [event for event in found if event.name in ("dev", "dev.public", "root")]
