"""verify --content hashes: every byte of every object, in the backup or in the state store."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from object_restores import BACKUP, with_full_backup
from object_world import DATA, GRAPH, VECTOR, ObjectWorld
from shell import BACKUPS, Shell

from metasnapshot.catalogue.area import object_path
from metasnapshot.catalogue.ledger import read_ledger
from metasnapshot.errors import UsageError
from metasnapshot.operations.verify_content import parse_share
from metasnapshot.store.local import LocalStore

VERIFY = ("verify", "latest", *BACKUPS, "--content", "hashes")


@pytest.fixture
def shell(world: ObjectWorld, capsys: pytest.CaptureFixture[str]) -> Shell:
    """A directory with a full backup."""
    return with_full_backup(world, capsys)


def answer(shell: Shell, *arguments: str) -> tuple[int, dict[str, Any]]:
    code, found = shell.answer(*VERIFY, *arguments)
    return code, found["snapshots"][0]


def note(world: ObjectWorld) -> Any:
    ledger = read_ledger(LocalStore(world.path / "backups"), "backup")
    (found,) = ledger.verified.values()
    return found


def rot(path: Path, place: int = 11) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 0x20
    path.write_bytes(bytes(data))


def copy_of(world: ObjectWorld, kind: str) -> Path:
    item = next(item for item in world.needed if item.suffix == kind)
    return world.path / "backups" / object_path("backup", item)


def original_of(world: ObjectWorld, kind: str) -> Path:
    return world.place(next(item.id for item in world.needed if item.suffix == kind))


@pytest.mark.parametrize("where", ["area", "state"])
def test_sound_objects_are_sound(world: ObjectWorld, shell: Shell, where: str) -> None:
    """All of them are read, and the look is remembered with its share."""
    code, found = answer(shell, "--in", where)
    assert code == 0
    assert found["content"] == {
        "in": where,
        "share": 1.0,
        "objects": len(world.needed),
        "bytes": world.needed.size,
        "known": 0,
        "findings": [],
    }
    assert (note(world).content.where, note(world).content.share) == (where, 1.0)


def test_the_area_alone_is_enough(world: ObjectWorld, shell: Shell) -> None:
    """After a disaster neither meta store nor state store is there; the area is looked at by
    default.
    """
    shutil.rmtree(world.state)
    world.meta.unlink()
    code, found = answer(shell, "--level", "refs")
    assert (code, found["content"]["in"], found["content"]["objects"]) == (
        0,
        "area",
        len(world.needed),
    )


@pytest.mark.parametrize("kind", [DATA, VECTOR, GRAPH])
@pytest.mark.parametrize("where", ["area", "state"])
def test_rot_is_found(world: ObjectWorld, shell: Shell, where: str, kind: str) -> None:
    """A flipped bit in an object of any kind, at either place: exit 4, named, and forgotten."""
    assert answer(shell)[0] == 0
    path = (copy_of if where == "area" else original_of)(world, kind)
    rot(path)
    code, found = answer(shell, "--in", where)
    assert (code, found["ok"]) == (4, False)
    (finding,) = found["content"]["findings"]
    assert path.name in finding["row"]
    assert read_ledger(LocalStore(world.path / "backups"), "backup").verified == {}
    other = "state" if where == "area" else "area"
    assert answer(shell, "--in", other)[0] == 0


@pytest.mark.parametrize("where", ["area", "state"])
def test_a_lost_object_is_missing(world: ObjectWorld, shell: Shell, where: str) -> None:
    """Exit 17 where nothing but objects is missing."""
    path = (copy_of if where == "area" else original_of)(world, DATA)
    path.unlink()
    code, found = answer(shell, "--in", where)
    assert (code, path.name in found["error"]["message"]) == (17, True)


def test_a_partial_snapshot_has_only_the_state_store(world: ObjectWorld, shell: Shell) -> None:
    """SSTs are checked by the hashes in them; --in area ends with 17."""
    assert shell.run(*BACKUP[:-1])[0] == 0
    code, found = answer(shell)
    assert (code, found["content"]["in"]) == (0, "state")
    assert answer(shell, "--in", "area")[0] == 17
    rot(original_of(world, DATA))
    assert answer(shell)[0] == 4


def test_a_sample_is_a_part(world: ObjectWorld, shell: Shell) -> None:
    """It reads some objects, is noted with its share, and satisfies no --if-older-than."""
    for number in range(90_000, 90_060):
        world.add_sst(number)
    assert shell.run(*BACKUP)[0] == 0
    code, found = answer(shell, "--sample", "30%")
    assert code == 0
    assert 5 < found["content"]["objects"] < len(world.needed) * 0.6
    assert note(world).content.share == 0.3
    fresh = ("--if-older-than", "1d")
    assert answer(shell, *fresh)[1]["skipped"] is False
    assert note(world).content.share == 1.0
    assert answer(shell, *fresh)[1]["skipped"] is True
    assert answer(shell, "--sample", "30%")[0] == 0
    assert note(world).content.share == 1.0
    assert answer(shell, *fresh, "--in", "state")[1]["skipped"] is False


def test_levels_and_content_are_two_axes(world: ObjectWorld, shell: Shell) -> None:
    """Neither forgets what the other noted of the same bytes."""
    assert answer(shell)[0] == 0
    assert shell.run("verify", "latest", *BACKUPS, "--level", "refs")[0] == 0
    assert (note(world).level, note(world).content.share) == ("refs", 1.0)
    assert answer(shell, "--level", "file")[0] == 0
    assert note(world).level == "refs"
    fresh = ("verify", "latest", *BACKUPS, "--if-older-than", "1d", "--level", "refs")
    assert shell.answer(*fresh)[1]["snapshots"][0]["skipped"] is True


def test_shared_objects_are_read_once(world: ObjectWorld, shell: Shell) -> None:
    """Two snapshots of one run that share their objects cost one reading."""
    assert shell.run(*BACKUP)[0] == 0
    code, found = shell.answer("verify", "--all", *BACKUPS, "--content", "hashes")
    first, second = (item["content"] for item in found["snapshots"])
    count = len(world.needed)
    assert (code, first["objects"], second["objects"], second["known"]) == (0, count, 0, count)


def test_it_is_said_in_words(shell: Shell) -> None:
    """How many objects, where, and that it was a sample."""
    code, out, _ = shell.run(*VERIFY, "--sample", "100%")
    assert (code, "objects in the backup" in out, "sample" in out) == (0, True, False)
    assert "a sample of 0.5 of all" in shell.run(*VERIFY, "--sample", "50%")[1]


@pytest.mark.parametrize(
    "options", [("--in", "area"), ("--sample", "1%"), ("--jobs", "2"), ("--bwlimit", "1M")]
)
def test_options_of_content_need_it(shell: Shell, options: tuple[str, ...]) -> None:
    """Exit 2 without --content."""
    assert shell.run("verify", "latest", *BACKUPS, *options)[0] == 2


@pytest.mark.parametrize("text", ["", "0%", "101%", "1", "-1%", "1.%", "x%", "1e1%", "\u0661%"])
def test_what_is_no_sample(text: str) -> None:
    """Anything but a share above nothing, up to all, is refused."""
    with pytest.raises(UsageError):
        parse_share(text)


@pytest.mark.parametrize(("text", "share"), [("1%", 0.01), ("0.5%", 0.005), ("100%", 1.0)])
def test_samples(text: str, share: float) -> None:
    """A number of percent."""
    assert parse_share(text) == share
