"""restore --with-objects: the objects of a full backup, then rows, then the checkpoint; what is in
the target is right, or nothing is written.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest
from object_restores import (
    BACKUP,
    CLUSTER_ID,
    NEW,
    OVERWRITE,
    RESTORE,
    is_untouched,
    put,
    restored,
    target_path,
    with_full_backup,
)
from object_world import DATA, GRAPH, ObjectWorld
from shell import BACKUPS, TARGET, Shell

from metasnapshot.hummock.paths import object_path


@pytest.fixture
def shell(world: ObjectWorld, capsys: pytest.CaptureFixture[str]) -> Shell:
    found = with_full_backup(world, capsys)
    shutil.rmtree(world.state)
    return found


def sequences(world: ObjectWorld) -> dict[str, int]:
    with closing(sqlite3.connect(world.empty)) as connection:
        return dict(connection.execute("SELECT name, seq FROM hummock_sequence").fetchall())


def test_everything_is_back(world: ObjectWorld, shell: Shell) -> None:
    """Into another store and directory by one command: the objects byte for byte, rows,
    parameters and checkpoint.
    """
    code, found = shell.answer(*RESTORE)
    assert code == 0, found
    assert restored(world) == world.objects
    count = len(world.needed)
    assert found["plan"]["objects"] == {
        "needed": count,
        "bytes": world.needed.size,
        "there": 0,
        "to_copy": count,
        "bytes_to_copy": world.needed.size,
    }
    with closing(sqlite3.connect(world.empty)) as connection:
        rows = connection.execute("SELECT name, value FROM system_parameter").fetchall()
    parameters = dict(rows)
    assert parameters["state_store"] == "hummock+fs://new"
    assert (parameters["data_directory"], parameters["backup_storage_directory"]) == ("data_2", "b")
    assert (world.path / "new/data_2/checkpoint/0").is_file()


def test_a_plan_writes_nothing(world: ObjectWorld, shell: Shell) -> None:
    """It says what would be copied."""
    before = shell.files()
    code, found = shell.answer(*RESTORE, "--plan")
    assert (code, found["ok"], found["objects"]["to_copy"]) == (0, True, len(world.needed))
    assert shell.files() == before


def test_what_is_there_is_passed_over(world: ObjectWorld, shell: Shell) -> None:
    """A second run, after one that died between objects and rows, copies the rest."""
    items = list(world.needed)
    for item in items[:5]:
        put(target_path(world, item.id), world.objects[item.id])
    before = {path: path.stat().st_mtime_ns for path in world.path.rglob("new/data_2/*.*")}
    assert len(before) == 5
    code, found = shell.answer(*RESTORE)
    assert (code, found["plan"]["objects"]["there"]) == (0, 5)
    assert restored(world) == world.objects
    assert (
        before.items()
        <= {path: path.stat().st_mtime_ns for path in world.path.rglob("new/data_2/*.*")}.items()
    )


def test_a_second_restore_finds_all_done(world: ObjectWorld, shell: Shell) -> None:
    """Nothing is written twice."""
    assert shell.run(*RESTORE)[0] == 0
    before = shell.files()
    code, out, _ = shell.run(*RESTORE)
    assert (code, "restored already" in out) == (0, True)
    assert shell.files() == before
    assert restored(world) == world.objects


WRONG: dict[str, tuple[Callable[[bytes], bytes], tuple[str, ...]]] = {
    "cut": (lambda data: data[:-1], ()),
    "empty": (lambda _: b"", ()),
    "longer": (lambda data: data + b"\0", ()),
    "another end": (lambda data: data[:-1] + bytes([data[-1] ^ 1]), ("--compare", "tail")),
    "another end, by data": (lambda data: data[:-1] + b"\xfe", ("--compare", "data")),
    "another middle": (lambda data: data[:9] + b"\xfe\xfd" + data[11:], ("--compare", "data")),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("kind", [DATA, GRAPH])
def test_what_is_wrong_is_refused(world: ObjectWorld, shell: Shell, wrong: str, kind: str) -> None:
    """Exit 11, all of it named, before anything is written: no object, no row."""
    change, options = WRONG[wrong]
    items = [item for item in world.needed if item.suffix == kind][:2]
    for item in items:
        put(target_path(world, item.id), change(world.objects[item.id]))
    before = shell.files()
    code, found = shell.answer(*RESTORE, *options)
    assert code == 11
    assert all(f"/{item.id}.{item.suffix}" in found["error"]["message"] for item in items)
    assert shell.files() == before
    assert is_untouched(world)


def test_right_ones_pass_each_comparison(world: ObjectWorld, shell: Shell) -> None:
    """Size, last bytes and all bytes alike."""
    for item in world.needed:
        put(target_path(world, item.id), world.objects[item.id])
    for compare in ("size", "tail", "data"):
        code, found = shell.answer(*RESTORE, "--plan", "--compare", compare)
        assert (code, found["objects"]["to_copy"]) == (0, 0)


def test_sequences_are_above_the_largest_id_there(world: ObjectWorld, shell: Shell) -> None:
    """Objects that the same cluster wrote after the snapshot keep their ids for themselves."""
    cluster = shell.answer("show", "latest", *BACKUPS)[1]["cluster_ids"][0]
    put(world.path / "new" / CLUSTER_ID, cluster.encode())
    put(world.path / "new/data_2/9007199254749999.data", b"later")
    assert shell.run(*RESTORE)[0] == 0
    assert sequences(world)["sstable_object"] == 9007199254750000


def test_objects_of_nobody_are_refused(world: ObjectWorld, shell: Shell) -> None:
    """Objects that no snapshot needs, and no cluster_id/0 that says whose they are: exit 11; of
    another cluster too.
    """
    put(world.path / "new/data_2/9007199254749999.data", b"whose?")
    before = shell.files()
    assert shell.answer(*RESTORE)[0] == 11
    put(world.path / "new" / CLUSTER_ID, b"another cluster")
    assert shell.answer(*RESTORE)[0] == 11
    (world.path / "new" / CLUSTER_ID).unlink()
    assert shell.files() == before
    assert is_untouched(world)


@pytest.mark.parametrize(
    "place",
    [
        ("--hummock-storage-url", "fs://backups", "--hummock-storage-directory", "backup"),
        ("--hummock-storage-url", "fs://backups", "--hummock-storage-directory", "backup/objects"),
        ("--hummock-storage-url", "fs://backups/backup", "--hummock-storage-directory", "objects"),
        ("--hummock-storage-url", "fs://.", "--hummock-storage-directory", "backups"),
    ],
)
def test_source_and_target_are_not_one(shell: Shell, place: tuple[str, ...]) -> None:
    """Exit 2 where one lies in the other."""
    before = shell.files()
    command = ("restore", "latest", *TARGET, *BACKUPS, "--with-objects", *OVERWRITE, *place)
    assert shell.answer(*command)[0] == 2
    assert shell.files() == before


@pytest.mark.parametrize("directory", ["backup", "backup/x", "backup/objects/y/z"])
def test_a_target_in_any_backup_directory(world: ObjectWorld, shell: Shell, directory: str) -> None:
    """A data directory that is, or lies below, a backup directory of anybody's, which the area in
    it shows: exit 2, whatever its address.
    """
    shutil.copytree(world.path / "backups", world.path / "mirror")
    before = shell.files()
    place = ("--hummock-storage-url", "fs://mirror", "--hummock-storage-directory", directory)
    command = ("restore", "latest", *TARGET, *BACKUPS, "--with-objects", *OVERWRITE, *place)
    code, found = shell.answer(*command)
    assert (code, "area.json" in found["error"]["message"]) == (2, True), found
    assert shell.files() == before


@pytest.mark.parametrize("options", [("--jobs", "3"), ("--compare", "data")])
def test_options_of_objects_need_them(shell: Shell, options: tuple[str, ...]) -> None:
    """Exit 2 without --with-objects."""
    before = shell.files()
    assert shell.run("restore", "latest", *TARGET, *BACKUPS, *NEW, *options)[0] == 2
    assert shell.files() == before


@pytest.mark.parametrize(
    ("parameter", "prefixed"), [("true", True), ("false", False), (None, False)]
)
def test_names_are_by_the_targets_rule(
    world: ObjectWorld, capsys: pytest.CaptureFixture[str], parameter: str | None, *, prefixed: bool
) -> None:
    """Hashed directories where the snapshot's parameter says so; a missing one means no."""
    name = "use_new_object_prefix_strategy"
    with closing(sqlite3.connect(world.meta)) as connection, connection:
        connection.execute("DELETE FROM system_parameter WHERE name = ?", (name,))
        if parameter is not None:
            row = (name, parameter)
            connection.execute("INSERT INTO system_parameter VALUES (?, ?, 0, NULL)", row)
    root = world.path / "state"
    for item in world.needed:
        old = root / object_path("hummock_001", item.id, item.suffix, prefixed=False)
        new = root / object_path("hummock_001", item.id, item.suffix, prefixed=prefixed)
        new.parent.mkdir(exist_ok=True)
        old.rename(new)
    shell = Shell(world.path, capsys)
    assert shell.run(*BACKUP)[0] == 0
    assert shell.run(*RESTORE)[0] == 0
    for item in world.needed:
        path = world.path / "new" / object_path("data_2", item.id, item.suffix, prefixed=prefixed)
        assert path.read_bytes() == world.objects[item.id]
