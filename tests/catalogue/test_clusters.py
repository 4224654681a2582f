"""One directory, one cluster: another's snapshots do not come in, and where they are in already
nothing picks or counts among them until somebody says of which cluster."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import Any

import goldens
import pytest
import v1_snapshots
from shell import BACKUPS, STATE_FOLDER, STORE, TARGET, UNLOOKED, Shell
from v1_manifests import write_snapshots

import metasnapshot
from metasnapshot.catalogue import changes
from metasnapshot.catalogue.clusters import clusters_in, entries_of, newest_of
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import ConflictError, UsageError
from metasnapshot.format.peek import peek_cluster
from metasnapshot.operations.backup import BackupOptions
from metasnapshot.operations.copy import copy
from metasnapshot.store.local import LocalStore
from metasnapshot_models.v1 import V1_LAYOUTS

TAG = goldens.SHIPPED / "v3.0.3"
OTHER = "00000000-0000-4000-8000-00000000000b"


def another(data: bytes, number: int, state: Path | None = None) -> bytes:
    """The same snapshot of another cluster, under another id."""
    snapshot = metasnapshot.loads(data)
    snapshot.id = number
    kind = type(snapshot.sections["clusters"][0].cluster_id)
    snapshot.sections["clusters"][0].cluster_id = kind(OTHER)
    for row in snapshot.sections["hummock_sequences"]:
        row.seq += 1000
    if state is not None:
        for row in snapshot.sections["system_parameters"]:
            if row.name == "state_store":
                row.value = f"hummock+fs://{state}"
    return metasnapshot.dumps(snapshot)


def of_one(tag: Path, path: Path) -> Repository:
    """Snapshots 2 and 7; golden snapshot 1 is of another cluster."""
    changes.delete(goldens.copy_backups(tag, path), [1])
    for left in ("metasnapshot.json", "metasnapshot.facts.json"):
        (path / "backup" / left).unlink(missing_ok=True)
    return Repository(LocalStore(path), "backup")


def mix(path: Path, tag: Path = TAG) -> Repository:
    """Snapshots 2 and 7 of one cluster, 20 and 21 of another, none of which is recorded."""
    found = of_one(tag, path)
    data = (tag / "backup" / "7.snapshot").read_bytes()
    other = Repository(LocalStore(path / "elsewhere"), "backup")
    for number in (20, 21):
        changes.create(other, metasnapshot.loads(another(data, number)))
        (path / "backup" / f"{number}.snapshot").write_bytes(another(data, number))
        changes.enter(found, other.entry(number))
    return Repository(found.store, "backup")


def own_cluster(tag: Path = TAG) -> str:
    snapshot = metasnapshot.loads((tag / "backup" / "7.snapshot").read_bytes())
    return str(snapshot.sections["clusters"][0].cluster_id)


@pytest.mark.parametrize("path", goldens.SNAPSHOTS, ids=goldens.name)
def test_a_file_says_its_cluster_without_being_read(path: Path) -> None:
    """Of every layout, the id that its section has; cut anywhere before it, there is none."""
    data = path.read_bytes()
    snapshot = metasnapshot.loads(data)
    ids = [str(row.cluster_id) for row in snapshot.sections["clusters"]]
    assert peek_cluster(BytesIO(data)) == min(ids)
    for size in (0, 7, 12, 20, 100, 1000):
        assert peek_cluster(BytesIO(data[:size])) is None


@pytest.mark.parametrize("layout", V1_LAYOUTS)
def test_a_v1_file_says_its_cluster_too(layout: str) -> None:
    """If its layout has a place for it; cut anywhere, it says none."""
    data = metasnapshot.dumps(v1_snapshots.cluster(layout, 1))
    has_one = any(member.name == "cluster_id" for member in V1_LAYOUTS[layout].members)
    assert peek_cluster(BytesIO(data)) == (v1_snapshots.CLUSTER_ID if has_one else None)
    for size in (0, 3, 11, 20, len(data) // 2, len(data) - 9, len(data) - 1):
        assert peek_cluster(BytesIO(data[:size])) is None
    huge = data[:12] + b"\xff\xff\xff\xff" + data[16:]
    assert peek_cluster(BytesIO(huge)) is None


@pytest.mark.parametrize("dialect", ["1.4", "1.6", "1.10"])
def test_v1_files_of_two_clusters_are_mixed(dialect: str, tmp_path: Path) -> None:
    """Of which nothing is recorded, as risectl leaves them; one that is damaged mixes nothing."""
    first, second = (v1_snapshots.cluster("v1-1.8", number) for number in (1, 2))
    second.sections["cluster_id"] = [OTHER]
    found = write_snapshots(tmp_path, dialect, first, second)
    assert clusters_in(found) == {1: v1_snapshots.CLUSTER_ID, 2: OTHER}
    with pytest.raises(ConflictError, match="snapshots of 2 clusters"):
        entries_of(found)
    path = tmp_path / "backup" / "2.snapshot"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert set(clusters_in(Repository(found.store, "backup")).values()) == {v1_snapshots.CLUSTER_ID}


@pytest.mark.parametrize("tag", goldens.STORES, ids=lambda tag: tag.name)
def test_a_mixed_directory_is_named(tag: Path, tmp_path: Path) -> None:
    """Each cluster with its snapshots, and nothing is picked; a named one has its own."""
    found = mix(tmp_path, tag)
    own = own_cluster(tag)
    assert clusters_in(found) == {2: own, 7: own, 20: OTHER, 21: OTHER}
    with pytest.raises(ConflictError, match=f"2 clusters: .*{OTHER}.* 20, 21") as caught:
        entries_of(found)
    assert own in str(caught.value)
    assert (caught.value.exit_code, "--cluster" in caught.value.hint) == (11, True)
    for cluster, ids in ((own, [2, 7]), (OTHER, [20, 21])):
        found.cluster = cluster
        assert [entry.id for entry in entries_of(found)] == ids
    found.cluster = "nobody's"
    with pytest.raises(UsageError, match="no snapshot of cluster nobody's"):
        entries_of(found)


@pytest.mark.parametrize("number", [2, 7])
def test_damage_mixes_nothing(tmp_path: Path, number: int) -> None:
    """A file that does not verify is no proof that there is another cluster."""
    found = of_one(TAG, tmp_path)
    path = tmp_path / "backup" / f"{number}.snapshot"
    data = path.read_bytes()
    own = own_cluster().encode()
    path.write_bytes(data.replace(own, own[:-1] + (b"0" if own[-1:] != b"0" else b"1")))
    assert len(entries_of(found)) == 2
    assert set(clusters_in(found).values()) == {own.decode()}


@pytest.mark.parametrize("tag", goldens.STORES, ids=lambda tag: tag.name)
def test_a_cluster_that_was_set_up_anew_mixes_nothing(tag: Path, tmp_path: Path) -> None:
    """Golden snapshot 1 is of a fresh cluster and the oldest: 2 and 7 are of another. A fresh one's
    that is newer is another matter."""
    shutil.copytree(tag / "backup", tmp_path / "backup")
    found = Repository(LocalStore(tmp_path), "backup")
    assert len(set(clusters_in(found).values())) == 2
    assert [entry.id for entry in entries_of(found)] == [1, 2, 7]
    assert newest_of(found, 7, own_cluster(tag)) == 7
    assert newest_of(found, 2, own_cluster(tag)) == 7
    assert newest_of(found, 1, clusters_in(found)[1]) == 1
    snapshot = metasnapshot.loads((tag / "backup" / "1.snapshot").read_bytes())
    snapshot.id = 9
    changes.create(found, snapshot)
    with pytest.raises(ConflictError, match="snapshots of 2 clusters"):
        entries_of(found)


@pytest.fixture
def shell(cluster: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(cluster, capsys)


PICKING = [
    ("show", "latest"),
    ("cat", "latest", "users"),
    ("verify", "latest"),
    ("drill", "latest"),
    ("drill", "7"),
    ("delete", "oldest", "--yes"),
    ("keep", "latest"),
    ("expire", "--keep-last", "1", "--commit"),
    ("check",),
    ("epoch", "1001", "7986098602508288"),
    ("copy", "latest", "--to", "fs://copies"),
    ("copy", "--to", "fs://copies"),
    ("restore", "7", "--meta-store", "sqlite:///empty.db", *STATE_FOLDER),
    ("watch", "--every", "1s", "--rounds", "1", "--keep-last", "1", *STORE),
]


@pytest.mark.parametrize("line", PICKING, ids=lambda line: " ".join(line[:2]))
def test_whatever_picks_or_counts_stops(shell: Shell, line: tuple[str, ...]) -> None:
    """Exit 11 with both clusters named, and no file changes."""
    mix(shell.path)
    for row in (7, 20):
        assert (shell.path / "backup" / f"{row}.snapshot").exists()
    before = {path: data for path, data in shell.files().items() if path.suffix == ".snapshot"}
    manifest = (shell.path / "backup" / "manifest.json").read_bytes()
    ran = shell.run(*line, "--backup-storage-url", f"fs://{shell.path}")
    assert ran.code == 11, ran
    assert "snapshots of 2 clusters" in ran.out + ran.err
    assert OTHER in ran.out + ran.err
    after = {path: data for path, data in shell.files().items() if path.suffix == ".snapshot"}
    assert after == before
    assert (shell.path / "backup" / "manifest.json").read_bytes() == manifest


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (("show", "latest"), "snapshot 7"),
        (("verify", "latest"), "7"),
        (("verify",), "7"),
        (("list",), "2 snapshots"),
        (("check",), "2 snapshots, newest 7"),
        (("expire", "--keep-last", "1"), "1 would go"),
    ],
)
def test_a_named_cluster_is_alone(shell: Shell, line: tuple[str, ...], says: str) -> None:
    """latest, counts and retention are of its snapshots, whatever else lies there."""
    mix(shell.path)
    where = ("--backup-storage-url", f"fs://{shell.path}", "--cluster", own_cluster())
    ran = shell.run(*line, *where)
    assert (ran.code, says in ran.out) == (0, True), ran
    assert OTHER not in ran.out + ran.err


def test_an_id_of_the_other_cluster_is_not_found(shell: Shell) -> None:
    """Exit 12: the flag is no decoration."""
    mix(shell.path)
    where = ("--backup-storage-url", f"fs://{shell.path}", "--cluster", own_cluster())
    assert shell.run("show", "21", *where).code == 12
    assert shell.run("restore", "21", "--meta-store", "sqlite:///empty.db", *STATE_FOLDER, *where)[
        0
    ] in (2, 12)


def test_a_restore_takes_the_sequences_of_its_own_cluster(shell: Shell) -> None:
    """Those of the newest of its cluster, not of the directory."""
    found = mix(shell.path)
    goldens.point_to_state(found, shell.path / "state", (7,))
    where = ("--backup-storage-url", f"fs://{shell.path}", "--cluster", own_cluster())
    state = ("--hummock-storage-url", f"fs://{shell.path}/state")
    line = ("restore", "7", *TARGET, UNLOOKED, *state, *where)
    code, answer = shell.answer(*line)
    assert (code, answer["plan"]["sequences_from"]) == (0, 7)


@pytest.mark.parametrize("recorded", [True, False])
def test_another_clusters_backup_is_refused(shell: Shell, recorded: bool) -> None:  # noqa: FBT001
    """Exit 11 with both ids, the dry run too, and not a byte of the directory is changed."""
    assert shell.run("backup", *STORE, *BACKUPS).code == 0
    if not recorded:  # as 0.1.0 leaves it
        (shell.path / "backups" / "backup" / "metasnapshot.facts.json").unlink()
    with closing(sqlite3.connect("meta.db", isolation_level=None)) as connection:
        kind = type(connection.execute("SELECT cluster_id FROM cluster").fetchone()[0])
        value: Any = bytes.fromhex(OTHER.replace("-", "")) if kind is bytes else OTHER
        connection.execute("UPDATE cluster SET cluster_id = ?", (value,))
    before = {path: data for path, data in shell.files().items() if "backups" in path.parts}
    for more in ((), ("--dry-run",)):
        ran = shell.run("backup", *STORE, *BACKUPS, *more)
        assert ran.code == 11
        assert OTHER in ran.err
        assert own_cluster() in ran.err
    watching = ("watch", "--every", "1s", "--rounds", "1", *STORE, *BACKUPS)
    assert shell.run(*watching).code == 11
    after = {path: data for path, data in shell.files().items() if "backups" in path.parts}
    assert {path: after[path] for path in before} == before
    assert shell.run("backup", *STORE, "--backup-storage-url", "fs://own").code == 0


def test_a_copy_into_another_clusters_directory_is_refused(tmp_path: Path) -> None:
    """Before anything is copied; so is one that would mix an empty directory."""
    mixed = mix(tmp_path)
    target = Repository(LocalStore(tmp_path / "copies"), "backup")
    with pytest.raises(ConflictError, match=OTHER):
        copy(mixed, target, [7, 20])
    assert target.manifest().ids == ()
    copy(mixed, target, [7])
    with pytest.raises(ConflictError, match=OTHER):
        copy(mixed, target, [2, 21])
    assert target.manifest().ids == (7,)
    copy(mixed, target, [2])
    assert sorted(target.manifest().ids) == [2, 7]


def test_options_of_a_meta_node_take_no_cluster(shell: Shell) -> None:
    """Its memory has one cluster's snapshots: exit 2, not a flag that does nothing."""
    for verb in (("list",), ("backup",), ("delete", "1", "--yes")):
        line = (*verb, "--via-meta", "http://127.0.0.1:1", "--cluster", OTHER)
        assert shell.run(*line).code == 2
    assert BackupOptions() == BackupOptions()
