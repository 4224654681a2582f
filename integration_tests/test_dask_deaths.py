"""Machines die, come late, are slow, lack keys, or are others than they should be: what is done by
the rest is whole, and what nobody can do is an error before anything is believed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from dask_cluster import DaskCluster, dask_cluster
from object_world import ObjectWorld
from shell import Shell
from test_dask import BACKUP, at, files, side_file

from metasnapshot.operations.spread import batch
from metasnapshot.version import VERSION

SLOW = """
import time
from metasnapshot.operations.spread import threads

copy = getattr(threads, "copy_once", threads.copy_object)  # a preload may run twice
threads.copy_once = copy

def slow(*words):
    with open({log!r}, "a") as log:
        log.write("x")
    time.sleep({seconds})
    return copy(*words)

threads.copy_object = slow
"""
OTHER = """
from metasnapshot import version

version.VERSION = "0.1.9"
"""
MANY = range(90_000, 90_040)


@pytest.fixture
def cluster(tmp_path: Path) -> Generator[DaskCluster]:
    with dask_cluster(tmp_path / "dask") as found:
        yield found


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectWorld:
    """Of some sixty objects, in batches of two."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(batch, "BATCH_MAX", 2)
    made = ObjectWorld(tmp_path)
    made.add_ssts(MANY)
    return made


@pytest.fixture
def shell(world: ObjectWorld, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(world.path, capsys)


def preload(world: ObjectWorld, name: str, text: str) -> tuple[str, str]:
    """A worker that runs some code before it works."""
    path = world.path / f"{name}.py"
    path.write_text(text)
    return "--preload", str(path)


def slowly(world: ObjectWorld, seconds: float) -> tuple[str, str]:
    log = str(world.path / "slow.log")
    return preload(world, f"slow_{int(seconds * 1000)}", SLOW.format(seconds=seconds, log=log))


def once_some_are_there(world: ObjectWorld, count: int, act: Callable[[], object]) -> Any:
    """Do something when so many objects have been copied."""

    def watch() -> None:
        until = time.monotonic() + 100
        while len(files(world, "its")) < count and time.monotonic() < until:
            time.sleep(0.01)
        act()

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def abroad(world: ObjectWorld, cluster: DaskCluster) -> tuple[str, ...]:
    return (*BACKUP, *at(world, "its"), "--scheduler", cluster.address)


def require_alike(world: ObjectWorld, shell: Shell) -> None:
    """The backup is what threads make of it, object for object."""
    assert shell.answer(*BACKUP, *at(world, "mine"))[0] == 0
    assert files(world, "its") == files(world, "mine")
    one, two = side_file(world, "mine"), side_file(world, "its")
    assert (one.hashes, list(one.objects)) == (two.hashes, list(two.objects))


def test_a_worker_is_killed(world: ObjectWorld, shell: Shell, cluster: DaskCluster) -> None:
    """In the middle of an object: the other does the rest, and what the dead one left is a file
    that gc knows and takes.
    """
    cluster.add(None, *slowly(world, 0.02))
    dying = cluster.add(None, *preload(world, "stuck", STUCK))
    thread = once_some_are_there(world, 10, dying.kill)
    code, found = shell.answer(*abroad(world, cluster))
    thread.join()
    assert (code, found.get("complete")) == (0, True), found
    assert not dying.is_alive
    left = [
        path for path in (world.path / "its").rglob(".metasnapshot-*") if path.suffix != ".lock"
    ]
    assert left
    code, found = shell.answer("gc", "--objects", *at(world, "its"), "--grace", "0s", "--commit")
    assert (code, len(found["deleted"])) == (0, len(left)), found
    assert not any(path.exists() for path in left)
    require_alike(world, shell)


STUCK = """
import os
import time
from metasnapshot.store import bulk

link = getattr(os, "link_once", os.link)
os.link_once = link

def stuck(*words):
    if not hasattr(stuck, "count"):
        stuck.count = 0
    stuck.count += 1
    if stuck.count > 2:
        time.sleep(1000)
    return link(*words)

os.link = stuck
"""


def test_the_scheduler_is_killed(world: ObjectWorld, shell: Shell, cluster: DaskCluster) -> None:
    """18, the backup is partial, and the next run copies the rest."""
    cluster.add(None, *slowly(world, 0.05))
    thread = once_some_are_there(world, 10, cluster.scheduler.kill)
    code, found = shell.answer(*abroad(world, cluster))
    thread.join()
    assert (code, found["error"]["kind"]) == (18, "SchedulerUnavailable"), found
    assert "went away" in found["error"]["message"]
    copied = len(files(world, "its"))
    assert 10 <= copied < len(world.needed)
    code, found = shell.answer(*BACKUP, *at(world, "its"))
    assert (code, found["complete"]) == (0, True)
    assert found["objects"]["copied"] <= len(world.needed) - 10


def test_a_slow_worker_holds_up_nobody(
    world: ObjectWorld, shell: Shell, cluster: DaskCluster
) -> None:
    """The other takes what it does not: all is there, and the slow one did little of it."""
    cluster.add()
    cluster.add(None, *slowly(world, 5.0))
    code, found = shell.answer(*abroad(world, cluster))
    assert (code, found["complete"]) == (0, True)
    assert 0 < len((world.path / "slow.log").read_text()) < len(world.needed) / 3
    require_alike(world, shell)


def test_another_version_is_refused(world: ObjectWorld, shell: Shell, cluster: DaskCluster) -> None:
    """2, before the first object, and the worker is named with both versions."""
    cluster.add()
    cluster.add(None, *preload(world, "other", OTHER), "--name", "old")
    code, found = shell.answer(*abroad(world, cluster))
    assert code == 2
    assert f"has metasnapshot 0.1.9, and this is {VERSION}" in found["error"]["message"]
    assert "worker tcp://127.0.0.1:" in found["error"]["message"]
    assert files(world, "its") == {}


def test_another_disk_is_refused(world: ObjectWorld, shell: Shell, cluster: DaskCluster) -> None:
    """A worker whose root is elsewhere sees no such area, or that of another backup: 2, before the
    first object.
    """
    cluster.add()
    other = world.path / "other"
    cluster.add({"METASNAPSHOT_BACKUP_STORAGE_URL": f"fs://{other}"})
    for _ in range(2):
        code, found = shell.answer(*abroad(world, cluster))
        assert code == 2, found
        assert "area.json" in found["error"]["message"]
        assert "METASNAPSHOT_BACKUP_STORAGE_URL" in found["error"]["hint"]
        assert files(world, "its") == {}
        assert shell.answer(*BACKUP, "--backup-storage-url", f"fs://{other}")[0] == 0


def test_a_mirror_of_the_same_area_is_noticed(
    world: ObjectWorld, shell: Shell, cluster: DaskCluster
) -> None:
    """A stale copy of a disk has the same area.json: what the worker writes there is not here."""
    assert shell.answer(*abroad(world, cluster))[0] == 18  # the area is made, and nobody works
    assert shell.answer(*BACKUP, *at(world, "its"))[0] == 0
    world.add_sst(91_000)
    mirror = world.path / "mirror"
    copy = mirror / "backup" / "objects" / "area.json"
    copy.parent.mkdir(parents=True)
    copy.write_bytes((world.path / "its" / "backup" / "objects" / "area.json").read_bytes())
    cluster.add({"METASNAPSHOT_BACKUP_STORAGE_URL": f"fs://{mirror}"})
    code, found = shell.answer(*abroad(world, cluster))
    assert code == 2, found
    assert "it is not in fs://" in found["error"]["message"]


def test_a_late_worker_is_looked_at(world: ObjectWorld, shell: Shell, cluster: DaskCluster) -> None:
    """It sees another disk: it does nothing, and the run ends with 2."""
    cluster.add(None, *slowly(world, 1.0))
    late = {"METASNAPSHOT_BACKUP_STORAGE_URL": f"fs://{world.path}/other"}
    thread = once_some_are_there(world, 2, lambda: cluster.add(late))
    code, found = shell.answer(*abroad(world, cluster))
    thread.join()
    assert code == 2, found
    assert "sees no fs://" in found["error"]["message"]
    assert not (world.path / "other").exists()


def test_nobody_is_there(world: ObjectWorld, shell: Shell, cluster: DaskCluster) -> None:
    """No scheduler, one that does not answer, and one without workers: 18, each with a hint, and
    nothing is written.
    """
    nobody = (*BACKUP, *at(world, "its"), "--scheduler", "tcp://127.0.0.1:9")
    code, found = shell.answer(*nobody)
    assert (code, found["error"]["kind"]) == (18, "SchedulerUnavailable")
    assert "cannot be reached" in found["error"]["message"]
    code, found = shell.answer(*abroad(world, cluster))
    assert (code, "has no workers" in found["error"]["message"]) == (18, True)
    assert found["error"]["hint"] == f"dask worker {cluster.address}"
    assert not (world.path / "its").exists()
