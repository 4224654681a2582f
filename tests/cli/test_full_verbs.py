"""check --full and watch --with-objects: is there a full backup that is young, and is one made
again and again?
"""

from __future__ import annotations

from pathlib import Path

import pytest
from object_world import ObjectWorld
from shell import BACKUPS, STORE, Shell

BACKUP = ("backup", *STORE, *BACKUPS, "--meta-node-stopped")
FULL = ("check", "--full", *BACKUPS)
WATCH = ("watch", "--every", "1s", *STORE, *BACKUPS, "--with-objects")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectWorld:
    monkeypatch.chdir(tmp_path)
    return ObjectWorld(tmp_path)


@pytest.fixture
def shell(world: ObjectWorld, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(world.path, capsys)


def test_check_counts_full_ones(shell: Shell) -> None:
    """A plain one is none; a full one is, and stays the newest when plain ones follow."""
    assert shell.answer(*BACKUP)[0] == 0
    assert shell.answer("check", *BACKUPS)[0] == 0
    code, found = shell.answer(*FULL)
    assert (code, found["count"], found["newest_id"]) == (5, 0, None)
    assert "0 full snapshots, not 1" in found["problems"]
    full = shell.answer(*BACKUP, "--with-objects")[1]["snapshot"]["id"]
    assert shell.answer(*BACKUP)[0] == 0
    code, found = shell.answer(*FULL, "--max-age", "99999d")
    assert (code, found["count"], found["newest_id"]) == (0, 1, full)
    code, found = shell.answer(*FULL, "--min-count", "2")
    assert (code, found["problems"]) == (5, ["1 full snapshot, not 2"])


def test_check_tells_of_a_damaged_side_file(world: ObjectWorld, shell: Shell) -> None:
    """It is a problem of its own, and the snapshot does not count."""
    assert shell.answer(*BACKUP, "--with-objects")[0] == 0
    (path,) = world.path.rglob("*.full")
    path.write_bytes(path.read_bytes()[:40])
    code, found = shell.answer(*FULL)
    assert (code, found["count"]) == (5, 0)
    assert any(path.name in text for text in found["problems"])


def test_watch_makes_full_ones(world: ObjectWorld, shell: Shell) -> None:
    """Each round; one whose objects are lost fails with 17, and the next one comes."""
    assert shell.run(*WATCH, "--rounds", "1")[0] == 0
    assert shell.answer(*FULL)[1]["count"] == 1
    place = world.place(world.needed[2].id)
    data = place.read_bytes()
    world.add_sst(90_001)
    gone = world.place(90_001)
    kept = gone.read_bytes()
    gone.unlink()
    assert shell.run(*WATCH, "--rounds", "1")[0] == 17
    gone.write_bytes(kept)
    assert shell.run(*WATCH, "--rounds", "1")[0] == 0
    assert shell.answer(*FULL)[1]["count"] == 2
    assert place.read_bytes() == data


def test_watch_without_it_takes_no_pace(shell: Shell) -> None:
    """--jobs means nothing then."""
    assert shell.run(*WATCH[:-1], "--jobs", "2", "--rounds", "1")[0] == 2
