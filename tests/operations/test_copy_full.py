"""copy --with-objects: a full backup in another directory is as good as the first."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from object_restores import BACKUP, with_full_backup
from object_world import ObjectWorld
from shell import BACKUPS, STORE, Shell

from metasnapshot import Backups, CopiedObjects, Pace
from metasnapshot.catalogue.full import read_full
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import ObjectMissing, UsageError
from metasnapshot.operations.copy_full import copy_with_objects
from metasnapshot.store.local import LocalStore
from metasnapshot.store.through import Through

SAFE = ("--backup-storage-url", "fs://safe")
COPY = ("copy", *BACKUPS, "--to", "fs://safe", "--with-objects")


@pytest.fixture
def shell(world: ObjectWorld, capsys: pytest.CaptureFixture[str]) -> Shell:
    """With a full backup of the cluster."""
    return with_full_backup(world, capsys)


def area(world: ObjectWorld, name: str) -> dict[str, bytes]:
    root = world.path / name / "backup" / "objects"
    files = [path for path in root.glob("*/*") if path.is_file()]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def side_files(world: ObjectWorld) -> list[Any]:
    (path,) = world.path.glob("backups/backup/*.full")
    stores = [LocalStore(world.path / name) for name in ("backups", "safe")]
    return [read_full(store, "backup", int(path.stem)) for store in stores]


def test_all_arrives(world: ObjectWorld, shell: Shell) -> None:
    """The same names, bytes and hashes; the copy verifies when the first directory is gone, and
    restores.
    """
    code, found = shell.answer(*COPY)
    (item,) = found["copied"]
    count, size = len(world.needed), world.needed.size
    assert (code, item["objects"]) == (
        0,
        {"needed": count, "copied": count, "bytes_copied": size},
    )
    assert area(world, "safe") == area(world, "backups")
    mine, its = side_files(world)
    assert (mine.hashes, list(mine.objects)) == (its.hashes, list(its.objects))
    assert mine.header.area_id != its.header.area_id
    shutil.rmtree(world.path / "backups")
    shutil.rmtree(world.path / "state")
    assert shell.answer("verify", "--all", "--content", "hashes", *SAFE)[0] == 0
    code, found = shell.answer(
        *("restore", "latest", "--meta-store", "sqlite:///empty.db", *SAFE, "--with-objects"),
        *("--hummock-storage-url", "fs://new", "--hummock-storage-directory", "data"),
        *("--overwrite-hummock-storage-endpoint", "--overwrite-backup-storage-url", "fs://b"),
        *("--overwrite-backup-storage-directory", "b"),
    )
    assert code == 0, found


def test_the_next_copy_is_of_what_is_new(world: ObjectWorld, shell: Shell) -> None:
    """An object once, whatever snapshots need it; a third copy copies nothing."""
    assert shell.answer(*COPY)[0] == 0
    world.add_sst(90_001)
    assert shell.answer(*BACKUP)[0] == 0
    found = shell.answer(*COPY)[1]
    assert [item["objects"]["copied"] for item in found["copied"]] == [0, 1]
    again = shell.answer(*COPY)[1]
    assert [item["objects"]["copied"] for item in again["copied"]] == [0, 0]
    assert area(world, "safe") == area(world, "backups")


def test_a_partial_one_is_told(shell: Shell) -> None:
    """It is copied as a snapshot, and nobody takes it for a full one."""
    assert shell.answer("backup", *STORE, *BACKUPS, "--meta-node-stopped")[0] == 0
    code, _, err = shell.run(*COPY)
    assert (code, "is partial: it has no objects" in err) == (0, True)
    found = shell.answer("list", *SAFE)[1]["snapshots"]
    assert sorted(item["full"] is None for item in found) == [False, True]


def test_damage_at_the_source(world: ObjectWorld, shell: Shell) -> None:
    """Exit 3; the copy stays partial, and the damaged object has no name there. A gone one too."""
    path = next(path for path in (world.path / "backups/backup/objects").glob("*/*.sst"))
    kept = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(kept[:9] + bytes([kept[9] ^ 1]) + kept[10:])
    code, found = shell.answer(*COPY)
    assert (code, len(found["failed"])) == (3, 1)
    assert path.name not in {Path(name).name for name in area(world, "safe")}
    assert list(world.path.glob("safe/**/*.full")) == []
    path.unlink()
    assert shell.answer(*COPY)[0] == 3
    path.write_bytes(kept)
    assert shell.answer(*COPY)[0] == 0
    assert area(world, "safe") == area(world, "backups")


def test_another_object_there_is_refused(world: ObjectWorld, shell: Shell) -> None:
    """What has a name there is compared by content before it is believed: 11, and it stays."""
    name, data = next(iter(area(world, "backups").items()))
    place = world.path / "safe/backup/objects" / name
    place.parent.mkdir(parents=True)
    place.write_bytes(bytes(len(data)))
    code, _ = shell.answer(*COPY)
    assert (code, place.read_bytes()) == (11, bytes(len(data)))
    assert list(world.path.glob("safe/**/*.full")) == []
    place.write_bytes(data)
    assert shell.answer(*COPY)[0] == 0


@pytest.mark.parametrize("there", [(), ("--to-directory", "backup/below"), ("--to-directory", ".")])
def test_not_into_itself(shell: Shell, there: tuple[str, ...]) -> None:
    """Source and target the same place, or one below the other: 2, and nothing changed."""
    before = shell.files()
    code, _, _ = shell.run("copy", *BACKUPS, "--to", "fs://backups", *there, "--with-objects")
    assert (code, shell.files()) == (2, before)


class _Elsewhere(Through):
    """A directory under an address that does not show which one it is."""

    @property
    def url(self) -> str:
        return "s3://another-name-of-it"


def test_not_into_itself_by_another_name(world: ObjectWorld, shell: Shell) -> None:
    """Where neither URL nor path shows it, the marker does: what is put into the one is in the
    other. Nothing changed; a real other directory takes the same copy.
    """
    before = shell.files()
    here = Repository(LocalStore(world.path / "backups"), "backup")
    there = Repository(_Elsewhere(LocalStore(world.path / "backups")), "backup")
    with pytest.raises(UsageError, match="by another name"):
        copy_with_objects(here, there, here.manifest().ids, Pace())
    assert shell.files() == before
    other = Repository(_Elsewhere(LocalStore(world.path / "safe")), "backup")
    (done,) = copy_with_objects(here, other, here.manifest().ids, Pace())
    assert done.error is None
    assert area(world, "safe") == area(world, "backups")


@pytest.mark.parametrize("link", ["backups", "backups/backup", "backups/backup/objects"])
def test_not_through_a_link(world: ObjectWorld, shell: Shell, link: str) -> None:
    """A link to the directory, to one above it or below it, is the same place: 2."""
    (world.path / "link").symlink_to(world.path / link)
    before = shell.files()
    directory = ("--to-directory", "backup") if link == "backups" else ("--to-directory", "x")
    code, _, err = shell.run("copy", *BACKUPS, "--to", "fs://link", *directory, "--with-objects")
    assert (code, shell.files()) == (2, before), err


def test_another_clusters_directory_is_refused(
    world: ObjectWorld, shell: Shell, tmp_path: Path
) -> None:
    """Objects of two clusters never share a directory: 11."""
    area_file = tmp_path / "safe/backup/objects/area.json"
    area_file.parent.mkdir(parents=True)
    area_file.write_text('{"format": 1, "area_id": "x", "cluster_id": "another"}')
    assert shell.answer(*COPY)[0] == 11
    area_file.write_text('{"format": 2, "area_id": "x", "cluster_id": "another"}')
    assert shell.answer(*COPY)[0] == 14
    assert area(world, "safe") == {}


def test_its_options_want_it(shell: Shell) -> None:
    """--jobs means nothing without --with-objects."""
    assert shell.run("copy", *BACKUPS, "--to", "fs://safe", "--jobs", "2")[0] == 2


def test_a_program_copies_objects_too(world: ObjectWorld, shell: Shell) -> None:
    """The library does what the command does: each object once; damage is in the result; and it
    refuses a directory below its own.
    """
    mine, safe = Backups(f"fs://{world.path}/backups"), Backups(f"fs://{world.path}/safe")
    (plain,) = mine.copy(safe)
    assert (plain.objects, area(world, "safe")) == (None, {})
    count, size = len(world.needed), world.needed.size
    (item,) = mine.copy(safe, objects=Pace(jobs=1))
    assert item == replace(plain, was_there=True, objects=CopiedObjects(count, count, size))
    assert area(world, "safe") == area(world, "backups")
    path = next((world.path / "backups/backup/objects").glob("*/*.sst"))
    path.unlink()
    (item,) = mine.copy(Backups(f"fs://{world.path}/third"), ["latest"], objects=Pace())
    assert (item.objects, type(item.error)) == (None, ObjectMissing)
    before = shell.files()
    with pytest.raises(UsageError):
        mine.copy(Backups(mine.url, "backup/below"), objects=Pace())
    assert shell.files() == before
