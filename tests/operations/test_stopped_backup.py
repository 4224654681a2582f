"""A backup whose process stands still while objects are collected: it ends without a full snapshot,
never with one that misses an object. Clocks of hosts and stores may say what they like.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from clock import Clock
from object_world import ObjectWorld

from metasnapshot.catalogue.area import look_for
from metasnapshot.catalogue.full import read_full
from metasnapshot.catalogue.marker import Marker, marker_path
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import ConflictError
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations import gc_objects
from metasnapshot.operations.backup_full import backup_full
from metasnapshot.operations.backup_options import BackupOptions
from metasnapshot.operations.crew import Pace
from metasnapshot.operations.gc_objects import collect_objects
from metasnapshot.store.local import LocalStore
from metasnapshot.store.lock import Holder

PATIENCE_S = 120.0
GRACE = timedelta(seconds=0.5)
SKEWS = [timedelta(minutes=3), timedelta(days=1)]


@pytest.fixture
def world(tmp_path: Path) -> ObjectWorld:
    return ObjectWorld(tmp_path)


def backups(world: ObjectWorld) -> Repository:
    return Repository(LocalStore(world.path / "backups"), "backup")


def back_up(world: ObjectWorld) -> int:
    with open_meta_store(f"sqlite:///{world.meta}") as meta_store:
        options = BackupOptions(meta_node_stopped=True)
        done = backup_full(meta_store, backups(world), options, Pace(jobs=1))
    assert done.complete
    return done.backup.entry.id


def copies(world: ObjectWorld) -> list[Path]:
    return list(world.path.glob("backups/backup/objects/*/[0-9]*"))


def expect_whole(world: ObjectWorld) -> None:
    """Every side file's objects are there."""
    found = backups(world)
    for number in found.manifest().ids:
        full = read_full(found.store, "backup", number)
        assert full is None or all(look_for(found.store, "backup", full.objects).seen)


@pytest.fixture
def at_work(world: ObjectWorld) -> Generator[subprocess.Popen[bytes]]:
    """A process that copies slowly, when it has begun to."""
    line = ("backup", "--with-objects", "--meta-node-stopped", "--bwlimit", "4K", "--jobs", "1")
    place = ("--meta-store", f"sqlite:///{world.meta}", "--backup-storage-url")
    command = [sys.executable, "-m", "metasnapshot", *line, *place, f"fs://{world.path}/backups"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while len(copies(world)) < 3:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield process
    finally:
        process.kill()
        process.communicate()


def test_it_stands_still_for_twice_the_grace(
    world: ObjectWorld, at_work: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """gc watches a process of this very host that is there and does not move: its objects go, and
    when it wakes it ends with 11. The next backup is whole.
    """
    at_work.send_signal(signal.SIGSTOP)
    time.sleep(2 * GRACE.total_seconds())
    monkeypatch.setattr(gc_objects, "time", Clock())
    found = collect_objects(backups(world), GRACE)
    assert found.deleted >= 3
    assert copies(world) == []
    at_work.send_signal(signal.SIGCONT)
    _, said = at_work.communicate(timeout=PATIENCE_S)
    assert at_work.returncode == 11, said
    (number,) = backups(world).manifest().ids
    assert read_full(backups(world).store, "backup", number) is None
    back_up(world)
    expect_whole(world)


def test_it_goes_on_while_it_moves(
    world: ObjectWorld, at_work: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same process with a beat that moves: gc leaves with 11, and it ends full."""
    number = backups(world).manifest().ids[0]
    path = world.path / "backups" / marker_path("backup", number)
    clock, beat = Clock(), 0

    def move() -> None:
        nonlocal beat
        beat += 1
        marker = msgspec.json.decode(path.read_bytes(), type=Marker)
        path.write_bytes(msgspec.json.encode(msgspec.structs.replace(marker, beat=100 + beat)))

    clock.meanwhile = move
    monkeypatch.setattr(gc_objects, "time", clock)
    before = len(copies(world))
    with pytest.raises(ConflictError, match=f"snapshot {number}"):
        collect_objects(backups(world), timedelta(0))
    assert len(copies(world)) >= before
    assert at_work.wait(PATIENCE_S) == 0
    expect_whole(world)


def marked_by_another(world: ObjectWorld, number: int, since: datetime, beat: int) -> None:
    """A backup on a host whose clock says something else."""
    marker = Marker(Holder(1, "elsewhere", since.isoformat(timespec="seconds")), beat)
    path = world.path / "backups" / marker_path("backup", number)
    path.write_bytes(msgspec.json.encode(marker))


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("skew", SKEWS, ids=str)
def test_a_marker_of_a_host_with_another_clock(
    world: ObjectWorld, monkeypatch: pytest.MonkeyPatch, skew: timedelta, sign: int
) -> None:
    """Whether it lives says its beat alone: one that moves keeps gc away, one that stands still
    does not, whatever time its host has and whatever gc's.
    """
    back_up(world)
    (world.path / "backups/backup/objects/0/1-0000000000000000.sst").parent.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    clock, beat = Clock(), 0

    def move() -> None:
        nonlocal beat
        beat += 1
        marked_by_another(world, 77, now + sign * skew, beat)

    monkeypatch.setattr(gc_objects, "time", clock)
    marked_by_another(world, 77, now + sign * skew, 0)
    clock.meanwhile = move
    for seen in (now - skew, now, now + skew):
        with pytest.raises(ConflictError, match="snapshot 77"):
            collect_objects(backups(world), timedelta(hours=1), seen)
    clock.meanwhile = lambda: None
    collect_objects(backups(world), timedelta(hours=1), now + sign * skew)
    assert not (world.path / "backups" / marker_path("backup", 77)).exists()
    expect_whole(world)


@pytest.mark.parametrize("of_store", [False, True])
@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("skew", SKEWS, ids=str)
def test_gc_with_another_clock_than_the_store(
    world: ObjectWorld,
    skew: timedelta,
    sign: int,
    of_store: bool,  # noqa: FBT001 - a case
) -> None:
    """gc's clock, or the store's, is off: what a full backup names stays in any case. What none
    names goes as soon as it looks old enough, and is copied again by whoever needs it.
    """
    world.add_sst(90_001)
    first = back_up(world)
    world.remove_sst(90_001)
    world.add_sst(90_002)
    back_up(world)
    found = backups(world)
    found.store.delete(f"backup/{first}.full")
    grace, off = timedelta(hours=1), sign * skew
    if of_store:
        at = (datetime.now(UTC) - off).timestamp()
        for path in copies(world):
            os.utime(path, (at, at))
        gone = collect_objects(found, grace).deleted
    else:
        gone = collect_objects(found, grace, datetime.now(UTC) + off).deleted
    assert gone == int(off > grace)
    expect_whole(world)
    back_up(world)
    expect_whole(world)
