"""gc: what does not belong in a backup directory, and what of it goes."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import goldens
import pytest

from metasnapshot.catalogue import changes
from metasnapshot.catalogue.repository import Repository
from metasnapshot.catalogue.watcher import Watcher
from metasnapshot.cli.app import main
from metasnapshot.operations.delete import keep
from metasnapshot.operations.gc import FOREIGN, LEFTOVER, ORPHAN, Stray, collect, look
from metasnapshot.store.memory import MemoryStore

TAG = goldens.SHIPPED / "v3.0.3"
DAY = timedelta(days=1)
NOW = datetime(2026, 3, 4, 12, 30, tzinfo=UTC)
LEFTOVERS = (
    "9.reserved",
    "metasnapshot.trial-0123456789abcdef",
    "metasnapshot.lease/0123456789abcdef",
    ".metasnapshot-x7_k2",
)
FOREIGNERS = (
    "notes.txt",
    "7.snapshot.bak",
    "x.snapshot",
    "old/1.snapshot",
    "old/manifest.json",
    "manifest.json.orig",
    "checkpoint.0.replaced",
    "x.reserved",
    "metasnapshot.leases",
)
OURS = ("checkpoint.0123456789abcdef.replaced",)


@pytest.fixture
def backups(tmp_path: Path) -> Repository:
    """Snapshots 1, 2 and 7 and all that belongs to them, two days old."""
    found = goldens.copy_backups(TAG, tmp_path)
    keep(found, [1])
    Watcher(found.store, "backup", "token").renew(DAY)
    found.store.put_if_absent("backup/manifest.json.previous", b"{}")
    for name in OURS:
        put(tmp_path, name, b"ours")
    for path in (tmp_path / "backup").iterdir():
        age(path)
    return found


def age(path: Path, by: timedelta = 2 * DAY) -> None:
    time = (NOW - by).timestamp()
    os.utime(path, (time, time))


def put(root: Path, name: str, data: bytes = b"x", by: timedelta = 2 * DAY) -> Path:
    """Put a file of an age into the backup directory."""
    path = root / "backup" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    age(path, by)
    return path


def files(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root / "backup")): path.read_bytes()
        for path in (root / "backup").rglob("*")
        if path.is_file() and path.name != ".metasnapshot.lock"
    }


def found(backups: Repository, grace: timedelta = DAY) -> dict[str, tuple[str, bool]]:
    """Kind and whether it is due, by name."""
    strays = look(backups, grace, NOW).found
    return {item.path.removeprefix("backup/"): (item.kind, item.is_due) for item in strays}


def run(backups: Repository, grace: timedelta = DAY) -> list[str]:
    return [item.path for item in collect(backups, look(backups, grace, NOW))]


def test_what_belongs_is_not_named(backups: Repository, tmp_path: Path) -> None:
    """Snapshots of the manifest, both manifests, notes, watch, and checkpoints that were kept."""
    before = files(tmp_path)
    assert look(backups, timedelta(0), NOW).found == ()
    assert run(backups, timedelta(0)) == []
    assert files(tmp_path) == before
    assert len(before) == 8


def test_an_orphan_goes(backups: Repository, tmp_path: Path) -> None:
    """A snapshot's file that no entry names, with its size and time."""
    put(tmp_path, "8.snapshot", b"12345")
    before = files(tmp_path)
    stray = Stray(ORPHAN, "backup/8.snapshot", 5, NOW - 2 * DAY, is_due=True)
    assert look(backups, DAY, NOW).found == (stray,)
    assert files(tmp_path) == before
    assert run(backups) == ["backup/8.snapshot"]
    assert files(tmp_path) == {name: data for name, data in before.items() if name[0] != "8"}
    assert run(backups) == []


@pytest.mark.parametrize("name", LEFTOVERS)
def test_a_leftover_goes(backups: Repository, tmp_path: Path, name: str) -> None:
    """Reservations, trials, claims and half-written files of processes that died."""
    before = files(tmp_path)
    put(tmp_path, name)
    assert found(backups) == {name: (LEFTOVER, True)}
    assert run(backups) == [f"backup/{name}"]
    assert files(tmp_path) == before


def test_foreign_files_stay(backups: Repository, tmp_path: Path) -> None:
    """However old: they are named, a directory as one, and left alone."""
    for name in FOREIGNERS:
        put(tmp_path, name)
    before = files(tmp_path)
    named = {name if "/" not in name else "old/" for name in FOREIGNERS}
    assert found(backups, timedelta(0)) == dict.fromkeys(named, (FOREIGN, False))
    assert run(backups, timedelta(0)) == []
    assert files(tmp_path) == before


def test_a_name_that_is_no_text_is_foreign(
    backups: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bytes that are no UTF-8, and a line's end: named as the store has them, whatever prints
    them."""
    for name in (b"caf\xe9.txt", b"two\nlines", b"9.snapshot\r", b"old\xff/x"):
        path = Path(os.fsdecode(os.fsencode(tmp_path / "backup") + b"/" + name))
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    named = ["9.snapshot\r", "caf\udce9.txt", "old\udcff/", "two\nlines"]
    assert sorted(found(backups, timedelta(0))) == named
    place = ("--backup-storage-url", f"fs://{tmp_path}")
    for form in ((), ("--json",)):
        assert main(("gc", "--commit", "--grace", "0s", *form, *place)) == 0
        assert capsys.readouterr().out.isascii()
    assert main(("list", *place)) == 0
    assert [head.path for head in backups.store.list("backup/") if "old" in head.path] == []


@pytest.mark.parametrize("name", ["8.snapshot", *LEFTOVERS])
@pytest.mark.parametrize(
    ("by", "is_due"),
    [(DAY, True), (DAY + timedelta(seconds=1), True), (DAY - timedelta(seconds=1), False)],
    ids=["just", "older", "younger"],
)
def test_what_is_young_stays(
    backups: Repository, tmp_path: Path, name: str, by: timedelta, *, is_due: bool
) -> None:
    """It may be somebody's who is at work; from the grace on it goes."""
    path = put(tmp_path, name, by=by)
    assert [due for _, due in found(backups).values()] == [is_due]
    run(backups)
    assert path.exists() is not is_due


def test_the_grace_counts_from_the_clock(backups: Repository, tmp_path: Path) -> None:
    """If nobody says what time it is."""
    put(tmp_path, "8.snapshot").touch()
    assert [item.is_due for item in look(backups, DAY).found] == [False]
    put(tmp_path, "8.snapshot", by=NOW - datetime.now(UTC) + DAY)
    assert [item.is_due for item in look(backups, DAY).found] == [True]


def test_an_object_without_a_time_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a store does not say when it was written nobody knows whether it is in use."""
    store = MemoryStore()
    repository = Repository(store, "backup")
    store.put_if_absent("backup/8.snapshot", b"x")
    later = datetime.now(UTC) + DAY
    assert [item.is_due for item in look(repository, timedelta(0), later).found] == [True]
    monkeypatch.setattr(store, "_times", {})
    strays = look(repository, timedelta(0), later)
    assert [(item.modified, item.is_due) for item in strays.found] == [(None, False)]
    assert collect(repository, strays) == []
    assert store.head("backup/8.snapshot") is not None


def test_lost_files_are_told_and_entries_stay(backups: Repository, tmp_path: Path) -> None:
    """An entry is the last that is known of a snapshot."""
    for number in (7, 2):
        (tmp_path / "backup" / f"{number}.snapshot").unlink()
    before = files(tmp_path)
    strays = look(backups, timedelta(0), NOW)
    assert (strays.lost, strays.found) == ((2, 7), ())
    assert collect(backups, strays) == []
    assert files(tmp_path) == before


def test_an_entry_that_was_added_meanwhile_saves_the_file(
    backups: Repository, tmp_path: Path
) -> None:
    """Between the look and its turn: the manifest is read again before each file."""
    entry = backups.entry(7)
    other = Repository(backups.store, "backup")
    changes.delete(other, [7])
    for number in (7, 8):
        put(tmp_path, f"{number}.snapshot", b"back again")
    strays = look(backups, DAY, NOW)
    assert [item.path for item in strays.found] == ["backup/7.snapshot", "backup/8.snapshot"]
    changes.enter(other, entry)
    assert [item.path for item in collect(backups, strays)] == ["backup/8.snapshot"]
    assert (tmp_path / "backup" / "7.snapshot").read_bytes() == b"back again"


def test_an_entry_that_is_added_while_others_are_deleted(
    backups: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest that was read for the first file is too old for the second."""
    entry = backups.entry(7)
    other = Repository(backups.store, "backup")
    changes.delete(other, [7])
    for number in (6, 7):
        put(tmp_path, f"{number}.snapshot")
    delete: Callable[[str], None] = backups.store.delete

    def and_enter(path: str) -> None:
        delete(path)
        changes.enter(other, entry)

    monkeypatch.setattr(backups.store, "delete", and_enter)
    assert run(backups) == ["backup/6.snapshot"]
    assert (tmp_path / "backup" / "7.snapshot").exists()


def test_a_file_that_is_gone_already_is_no_error(backups: Repository, tmp_path: Path) -> None:
    """Whoever took it away meanwhile did the work."""
    path = put(tmp_path, "8.snapshot")
    strays = look(backups, DAY, NOW)
    path.unlink()
    assert [item.path for item in collect(backups, strays)] == ["backup/8.snapshot"]


def test_other_directories_are_not_looked_at(backups: Repository, tmp_path: Path) -> None:
    """Neither beside nor with a longer name."""
    for name in ("../8.snapshot", "../backup2/8.snapshot", "../other/.metasnapshot-x"):
        put(tmp_path, name)
    assert found(backups) == {}
    assert look(Repository(backups.store, "none"), DAY, NOW).found == ()
