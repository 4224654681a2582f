"""A manifest that says two things, or too much, or is large."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import goldens
import pytest

from metasnapshot.catalogue import changes
from metasnapshot.catalogue import manifest as manifests
from metasnapshot.catalogue.ids import ID_MAX
from metasnapshot.catalogue.manifest import MANIFEST_NAME
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import DamageError
from metasnapshot.store.local import LocalStore

TAG = goldens.SHIPPED / "v3.0.3"
U64 = 1 << 64
ENTRY = {"id": 1, "hummock_version_id": 2, "ssts": [3, 4], "format_version": 2}
HOUR = timedelta(hours=1)


def manifest(*entries: dict[str, Any], **fields: Any) -> bytes:
    found = {"manifest_id": 5, "snapshot_metadata": list(entries), **fields}
    return json.dumps(found).encode()


TWICE = {
    "list of snapshots": manifest(ENTRY)[:-1] + b',"snapshot_metadata":[]}',
    "list of snapshots, spelled otherwise": manifest(ENTRY)[:-1]
    + b',"snapshot_\\u006detadata":[]}',
    "manifest_id": b'{"manifest_id":1,' + manifest(ENTRY)[1:],
    "id of an entry": manifest(ENTRY).replace(b'"id": 1', b'"id": 1, "id": 7'),
    "ssts": manifest(ENTRY).replace(b'"ssts"', b'"ssts":[],"ssts"'),
    "unknown key": manifest(ENTRY, x=1)[:-1] + b',"x":2}',
    "table": manifest(ENTRY | {"state_table_info": {}}).replace(b"{}", b'{"1":{},"1":{}}'),
    "epoch of a table": manifest(ENTRY | {"state_table_info": {"1": {}}}).replace(
        b"{}", b'{"committed_epoch":1,"committed_epoch":2}'
    ),
    "snapshot": manifest(ENTRY, ENTRY),
    "snapshot, said otherwise": manifest(ENTRY, ENTRY | {"id": 7}, ENTRY | {"remarks": "x"}),
}


@pytest.mark.parametrize("what", TWICE)
def test_a_manifest_that_says_two_things_is_damage(tmp_path: Path, what: str) -> None:
    """Exit 4 by name, and nothing is changed: RisingWave's reader refuses most of these."""
    repository = goldens.copy_backups(TAG, tmp_path)
    (tmp_path / "backup" / MANIFEST_NAME).write_bytes(TWICE[what])
    for attempt in (
        lambda: Repository(repository.store, "backup"),
        lambda: changes.delete(repository, [1]),
        repository.refresh_manifest,
    ):
        with pytest.raises(DamageError, match=r"manifest\.json is damaged: .*twice"):
            attempt()
    assert (tmp_path / "backup" / MANIFEST_NAME).read_bytes() == TWICE[what]


OUT_OF_RANGE = [
    manifest(manifest_id=U64),
    manifest(manifest_id=-1),
    manifest(ENTRY | {"id": ID_MAX + 1}),
    manifest(ENTRY | {"id": -1}),
    manifest(ENTRY | {"id": 10**30}),
    manifest(ENTRY | {"hummock_version_id": U64}),
    manifest(ENTRY | {"hummock_version_id": -7}),
    manifest(ENTRY | {"format_version": -7}),
    manifest(ENTRY | {"format_version": 1 << 32}),
    manifest(ENTRY | {"ssts": [1, -2]}),
    manifest(ENTRY | {"ssts": [1, 2.0]}),
    manifest(ENTRY | {"ssts": [ID_MAX + 1]}),
    manifest(ENTRY | {"ssts": [10**19]}),
    manifest(ENTRY | {"ssts": [[1]]}),
    manifest(ENTRY | {"ssts": {"1": 2}}),
    manifest(ENTRY | {"ssts": 5}),
    manifest(ENTRY | {"max_committed_epoch": U64}),
    manifest(ENTRY | {"safe_epoch": -1}),
    manifest(ENTRY | {"state_table_info": {"1": {"committed_epoch": U64}}}),
    manifest(ENTRY | {"state_table_info": {"1": {"committedEpoch": "1_0"}}}),
    manifest(ENTRY | {"state_table_info": {"1": {"committedEpoch": str(U64)}}}),
    manifest(ENTRY | {"state_table_info": {"1": {"compaction_group_id": -1}}}),
    manifest(ENTRY | {"state_table_info": {str(1 << 32): {}}}),
    manifest(ENTRY | {"state_table_info": {"-1": {}}}),
    manifest(ENTRY | {"remarks": "?"}).replace(b"?", b"\xc3\x28"),
    manifest(ENTRY | {"x": "?"}).replace(b"?", b"\xff"),
]


@pytest.mark.parametrize("data", OUT_OF_RANGE, ids=range(len(OUT_OF_RANGE)))
def test_a_number_out_of_its_range_is_damage(data: bytes) -> None:
    """Ids to 2^63-2, versions, epochs and manifest ids to 2^64-1, formats and tables to 2^32-1."""
    with pytest.raises(DamageError, match=r"manifest\.json is damaged"):
        manifests.parse(data)


@pytest.mark.parametrize(
    "fields",
    [
        {"id": ID_MAX},
        {"id": 0},
        {"hummock_version_id": U64 - 1},
        {"ssts": [0, ID_MAX]},
        {"ssts": []},
        {"format_version": 0},
        {"max_committed_epoch": U64 - 1, "safe_epoch": 0},
        {"state_table_info": {str((1 << 32) - 1): {"committedEpoch": str(U64 - 1)}}},
        {"x": [{"a": [[]]}], "y": {"a": "\ud83d\ude80"}},
    ],
)
def test_the_ends_of_a_range_are_in_it(fields: dict[str, Any]) -> None:
    """They are read, counted and come back as they were."""
    data = manifest(ENTRY | fields).replace(b": ", b":").replace(b", ", b",")
    (found,) = manifests.parse(data).entries
    assert manifests.render(manifests.parse(data)) == data
    assert found.ssts == tuple((ENTRY | fields)["ssts"])  # type: ignore[arg-type]
    assert found.object_count == len(found.ssts)


def test_objects_are_counted_once_in_old_manifests() -> None:
    """Up to 0.1.17 an id may stand there more than once; spaces mean nothing."""
    data = b'{"id":1,"hummock_version_id":2,"ssts":[ 5 , 5,\n6 ]}'
    (found,) = manifests.parse(b'{"manifest_id":1,"snapshot_metadata":[%b]}' % data).entries
    assert (found.object_count, found.ssts) == (2, (5, 5, 6))


def test_a_manifest_at_the_end_of_its_ids_says_so() -> None:
    """It is read; a change would write what RisingWave cannot read, and is damage by name."""
    found = manifests.parse(manifest(ENTRY, manifest_id=U64 - 1))
    with pytest.raises(DamageError, match=r"manifest\.json cannot change any more"):
        found.without({1})


def test_a_sparse_manifest_is_not_read(tmp_path: Path) -> None:
    """4 GiB of nothing: damage by name."""
    (tmp_path / "backup").mkdir()
    path = tmp_path / "backup" / MANIFEST_NAME
    path.touch()
    os.truncate(path, 1 << 32)
    with pytest.raises(DamageError, match=r"manifest\.json is damaged: it has 4294967296 bytes"):
        Repository(LocalStore(tmp_path), "backup")


RSS_MAX_MIB = 380
LARGE = """
import sys
from pathlib import Path
from metasnapshot.catalogue.repository import Repository
from metasnapshot.store.local import LocalStore
(entry,) = Repository(LocalStore(Path(sys.argv[1])), "backup").manifest().entries
assert entry.object_count == int(sys.argv[2])
status = Path("/proc/self/status").read_text()  # ru_maxrss would be the parent's, from before exec
print(int(status.split("VmHWM:")[1].split()[0]) // 1024)
"""


@pytest.mark.long
def test_a_large_manifest_takes_little_more_than_its_size(tmp_path: Path) -> None:
    """97 MiB of one entry's ids: its bytes, the entry's, and what is counted; no numbers."""
    count = 97 * (1 << 20) // 11
    (tmp_path / "backup").mkdir()
    with (tmp_path / "backup" / MANIFEST_NAME).open("wb") as file:
        file.write(b'{"manifest_id":1,"snapshot_metadata":[{"id":1,"hummock_version_id":2,')
        file.write(b'"format_version":2,"ssts":[1')
        for start in range(1, count, 1 << 16):
            numbers = range(start, min(start + (1 << 16), count))
            file.write(b"".join(b",%d" % (9_000_000_000 + number) for number in numbers))
        file.write(b"]}]}")
    command = [sys.executable, "-c", LARGE, tmp_path, str(count)]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(found.stdout) < RSS_MAX_MIB, found.stdout
