"""Full backups, and restores of them where the state store is lost: what tests share."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from object_world import ObjectWorld
from shell import BACKUPS, STORE, TARGET, Shell

from metasnapshot.hummock.paths import object_path, parse_path

BACKUP = ("backup", *STORE, *BACKUPS, "--meta-node-stopped", "--with-objects")
OVERWRITE = (
    "--overwrite-hummock-storage-endpoint",
    *("--overwrite-backup-storage-url", "fs://elsewhere"),
    *("--overwrite-backup-storage-directory", "b"),
)
NEW = (*OVERWRITE, "--hummock-storage-url", "fs://new", "--hummock-storage-directory", "data_2")
RESTORE = ("restore", "latest", *TARGET, *BACKUPS, "--with-objects", *NEW)
CLUSTER_ID = "data_2/cluster_id/0"


def with_full_backup(world: ObjectWorld, capsys: pytest.CaptureFixture[str]) -> Shell:
    """The command beside a cluster that has a full backup."""
    found = Shell(world.path, capsys)
    assert found.run(*BACKUP)[0] == 0
    return found


def restored(world: ObjectWorld) -> dict[int, bytes]:
    """The objects in the new data directory."""
    root = world.path / "new"
    found: dict[int, bytes] = {}
    for path in (root / "data_2").rglob("*"):
        item = parse_path("data_2", str(path.relative_to(root)))
        if item is not None and path.is_file():
            found[item.id] = path.read_bytes()
    return found


def target_path(world: ObjectWorld, object_id: int) -> Path:
    place = world.needed.place(object_id)
    assert place is not None
    item = world.needed[place]
    return world.path / "new" / object_path("data_2", item.id, item.suffix, prefixed=False)


def put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def is_untouched(world: ObjectWorld) -> bool:
    with closing(sqlite3.connect(world.empty)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        names = [name for (name,) in tables]
        return not any(connection.execute(f'SELECT 1 FROM "{name}"').fetchone() for name in names)
