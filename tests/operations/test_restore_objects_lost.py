"""restore --with-objects of a backup that is not whole, and into a store that has no room."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
from object_restores import BACKUP, RESTORE, is_untouched, restored, with_full_backup
from object_world import GRAPH, ObjectWorld
from shell import Shell

from metasnapshot.catalogue.area import object_path as area_path
from metasnapshot.catalogue.full import decode_full, encode_full
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import StorageError
from metasnapshot.hummock.paths import object_path
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations.restore.plan import RestoreOptions
from metasnapshot.operations.restore.restoration import restore
from metasnapshot.store.local import LocalStore
from metasnapshot.store.memory import MemoryStore


@pytest.fixture
def shell(world: ObjectWorld, capsys: pytest.CaptureFixture[str]) -> Shell:
    found = with_full_backup(world, capsys)
    shutil.rmtree(world.state)
    return found


def lose_object(world: ObjectWorld) -> None:
    (world.path / "backups" / area_path("backup", world.needed[2])).unlink()


def cut_object(world: ObjectWorld) -> None:
    path = world.path / "backups" / area_path("backup", world.needed[2])
    path.write_bytes(path.read_bytes()[1:])


def side_file(world: ObjectWorld) -> Path:
    (found,) = world.path.rglob("*.full")
    return found


def flip_side_file(world: ObjectWorld) -> None:
    data = bytearray(side_file(world).read_bytes())
    data[-20] ^= 1
    side_file(world).write_bytes(bytes(data))


def lose_side_file(world: ObjectWorld) -> None:
    side_file(world).unlink()


def change_area(world: ObjectWorld) -> None:
    (world.path / "backups/backup/objects/area.json").write_text('{"format": 9}')


LOSSES = {
    "an object is lost": (lose_object, 17, "no such object"),
    "an object is cut": (cut_object, 4, "another size"),
    "the side file is damaged": (flip_side_file, 4, "checksum mismatch"),
    "the side file is lost": (lose_side_file, 17, "not complete"),
    "the area has another format": (change_area, 14, "format 9"),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_backup_that_is_not_whole_is_told(world: ObjectWorld, shell: Shell, loss: str) -> None:
    """Typed, with its exit code, before anything is written."""
    change, wanted, word = LOSSES[loss]
    change(world)
    before = shell.files()
    code, found = shell.answer(*RESTORE)
    assert (code, word in found["error"]["message"]) == (wanted, True)
    assert shell.files() == before
    assert is_untouched(world)


def test_an_object_that_rotted_is_not_restored(world: ObjectWorld, shell: Shell) -> None:
    """Exit 4 for a flipped bit that no listing shows; no row is loaded, the object has no name."""
    item = next(item for item in world.needed if item.suffix == GRAPH)
    path = world.path / "backups" / area_path("backup", item)
    data = path.read_bytes()
    path.write_bytes(data[:7] + bytes([data[7] ^ 4]) + data[8:])
    code, found = shell.answer(*RESTORE)
    assert (code, path.name in found["error"]["message"]) == (4, True)
    assert is_untouched(world)
    assert item.id not in restored(world)
    path.write_bytes(data)
    assert shell.run(*RESTORE)[0] == 0
    assert restored(world) == world.objects


def test_a_side_file_of_another_snapshot_is_none(world: ObjectWorld, shell: Shell) -> None:
    """Where an id was given again, the old side file does not make the new snapshot complete."""
    ObjectWorld(world.path)
    assert shell.run(*BACKUP)[0] == 0
    first, second = sorted(world.path.rglob("*.snapshot"), key=lambda path: int(path.stem))
    second.with_suffix(".full").unlink()
    data = first.with_suffix(".full").read_bytes()
    assert f'"snapshot_id":{first.stem}'.encode() in data
    full = decode_full("x", data)
    header = msgspec.structs.replace(full.header, snapshot_id=int(second.stem))
    second.with_suffix(".full").write_bytes(encode_full(dataclasses.replace(full, header=header)))
    code, found = shell.answer(*RESTORE)
    assert (code, "of another snapshot of this id" in found["error"]["message"]) == (17, True)


class _Full(MemoryStore):
    """A bucket with room for so many objects."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def put_if_absent(self, path: str, data: bytes) -> str:
        if not self.room:
            raise StorageError("no space left", hint="free some space")
        self.room -= 1
        return super().put_if_absent(path, data)


@pytest.mark.usefixtures("shell")
def test_a_store_without_room(world: ObjectWorld) -> None:
    """No row is loaded, what was copied stays; with room the next run goes on from there."""
    repository = Repository(LocalStore(world.path / "backups"), "backup")
    number = max(repository.manifest().ids)
    options: Any = {
        "hummock_storage_directory": "d",
        "overwrite_hummock_storage_endpoint": True,
        "overwrite_backup_storage_url": "memory",
        "overwrite_backup_storage_directory": "b",
    }
    target = _Full(7)
    with open_meta_store(f"sqlite:///{world.empty}") as meta_store:
        found = RestoreOptions("memory", with_objects=True, **options)
        with pytest.raises(StorageError, match="no space"):
            restore(repository, meta_store, number, found, target)
        assert is_untouched(world)
        target.room = 100
        result = restore(repository, meta_store, number, found, target)
    assert result.plan.objects is not None
    assert result.plan.objects.there == 7
    there = {head.path: target.read(head.path).data for head in target.list("d/")}
    wanted = {
        object_path("d", i.id, i.suffix, prefixed=False): world.objects[i.id] for i in world.needed
    }
    assert wanted.items() <= there.items()
