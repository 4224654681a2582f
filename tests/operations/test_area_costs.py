"""pins --area: what full backups cost in the objects of their directory, and what a delete and a
collection free of it, which is that.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from object_world import ObjectWorld
from shell import BACKUPS, STORE, Shell

from metasnapshot.catalogue.full_header import full_path

FULL = ("backup", *STORE, *BACKUPS, "--meta-node-stopped", "--with-objects")
PINS = ("pins", *BACKUPS, "--area")
GC = ("gc", "--objects", "--commit", "--grace", "0s", *BACKUPS)
FIRST = 90_001


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path, capsys)


@pytest.fixture
def world(shell: Shell) -> ObjectWorld:
    """Three full backups: each has an SST of its own, and one that the next has too."""
    made = ObjectWorld(shell.path)
    for number in range(3):
        made.add_sst(FIRST + 2 * number, 100_000 * (number + 1))
        made.add_sst(FIRST + 2 * number + 1)
        assert shell.answer(*FULL)[0] == 0
        made.remove_sst(FIRST + 2 * number)
        if number:
            made.remove_sst(FIRST + 2 * number - 1)
    return made


def in_area(world: ObjectWorld) -> dict[int, int]:
    paths = (world.path / "backups/backup/objects").glob("*/[0-9]*")
    return {int(path.name.partition("-")[0]): path.stat().st_size for path in paths}


def ids(shell: Shell) -> list[int]:
    return [item["id"] for item in shell.answer("list", *BACKUPS)[1]["snapshots"]]


@pytest.mark.parametrize("seed", range(4))
def test_a_delete_frees_what_was_said(world: ObjectWorld, shell: Shell, seed: int) -> None:
    """Whichever go, one or more: objects and bytes that gc deletes then are those."""
    found = sorted(ids(shell))
    dice = random.Random(seed)  # noqa: S311 - dice
    chosen = [str(n) for n in dice.sample(found, dice.randint(1, len(found)))]
    code, told = shell.answer(*PINS, *chosen)
    assert code == 0
    before = in_area(world)
    assert shell.answer("delete", *chosen, "--yes", *BACKUPS)[0] == 0
    assert shell.answer(*GC)[0] == 0
    gone = before.keys() - in_area(world).keys()
    assert told["own_objects"] == len(gone)
    assert told["own_bytes"] == sum(before[number] for number in gone)
    assert (told["area"], told["partial_ids"]) == (True, [])


def test_what_all_of_them_cost(world: ObjectWorld, shell: Shell) -> None:
    """Without an id: every object of the area, each once, and a delete of all frees all."""
    told = shell.answer(*PINS)[1]
    there = in_area(world)
    assert (told["objects"], told["bytes"]) == (len(there), sum(there.values()))
    assert (told["own_objects"], told["own_bytes"]) == (told["objects"], told["bytes"])


def test_one_of_three(world: ObjectWorld, shell: Shell) -> None:
    """In words: its own SST alone, and what it shares with others."""
    first, second, _ = sorted(ids(shell))
    told = shell.answer(*PINS, str(second))[1]
    assert told["own_bytes"] == in_area(world)[FIRST + 2]
    _, out, _ = shell.run(*PINS, str(first))
    assert f"a delete frees 1 of them, {in_area(world)[FIRST]} bytes" in out


def test_partial_ones_cost_nothing(world: ObjectWorld, shell: Shell) -> None:
    """One without objects, and one whose side file is another snapshot's: named as partial."""
    assert shell.answer("backup", *STORE, *BACKUPS, "--meta-node-stopped")[0] == 0
    number = max(ids(shell))
    code, told = shell.answer(*PINS, str(number))
    assert (code, told["objects"], told["own_bytes"]) == (0, 0, 0)
    assert told["partial_ids"] == [number]
    _, out, _ = shell.run(*PINS, str(number))
    assert f"{number}: partial" in out
    assert world.path.is_dir()


def test_a_side_file_without_snapshot_holds_nothing(world: ObjectWorld, shell: Shell) -> None:
    """RisingWave deleted the second's file: what it shared is the others' alone."""
    first, second, _ = sorted(ids(shell))
    before = shell.answer(*PINS, str(first))[1]["own_objects"]
    (world.path / f"backups/backup/{second}.snapshot").unlink()
    assert shell.answer(*PINS, str(first))[1]["own_objects"] == before + 1


def test_damage_is_told(world: ObjectWorld, shell: Shell) -> None:
    """What a damaged side file names nobody knows: 4."""
    first, second, _ = sorted(ids(shell))
    path = world.path / "backups" / full_path("backup", second)
    path.write_bytes(path.read_bytes()[:-1])
    assert shell.answer(*PINS, str(first))[0] == 4


def test_what_is_of_the_state_store_is_2(shell: Shell) -> None:
    """--missing looks there, --area does not; an id that is not there is 12."""
    ObjectWorld(shell.path)
    assert shell.answer(*FULL)[0] == 0
    assert shell.run(*PINS, "--missing")[0] == 2
    assert shell.run(*PINS, "--hummock-storage-url", "fs://state")[0] == 2
    assert shell.run(*PINS, "77")[0] == 12
