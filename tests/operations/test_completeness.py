"""What is full and what is partial, and what housekeeping does with it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from object_world import ObjectWorld
from shell import BACKUPS, STORE, Shell

FULL = ("backup", *STORE, *BACKUPS, "--meta-node-stopped", "--with-objects")
PLAIN = FULL[:-1]
GC = ("gc", *BACKUPS, "--grace", "1h")


@pytest.fixture
def shell(world: ObjectWorld, capsys: pytest.CaptureFixture[str]) -> Shell:
    """A directory with a full backup and a plain one after it."""
    found = Shell(world.path, capsys)
    for command in (FULL, PLAIN):
        assert found.run(*command)[0] == 0
    return found


def listed(shell: Shell) -> list[Any]:
    (found,) = shell.lines("list", *BACKUPS)
    return list(found["snapshots"])


def place(world: ObjectWorld, suffix: str, which: int = 0) -> Path:
    found = sorted(world.path.glob(f"backups/backup/*.{suffix}"), key=lambda path: int(path.stem))
    return found[which]


def strays(shell: Shell) -> dict[str, tuple[str, bool]]:
    _, found = shell.answer(*GC)
    return {item["path"]: (item["kind"], item["due"]) for item in found["found"]}


def age(world: ObjectWorld) -> None:
    """All files are a day old."""
    old = time.time() - 86_400
    for path in world.path.rglob("backups/**/*"):
        os.utime(path, (old, old))


def test_list_and_show_say_it(world: ObjectWorld, shell: Shell) -> None:
    """Full or partial, objects, bytes, and bytes new; in words too."""
    first, second = listed(shell)
    assert (first["completeness"], second["completeness"]) == ("full", "partial")
    assert second["full"] is None
    size, count = world.needed.size, len(world.needed)
    full = {"objects": count, "bytes": size, "objects_new": count, "bytes_new": size}
    assert first["full"] == full
    (shown,) = shell.lines("show", str(first["id"]), *BACKUPS)
    assert (shown["completeness"], shown["full"]) == ("full", full)
    assert "partial" in shell.run("show", str(second["id"]), *BACKUPS)[1]
    assert f"full: {count} objects" in shell.run("show", str(first["id"]), *BACKUPS)[1]
    out = shell.run("list", *BACKUPS)[1]
    assert (f"full: {count}" in out, "partial" in out) == (True, True)


def test_a_snapshot_of_other_bytes_is_partial(world: ObjectWorld, shell: Shell) -> None:
    """A side file makes the snapshot complete whose size and XXH64 it names, and no other."""
    place(world, "snapshot").write_bytes(place(world, "snapshot", 1).read_bytes())
    assert [item["completeness"] for item in listed(shell)] == ["partial", "partial"]


def test_a_damaged_side_file_is_told(world: ObjectWorld, shell: Shell) -> None:
    """The snapshot counts as partial, and the list says why."""
    data = bytearray(place(world, "full").read_bytes())
    data[30] ^= 1
    place(world, "full").write_bytes(bytes(data))
    code, out, err = shell.run("list", *BACKUPS)
    assert (code, "full:" in out, "taken as partial" in err) == (0, False, True)


def test_a_delete_takes_the_side_file(world: ObjectWorld, shell: Shell) -> None:
    """Objects stay: others may need them."""
    number = listed(shell)[0]["id"]
    objects = sorted(world.path.rglob("objects/*/*"))
    assert shell.run("delete", str(number), *BACKUPS, "--yes")[0] == 0
    assert list(world.path.rglob("*.full")) == []
    assert sorted(world.path.rglob("objects/*/*")) == objects
    assert strays(shell) == {}


def test_gc_knows_what_is_ours(world: ObjectWorld, shell: Shell) -> None:
    """Objects, side files and living markers are no strays."""
    holder = {"pid": os.getpid(), "host": os.uname().nodename, "since": "x"}
    marker = json.dumps({"holder": holder})
    (world.path / "backups/backup/77.copying").write_text(marker)
    age(world)
    assert strays(shell) == {"backup/77.copying": ("leftover", False)}


def test_an_orphan_holds_nothing(world: ObjectWorld, shell: Shell) -> None:
    """A side file whose snapshot's file is gone goes after the grace, not before."""
    number = listed(shell)[0]["id"]
    place(world, "snapshot").unlink()
    path = f"backup/{number}.full"
    assert strays(shell)[path] == ("orphan", False)
    age(world)
    assert strays(shell)[path] == ("orphan", True)
    shell.run(*GC, "--commit")
    assert list(world.path.rglob("*.full")) == []


def test_an_entry_alone_that_vanished_costs_nothing(world: ObjectWorld, shell: Shell) -> None:
    """Where somebody rewrote the manifest, the side file still holds the objects; check and
    rebuild-manifest say so, and the rebuilt entry is full.
    """
    manifest = world.path / "backups/backup/manifest.json"
    manifest.write_text('{"manifest_id": 9, "snapshot_metadata": []}')
    number = int(place(world, "full").stem)
    age(world)
    assert f"backup/{number}.full" not in strays(shell)
    code, found = shell.answer("check", *BACKUPS)
    assert code == 5
    assert f"snapshot {number} is full, and not in the manifest" in " ".join(found["problems"])
    (rebuilt,) = shell.lines("rebuild-manifest", *BACKUPS, "--commit")
    assert (rebuilt["full"], number in rebuilt["added"]) == ([number], True)
    assert [item["completeness"] for item in listed(shell)] == ["full", "partial"]


def test_an_id_of_a_side_file_is_not_given_again(world: ObjectWorld, shell: Shell) -> None:
    """Another snapshot under it would stand beside the objects of the old one."""
    place(world, "full").rename(world.path / "backups/backup/500.full")
    (world.path / "backups/backup/600.copying").write_text("{}")
    code, found = shell.answer(*PLAIN)
    assert (code, found["snapshot"]["id"]) == (0, 601)
