"""gc --objects: what no full backup names goes, when it is old and no backup is at work; no
complete snapshot ever misses an object.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import msgspec
import pytest
from clock import Clock
from object_world import ObjectWorld
from shell import BACKUPS, STORE, Shell

from metasnapshot import Backups
from metasnapshot.catalogue.area import look_for
from metasnapshot.catalogue.full import read_full
from metasnapshot.catalogue.full_header import full_path
from metasnapshot.catalogue.marker import GC_NAME, Marker, collecting, marked, marker_path
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import AuthenticationError, ConflictError, DamageError
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations import gc_objects
from metasnapshot.operations.backup_full import backup_full
from metasnapshot.operations.backup_options import BackupOptions
from metasnapshot.operations.crew import Pace
from metasnapshot.operations.gc_objects import WATCHED_S, collect_objects, find_unneeded
from metasnapshot.store.local import LocalStore
from metasnapshot.store.lock import Holder, this_holder
from metasnapshot.store.through import Through

HOUR = timedelta(hours=1)
LATER = datetime.now(UTC) + timedelta(days=2)
OLD = (LATER - timedelta(days=4)).timestamp()
GC = ("gc", "--objects", *BACKUPS)
ONE = Pace(jobs=1)
GONE = (1 << 22) - 1
"""A process that there is not: numbers begin from below."""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectWorld:
    """A cluster with two full backups; the second lacks an SST of the first and has another."""
    monkeypatch.chdir(tmp_path)
    world = ObjectWorld(tmp_path)
    world.add_sst(90_001)
    world.add_sst(90_002)
    back_up(world)
    world.remove_sst(90_001)
    world.add_sst(90_003)
    back_up(world)
    return world


@pytest.fixture
def shell(world: ObjectWorld, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(world.path, capsys)


def back_up(world: ObjectWorld) -> int:
    with open_meta_store(f"sqlite:///{world.meta}") as meta_store:
        options = BackupOptions(meta_node_stopped=True)
        done = backup_full(meta_store, backups(world), options, ONE)
    assert done.complete
    return done.backup.entry.id


def backups(world: ObjectWorld) -> Repository:
    return Repository(LocalStore(world.path / "backups"), "backup")


def ids(world: ObjectWorld) -> set[int]:
    names = (world.path / "backups/backup/objects").glob("*/*.*")
    return {int(path.name.partition("-")[0]) for path in names}


def age(world: ObjectWorld) -> None:
    """All that is in the area is old."""
    for path in (world.path / "backups/backup/objects").rglob("*.*"):
        os.utime(path, (OLD, OLD))


def expect_whole(world: ObjectWorld) -> None:
    """Every side file's objects are there."""
    found = backups(world)
    for number in found.manifest().ids:
        full = read_full(found.store, "backup", number)
        assert full is None or all(look_for(found.store, "backup", full.objects).seen)


def test_what_a_deleted_backup_alone_needed_goes(world: ObjectWorld, shell: Shell) -> None:
    """Nothing before the delete; after it that object alone, at --commit and once it is old."""
    age(world)
    assert shell.answer(*GC, "--commit")[1]["objects"]["unneeded"] == 0
    first = min(backups(world).manifest().ids)
    assert shell.answer("delete", str(first), "--yes", *BACKUPS)[0] == 0
    code, found = shell.answer(*GC)
    assert (code, found["objects"]["unneeded"], found["objects"]["deleted"]) == (0, 1, 0)
    assert 90_001 in ids(world)
    code, found = shell.answer(*GC, "--commit")
    assert (code, found["objects"]["deleted"], found["objects"]["needed"]) == (
        0,
        1,
        len(world.needed),
    )
    assert ids(world) == {item.id for item in world.needed}
    expect_whole(world)
    assert shell.answer("verify", "--all", "--content", "hashes", *BACKUPS)[0] == 0


def test_the_young_stay(world: ObjectWorld, shell: Shell) -> None:
    """A grace of a day keeps what is of today; so does a clock that is a day behind."""
    first = min(backups(world).manifest().ids)
    assert shell.answer("delete", str(first), "--yes", *BACKUPS)[0] == 0
    found = shell.answer(*GC, "--commit")[1]["objects"]
    assert (found["deleted"], found["young"]) == (0, 1)
    past = datetime.now(UTC) - timedelta(days=1)
    assert collect_objects(backups(world), HOUR, past).deleted == 0
    assert 90_001 in ids(world)


def test_without_the_option_objects_stay(world: ObjectWorld, shell: Shell) -> None:
    """Plain gc looks at none."""
    age(world)
    first = min(backups(world).manifest().ids)
    assert shell.answer("delete", str(first), "--yes", *BACKUPS)[0] == 0
    code, found = shell.answer("gc", "--commit", *BACKUPS)
    assert (code, "objects" in found, 90_001 in ids(world)) == (0, False, True)


def test_a_snapshot_that_left_the_manifest_holds(world: ObjectWorld) -> None:
    """Its file and side file are there: somebody rewrote the manifest from memory."""
    first = min(backups(world).manifest().ids)
    backups(world).change_manifest(lambda manifest: manifest.without({first}))
    assert collect_objects(backups(world), HOUR, LATER).deleted == 0
    assert 90_001 in ids(world)


def test_a_side_file_without_snapshot_holds_for_the_grace(world: ObjectWorld) -> None:
    """RisingWave deleted the snapshot, and knows no side files: then its objects go."""
    first = min(backups(world).manifest().ids)
    backups(world).change_manifest(lambda manifest: manifest.without({first}))
    (world.path / f"backups/backup/{first}.snapshot").unlink()
    age(world)
    assert find_unneeded(backups(world), HOUR).due == ()
    found = collect_objects(backups(world), HOUR, LATER)
    assert found.deleted == 1
    expect_whole(world)


def test_damage_stops_it(world: ObjectWorld) -> None:
    """What a damaged side file names nobody knows: nothing is deleted."""
    first = min(backups(world).manifest().ids)
    path = world.path / "backups/backup" / f"{first}.full"
    path.write_bytes(path.read_bytes()[:-1])
    before = ids(world)
    with pytest.raises(DamageError):
        collect_objects(backups(world), HOUR, LATER)
    assert ids(world) == before
    assert not (world.path / "backups/backup" / GC_NAME).exists()


def test_a_key_that_may_not_delete(world: ObjectWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told before anything is done."""

    def denied(_: LocalStore, __: str) -> None:
        raise AuthenticationError("may not delete")

    monkeypatch.setattr(LocalStore, "delete", denied)
    with pytest.raises(AuthenticationError):
        collect_objects(backups(world), HOUR, LATER)
    assert 90_001 in ids(world)


def foreign_marker(world: ObjectWorld, number: int, beat: int = 0) -> None:
    """Of a process of another host."""
    marker = Marker(Holder(1, "elsewhere", ""), beat)
    path = world.path / "backups" / marker_path("backup", number)
    path.write_bytes(msgspec.json.encode(marker))


def test_a_backup_at_work_keeps_it_away(
    world: ObjectWorld, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A beat that moves is watched for no longer: exit 11, and nothing goes."""
    clock = Clock()
    monkeypatch.setattr(gc_objects, "time", clock)
    beats = iter(range(1, 1000))
    clock.meanwhile = lambda: foreign_marker(world, 77, next(beats))
    foreign_marker(world, 77)
    age(world)
    first = min(backups(world).manifest().ids)
    assert shell.answer("delete", str(first), "--yes", *BACKUPS)[0] == 0
    code, found = shell.answer(*GC, "--commit")
    assert (code, "snapshot 77" in found["error"]["message"]) == (11, True)
    assert 90_001 in ids(world)


def test_a_backup_that_stands_still_is_given_up(
    world: ObjectWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After two lives of a beat its objects go. It can never become complete over them: its side
    file's name is taken, and lists say partial.
    """
    clock = Clock()
    monkeypatch.setattr(gc_objects, "time", clock)
    number = paused_before_its_side_file(world)
    started = clock.now
    found = collect_objects(backups(world), HOUR, LATER)
    assert clock.now - started >= WATCHED_S
    assert found.deleted == 1
    assert read_full(backups(world).store, "backup", number) is None
    with pytest.raises(ConflictError):
        backups(world).store.put_if_absent(full_path("backup", number), b"woken up")
    expect_whole(world)


def paused_before_its_side_file(world: ObjectWorld) -> int:
    """A backup on another host that copied all its objects and stopped then; its id."""
    world.add_sst(90_004)
    number = back_up(world)
    backups(world).store.delete(full_path("backup", number))
    foreign_marker(world, number)
    return number


def test_a_backup_that_wakes_fails(world: ObjectWorld) -> None:
    """gc runs right before the side file is written, as on a host that stood still: 11."""
    world.add_sst(90_004)

    class Sleepy(Through):
        def open_writer(self, path: str) -> AbstractContextManager[BinaryIO]:
            if path.endswith(".full"):
                number = int(path.rpartition("/")[2].partition(".")[0])
                foreign_marker(world, number)
                clock = Clock()
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(gc_objects, "time", clock)
                    assert collect_objects(backups(world), HOUR, LATER).deleted == 1
            return super().open_writer(path)

    with open_meta_store(f"sqlite:///{world.meta}") as meta_store, pytest.raises(ConflictError):
        found = Repository(Sleepy(LocalStore(world.path / "backups")), "backup")
        backup_full(meta_store, found, BackupOptions(meta_node_stopped=True), ONE)
    expect_whole(world)
    back_up(world)
    expect_whole(world)


def test_gc_and_backup_see_each_other(world: ObjectWorld, shell: Shell) -> None:
    """While objects are collected no backup copies any (11), and no second gc collects."""
    store = LocalStore(world.path / "backups")
    backup = ("backup", *STORE, *BACKUPS, "--meta-node-stopped", "--with-objects")
    with collecting(store, "backup"):
        code, found = shell.answer(*backup)
        assert (code, "collected" in found["error"]["message"]) == (11, True)
        assert shell.answer(*GC, "--commit")[0] == 11
    assert shell.answer(*backup)[0] == 0
    with marked(store, "backup", 55), pytest.MonkeyPatch.context() as patch:
        patch.setattr(gc_objects, "POLL_S", 0.001)
        patch.setattr("metasnapshot.catalogue.marker.BEAT_S", 0.001)
        with marked(store, "backup", 56):
            found = shell.answer(*GC, "--commit")
    assert found[0] == 11


@pytest.mark.parametrize("dead", [True, False])
def test_markers_of_gc(world: ObjectWorld, dead: bool) -> None:  # noqa: FBT001 - a case
    """One whose process is gone is passed over; of another host nobody knows, so it stays: it may
    go on any moment.
    """
    here = this_holder()
    holder = Holder(GONE, here.host, "") if dead else Holder(1, "elsewhere", "")
    path = world.path / "backups/backup" / GC_NAME
    path.write_bytes(msgspec.json.encode(Marker(holder)))
    if dead:
        back_up(world)
        return
    with pytest.raises(ConflictError, match="being collected"):
        back_up(world)
    path.unlink()


def test_nothing_is_made_where_no_objects_are(tmp_path: Path) -> None:
    """A directory of plain snapshots stays as it is."""
    store = LocalStore(tmp_path)
    store.put_if_absent("backup/metasnapshot.json", b"{}")
    assert collect_objects(Repository(store, "backup"), HOUR, LATER).due == ()
    assert [path.name for path in tmp_path.rglob("*.*")] == ["metasnapshot.json"]


def test_other_names_are_left_alone(world: ObjectWorld) -> None:
    """Files of others in the area are counted, and area.json stays."""
    other = world.path / "backups/backup/objects/0/notes.txt"
    other.parent.mkdir(exist_ok=True)
    other.write_text("mine")
    found = collect_objects(backups(world), HOUR, LATER)
    assert (found.foreign, other.exists()) == (2, True)


def test_a_program_collects_objects(world: ObjectWorld) -> None:
    """Backups.gc looks at objects only if it is asked to, and deletes at `commit`."""
    mine = Backups(f"fs://{world.path}/backups")
    age(world)
    mine.delete(["oldest"])
    assert mine.gc(HOUR, commit=True).objects is None
    found = mine.gc(HOUR, objects=True).objects
    assert found is not None
    (path,) = found.due
    assert (found.deleted, f"/{90_001}-" in path, 90_001 in ids(world)) == (0, True, True)
    assert mine.gc(HOUR, objects=True, commit=True).objects == replace(found, deleted=1)
    assert 90_001 not in ids(world)
    assert mine.gc(HOUR, objects=True, commit=True).objects == replace(found, due=(), bytes=0)
