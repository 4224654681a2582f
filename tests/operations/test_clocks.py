"""Clocks that are wrong: a snapshot of the future is told, and nothing goes by time then."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import goldens
import msgspec
import pytest

import metasnapshot
from metasnapshot.catalogue.facts import Facts, read_facts, record_facts
from metasnapshot.catalogue.records import Records
from metasnapshot.catalogue.repository import Repository
from metasnapshot.catalogue.times import AHEAD_MAX, EPOCH_START, Clocks
from metasnapshot.cli.app import main
from metasnapshot.operations.check import check
from metasnapshot.operations.expire import Policy, judge
from metasnapshot.store.local import LocalStore

NOW = datetime(2026, 3, 4, 12, 30, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SECOND = timedelta(seconds=1)
BY_TIME = {
    "minutely": Policy(keep_minutely=1),
    "hourly": Policy(keep_hourly=1),
    "daily": Policy(keep_daily=1),
    "weekly": Policy(keep_weekly=1),
    "monthly": Policy(keep_monthly=1),
    "within": Policy(keep_within=HOUR),
    "within and last": Policy(keep_last=1, keep_within=HOUR),
    "daily, few": Policy(keep_daily=1, min_count=0),
    "all": Policy(1, 1, 1, 1, 1, SECOND),
}


def directory(path: Path, ages: list[timedelta], stored: datetime = NOW) -> Repository:
    """A directory whose snapshots 1, 2, … have epochs so long before NOW, and whose store stamped
    everything then.
    """
    snapshot = metasnapshot.loads(goldens.SMALL.read_bytes())
    (path / "backup").mkdir()
    entries: list[dict[str, object]] = []
    for snapshot.id, age in enumerate(ages, 1):
        (path / "backup" / f"{snapshot.id}.snapshot").write_bytes(metasnapshot.dumps(snapshot))
        epoch = (NOW - age - EPOCH_START) // timedelta(milliseconds=1) << 16
        tables = {"5": {"committed_epoch": epoch, "compaction_group_id": 2}}
        entry: dict[str, object] = {"id": snapshot.id, "hummock_version_id": 1, "ssts": []}
        entries.append(entry | {"format_version": 2, "state_table_info": tables})
    manifest = {"manifest_id": len(entries), "snapshot_metadata": entries}
    (path / "backup" / "manifest.json").write_bytes(msgspec.json.encode(manifest))
    for file in (path / "backup").iterdir():
        os.utime(file, (stored.timestamp(), stored.timestamp()))
    return Repository(LocalStore(path), "backup")


def ahead(repository: Repository) -> list[str]:
    records = Records(repository)
    return records.ahead(records.clocks(NOW))


@pytest.mark.parametrize(
    ("age", "stored", "is_ahead"),
    [
        (-AHEAD_MAX, NOW, False),
        (-AHEAD_MAX - SECOND, NOW, True),
        (-DAY, NOW, True),
        (-3650 * DAY, NOW, True),
        (-DAY, NOW + DAY - AHEAD_MAX, False),
        (-DAY, NOW + DAY - AHEAD_MAX - SECOND, True),
        (-DAY, NOW - 365 * DAY, True),
        (timedelta(0), NOW - 365 * DAY, False),
        (365 * DAY, NOW, False),
    ],
)
def test_a_snapshot_is_ahead_of_both_clocks(
    tmp_path: Path, age: timedelta, stored: datetime, *, is_ahead: bool
) -> None:
    """By more than ten minutes, of this host's and of the store's; both are said."""
    found = ahead(directory(tmp_path, [DAY, age], stored))
    assert bool(found) == is_ahead
    for text in found:
        assert text.startswith("snapshot 2 was taken at ")
        assert "2026-03-04 12:30:00+00:00 by this host" in text
        assert f"{stored.isoformat(' ', 'seconds')} by the store's newest object" in text


def test_a_store_without_times_leaves_the_hosts(tmp_path: Path) -> None:
    """Then the host's clock alone decides."""
    clocks = Clocks(NOW, None)
    assert clocks.is_behind(NOW + HOUR)
    assert not clocks.is_behind(NOW + MINUTE)
    assert str(clocks) == "2026-03-04 12:30:00+00:00 by this host"
    assert ahead(directory(tmp_path, [-HOUR])) != []


@pytest.mark.parametrize("name", BY_TIME)
def test_nothing_goes_by_time_while_one_is_ahead(tmp_path: Path, name: str) -> None:
    """Each rule of time would have let the older ones go; by number they go all the same."""
    repository = directory(tmp_path, [90 * DAY, 60 * DAY, -400 * DAY])
    judged = judge(repository, BY_TIME[name], NOW)
    assert [item.entry.id for item in judged if not item.reasons] == []
    assert all("a snapshot is of the future" in item.reasons[-1] or item.reasons for item in judged)
    later = judge(repository, BY_TIME[name], NOW + 401 * DAY)
    assert [item.entry.id for item in later if not item.reasons] != []
    by_number = judge(repository, Policy(keep_last=1), NOW)
    assert [item.entry.id for item in by_number if not item.reasons] == [2, 1]


def test_check_is_not_green_for_ever(tmp_path: Path) -> None:
    """A snapshot of the future never gets old: it is a problem, until time has come to it."""
    repository = directory(tmp_path, [DAY, -400 * DAY])
    found = check(repository, 26 * HOUR, 1, NOW)
    assert [text[:26] for text in found.problems] == ["snapshot 2 was taken at 20"]
    assert check(repository, 26 * HOUR, 1, NOW + 400 * DAY).problems == ()
    assert len(check(repository, None, 1, NOW).problems) == 1


def test_the_newest_is_the_one_with_the_largest_id(tmp_path: Path) -> None:
    """A clock that went back makes it the one that was taken earlier; its age is by its time."""
    repository = directory(tmp_path, [HOUR, 5 * HOUR])
    found = check(repository, 4 * HOUR, 1, NOW)
    assert (found.newest_id, found.newest_at) == (2, NOW - 5 * HOUR)
    assert found.problems == ("the newest is 5 hours old, more than 4 hours",)
    judged = judge(repository, Policy(keep_last=1), NOW)
    assert [item.entry.id for item in judged if item.reasons] == [2]


def test_an_idle_cluster_is_as_old_as_its_backup(tmp_path: Path) -> None:
    """Its epochs stand still; what is recorded says when it was taken."""
    repository = directory(tmp_path, [10 * DAY])
    assert check(repository, DAY, 1, NOW).problems != ()
    size = (tmp_path / "backup" / "1.snapshot").stat().st_size
    checksum = (tmp_path / "backup" / "1.snapshot").read_bytes()[:-9:-1].hex()
    facts = Facts(checksum, size, taken=NOW - HOUR)
    record_facts(repository.store, "backup", 1, facts)
    assert read_facts(repository.store, "backup") == {1: facts}
    found = check(repository, DAY, 1, NOW)
    assert (found.newest_at, found.problems) == (NOW - HOUR, ())
    (judged,) = judge(repository, Policy(keep_last=1), NOW)
    assert replace(judged, reasons=[]).taken_at == NOW - HOUR


@pytest.mark.parametrize("command", [["list"], ["expire", "--keep-daily", "1"], ["check"]])
def test_every_command_that_counts_time_warns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    """On stderr; check fails by it, and its JSON says why."""
    real = datetime.now(UTC)
    directory(tmp_path, [DAY, NOW - real - DAY])
    there = ["--backup-storage-url", f"fs://{tmp_path}", "--backup-storage-directory", "backup"]
    code = main([*command, *there, "--json"])
    printed = capsys.readouterr()
    if command == ["check"]:
        assert code == 5
        assert "snapshot 2 was taken at" in json.loads(printed.out)["problems"][0]
    else:
        assert code == 0
        assert "snapshot 2 was taken at" in printed.err
        assert "by this host" in printed.err
