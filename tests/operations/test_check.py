"""check: is there a sound snapshot that is young enough, and is what was made still there?"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import goldens
import msgspec
import pytest

import metasnapshot
from metasnapshot.catalogue import changes
from metasnapshot.catalogue.ledger import LEDGER_NAME, read_ledger
from metasnapshot.catalogue.repository import Repository
from metasnapshot.catalogue.times import epoch_time
from metasnapshot.operations.check import check
from metasnapshot.operations.delete import delete
from metasnapshot.store.memory import MemoryStore

TAG = goldens.SHIPPED / "v3.0.3"
TAKEN = epoch_time(7654321458752000)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def backups(tmp_path: Path) -> Repository:
    """Snapshot 1 without a time; 2 and 7 of one time."""
    return goldens.copy_backups(TAG, tmp_path)


def file(backups: Repository, number: int) -> Path:
    return Path(backups.store.url.removeprefix("fs://"), backups.path(number))


def damage(backups: Repository, *ids: int) -> None:
    for number in ids:
        file(backups, number).write_bytes(file(backups, number).read_bytes()[:-1])


def problems(
    backups: Repository, age_max: timedelta | None = None, least: int = 1, now: datetime = TAKEN
) -> tuple[str, ...]:
    return check(backups, age_max, least, now).problems


def test_a_healthy_directory(backups: Repository) -> None:
    """How many, and the newest by time, then by id, with size and time."""
    found = check(backups, HOUR, 3, TAKEN + HOUR)
    assert (found.count, found.newest_id, found.newest_at) == (3, 7, TAKEN)
    assert found.newest_size == file(backups, 7).stat().st_size
    assert (found.damaged, found.vanished, found.problems) == ({}, (), ())


def test_nothing_is_written(backups: Repository) -> None:
    """Whatever is found."""
    damage(backups, 7)
    before = {head.path: backups.store.read(head.path) for head in backups.store.list("")}
    assert problems(backups, HOUR, 9, TAKEN + DAY) != ()
    after = {head.path: backups.store.read(head.path) for head in backups.store.list("")}
    assert after == before


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (timedelta(0), ()),
        (26 * HOUR, ()),
        (
            26 * HOUR + timedelta(seconds=1),
            ("the newest is 26 hours old, more than 26 hours",),
        ),
        (-HOUR, ()),
    ],
)
def test_the_newest_must_be_young_enough(
    backups: Repository, age: timedelta, expected: tuple[str, ...]
) -> None:
    """At the limit it is; a clock that is behind is no harm."""
    assert problems(backups, 26 * HOUR, now=TAKEN + age) == expected


def test_without_a_limit_age_does_not_count(backups: Repository) -> None:
    """Nor what time it is."""
    assert check(backups, None, 1).problems == ()
    assert check(backups, HOUR, 1).problems != ()  # of the clock: the golden files are old


@pytest.mark.parametrize(("least", "expected"), [(0, ()), (3, ()), (4, ("3 snapshots, not 4",))])
def test_there_must_be_enough(backups: Repository, least: int, expected: tuple[str, ...]) -> None:
    """As many as the operator says."""
    assert problems(backups, least=least) == expected


def test_a_damaged_newest_is_a_problem(backups: Repository) -> None:
    """It is named; the newest sound one is the one that counts."""
    damage(backups, 7)
    found = check(backups, HOUR, 1, TAKEN)
    assert (found.newest_id, list(found.damaged)) == (2, [7])
    assert found.newest_size == file(backups, 2).stat().st_size
    (text,) = found.problems
    assert text.startswith("snapshot 7 (")
    assert text == found.damaged[7]


def test_a_lost_newest_is_a_problem(backups: Repository) -> None:
    """Its entry is not enough."""
    file(backups, 7).unlink()
    (text,) = problems(backups)
    assert text.startswith("snapshot 7: no such object")


def test_older_ones_are_not_looked_at(backups: Repository) -> None:
    """That is what verify is for; this is for every minute."""
    damage(backups, 1, 2)
    assert problems(backups) == ()


def test_without_a_sound_one_there_is_no_newest(backups: Repository) -> None:
    """All are named, and the age is unknown."""
    damage(backups, 1, 2, 7)
    found = check(backups, HOUR, 1, TAKEN)
    assert (found.newest_id, found.newest_at, found.newest_size) == (None, None, 0)
    assert list(found.damaged) == [7, 2, 1]
    assert len(found.problems) == 4
    assert found.problems[-1] == "no sound snapshot has a time, more than 60 minutes"


def test_a_snapshot_without_a_time_is_not_known_to_be_young(backups: Repository) -> None:
    """A limit of age wants a time."""
    delete(backups, [2, 7])
    assert problems(backups) == ()
    found = check(backups, DAY, 1, TAKEN)
    assert (found.newest_id, found.newest_at) == (1, None)
    assert found.problems == ("no sound snapshot has a time, more than 24 hours",)


def test_an_empty_directory() -> None:
    """Has too few, unless nobody wants any."""
    backups = Repository(MemoryStore(), "backup")
    assert problems(backups) == ("0 snapshots, not 1",)
    assert problems(backups, least=0) == ()
    assert len(problems(backups, HOUR)) == 2


def _make(backups: Repository, number: int) -> None:
    snapshot = metasnapshot.loads(goldens.SMALL.read_bytes())
    whole = metasnapshot.loads((TAG / "backup" / "7.snapshot").read_bytes())
    snapshot.sections["clusters"] = whole.sections["clusters"]  # one directory is of one cluster
    snapshot.id = number
    own = metasnapshot.loads((TAG / "backup" / "7.snapshot").read_bytes())
    snapshot.sections["clusters"] = own.sections["clusters"]
    changes.create(backups, snapshot)


def test_what_was_made_here_and_is_not_in_the_manifest_vanished(tmp_path: Path) -> None:
    """A meta node that had the manifest in memory wrote its own over ours."""
    backups = goldens.copy_backups(TAG, tmp_path)
    theirs = (tmp_path / "backup" / "manifest.json").read_bytes()
    _make(backups, 8)
    _make(backups, 9)
    assert problems(backups) == ()
    (tmp_path / "backup" / "manifest.json").write_bytes(theirs)
    found = check(Repository(backups.store, "backup"), None, 1)
    assert (found.count, found.vanished) == (3, (8, 9))
    assert found.problems == (
        "snapshot 8 vanished from the manifest",
        "snapshot 9 vanished from the manifest",
    )


def test_what_was_deleted_here_did_not_vanish(backups: Repository) -> None:
    """Nor what RisingWave made and deleted, which nobody here knows of."""
    _make(backups, 8)
    delete(backups, [8])
    assert problems(backups) == ()
    path = Path(backups.store.url.removeprefix("fs://"), "backup", "manifest.json")
    manifest = msgspec.json.decode(path.read_bytes())
    manifest["snapshot_metadata"].pop()
    path.write_bytes(msgspec.json.encode(manifest))
    found = check(Repository(backups.store, "backup"), None, 1)
    assert (found.count, found.vanished, found.newest_id) == (2, (), 2)


def test_what_vanished_and_came_back_is_no_problem(backups: Repository) -> None:
    """Once somebody entered it again."""
    _make(backups, 8)
    entry = backups.entry(8)
    path = Path(backups.store.url.removeprefix("fs://"), "backup", "manifest.json")
    path.write_bytes(path.with_name("manifest.json.previous").read_bytes())
    fresh = Repository(backups.store, "backup")
    assert problems(fresh) == ("snapshot 8 vanished from the manifest",)
    changes.enter(fresh, entry)
    assert problems(fresh) == ()


def _reuse(backups: Repository, number: int) -> None:
    """Write the manifest as a meta node that made another snapshot of this id does."""
    path = Path(backups.store.url.removeprefix("fs://"), "backup", "manifest.json")
    manifest = msgspec.json.decode(path.read_bytes())
    (entry,) = (item for item in manifest["snapshot_metadata"] if item["id"] == number)
    entry["hummock_version_id"] += 1
    path.write_bytes(msgspec.json.encode(manifest))


def test_an_id_that_somebody_else_reused_vanished(backups: Repository) -> None:
    """The entry is there, of another Hummock version: that is not the snapshot that was made."""
    _make(backups, 8)
    _make(backups, 9)
    assert problems(Repository(backups.store, "backup")) == ()
    _reuse(backups, 8)
    found = check(Repository(backups.store, "backup"), None, 1)
    assert (found.count, found.vanished) == (5, (8,))
    assert found.problems == ("snapshot 8 vanished from the manifest",)


def test_without_a_note_of_the_version_the_id_must_do(backups: Repository) -> None:
    """Notes of earlier releases have none."""
    _make(backups, 9)
    ledger = Path(backups.store.url.removeprefix("fs://"), "backup", LEDGER_NAME)
    ledger.write_bytes(b'{"made":[9]}')
    _reuse(backups, 9)
    assert problems(Repository(backups.store, "backup")) == ()
    ledger.write_bytes(b'{"made":[9,10]}')
    found = problems(Repository(backups.store, "backup"))
    assert found == ("snapshot 10 vanished from the manifest",)


def test_deleting_forgets_the_version(backups: Repository) -> None:
    """What others make of that id later is nobody's loss here."""
    _make(backups, 8)
    _make(backups, 9)
    version = backups.entry(9).hummock_version_id
    assert read_ledger(backups.store, "backup").versions == {8: version, 9: version}
    delete(backups, [8])
    known = read_ledger(backups.store, "backup")
    assert (known.made, known.versions) == ([9], {9: version})


def test_notes_that_are_none_are_a_problem(backups: Repository) -> None:
    """Nobody knows then what was made here; the rest is looked at all the same."""
    backups.store.put_if_absent(f"backup/{LEDGER_NAME}", b"{")
    found = problems(backups, least=9)
    assert "metasnapshot.json is damaged" in found[0]
    assert found[1:] == ("3 snapshots, not 9",)


@pytest.mark.parametrize("size", [0, 20, 900])
def test_a_damaged_one_is_named_once(size: int, backups: Repository) -> None:
    """However it is damaged, its problem begins with its id and does not repeat it."""
    path = file(backups, 7)
    path.write_bytes(path.read_bytes()[:size])
    (text,) = problems(backups)
    assert text.startswith("snapshot 7")
    assert text.count("snapshot 7") == 1
