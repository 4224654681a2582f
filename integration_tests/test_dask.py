"""The verbs that move objects, by workers of a Dask cluster: what they leave is what threads leave,
object for object.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from dask_cluster import DaskCluster, dask_cluster
from data_cluster import write_cluster
from object_world import ObjectWorld
from shell import BACKUPS, STATE_FOLDER, STORE, Shell

from metasnapshot.catalogue.full import read_full
from metasnapshot.operations.spread import batch
from metasnapshot.store.local import LocalStore

BACKUP = ("backup", *STORE, "--meta-node-stopped", "--with-objects")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Generator[DaskCluster]:
    """With two workers of one thread each."""
    with dask_cluster(tmp_path_factory.mktemp("dask")) as found:
        found.add()
        found.add()
        yield found


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectWorld:
    """A cluster in the working directory, and batches of three objects."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(batch, "BATCH_MAX", 3)
    return ObjectWorld(tmp_path)


@pytest.fixture
def shell(world: ObjectWorld, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(world.path, capsys)


def at(world: ObjectWorld, name: str) -> tuple[str, str]:
    """A backup directory, where workers find it too."""
    return "--backup-storage-url", f"fs://{world.path}/{name}"


def files(world: ObjectWorld, name: str) -> dict[str, bytes]:
    root = world.path / name
    found = [path for path in root.rglob("*") if path.is_file() and path.parent.name.isdigit()]
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


def side_file(world: ObjectWorld, name: str) -> Any:
    (path,) = (world.path / name / "backup").glob("*.full")
    return read_full(LocalStore(world.path / name), "backup", int(path.stem))


def test_a_backup(world: ObjectWorld, shell: Shell, cluster: DaskCluster) -> None:
    """Two workers leave what threads leave: the same names, bytes and hashes."""
    code, mine = shell.answer(*BACKUP, *at(world, "mine"))
    assert code == 0
    code, its = shell.answer(*BACKUP, *at(world, "its"), "--scheduler", cluster.address)
    assert code == 0, its
    assert its["objects"] == mine["objects"]
    assert files(world, "its") == files(world, "mine")
    one, two = side_file(world, "mine"), side_file(world, "its")
    assert (one.hashes, list(one.objects)) == (two.hashes, list(two.objects))


def test_a_copy(world: ObjectWorld, shell: Shell, cluster: DaskCluster) -> None:
    """The target of a copy is what threads make of it, and a second run copies nothing."""
    assert shell.answer(*BACKUP, *at(world, "mine"))[0] == 0
    to = ("copy", *at(world, "mine"), "--with-objects", "--to")
    code, mine = shell.answer(*to, f"fs://{world.path}/threads")
    assert code == 0
    there = (*to, f"fs://{world.path}/workers", "--scheduler", cluster.address)
    code, its = shell.answer(*there)
    assert (code, its) == (0, mine)
    assert files(world, "workers") == files(world, "threads")
    assert shell.answer(*there)[1]["copied"][0]["objects"]["copied"] == 0


def test_a_restore(world: ObjectWorld, shell: Shell, cluster: DaskCluster) -> None:
    """A new data directory, which no document names yet, has what it must have, and no more."""
    assert shell.answer(*BACKUP, *at(world, "mine"))[0] == 0
    restore = (
        *("restore", "latest", "--meta-store", "sqlite:///empty.db", *at(world, "mine")),
        *("--with-objects", "--hummock-storage-directory", "data"),
        *("--overwrite-hummock-storage-endpoint", "--overwrite-backup-storage-url", "fs://b"),
        *("--overwrite-backup-storage-directory", "b", "--compare", "data"),
        *("--hummock-storage-url", f"fs://{world.path}/new", "--scheduler", cluster.address),
    )
    code, found = shell.answer(*restore)
    assert code == 0, found
    assert found["plan"]["objects"]["to_copy"] == len(world.needed)
    root = world.path / "new" / "data"
    made = {path.name: path.read_bytes() for path in root.glob("*.*")}
    assert made == {path.name: path.read_bytes() for path in objects(world)}


def objects(world: ObjectWorld) -> list[Path]:
    return [world.place(item.id) for item in world.needed]


@pytest.mark.parametrize("content", ["hashes", "data"])
@pytest.mark.parametrize("where", ["area", "state"])
def test_a_check_finds_the_same(
    content: str, where: str, world: ObjectWorld, shell: Shell, cluster: DaskCluster
) -> None:
    """Sound objects, a missing one and a damaged one: the same counts, findings and exit code."""
    assert shell.answer(*BACKUP, *at(world, "mine"))[0] == 0
    check = ("verify", "--all", *at(world, "mine"), "--content", content, "--in", where)
    abroad = (*check, "--scheduler", cluster.address)
    found = shell.answer(*check)
    assert found[0] == 0 or content == "data"  # what the version says of this world's is not true
    code, its = shell.answer(*abroad)
    assert (code, findings(its)) == (found[0], findings(found[1]))
    root = world.path / ("mine" if where == "area" else "state")
    item = min(world.needed, key=lambda item: item.id)
    (one, *_) = root.rglob(f"{item.id}[-.]*")
    data = bytearray(one.read_bytes())
    data[len(data) // 3] ^= 1
    one.write_bytes(data)
    last = max(world.needed, key=lambda item: item.id)
    (other, *_) = root.rglob(f"{last.id}[-.]*")
    other.unlink()
    code, mine = shell.answer(*check)
    assert code == 4
    code, its = shell.answer(*abroad)
    assert (code, findings(its)) == (4, findings(mine))


def findings(found: Any) -> list[str]:
    return sorted(str(item) for item in found["snapshots"][0]["content"]["findings"])


def test_a_vanished_object_leaves_a_partial_backup(
    world: ObjectWorld, shell: Shell, cluster: DaskCluster
) -> None:
    """As with threads: it is named, 17, and the next run copies the rest."""
    place = world.place(min(item.id for item in world.needed))
    data = place.read_bytes()
    place.unlink()
    abroad = (*BACKUP, *at(world, "its"), "--scheduler", cluster.address)
    code, found = shell.answer(*abroad)
    assert (code, found["complete"], found["objects"]["vanished"]) == (17, False, 1)
    place.write_bytes(data)
    code, found = shell.answer(*abroad)
    assert (code, found["complete"], found["objects"]["copied"]) == (0, True, 1)


def test_tables_are_read_alike(
    tmp_path: Path,
    cluster: DaskCluster,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every table has the same rows and the same file, byte for byte."""
    monkeypatch.chdir(tmp_path)
    write_cluster("v3.0.3", tmp_path)
    shell = Shell(tmp_path, capsys)
    words = ("read", "latest", "--all", *BACKUPS, *STATE_FOLDER, "--on-unfit", "text", "--to")
    code, mine = shell.answer(*words, "mine")
    assert code == 0
    code, its = shell.answer(*words, "its", "--scheduler", cluster.address)
    assert (code, its["tables"]) == (0, mine["tables"])
    one, two = (
        {path.relative_to(name): path.read_bytes() for path in Path(name).rglob("*.*")}
        for name in ("mine", "its")
    )
    assert one == two
    assert len(one) == len(mine["tables"]) > 1
