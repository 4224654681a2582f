"""backup --with-objects: every object of the snapshot in the area, each copied once and checked."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import goldens
import pytest
import xxhash
from object_world import DATA, GRAPH, ObjectWorld
from shell import BACKUPS, STORE, Shell

from metasnapshot.catalogue.area import object_path, parse_name
from metasnapshot.catalogue.full import read_full
from metasnapshot.catalogue.marker import marker_path
from metasnapshot.store.local import LocalStore

BACKUP = ("backup", *STORE, *BACKUPS, "--meta-node-stopped", "--with-objects")


@pytest.fixture
def shell(world: ObjectWorld, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(world.path, capsys)


def area(world: ObjectWorld) -> dict[str, bytes]:
    """Every object of the area by its path, area.json aside."""
    root = world.path / "backups"
    found = (root / "backup" / "objects").rglob("*")
    files = {str(path.relative_to(root)): path.read_bytes() for path in found if path.is_file()}
    files.pop("backup/objects/area.json", None)
    return files


def times(world: ObjectWorld) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in world.path.rglob("objects/*/*")}


def expected(world: ObjectWorld) -> dict[str, bytes]:
    return {object_path("backup", item): world.objects[item.id] for item in world.needed}


def store(world: ObjectWorld) -> LocalStore:
    return LocalStore(world.path / "backups")


def good(shell: Shell, *arguments: str) -> dict[str, Any]:
    code, found = shell.answer(*BACKUP, *arguments)
    assert code == 0, found
    return found


def test_the_world_has_objects_of_each_kind(world: ObjectWorld) -> None:
    """The tests below would prove little with SSTs of the version alone."""
    assert {item.suffix for item in world.needed} == {DATA, "vector", GRAPH}
    assert {sst.object_id for sst in world.logs} - {
        item.id for item in world.needed if item.suffix != DATA
    }


def test_all_objects_are_copied(world: ObjectWorld, shell: Shell) -> None:
    """Byte for byte under their names; the side file has each with its hash; no marker is left."""
    found = good(shell)
    number, count = found["snapshot"]["id"], len(world.needed)
    assert area(world) == expected(world)
    full = read_full(store(world), "backup", number)
    assert full is not None
    assert list(full.objects) == [item._replace(meta_offset=0) for item in world.needed]
    hashes = [xxhash.xxh3_128_digest(world.objects[item.id]) for item in world.needed]
    assert full.hashes == b"".join(hashes)
    assert full.header.checksum == found["checksum"]
    assert (found["complete"], found["rounds"], found["warnings"]) == (True, 1, [])
    assert found["objects"] == {
        "needed": count,
        "bytes": world.needed.size,
        "copied": count,
        "bytes_copied": world.needed.size,
        "reused": 0,
        "vanished": 0,
    }
    assert store(world).head(marker_path("backup", number)) is None


def test_the_next_backup_copies_what_is_new(world: ObjectWorld, shell: Shell) -> None:
    """What an earlier side file names is neither copied nor read again."""
    good(shell)
    world.add_sst(90000)
    before = times(world)
    found = good(shell)
    assert (found["objects"]["copied"], found["objects"]["reused"]) == (1, len(world.needed) - 1)
    assert found["objects"]["bytes_copied"] == len(world.objects[90000])
    assert area(world) == expected(world)
    assert (
        before.items() <= {p: p.stat().st_mtime_ns for p in world.path.rglob("objects/*/*")}.items()
    )
    full = read_full(store(world), "backup", found["snapshot"]["id"])
    assert full is not None
    hashes = [xxhash.xxh3_128_digest(world.objects[item.id]) for item in world.needed]
    assert full.hashes == b"".join(hashes)
    assert (full.header.objects_new, full.header.bytes_new) == (1, len(world.objects[90000]))


def test_names_are_none_of_risingwaves(world: ObjectWorld, shell: Shell) -> None:
    """No file in the backup has a suffix of Hummock's; every one in the area is an object's."""
    good(shell)
    assert not [
        path
        for path in world.path.glob("backups/**/*")
        if path.suffix[1:] in {"data", "vector", "hnsw_graph"}
    ]
    assert all(parse_name(path.removeprefix("backup/objects/")) for path in area(world))


def test_nothing_is_written_in_a_dry_run(world: ObjectWorld, shell: Shell) -> None:
    """It says what would be copied, before the first backup and after it."""
    before = shell.files()
    found = good(shell, "--dry-run")
    assert (found["objects"]["copied"], found["complete"]) == (len(world.needed), False)
    assert shell.files() == before
    good(shell)
    assert good(shell, "--dry-run")["objects"]["copied"] == 0


@pytest.mark.parametrize("kind", ["data", "vector", "hnsw_graph"])
def test_what_vanished_is_named(world: ObjectWorld, shell: Shell, kind: str) -> None:
    """Exit 17; the other objects are copied, the snapshot stays partial, no side file is there. A
    second run, when the object is back, copies that alone.
    """
    item = next(item for item in world.needed if item.suffix == kind)
    data = world.place(item.id).read_bytes()
    place = world.place(item.id)
    place.unlink()
    code, found = shell.answer(*BACKUP)
    assert (code, found["complete"], found["objects"]["vanished"]) == (17, False, 1)
    (finding,) = found["findings"]
    assert finding["row"].endswith(place.name)
    assert area(world).keys() == expected(world).keys() - {object_path("backup", item)}
    assert list(world.path.rglob("*.full")) == []
    place.write_bytes(data)
    assert good(shell)["objects"]["copied"] == 1
    assert area(world) == expected(world)


def test_damage_at_the_source_is_named(world: ObjectWorld, shell: Shell) -> None:
    """Exit 4 for a block that rotted; nothing of it gets into the area."""
    item = next(item for item in world.needed if item.suffix == DATA)
    place = world.place(item.id)
    data = bytearray(place.read_bytes())
    data[5] ^= 1
    place.write_bytes(data)
    code, found = shell.answer(*BACKUP)
    assert (code, found["complete"]) == (4, False)
    assert place.name in found["findings"][0]["what"]
    assert object_path("backup", item) not in area(world)
    assert list(world.path.rglob("*.full")) == []


def test_left_overs_are_checked_before_they_are_believed(world: ObjectWorld, shell: Shell) -> None:
    """Objects that no side file names are compared by content: right ones are taken, wrong ones
    told (4 for an SST, 11 for what has no hashes of its own).
    """
    good(shell)
    for path in world.path.rglob("*.full"):
        path.unlink()
    assert good(shell)["objects"]["copied"] == 0
    for kind, wanted in ((DATA, 4), (GRAPH, 11)):
        for path in world.path.rglob("*.full"):
            path.unlink()
        item = next(item for item in world.needed if item.suffix == kind)
        place = world.path / "backups" / object_path("backup", item)
        kept = place.read_bytes()
        place.chmod(0o600)
        place.write_bytes(kept[:50] + bytes([kept[50] ^ 1]) + kept[51:])
        assert shell.answer(*BACKUP)[0] == wanted
        assert list(world.path.rglob("*.full")) == []
        place.write_bytes(kept)


@pytest.mark.parametrize("kind", [GRAPH, "vector"])
def test_what_has_no_epoch_is_compared(world: ObjectWorld, shell: Shell, kind: str) -> None:
    """The tags of graphs and vector files are the same in another life of the cluster, so content
    decides, even beside a side file: exit 11. An SST of one id, but of that life, proves nothing.
    """
    world.add_sst(90_000)
    good(shell)
    world.remove_sst(90_000)
    world.live_again()
    world.add_sst(90_000)
    item = next(item for item in world.needed if item.suffix == kind)
    world.place(item.id).write_bytes(bytes(item.size))
    code, found = shell.answer(*BACKUP)
    assert (code, "objects" in found) == (11, False)
    assert f"{item.id}-" in found["error"]["message"]


@pytest.mark.parametrize(("lost", "wanted"), [(False, 0), (True, 11)])
def test_what_is_of_one_moment_is_not_compared(
    world: ObjectWorld, shell: Shell, wanted: int, *, lost: bool
) -> None:
    """Where nothing was committed since, a side file speaks for all kinds; but not if the snapshot
    that it is of has gone: another one may have its id.
    """
    number = good(shell)["snapshot"]["id"]
    for item in [item for item in world.needed if item.suffix in (GRAPH, "vector")]:
        world.place(item.id).write_bytes(bytes(item.size))
    if lost:
        Path(f"backups/backup/{number}.snapshot").unlink()
    assert shell.answer(*BACKUP)[0] == wanted


def test_a_cut_object_in_the_area_is_damage(world: ObjectWorld, shell: Shell) -> None:
    """Exit 4, and the hint says what to do; doing it heals the area."""
    good(shell)
    item = world.needed[3]
    place = world.path / "backups" / object_path("backup", item)
    place.write_bytes(place.read_bytes()[:-1])
    code, found = shell.answer(*BACKUP)
    assert (code, place.name in found["error"]["message"]) == (4, True)
    place.unlink()
    assert good(shell)["objects"]["copied"] == 1
    assert area(world) == expected(world)


PLACES = {
    "below the data directory": "fs://state",
    "the data directory": "fs://state/hummock_001",
    "deep below it": "fs://state/hummock_001/x/y",
}


@pytest.mark.parametrize("url", PLACES.values(), ids=PLACES.keys())
def test_a_place_below_the_data_directory_is_refused(shell: Shell, url: str) -> None:
    """Exit 2 before anything is written; the hint names a directory beside it."""
    before = shell.files()
    directory = "hummock_001/backups" if url == "fs://state" else "backups"
    there = ("--backup-storage-url", url, "--backup-storage-directory", directory)
    code, found = shell.answer("backup", *STORE, *there, "--meta-node-stopped", "--with-objects")
    assert (code, "data directory" in found["error"]["message"]) == (2, True)
    assert "--backup-storage-directory backups_full" in found["error"]["hint"]
    assert shell.files() == before


@pytest.mark.parametrize("above", ["", "backups", "backups/a", "backups/a/b"])
def test_a_place_below_any_cluster_is_refused(world: ObjectWorld, shell: Shell, above: str) -> None:
    """Where an ancestor has cluster_id/0, above the store's root too: exit 2."""
    place = world.path / above / "cluster_id" / "0"
    place.parent.mkdir(parents=True)
    place.write_text("another")
    before = shell.files()
    there = (*BACKUPS, "--backup-storage-directory", "a/b")
    code, found = shell.answer("backup", *STORE, *there, "--meta-node-stopped", "--with-objects")
    assert (code, "cluster_id/0" in found["error"]["message"]) == (2, True)
    assert shell.files() == before


@pytest.mark.parametrize(
    ("text", "wanted"),
    [('{"format": 2}', 14), ("x", 4), ('{"format": 1, "cluster_id": "another"}', 11)],
)
def test_a_wrong_area_is_left_alone(
    world: ObjectWorld, shell: Shell, text: str, wanted: int
) -> None:
    """Of another format, of none, of another cluster: told before anything is written."""
    place = world.path / "backups/backup/objects/area.json"
    place.parent.mkdir(parents=True)
    place.write_text(text)
    before = shell.files()
    assert shell.answer(*BACKUP)[0] == wanted
    assert shell.files() == before


def test_a_dead_marker_is_taken_away(world: ObjectWorld, shell: Shell) -> None:
    """One that a killed backup of this host left does not stay for ever; a living one does."""
    found = store(world)
    for number, pid in ((500, 2**22 + 1), (501, os.getpid())):
        marker = {"holder": {"pid": pid, "host": os.uname().nodename, "since": "x"}, "beat": 1}
        found.put_if_absent(marker_path("backup", number), json.dumps(marker).encode())
    good(shell)
    assert [path.name for path in world.path.rglob("*.copying")] == ["501.copying"]


@pytest.mark.parametrize("options", [("--jobs", "1"), ("--jobs", "3", "--memory", "1M")])
def test_any_pace_gives_the_same(
    world: ObjectWorld, shell: Shell, options: tuple[str, ...]
) -> None:
    """One thread or several, little memory: the same names and bytes."""
    assert good(shell, *options)["complete"]
    assert area(world) == expected(world)


@pytest.mark.parametrize(
    "options",
    [
        ("--with-objects", "--jobs", "0"),
        ("--with-objects", "--memory", "12"),
        ("--with-objects", "--bwlimit", "fast"),
        ("--jobs", "3"),
        ("--bwlimit", "1M"),
    ],
)
def test_wrong_options_are_told(shell: Shell, options: tuple[str, ...]) -> None:
    """Exit 2, and nothing is written."""
    before = shell.files()
    assert shell.run("backup", *STORE, *BACKUPS, *options)[0] == 2
    assert shell.files() == before


def test_it_is_said_in_words(world: ObjectWorld, shell: Shell) -> None:
    """What was copied, what was there, and that the backup is full."""
    code, out, err = shell.run(*BACKUP)
    assert (code, err) == (0, "")
    count = len(world.needed)
    assert f"objects: {count} copied" in out
    assert f"full: all {count} objects" in out
    world.place(world.needed[0].id).unlink()
    for path in (world.path / "backups/backup/objects").glob("*/*"):
        path.unlink()
    code, out, err = shell.run(*BACKUP)
    assert (code, "full:" in out, "is missing" in err) == (17, False, True)


def test_a_plain_backup_touches_no_objects(world: ObjectWorld, shell: Shell) -> None:
    """Without the option there is no area, as ever."""
    code, found = shell.answer("backup", *STORE, *BACKUPS, "--meta-node-stopped")
    assert (code, "objects" in found, area(world)) == (0, False, {})
    assert goldens.DATA_DIRECTORY in str(world.place(world.needed[0].id))
