"""backup --with-objects --via-meta: by a real channel, and in a process that is ended."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import goldens
import pytest
from meta_node import FakeMetaNode, message, serve
from object_world import ObjectWorld
from test_meta_node import run

from metasnapshot.catalogue import changes
from metasnapshot.catalogue.repository import Repository
from metasnapshot.format.messages import NEWEST, message_class
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations.backup import backup
from metasnapshot.operations.backup_options import BackupOptions
from metasnapshot.store.local import LocalStore

PATIENCE_S = 120.0
SLOW = ("--bwlimit", "3K", "--jobs", "1")


class MakingNode(FakeMetaNode):
    """One that makes real snapshots of a small cluster in its own directory."""

    def __init__(self, world: ObjectWorld) -> None:
        super().__init__()
        self.world, self.sequence = world, 9
        self.repository = Repository(LocalStore(world.path / "own"), "backup")
        found = {
            "state_store": f"hummock+fs://{world.state}",
            "data_directory": goldens.DATA_DIRECTORY,
            "backup_storage_url": f"fs://{world.path}/own",
            "backup_storage_directory": "backup",
        }
        data = message_class("meta.SystemParams", NEWEST)(**found).SerializeToString()
        self.tells["GetSystemParams"] = _told(data)

    def make(self, job: int) -> None:
        options = BackupOptions(
            remarks=self.remarks, meta_node_stopped=True, into_cluster_directory=True
        )
        with open_meta_store(f"sqlite:///{self.world.meta}") as store:
            made = backup(store, self.repository, options, LocalStore(self.world.state))
        assert made.entry.id == job
        self.snapshots.append(message("MetaSnapshotMetadata", id=job, remarks=self.remarks))

    def remove(self, ids: Iterable[int]) -> None:
        gone = list(ids)
        super().remove(gone)
        changes.delete(self.repository, gone)


def _told(data: bytes) -> bytes:
    """An answer whose first field is these bytes."""
    size, rest = bytearray(), len(data)
    while rest >= 0x80:
        size.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([10, *size, rest]) + data


@pytest.fixture
def world(tmp_path: Path) -> ObjectWorld:
    return ObjectWorld(tmp_path)


@pytest.fixture
def node(world: ObjectWorld, node: FakeMetaNode) -> FakeMetaNode:  # noqa: ARG001 - for its pauses
    return MakingNode(world)


def place(world: ObjectWorld) -> tuple[str, ...]:
    return "--backup-storage-url", f"fs://{world.path}/full"


def notes(world: ObjectWorld) -> list[Path]:
    return list((world.path / "full").rglob("*.pin"))


def test_the_verb(
    world: ObjectWorld, node: FakeMetaNode, node_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Full and released; with --keep-pin the node has it still; as JSON and in words."""
    line = ("backup", "--with-objects", "--via-meta", node_url, *place(world))
    code, out, err = run(capsys, *line, "--json", "--remarks", "nightly")
    found = json.loads(out)
    assert (code, err, found["complete"], found["pinned"], found["rounds"]) == (
        0,
        "",
        True,
        False,
        1,
    )
    assert found["objects"]["copied"] == found["objects"]["needed"] == len(world.needed)
    assert (node.snapshots, notes(world)) == ([], [])
    code, out, err = run(capsys, *line, "--keep-pin")
    assert (code, err) == (0, "")
    assert "which pins it\n" in out
    assert f"full: all {len(world.needed)} objects" in out
    assert [item.id for item in node.snapshots] == [10]
    code, out, _ = run(capsys, "list", "--json", *place(world))
    assert [item["completeness"] for item in json.loads(out)["snapshots"]] == ["full", "full"]
    code, _, _ = run(capsys, "verify", "--all", "--content", "hashes", *place(world))
    assert code == 0


def test_the_meta_store_says_what_the_node_does_not(
    world: ObjectWorld, node: FakeMetaNode, node_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where its backups lie; without either it is 2, and the node is not asked for a snapshot."""
    node.tells.clear()
    line = ("backup", "--with-objects", "--via-meta", node_url, *place(world))
    code, _, err = run(capsys, *line)
    assert (code, "--meta-store says it" in err, node.calls) == (2, True, [])
    with sqlite3.connect(world.meta) as connection:
        for name, value in (
            ("backup_storage_url", f"fs://{world.path}/own"),
            ("backup_storage_directory", "backup"),
        ):
            connection.execute(
                "UPDATE system_parameter SET value = ? WHERE name = ?", (value, name)
            )
    code, out, _ = run(capsys, *line, "--meta-store", f"sqlite:///{world.meta}", "--json")
    assert (code, json.loads(out)["complete"]) == (0, True)
    assert node.snapshots == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--keep-pin", "--via-meta", "http://meta:1"), "--keep-pin means nothing without --with"),
        (("--keep-pin", "--with-objects"), "--keep-pin means nothing without --via-meta"),
        (("--via-meta", "http://meta:1", "--with-objects", "--rounds", "2"), "--rounds: not with"),
        (("--via-meta", "http://meta:1", "--with-objects", "--dry-run"), "--dry-run: not with"),
    ],
)
def test_what_means_nothing_is_2(
    world: ObjectWorld, more: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anybody is asked."""
    store = ("--meta-store", f"sqlite:///{world.meta}")
    code, out, err = run(capsys, "backup", *store, *place(world), *more)
    assert (code, out, said in err) == (2, "", True)


@pytest.fixture
def at_work(world: ObjectWorld, node: FakeMetaNode) -> Generator[Any]:
    """A process that copies slowly, when it has begun to."""
    with serve(node) as url:
        line = ("backup", "--with-objects", "--via-meta", url, *place(world), *SLOW)
        process = subprocess.Popen([sys.executable, "-m", "metasnapshot", *line])
        try:
            deadline = time.monotonic() + PATIENCE_S
            while not list(world.path.glob("full/backup/objects/*/*.sst")):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield process, url
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_who_is_asked_to_end_releases(
    number: int, world: ObjectWorld, node: FakeMetaNode, at_work: Any
) -> None:
    """Exit 130; the node has no snapshot, the directory no note and no full one."""
    process, _ = at_work
    assert len(node.snapshots) == 1
    process.send_signal(number)
    assert process.wait(PATIENCE_S) == 130
    assert (node.snapshots, notes(world)) == ([], [])
    assert list(world.path.rglob("*.full")) == []


def test_what_a_killed_one_left_the_next_releases(
    world: ObjectWorld, node: FakeMetaNode, at_work: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """kill -9: the snapshot stays pinned, and the note too; the next run releases both, copies the
    rest alone and is full.
    """
    process, url = at_work
    process.kill()
    process.wait(PATIENCE_S)
    assert (len(node.snapshots), len(notes(world))) == (1, 1)
    line = ("backup", "--with-objects", "--via-meta", url, *place(world), "--json")
    code, out, err = run(capsys, *line)
    found = json.loads(out)
    assert (code, found["complete"], found["objects"]["reused"] > 0) == (0, True, True)
    assert "a killed backup left pinned" in err
    assert (node.snapshots, notes(world)) == ([], [])
