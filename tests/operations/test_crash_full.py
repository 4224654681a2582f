"""kill -9 at any step of a backup or restore with objects: what is listed as full can be restored,
and a second run ends with the same names and bytes, no object twice.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from deaths import PARTS, deaths
from object_world import ObjectWorld

from metasnapshot.catalogue.area import object_path as area_path
from metasnapshot.catalogue.completeness import header_of
from metasnapshot.catalogue.records import Records
from metasnapshot.catalogue.repository import Repository
from metasnapshot.hummock.paths import object_path
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations.backup_full import backup_full
from metasnapshot.operations.backup_options import BackupOptions
from metasnapshot.operations.crew import Pace
from metasnapshot.operations.restore.plan import RestoreOptions
from metasnapshot.operations.restore.restoration import restore
from metasnapshot.operations.verify import verify
from metasnapshot.operations.verify_content import ContentCheck
from metasnapshot.store.local import LocalStore

ONE = Pace(jobs=1)


class World(ObjectWorld):
    """A cluster with a full backup of an earlier version, which lacks some objects."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.backup()
        for number in (90_001, 90_002, 90_003):
            self.add_sst(number)

    @property
    def backups(self) -> Repository:
        return Repository(LocalStore(self.path / "backups"), "backup")

    def backup(self) -> None:
        with open_meta_store(f"sqlite:///{self.meta}") as meta_store:
            options = BackupOptions(meta_node_stopped=True)
            assert backup_full(meta_store, self.backups, options, ONE).complete

    def restore(self) -> None:
        with open_meta_store(f"sqlite:///{self.empty}") as meta_store:
            found = RestoreOptions(
                f"fs://{self.path}/new",
                "data",
                overwrite_hummock_storage_endpoint=True,
                overwrite_backup_storage_url="fs://elsewhere",
                overwrite_backup_storage_directory="b",
                with_objects=True,
            )
            number = max(self.backups.manifest().ids)
            restore(self.backups, meta_store, number, found, pace=ONE)

    def area(self) -> dict[str, bytes]:
        root = self.path / "backups"
        paths = (root / "backup" / "objects").glob("*/[0-9]*")
        return {str(path.relative_to(root)): path.read_bytes() for path in paths}

    def full_ids(self) -> list[int]:
        found = self.backups
        heads = Records(found).heads
        return [n for n in found.manifest().ids if header_of(found, heads, n) is not None]

    def left_behind(self) -> list[str]:
        names = [path.name for path in self.path.rglob("backups/**/*") if path.is_file()]
        return [name for name in names if name.endswith((".copying", ".reserved"))]


class Backed(World):
    """The same with a full backup of the version of now."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.backup()


@pytest.mark.parametrize("part", PARTS)
def test_backup(memory_path: Path, part: int) -> None:
    """The earlier full backup stays full; what is full verifies, whatever died; the next backup is
    complete, with each object once and its bytes.
    """
    points, died = deaths(World, World.backup, memory_path, part)
    for number in points:
        world = died(number)
        full = world.full_ids()
        assert full[0] == min(world.backups.manifest().ids)
        for snapshot in full:
            result = verify(world.backups, snapshot, "file", content=ContentCheck("area"))
            assert result.error is None, number
        world.backup()
        wanted = {area_path("backup", item): world.objects[item.id] for item in world.needed}
        assert world.area() == wanted, number
        assert max(world.full_ids()) == max(world.backups.manifest().ids)
        assert world.left_behind() == [], number


@pytest.mark.parametrize("part", PARTS)
def test_restore(memory_path: Path, part: int) -> None:
    """No row before every object is there; the second run ends with all objects, rows and the
    checkpoint.
    """
    points, died = deaths(Backed, Backed.restore, memory_path, part)
    for number in points:
        world = died(number)
        wanted = {
            object_path("data", item.id, item.suffix, prefixed=False): world.objects[item.id]
            for item in world.needed
        }
        if rows(world.empty):
            assert objects(world) == wanted, number
        world.restore()
        assert objects(world) == wanted, number
        assert rows(world.empty)
        assert (world.path / "new/data/checkpoint/0").is_file()


def objects(world: World) -> dict[str, bytes]:
    root = world.path / "new"
    names = [path for path in root.glob("data/*.*") if not path.name.startswith(".")]
    return {str(path.relative_to(root)): path.read_bytes() for path in names}


def rows(store: Path) -> int:
    with closing(sqlite3.connect(store)) as connection:
        return int(connection.execute('SELECT count(*) FROM "user"').fetchone()[0])
