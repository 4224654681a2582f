"""rebuild-manifest, copy and create of V1 snapshots: what they write is what upstream reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from v1_manifests import DIALECTS, EPOCH, SAFE_EPOCH, TABLE, write_backups, write_manifest
from v1_snapshots import bare, cluster

import metasnapshot
from metasnapshot import HummockVersion
from metasnapshot.catalogue import changes
from metasnapshot.catalogue.entry import describe
from metasnapshot.catalogue.rebuilder import Rebuilder
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import ConflictError
from metasnapshot.operations.copy import Copied, copy
from metasnapshot.operations.rebuild import rebuild, write
from metasnapshot.store.local import LocalStore
from metasnapshot_models.v1 import V1_LAYOUTS

NEWEST = "v1-2.0"
READ_BY = {
    "0.1.15": {"id", "hummock_version_id", "ssts", "max_committed_epoch", "safe_epoch"},
    "1.10.0": {"state_table_info"},
}
"""Fields that a release does not read an entry without, from that release to 2.0."""


@pytest.mark.parametrize("layout", V1_LAYOUTS)
def test_a_rebuilt_entry_is_read_by_the_releases_of_its_layout(tmp_path: Path, layout: str) -> None:
    """All that each of them misses is there, in the spelling of pbjson; what is later is not."""
    write_backups(tmp_path, layout, DIALECTS[0])
    (tmp_path / "backup" / "manifest.json").unlink()
    found = Rebuilder(LocalStore(tmp_path), "backup")
    rebuilt = rebuild(found)
    assert (rebuilt.added, rebuilt.damaged, rebuilt.is_same) == ((1, 2), {}, False)
    write(found, rebuilt)
    entry, _ = json.loads((tmp_path / "backup" / "manifest.json").read_bytes())["snapshot_metadata"]
    assert set(entry) >= READ_BY["0.1.15"]
    assert (READ_BY["1.10.0"] <= set(entry)) == (layout in ("v1-1.8", "v1-2.0"))
    version = cluster(layout, 1).hummock_version.message
    epochs = version.max_committed_epoch, version.safe_epoch
    assert (entry["max_committed_epoch"], entry["safe_epoch"]) == epochs
    assert (entry["ssts"], entry["hummock_version_id"]) == ([7], 321)
    assert entry["format_version"] == (0 if layout == "v1-0.1.15" else 1)


def test_tables_of_a_rebuilt_entry_are_as_pbjson_writes_them() -> None:
    """Numbers of 64 bits as text, zeros left out, camelCase."""

    def change(version: Any) -> None:
        info = {"committed_epoch": EPOCH, "compaction_group_id": 2}
        version.state_table_info.get_or_create(TABLE).MergeFrom(
            type(version.state_table_info[TABLE])(safe_epoch=SAFE_EPOCH, **info)
        )
        version.state_table_info.get_or_create(1002).compaction_group_id = 3

    for layout, era in (("v1-1.8", "v1.10.0"), (NEWEST, "v2.0.1")):
        snapshot = cluster(layout, 5)
        version = HummockVersion("message", snapshot.hummock_version.rows, era).message
        change(version)
        entry = json.loads(describe(5, (1, layout), version, [7], None, "2.0.1").raw)
        assert entry["rw_version"] == "2.0.1"
        assert entry["state_table_info"] == {
            "1001": {
                "committedEpoch": str(EPOCH),
                "safeEpoch": str(SAFE_EPOCH),
                "compactionGroupId": "2",
            },
            "1002": {"compactionGroupId": "3"},
        }


@pytest.mark.parametrize("dialect", DIALECTS[:4])
def test_an_entry_that_says_it_all_keeps_its_bytes(tmp_path: Path, dialect: str) -> None:
    """Repeats in ssts, a format_version that is missing: nothing to write."""
    write_backups(tmp_path, "v1-0.19", dialect)
    assert rebuild(Rebuilder(LocalStore(tmp_path), "backup")).is_same


def test_a_wrong_entry_is_made_anew_but_for_its_remarks(tmp_path: Path) -> None:
    """Remarks and the release of the one that wrote it are nowhere else."""
    write_backups(tmp_path, NEWEST, "1.6")
    wrong = {"id": 1, "hummock_version_id": 1, "ssts": [1], "format_version": 1}
    wrong |= {"max_committed_epoch": 1, "safe_epoch": 1, "remarks": "mine", "rw_version": "2.0.3"}
    write_manifest(tmp_path / "backup", 9, [wrong])
    rebuilt = rebuild(Rebuilder(LocalStore(tmp_path), "backup"))
    assert (rebuilt.changed, rebuilt.added) == ((1,), (2,))
    first, second = rebuilt.manifest.entries
    assert (first.remarks, first.rw_version, first.ssts) == ("mine", "2.0.3", (7,))
    assert (second.remarks, second.rw_version) == (None, None)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_copy_is_the_same_to_the_byte(tmp_path: Path, dialect: str) -> None:
    """File and entry; a second time it is there; another file of that id is a conflict."""
    source = write_backups(tmp_path / "from", "v1-0.1.17", dialect)
    target = Repository(LocalStore(tmp_path / "to"), "elsewhere")
    size = (tmp_path / "from" / "backup" / "1.snapshot").stat().st_size
    assert copy(source, target, [2, 1]) == [
        Copied(2, size, was_there=False),
        Copied(1, size, was_there=False),
    ]
    for number in (1, 2):
        path = tmp_path / "to" / "elsewhere" / f"{number}.snapshot"
        assert path.read_bytes() == (tmp_path / "from" / source.path(number)).read_bytes()
        assert target.entry(number).raw == source.entry(number).raw
    assert [item.was_there for item in copy(source, target, [1, 2])] == [True, True]
    path.write_bytes(metasnapshot.dumps(cluster("v1-0.1.15", 2)))
    with pytest.raises(ConflictError, match="another snapshot 2"):
        copy(source, target, [2])


@pytest.mark.parametrize("layout", V1_LAYOUTS)
def test_a_snapshot_that_is_created_reads_back(tmp_path: Path, layout: str) -> None:
    """Every row and the version, of an empty one too; its id is taken then."""
    found = Repository(LocalStore(tmp_path), "backup")
    for snapshot in (cluster(layout, 4), bare(layout, 6)):
        entry = changes.create(found, snapshot, remarks="by hand")
        assert (entry.format_version, entry.remarks) == (snapshot.format_version, "by hand")
        assert metasnapshot.dumps(found.get(snapshot.id)) == metasnapshot.dumps(snapshot)
        with pytest.raises(ConflictError):
            changes.create(found, snapshot)
    assert (found.entry(4).ssts, found.entry(6).ssts) == ((7,), ())
    assert Repository(LocalStore(tmp_path), "backup").manifest() == found.manifest()


def test_a_file_of_another_id_is_damage(tmp_path: Path) -> None:
    """rebuild-manifest gives it no entry."""
    write_backups(tmp_path, "v1-0.1.15", DIALECTS[0])
    (tmp_path / "backup" / "3.snapshot").write_bytes(
        (tmp_path / "backup" / "2.snapshot").read_bytes()
    )
    rebuilt = rebuild(Rebuilder(LocalStore(tmp_path), "backup"))
    assert (list(rebuilt.damaged), rebuilt.added) == ([3], ())
    assert "holds id 2" in rebuilt.damaged[3]


def test_an_entry_that_lost_its_epochs_gets_them_back(tmp_path: Path) -> None:
    """A later release wrote it anew without them: nothing could tell its age."""
    write_backups(tmp_path, "v1-0.19", "2.1")
    path = tmp_path / "backup" / "manifest.json"
    manifest = json.loads(path.read_bytes())
    for entry in manifest["snapshot_metadata"]:
        entry["state_table_info"] = {}
    path.write_bytes(json.dumps(manifest).encode())
    rebuilt = rebuild(Rebuilder(LocalStore(tmp_path), "backup"))
    assert (rebuilt.is_same, rebuilt.changed) == (False, (1, 2))
    assert {entry.max_committed_epoch for entry in rebuilt.manifest.entries} == {EPOCH}
