"""A day with a snapshot a minute, kept as deltas, by a made-up clock: what a restore to a time
brings back is what was recorded at the last minute before it.
"""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import goldens
import msgspec
import pytest
from object_restores import OVERWRITE
from shell import Shell

import metasnapshot
from metasnapshot.catalogue import changes
from metasnapshot.catalogue.entry import new_entry
from metasnapshot.catalogue.repository import Repository
from metasnapshot.operations.backup_delta import keep_small
from metasnapshot.operations.expire import Policy, judge
from metasnapshot.operations.timeline.gather import gather
from metasnapshot.store.local import LocalStore
from metasnapshot_models.layouts import LAYOUTS

START = datetime(2026, 11, 29, 3, 0, 0, 250_000, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TAG = goldens.SHIPPED / "v3.0.3"
HERE = ("--backup-storage-url", "fs://.")
Recorded = list[tuple[str, tuple[str, ...]]]
"""Of each minute the value of a parameter, and the names of users."""


class Day:
    """A directory with a snapshot of each minute of a cluster that lives.

    Attributes:
        recorded: what each minute's snapshot has.
        files: their bytes.
        dropped: the minute since which a user is gone.
    """

    def __init__(self, path: Path, minutes: int) -> None:
        self.repository = Repository(LocalStore(path), "backup")
        self.repository.make_manifest()
        self.recorded: Recorded = []
        self.files: list[bytes] = []
        self.dropped = minutes // 3
        self.snapshot = metasnapshot.loads((TAG / "backup" / "7.snapshot").read_bytes())
        users: list[Any] = self.snapshot.sections["users"]
        users.append(msgspec.structs.replace(users[0], user_id=999, name="night"))
        for number in range(minutes):
            self._live(number)
            self._back_up(number)

    def _live(self, minute: int) -> None:
        """Something changes in each minute."""
        sections = self.snapshot.sections
        rows: list[Any] = sections["system_parameters"]
        place = next(at for at, row in enumerate(rows) if row.name == "barrier_interval_ms")
        rows[place] = msgspec.structs.replace(rows[place], value=str(1000 + minute))
        if minute == self.dropped:
            sections["users"] = [row for row in sections["users"] if row.name != "night"]
        names = tuple(sorted(row.name for row in sections["users"]))
        self.recorded.append((rows[place].value, names))

    def _back_up(self, minute: int) -> None:
        with changes.reserve(self.repository, 0) as number:
            self.snapshot.id = number
            data = metasnapshot.dumps(self.snapshot)
            version = self.snapshot.hummock_version.message
            entry = new_entry(number, version, [], LAYOUTS[self.snapshot.layout])

            def write(file: Any) -> Any:
                file.write(data)
                return entry

            keep_small(self.repository, number, write, START + minute * MINUTE, 60)
        self.files.append(data)


def rows(path: Path) -> tuple[str, tuple[str, ...]]:
    """What a restored meta store has."""
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT value FROM system_parameter WHERE name = 'barrier_interval_ms'"
        ((value,),) = connection.execute(query).fetchall()
        names = sorted(name for (name,) in connection.execute('SELECT name FROM "user"'))
    return value, tuple(names)


@pytest.mark.parametrize(
    ("minutes", "times"),
    [pytest.param(20, 2), pytest.param(1440, 10, marks=pytest.mark.long)],
)
def test_a_day_of_minutes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    minutes: int,
    times: int,
) -> None:
    """At random times, the rows that were recorded then, and the snapshot's own bytes; the timeline
    tells the minute in which a user went, and no gap.
    """
    monkeypatch.chdir(tmp_path)
    day = Day(tmp_path, minutes)
    assert len(day.repository.deltas) == minutes - -(-minutes // 60)
    dice = random.Random(minutes)  # noqa: S311 - a walk, no secret
    shell = Shell(tmp_path, capsys, *HERE)
    for number in range(times):
        second = dice.uniform(0, minutes * 60 - 1)
        minute = int(second // 60)
        at = (START + timedelta(seconds=second)).isoformat()
        empty = goldens.empty_store(TAG, tmp_path / f"{number}.db")
        where = ("--meta-store", f"sqlite:///{empty}", "--hummock-storage-url", "fs://state")
        words = ("restore", "--at", at, *where, *OVERWRITE, "--no-object-check")
        code, found = shell.answer(*words)
        assert code == 0, found
        assert found["at"]["snapshot_id"] == minute + 1
        assert found["at"]["taken_by"] == "clock"
        assert rows(empty) == day.recorded[minute]
        with day.repository.get_stream(minute + 1) as stream:
            assert stream.read() == day.files[minute]
    told = gather(
        day.repository, day.repository.entries, expected=MINUTE, until=START + minutes * MINUTE
    )
    assert (told.gaps, told.unread, len(told.points)) == ((), (), minutes)
    (gone,) = [step for step in told.steps if any(event.kind == "users" for event in step.events)]
    assert (gone.earlier.id, gone.later.id) == (day.dropped, day.dropped + 1)
    assert [event.name for event in gone.events if event.kind == "users"] == ["night"]
    policy = Policy(keep_minutely=minutes // 2, keep_hourly=2)
    judged = judge(day.repository, policy, START + minutes * MINUTE)
    assert sum(bool(item.reasons) for item in judged) >= minutes // 2
