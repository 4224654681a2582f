"""restore --clone into what is not the clone's own, however it is spelt: the first cluster's data,
meta store or backups. Refused, and nothing is written.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest
from object_restores import BACKUP, is_untouched, put
from object_world import ObjectWorld
from shell import BACKUPS, TARGET, Shell

from metasnapshot.cli.app import main

CLONE = ("restore", "latest", *TARGET, *BACKUPS, "--clone")
OWN = ("--hummock-storage-url", "fs://new", "--hummock-storage-directory", "data_2")


def own_place(url: str, directory: str) -> tuple[str, ...]:
    return ("--hummock-storage-url", url, "--hummock-storage-directory", directory)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> ObjectWorld:
    """One for every test in which nothing may change."""
    world = ObjectWorld(tmp_path_factory.mktemp("living"))
    put(world.path / "third/backup/manifest.json", b'{"manifest_id":1,"snapshot_metadata":[]}')
    (world.path / "link").symlink_to("state")
    (world.path / "same.db").symlink_to(world.meta)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(world.path)
        assert main(BACKUP) == 0
    return world


@pytest.fixture
def kept(
    made: ObjectWorld, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Generator[Shell]:
    """A shell there; whatever its commands end with, no file and no row has changed."""
    monkeypatch.chdir(made.path)
    shell = Shell(made.path, capsys)
    before = shell.files()
    yield shell
    assert shell.files() == before
    assert is_untouched(made)


STATE_URL, DATA = "fs://state", "hummock_001"
PLACES = {
    "the same": (STATE_URL, DATA),
    "with its prefix": ("hummock+fs://state", DATA),
    "with a slash": ("fs://state/", DATA),
    "by a detour": ("fs://backups/../state", DATA),
    "as a file URL": ("file://{path}/state", DATA),
    "absolute": ("fs://{path}/state", DATA),
    "by a link": ("fs://link", DATA),
    "doubled slashes": (STATE_URL, "/hummock_001//"),
    "its folder as root": ("fs://state/hummock_001", "x"),
    "below it": (STATE_URL, "hummock_001/x"),
    "around it": ("fs://.", "state"),
    "its backups": ("fs://backups", "backup"),
    "around its backups": ("fs://.", "backups"),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("objects", [(), ("--with-objects",)])
def test_a_data_directory_that_is_not_its_own(
    kept: Shell, place: str, objects: tuple[str, ...]
) -> None:
    """The source's own, however it is spelt, what lies in it or around it, and its backups: exit 2
    before anything is written.
    """
    url, directory = PLACES[place]
    own = own_place(url.format(path=kept.path), directory)
    code, found = kept.answer(*CLONE, *own, *objects)
    assert code == 2, found


OWNERS = {
    "its own, by another name": "moved/hummock_001",
    "around the directory": "moved",
    "in it": "moved/hummock_001/deep/down",
}


@pytest.mark.parametrize("owner", OWNERS)
def test_what_lies_there_says_whose_it_is(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    owner: str,
) -> None:
    """A place that no spelling gives away, as through two servers of one bucket: the id that a
    cluster put there does. Exit 11, and nothing is written.
    """
    monkeypatch.chdir(tmp_path)
    world, shell = ObjectWorld(tmp_path), Shell(tmp_path, capsys)
    assert shell.run(*BACKUP)[0] == 0
    shutil.copytree(world.state, world.path / "moved")
    cluster = shell.answer("show", "latest", *BACKUPS)[1]["cluster_ids"][0]
    put(world.path / OWNERS[owner] / "cluster_id/0", cluster.encode())
    before = shell.files()
    for objects in ((), ("--with-objects",)):
        code, found = shell.answer(*CLONE, *own_place("fs://moved", DATA), *objects)
        assert code == 11, found
    assert shell.files() == before
    assert is_untouched(world)


@pytest.mark.parametrize("options", [(), ("--clean", "--yes"), ("--create-schema",)])
@pytest.mark.parametrize(
    "url", ["sqlite:///meta.db", "sqlite:///./backups/../meta.db", "sqlite:///same.db"]
)
def test_the_sources_own_database(kept: Shell, url: str, options: tuple[str, ...]) -> None:
    """Refused however it is spelt, and with --clean most of all: exit 11, no row is touched."""
    command = ("restore", "latest", "--meta-store", url, *BACKUPS, "--clone", *OWN)
    code, found = kept.answer(*command, "--with-objects", *options)
    assert code == 11, found
    assert "which is cloned" in found["error"]["message"]


BACKUP_PLACES = {
    "the directory of the snapshot": ("fs://backups", "backup", 2),
    "the same, spelt otherwise": ("fs://backups/backup/", "../backup/", 2),
    "the cluster's own": ("{backup_storage_url}", "{backup_storage_directory}", 2),
    "in its data directory": ("fs://state", "hummock_001/clone", 2),
    "a third cluster's": ("fs://third", "backup", 11),
}


@pytest.mark.parametrize("place", BACKUP_PLACES)
def test_backups_that_are_not_its_own(made: ObjectWorld, kept: Shell, place: str) -> None:
    """Two meta nodes on one manifest lose each other's entries: refused, nothing is written."""
    url, directory, expected = BACKUP_PLACES[place]
    with closing(sqlite3.connect(made.meta)) as connection:
        said = dict(connection.execute("SELECT name, value FROM system_parameter").fetchall())
    there = (
        *("--overwrite-backup-storage-url", url.format(**said)),
        *("--overwrite-backup-storage-directory", directory.format(**said)),
    )
    code, found = kept.answer(*CLONE, *OWN, "--with-objects", *there)
    assert code == expected, found


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--hummock-storage-url", "fs://new"),
        ("--hummock-storage-directory", "data_2"),
        (*OWN, "--overwrite-backup-storage-url", "fs://x"),
    ],
)
def test_a_clone_needs_a_place(kept: Shell, options: tuple[str, ...]) -> None:
    """Exit 2 without a state store and a data directory, or with half a place for backups."""
    for more in ((), ("--plan",)):
        assert kept.run(*CLONE, *options, *more)[0] == 2
