"""--at: a time in the place of an id."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_cluster import EPOCH, Made, laid, shop
from object_restores import NEW
from object_world import ObjectWorld
from shell import BACKUPS, DIRECTORY, STATE, TARGET, Shell

from metasnapshot import Backups
from metasnapshot.catalogue.facts import FACTS_NAME
from metasnapshot.catalogue.times import epoch_time
from metasnapshot.cli.moments import moment
from metasnapshot.errors import UsageError

START = epoch_time(EPOCH)
HERE = ("--backup-storage-url", "fs://.")
NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
EARLIEST = datetime(1, 1, 2)  # noqa: DTZ001 - hypothesis adds the zone
SECOND = timedelta(seconds=1)
HOURS = {1: 1.0, 2: 2.0, 3: 2.0, 4: 4.0}
"""When the snapshots of `shops` were taken: 2 and 3 at one moment."""


def at(hours: float, more: timedelta = timedelta(0)) -> str:
    """A time as it is typed, so many hours after START."""
    return (START + timedelta(hours=hours) + more).isoformat().replace("+00:00", "Z")


@pytest.fixture
def shops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    """Four snapshots of a shop, of which the last has more tables."""
    monkeypatch.chdir(tmp_path)
    laid(tmp_path, [shop(n, grown=n == 4).finished() for n in HOURS], HOURS)
    return Shell(tmp_path, capsys, *HERE)


@pytest.mark.parametrize(
    ("text", "picked", "before", "following"),
    [
        (at(1), 1, 0, 2),
        (at(1, SECOND), 1, 1, 2),
        (at(2, -timedelta(microseconds=1)), 1, 3599.999999, 2),
        (at(2), 3, 0, 4),
        (at(3), 3, 3600, 4),
        (at(4, -SECOND), 3, 7199, 4),
        (at(4), 4, 0, None),
        (at(100), 4, 96 * 3600, None),
        ((START + timedelta(hours=3)).astimezone().isoformat(), 3, 3600, 4),
    ],
)
def test_the_newest_not_after_it(
    shops: Shell, text: str, picked: int, before: float, following: int | None
) -> None:
    """Is what a time means, of two of one moment the later id; said with the distance and with the
    next one, before anything else.
    """
    code, found = shops.answer("show", "--at", text)
    assert (code, found["snapshot"]["id"]) == (0, picked)
    said = found["at"]
    assert (said["snapshot_id"], said["seconds_before"]) == (picked, before)
    assert (said["next"] or {}).get("snapshot_id") == following
    assert said["taken_by"] == "clock"
    ran = shops.run("show", "--at", text)
    line = next(line for line in ran.err.splitlines() if line.startswith("snapshot "))
    assert line.startswith(f"snapshot {picked}, taken {at(HOURS[picked])}, ")
    assert ("right at" in line) == (before == 0)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-30T03:00Z", datetime(2026, 11, 30, 3, tzinfo=UTC)),
        ("2026-11-30 03:00:05.25Z", datetime(2026, 11, 30, 3, 0, 5, 250_000, tzinfo=UTC)),
        ("2026-11-30T03:00+05:30", datetime(2026, 11, 29, 21, 30, tzinfo=UTC)),
        ("20261130T0300Z", datetime(2026, 11, 30, 3, tzinfo=UTC)),
        ("2026-11-30T03-08:00", datetime(2026, 11, 30, 11, tzinfo=UTC)),
        ("now", NOW),
        ("90m", NOW - timedelta(minutes=90)),
        ("1w", NOW - timedelta(weeks=1)),
        ("0s", NOW),
    ],
)
def test_times_that_are_taken(text: str, time: datetime) -> None:
    """ISO 8601 with a zone, now, and the durations of all options."""
    assert moment(text, NOW) == time


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("2026-11-30T03:00", "2026-11-30T03:00Z is UTC"),
        ("2026-11-30 03:00:01", "2026-11-30T03:00:01Z is UTC"),
        ("2026-11-30", "2026-11-30T00:00Z is UTC"),
        ("2026-11-31T03:00Z", "such as 2026-11-30T03:00Z"),
        ("2026-11-30T25:00Z", "such as"),
        ("2026-11-30T03:00 CET", "such as"),
        ("yesterday", "such as"),
        ("2h ago", "such as"),
        ("", "such as"),
        ("-2h", "such as"),
        ("7", "such as"),
        ("latest", "such as"),
        ("0001-01-01T00:00+14:00", "such as"),
        ("\u0662h", "such as"),
        ("2026-11-30T03:00Z" * 100, "such as"),
        ("999999w", ""),
    ],
)
def test_times_that_are_refused(shops: Shell, text: str, says: str) -> None:
    """What has no zone means two things at least: the hint says how it is typed. Nothing is read or
    written for it.
    """
    with pytest.raises(UsageError) as told:
        moment(text, NOW)
    assert says in told.value.hint
    ran = shops.run("list", f"--at={text}")
    assert (ran.code, ran.out) == (2, "")
    assert len(ran.err) < 400


@given(st.datetimes(EARLIEST, EARLIEST.replace(year=9999), timezones=st.just(UTC)))
def test_a_time_that_is_said_can_be_typed(time: datetime) -> None:
    """What is printed of a snapshot means that very moment again."""
    assert moment(time.isoformat().replace("+00:00", "Z")) == time


VERBS = {
    "restore": ("restore", "--plan", *TARGET, *STATE, *DIRECTORY, "--no-object-check"),
    "show": ("show",),
    "list": ("list",),
    "tables": ("tables",),
    "cat": ("cat",),
    "export": ("export", "--format", "csv", "--to", "out"),
    "verify": ("verify",),
    "read": ("read", "--to", "rows.csv"),
    "query": ("query", "--to", "rows.csv"),
    "diff": ("diff",),
}
LAST = {"cat": "tables", "read": "t_rowid", "query": "SELECT 1", "diff": "latest"}
"""What stands behind the time, where a verb needs more."""
NO_ID = {"list"}


@pytest.mark.parametrize("verb", VERBS)
def test_an_id_and_a_time_are_two(shops: Shell, verb: str) -> None:
    """They are refused together, before anything is done."""
    before = shops.files()
    more = [LAST[verb]] if verb in LAST else []
    words = ["7", *more, *(["8"] if verb == "diff" else [])]
    ran = shops.run(*VERBS[verb], *words, "--at", at(2))
    assert (ran.code, ran.out) == (2, "")
    if verb not in NO_ID | {"diff"}:
        assert "snapshot '7' and --at" in ran.err
    assert shops.files() == before


@pytest.mark.parametrize("verb", [name for name in VERBS if name not in ("read", "query")])
def test_every_verb_takes_it(shops: Shell, verb: str) -> None:
    """It says on stderr which snapshot that is, and does with it what it does with an id."""
    more = [LAST[verb]] if verb in LAST else []
    ran = shops.run(*VERBS[verb], *more, "--at", at(2))
    assert ran.err.splitlines()[0].startswith(f"snapshot 3, taken {at(2)}, right at {at(2)}; ")
    if verb != "restore":  # nothing fits the empty database, which says nothing of the time
        by_id = [] if verb in NO_ID else ["3", *more]
        again = shops.run(*["alike" if word == "out" else word for word in VERBS[verb]], *by_id)
        assert ran.code == 0
        assert verb in NO_ID or ran.out.removeprefix("out") == again.out.removeprefix("alike")


def test_rows_of_a_time(world: Shell) -> None:
    """read and query take the rows of the snapshot that a time means, and JSON tells which."""
    where = (*BACKUPS, *STATE, *DIRECTORY)
    code, by_id = world.answer("read", "9", "t_rowid", *where, "--to", "a.csv")
    assert code == 0
    code, found = world.answer("read", "--at", "now", "t_rowid", *where, "--to", "b.csv")
    assert (code, found["snapshot_id"], found["rows"]) == (0, 9, by_id["rows"])
    assert found["at"]["snapshot_id"] == 9
    assert Path("a.csv").read_bytes() == Path("b.csv").read_bytes()
    text = "SELECT count(*) AS n FROM t_rowid"
    ran = world.run("query", "--at", "now", text, *where)
    assert (ran.code, ran.out) == (0, f'{{"n":{by_id["rows"]}}}\n')
    assert ran.err.startswith("snapshot 9, taken ")
    code, found = world.answer("query", "--at", "now", text, *where, "--to", "n.csv")
    assert found["at"]["snapshot_id"] == 9
    code, found = world.answer("read", "--at", "now", "--all", *where, "--to", "lake")
    assert (found["at"]["snapshot_id"], len(found["tables"]) > 1) == (9, True)
    for words in (("read",), ("query", "--all", text), ("cat",), ("verify", "--all")):
        assert world.run(*words, "--at", "now", *BACKUPS).code == 2


def test_two_times_are_compared(shops: Shell) -> None:
    """Times stand before ids, in their order: what changed between two moments."""
    lines = shops.lines_with_notes("diff", "--at", at(2), "--at", at(5))
    assert [item["snapshot_id"] for item in lines[-1]["at"]] == [3, 4]
    assert any(line.get("key") == "dev.public.stock" for line in lines)
    assert lines[:-1] == shops.lines("diff", "3", "4")[:-1]
    assert shops.lines_with_notes("diff", "--at", at(2), "latest")[:-1] == lines[:-1]
    assert shops.run("diff", "--at", at(2)).code == 2
    assert shops.run("diff", "--at", at(2), "--at", at(3), "--at", at(4)).code == 2


def test_before_the_first(shops: Shell) -> None:
    """There is none: the error names the earliest, its exit code is that of a missing snapshot."""
    code, found = shops.answer("show", "--at", at(1, -SECOND))
    assert (code, found["error"]["kind"]) == (12, "TooEarly")
    assert found["error"]["message"] == f"no snapshot was taken by {at(1, -SECOND)}"
    assert f"the earliest is snapshot 1, taken {at(1)}" in found["error"]["hint"]
    assert shops.run("restore", "--at", "50000w", *TARGET).code == 12


def test_the_future_is_told(shops: Shell) -> None:
    """It means the latest, and a warning says that it is not yet."""
    ran = shops.run("show", "--at", "9999-12-31T23:59:59Z")
    assert ran.code == 0
    assert "warning: 9999-12-31T23:59:59Z is" in ran.err
    assert "snapshot 4, " in ran.err
    assert "warning" not in shops.run("show", "--at", "now").err


def test_an_epoch_is_no_clock(shops: Shell) -> None:
    """Where nobody recorded when a snapshot was taken its newest epoch says: then or later."""
    Path("backup", FACTS_NAME).unlink()
    ran = shops.run("show", "--at", at(3.5))
    assert ran.err.startswith(f"snapshot 3, taken at {at(3)} or later, as its newest epoch says, ")
    code, found = shops.answer("list", "--at", at(3.5))
    assert (code, found["at"]["taken_by"]) == (0, "epoch")
    assert [item["id"] for item in found["snapshots"]] == [3]


def test_what_has_no_time_is_never_picked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not silently: it is named, and where no other is there, nothing is found."""
    monkeypatch.chdir(tmp_path)
    laid(tmp_path, [*(Made(n).finished() for n in range(1, 8)), shop(8).finished()])
    Path("backup", FACTS_NAME).unlink()
    shell = Shell(tmp_path, capsys, *HERE)
    code, found = shell.answer("show", "--at", "now")
    assert (code, found["snapshot"]["id"], found["at"]["untimed"]) == (0, 8, [*range(1, 8)])
    said = "nobody knows when snapshot 1, 2, 3, 4, 5 and 2 more was taken: not considered"
    assert said in shell.run("show", "--at", "now").err
    ran = shell.run("show", "--at", at(7))
    assert ran.code == 12
    assert said in ran.err


def test_a_clock_that_was_set_back_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ids only grow: where times say something else around the time, both are named."""
    monkeypatch.chdir(tmp_path)
    laid(tmp_path, [shop(n).finished() for n in range(1, 5)], {1: 1, 2: 3, 3: 2, 4: 4})
    shell = Shell(tmp_path, capsys, *HERE)
    ran = shell.run("show", "--at", at(2.5))
    assert "warning: a clock was set back: snapshot 3, taken " in ran.err
    assert ", came after snapshot 2, taken " in ran.err
    for sound in (at(1.5), at(3.5), at(9)):
        assert "set back" not in shell.run("show", "--at", sound).err


def test_another_clusters_is_never_picked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a directory with two clusters nothing is picked until --cluster says of which."""
    monkeypatch.chdir(tmp_path)
    other = "00000000-0000-0000-0000-00000000000b"
    snapshots = [shop(n).finished() for n in range(1, 5)]
    for snapshot in snapshots[1::2]:
        rows = snapshot.sections["clusters"]
        rows[0] = msgspec.structs.replace(rows[0], cluster_id=type(rows[0].cluster_id)(other))
    laid(tmp_path, snapshots)
    shell = Shell(tmp_path, capsys, *HERE)
    assert shell.run("show", "--at", at(4)).code == 11
    code, found = shell.answer("show", "--at", at(3.5), "--cluster", other)
    assert (code, found["at"]["snapshot_id"], found["at"]["next"]["snapshot_id"]) == (0, 2, 4)


def test_a_meta_node_knows_no_times(shops: Shell) -> None:
    """list through one refuses a time."""
    ran = shops.run("list", "--via-meta", "http://127.0.0.1:1", "--at", "now")
    assert ran.code == 2
    assert "--at and --via-meta" in ran.err


def test_a_restore_takes_no_other_for_its_objects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --with-objects the snapshot that a time means must be full; if it is not, the restore
    stops, and names the full one that there is.
    """
    monkeypatch.chdir(tmp_path)
    ObjectWorld(tmp_path)
    shell = Shell(tmp_path, capsys, *BACKUPS)
    store = ("--meta-store", "sqlite:///meta.db", "--meta-node-stopped")
    assert shell.run("backup", *store, "--with-objects").code == 0
    assert shell.run("backup", *store[:2]).code == 0
    before = shell.files()
    words = ("restore", *TARGET, "--with-objects", *NEW)
    code, found = shell.answer(*words, "--at", "now")
    ids = Backups("fs://backups").ids()
    assert (code, found["error"]["kind"]) == (17, "StorageError")
    assert f"snapshot {ids[1]} is partial" in found["error"]["message"]
    assert f"the newest full one by then is {ids[0]}, taken 20" in found["error"]["hint"]
    assert shell.files() == before
    taken = shell.answer("list")[1]["snapshots"][0]["taken_at"]
    code, found = shell.answer(*words, "--plan", "--at", taken)
    assert (code, found["ok"], found["at"]["snapshot_id"]) == (0, True, ids[0])
