"""An area that nobody knows, and files in odd places of it: each verb that reads or writes objects
ends with the same code, and changes nothing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from object_restores import OVERWRITE
from object_world import ObjectWorld
from shell import BACKUPS, STORE, TARGET, Shell

BACKUP = ("backup", *STORE, *BACKUPS, "--meta-node-stopped", "--with-objects")
NEW = ("--hummock-storage-url", "fs://new", "--hummock-storage-directory", "data_2")
VERBS = {
    "backup": BACKUP,
    "a plan of one": (*BACKUP, "--dry-run"),
    "restore": ("restore", "latest", *TARGET, *BACKUPS, "--with-objects", *OVERWRITE, *NEW),
    "verify": ("verify", "latest", *BACKUPS, "--content", "hashes"),
    "look for unneeded": ("gc", *BACKUPS, "--objects", "--grace", "0s"),
    "collect": ("gc", *BACKUPS, "--objects", "--grace", "0s", "--commit"),
    "copy": ("copy", *BACKUPS, "--to", "fs://safe", "--with-objects"),
}
AREA = "backups/backup/objects"


@pytest.fixture
def world(memory_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectWorld:
    monkeypatch.chdir(memory_path)
    return ObjectWorld(memory_path)


@pytest.fixture
def shell(world: ObjectWorld, capsys: pytest.CaptureFixture[str]) -> Shell:
    """With a full backup."""
    shell = Shell(world.path, capsys)
    assert shell.answer(*BACKUP)[0] == 0
    return shell


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _text(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(text)


ODD_AREAS: dict[str, tuple[Callable[[Path], object], int]] = {
    "of a later release": (_text('{"format": 2, "area_id": "x"}'), 14),
    "no JSON": (_text("x"), 4),
    "no format": (_text("{}"), 4),
    "of two formats": (_text('{"format": 1, "format": 2}'), 4),
    "larger than it may be": (_text(" " * 70_000 + '{"format": 1}'), 4),
    "a pipe": (_pipe, 17),
}


@pytest.mark.parametrize(("spoil", "wanted"), ODD_AREAS.values(), ids=ODD_AREAS)
def test_an_area_that_nobody_knows(
    world: ObjectWorld, shell: Shell, spoil: Callable[[Path], object], wanted: int
) -> None:
    """What its names mean nobody knows: no verb takes or deletes anything of it."""
    spoil(world.path / AREA / "area.json")
    before = names(world)
    found = {verb: shell.run(*command)[0] for verb, command in VERBS.items()}
    assert found == dict.fromkeys(VERBS, wanted)
    assert names(world) == before


def names(world: ObjectWorld) -> list[tuple[str, int]]:
    """What there is, pipes too, which nobody can read."""
    return sorted((str(path), path.lstat().st_size) for path in world.path.rglob("*"))


def test_a_file_where_a_directory_is_due(world: ObjectWorld, shell: Shell) -> None:
    """A file has the name of a directory of objects: 17, which says so; without it all is well."""
    place = next(path for path in (world.path / AREA).glob("*") if path.is_dir())
    shutil.rmtree(place)
    place.write_text("x")
    code, found = shell.answer(*BACKUP)
    assert (code, f"{place.name}: File exists" in found["error"]["message"]) == (17, True), found
    place.unlink()
    assert shell.answer(*BACKUP)[0] == 0
    assert shell.run(*VERBS["verify"])[0] == 0
