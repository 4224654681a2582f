"""--via-meta: a meta node that is set to back up into another cluster's directory."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import goldens
import pytest
from meta_node import FakeMetaNode
from test_meta_node import run

import metasnapshot
from metasnapshot.catalogue import changes
from metasnapshot.catalogue.repository import Repository
from metasnapshot.format.messages import NEWEST, message_class
from metasnapshot.store.local import LocalStore

TAG = goldens.SHIPPED / "v3.0.3"
OTHER = "00000000-0000-4000-8000-00000000000b"


class WritingNode(FakeMetaNode):
    """One that writes real snapshots, of a cluster, into a directory."""

    def __init__(self, directory: Path, cluster: str) -> None:
        super().__init__()
        self.directory, self.cluster, self.sequence = directory, cluster, 8
        self.damage = False

    def make(self, job: int) -> None:
        snapshot = metasnapshot.loads((TAG / "backup" / "7.snapshot").read_bytes())
        snapshot.id = job
        row = snapshot.sections["clusters"][0]
        row.cluster_id = type(row.cluster_id)(self.cluster)
        changes.create(Repository(LocalStore(self.directory), "backup"), snapshot)
        (self.directory / "backup" / "metasnapshot.facts.json").unlink(missing_ok=True)
        if self.damage:
            path = self.directory / "backup" / f"{job}.snapshot"
            path.write_bytes(path.read_bytes()[:-1] + b"x")
        super().make(job)


def directory_of_one(path: Path) -> None:
    """Golden snapshots 2 and 7, of one cluster, of which nothing is recorded."""
    shutil.copytree(TAG / "backup", path / "backup")
    changes.delete(Repository(LocalStore(path), "backup"), [1])
    for left in ("metasnapshot.json", "metasnapshot.facts.json"):
        (path / "backup" / left).unlink(missing_ok=True)


def own_cluster() -> str:
    snapshot = metasnapshot.loads((TAG / "backup" / "7.snapshot").read_bytes())
    return str(snapshot.sections["clusters"][0].cluster_id)


def tell(node: FakeMetaNode, cluster: str | None, **parameters: str) -> None:
    """What RisingWave's other services answer: a tracking id, and system parameters."""
    if cluster is not None:
        data = cluster.encode()
        node.tells["GetTelemetryInfo"] = bytes([10, len(data)]) + data
    if parameters:
        data = message_class("meta.SystemParams", NEWEST)(**parameters).SerializeToString()
        node.tells["GetSystemParams"] = bytes([10, len(data)]) + data


def files(path: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in path.rglob("*") if file.is_file()}


@pytest.fixture
def node(tmp_path: Path, node: FakeMetaNode) -> FakeMetaNode:  # noqa: ARG001 - for its pauses
    """The node of `node_url`, which backs up into a directory that is another cluster's."""
    directory_of_one(tmp_path / "backups")
    return WritingNode(tmp_path / "backups", OTHER)


@pytest.mark.parametrize("knows", ["its address", "the directory", "the meta store"])
def test_another_clusters_directory_is_refused_before_the_node_is_asked(
    knows: str,
    node: FakeMetaNode,
    node_url: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit 11 with both ids, no job, no byte: by what the node says, or by its meta store."""
    place = ("--backup-storage-url", f"fs://{tmp_path}/backups")
    url = f"fs://{tmp_path}/backups"
    options: tuple[str, ...] = ()
    if knows == "its address":
        tell(node, OTHER, backup_storage_url=url, backup_storage_directory="backup")
    elif knows == "the directory":
        tell(node, OTHER)
        options = place
    else:
        store = goldens.copy_store(TAG, tmp_path / "meta.db")
        set_cluster(store, OTHER)
        options = (*place, "--meta-store", f"sqlite:///{store}")
    before = files(tmp_path / "backups")
    code, out, err = run(capsys, "backup", "--via-meta", node_url, *options)
    assert (code, out) == (11, ""), err
    assert (OTHER in err, own_cluster() in err) == (True, True)
    assert (node.calls, node.snapshots, files(tmp_path / "backups")) == ([], [], before)


def set_cluster(path: Path, cluster: str) -> None:

    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        kind = type(connection.execute("SELECT cluster_id FROM cluster").fetchone()[0])
        value: Any = bytes.fromhex(cluster.replace("-", "")) if kind is bytes else cluster
        connection.execute("UPDATE cluster SET cluster_id = ?", (value,))


@pytest.mark.parametrize("as_json", [True, False])
def test_a_node_that_says_nothing_is_caught_by_its_snapshot(
    as_json: bool,  # noqa: FBT001
    node: FakeMetaNode,
    node_url: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit 11 that names the snapshot and the way out; that is there, and the way out works."""
    place = ("--backup-storage-url", f"fs://{tmp_path}/backups")
    line = ("backup", "--via-meta", node_url, *place, *(("--json",) if as_json else ()))
    code, out, err = run(capsys, *line)
    told = out + err
    assert (code, "snapshot 8" in told, OTHER in told, own_cluster() in told) == (11, *[True] * 3)
    assert "delete 8 --via-meta" in told
    assert [item.id for item in node.snapshots] == [8]
    assert run(capsys, "delete", "8", "--via-meta", node_url, "--yes")[0] == 0


@pytest.mark.parametrize("says", [True, False])
def test_its_own_directory_is_no_trouble(
    says: bool,  # noqa: FBT001
    node: FakeMetaNode,
    node_url: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A second snapshot of the same cluster, whether the node says whose it is or not."""
    assert isinstance(node, WritingNode)
    node.cluster = own_cluster()
    url = f"fs://{tmp_path}/backups"
    if says:
        tell(node, own_cluster(), state_store=f"hummock+{url}", backup_storage_directory="backup")
    line = ("backup", "--via-meta", node_url, "--backup-storage-url", url, "--json")
    code, out, err = run(capsys, *line)
    assert (code, json.loads(out)["snapshot_id"], err) == (0, 8, "")


def test_what_cannot_be_looked_at_is_said(
    node: FakeMetaNode, node_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No directory, one that cannot be read from here, one that the node does not use, damage."""
    code, _, err = run(capsys, "backup", "--via-meta", node_url)
    assert (code, "was not looked at" in err) == (0, True)
    tell(node, OTHER, backup_storage_url="azblob://nowhere", backup_storage_directory="backup")
    code, _, err = run(capsys, "backup", "--via-meta", node_url)
    assert (code, "cannot be read from here" in err) == (0, True)
    url = f"fs://{tmp_path}/else"
    code, _, err = run(capsys, "backup", "--via-meta", node_url, "--backup-storage-url", url)
    assert (code, "not into" in err) == (0, True)
    node.tells.clear()
    assert isinstance(node, WritingNode)
    node.damage = True
    url = f"fs://{tmp_path}/backups"
    code, _, err = run(capsys, "backup", "--via-meta", node_url, "--backup-storage-url", url)
    assert (code, "snapshot 11 was not looked at" in err) == (0, True)
    node.tells["GetSystemParams"] = bytes([10, 2, 255, 255])
    assert run(capsys, "backup", "--via-meta", node_url)[0] == 0
