"""gc beside backups at work: whose reservation keeps its file, however short the grace is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from metasnapshot.catalogue.repository import Repository
from metasnapshot.catalogue.reservation import is_held, reservation
from metasnapshot.errors import ObjectMissing
from metasnapshot.operations.gc import LEFTOVER, ORPHAN, collect, look
from metasnapshot.store.lock import Holder, this_holder
from metasnapshot.store.memory import MemoryStore
from metasnapshot.store.port import READ_MAX, StoredObject

FILE, RESERVATION = "backup/9.snapshot", "backup/9.reserved"
NONE = timedelta(0)
HOUR = timedelta(hours=1)


@pytest.fixture
def backups() -> Repository:
    """A directory with the file of a snapshot that is being written: nobody has entered it yet."""
    made = Repository(MemoryStore(), "backup")
    made.store.put_if_absent(FILE, b"half of it")
    return made


@pytest.fixture(scope="module")
def living() -> Generator[int]:
    """The id of another process, which lives."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process.pid
        process.communicate(b"\n")


@pytest.fixture(scope="module")
def dead() -> int:
    """The id of a process that was and is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def reserve(backups: Repository, holder: Holder | bytes) -> None:
    data = holder if isinstance(holder, bytes) else msgspec.json.encode(holder)
    backups.store.put_if_absent(RESERVATION, data)


def found(backups: Repository, grace: timedelta, now: datetime) -> dict[str, tuple[str, bool]]:
    return {item.path: (item.kind, item.is_due) for item in look(backups, grace, now).found}


def later() -> datetime:
    """A clock that is ahead, so that all is older than any grace."""
    return datetime.now(UTC) + 99 * HOUR


def left(backups: Repository) -> list[str]:
    return [head.path for head in backups.store.list("backup/")]


def test_a_living_backup_keeps_its_file(backups: Repository, living: int) -> None:
    """The reservation stays too, for it is what keeps the file, and the id; all else goes."""
    reserve(backups, msgspec.structs.replace(this_holder(), pid=living))
    backups.store.put_if_absent("backup/8.snapshot", b"an orphan")
    strays = look(backups, NONE, later())
    assert {item.path: (item.kind, item.is_due) for item in strays.found} == {
        "backup/8.snapshot": (ORPHAN, True),
        RESERVATION: (LEFTOVER, False),
        FILE: (ORPHAN, False),
    }
    assert [item.path for item in collect(backups, strays)] == ["backup/8.snapshot"]
    assert left(backups) == [RESERVATION, FILE]


def test_a_backup_of_this_very_process_is_one_that_lives(backups: Repository) -> None:
    """Until its block ends; then its file is an orphan as any other."""
    with reservation(backups.store, "backup", 9) as got_it:
        assert got_it
        assert is_held(backups.store, "backup", 9)
        assert collect(backups, look(backups, NONE, later())) == []
    assert left(backups) == [FILE]
    assert [item.path for item in collect(backups, look(backups, NONE, later()))] == [FILE]


@pytest.mark.parametrize("whose", ["of the dead", "of another host", "of nobody"])
def test_what_nobody_here_holds_goes_by_grace(
    backups: Repository, living: int, dead: int, whose: str
) -> None:
    """A dead process needs nothing; of another host nobody knows, so that age must say."""
    holders: dict[str, Holder | bytes] = {
        "of the dead": msgspec.structs.replace(this_holder(), pid=dead),
        "of another host": Holder(living, "elsewhere", ""),
        "of nobody": b"{",
    }
    reserve(backups, holders[whose])
    assert not is_held(backups.store, "backup", 9)
    young = {RESERVATION: (LEFTOVER, False), FILE: (ORPHAN, False)}
    assert found(backups, HOUR, datetime.now(UTC)) == young
    due = {RESERVATION: (LEFTOVER, True), FILE: (ORPHAN, True)}
    assert found(backups, HOUR, later()) == found(backups, NONE, later()) == due
    collect(backups, look(backups, HOUR, later()))
    assert left(backups) == []


def test_a_reservation_holds_its_own_id_alone(backups: Repository, living: int) -> None:
    """Not one that begins alike, nor a trial of its number."""
    reserve(backups, msgspec.structs.replace(this_holder(), pid=living))
    others = ["backup/90.snapshot", "backup/99.snapshot", "backup/metasnapshot.trial-9"]
    for path in others:
        backups.store.put_if_absent(path, b"x")
    assert sorted(item.path for item in collect(backups, look(backups, NONE, later()))) == others


def test_a_reservation_that_goes_meanwhile_holds_nothing(
    backups: Repository, living: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its holder ended while it was read."""
    reserve(backups, msgspec.structs.replace(this_holder(), pid=living))

    def read(path: str, _size_max: int = READ_MAX) -> StoredObject:
        raise ObjectMissing(path)

    monkeypatch.setattr(backups.store, "read", read)
    assert not is_held(backups.store, "backup", 9)


def test_a_backup_that_begins_meanwhile_keeps_its_file(backups: Repository, living: int) -> None:
    """Its reservation came after the look: that is asked for again before a file goes."""
    strays = look(backups, NONE, later())
    assert [(item.path, item.is_due) for item in strays.found] == [(FILE, True)]
    reserve(backups, msgspec.structs.replace(this_holder(), pid=living))
    assert collect(backups, strays) == []
    assert left(backups) == [RESERVATION, FILE]
