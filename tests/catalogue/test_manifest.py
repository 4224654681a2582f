"""manifest.json of every release: read right, and written back without losing anything."""

from __future__ import annotations

import json
from pathlib import Path

import goldens
import pytest

import metasnapshot
from metasnapshot.catalogue import manifest as manifests
from metasnapshot.catalogue.entry import new_entry
from metasnapshot.catalogue.manifest import StateTableInfo
from metasnapshot.errors import DamageError
from metasnapshot.format.messages import message_class
from metasnapshot.hummock.objects import object_ids
from metasnapshot_models.layouts import LAYOUTS

OLD = (
    b'{"manifest_id":9,"snapshot_metadata":['
    b'{"id":3,"hummock_version_id":40,"ssts":[5,5,6],"max_committed_epoch":700,"safe_epoch":600},'
    b'{"id":4,"hummock_version_id":50,"ssts":[7],"max_committed_epoch":900,"safe_epoch":800,'
    b'"format_version":1,"remarks":null,'
    b'"state_table_info":{"10":{"committedEpoch":"123","safeEpoch":"100",'
    b'"compactionGroupId":"2"},"11":{}},"rw_version":"2.0.1","note":{"a":[1, 2]}}],'
    b'"future":{"x" : 1}}'
)
"""An entry of 0.19 and one of 2.0, with fields that nobody knows."""


@pytest.mark.parametrize("tag", goldens.TAGS, ids=lambda tag: tag.name)
def test_golden_manifests_come_back(tag: Path) -> None:
    """What RisingWave wrote is written back byte for byte."""
    data = (tag / "backup" / "manifest.json").read_bytes()
    found = manifests.parse(data)
    assert manifests.render(found) == data
    assert found.ids == (1, 2, 7)
    assert found.entries[1].remarks == 'before upgrade — "täglich" 🚀'


def test_old_dialects_are_read_right() -> None:
    """Epochs of the whole cluster, no format_version, and camelCase epochs as text."""
    first, second = manifests.parse(OLD).entries
    assert (first.format_version, first.max_committed_epoch, first.safe_epoch) == (0, 700, 600)
    assert (first.remarks, first.rw_version, first.state_table_info) == (None, None, {})
    assert second.state_table_info == {
        10: StateTableInfo(123, 2, 100),
        11: StateTableInfo(0, 0, None),
    }


def test_epochs_and_unknown_fields_survive_a_change() -> None:
    """An entry that nobody changes keeps its bytes, and so do unknown fields of the manifest."""
    changed = manifests.render(manifests.parse(OLD).without({3}))
    assert b'"committedEpoch":"123"' in changed
    assert b'"note":{"a":[1, 2]}' in changed
    assert changed.endswith(b'"future":{"x" : 1}}')
    assert json.loads(changed)["manifest_id"] == 10


def test_both_spellings_mean_the_same() -> None:
    """snake_case numbers and camelCase texts are read alike."""
    template = (
        b'{"manifest_id":1,"snapshot_metadata":[{"id":1,"hummock_version_id":1,"ssts":[],'
        b'"state_table_info":{"7":%b}}]}'
    )
    new = manifests.parse(template % b'{"committed_epoch":5,"compaction_group_id":3}').entries[0]
    old = manifests.parse(template % b'{"committedEpoch":"5","compactionGroupId":"3"}').entries[0]
    assert new.state_table_info == old.state_table_info == {7: StateTableInfo(5, 3)}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"manifest_id":1}',
        b'{"snapshot_metadata":[]}',
        b'{"manifest_id":"1","snapshot_metadata":[]}',
        b'{"manifest_id":1,"snapshot_metadata":[{}]}',
        b'{"manifest_id":1,"snapshot_metadata":[{"id":1,"hummock_version_id":1,"ssts":["x"]}]}',
        OLD.replace(b'"committedEpoch":"123"', b'"committedEpoch":"x"'),
        b"\xff\xfe",
        b"[" * 100_000,
    ],
    ids=range(12),
)
def test_what_is_no_manifest_is_damage(data: bytes) -> None:
    """Anything that is no manifest is damage, by name."""
    with pytest.raises(DamageError, match=r"manifest\.json is damaged"):
        manifests.parse(data)


CAMEL_CASE = (
    '"state_table_info":{"5":{"committedEpoch":"55","safeEpoch":"44",'
    '"compactionGroupId":"3"},"6":{}},"rw_version":"x"}'
)
VERSION_JSON = {
    "1.9.0": '"max_committed_epoch":77,"safe_epoch":66,"format_version":2,"remarks":"r"}',
    "1.10.0": '"max_committed_epoch":77,"safe_epoch":66,"format_version":2,"remarks":"r",'
    + CAMEL_CASE,
    "2.0.1": '"max_committed_epoch":55,"safe_epoch":66,"format_version":2,"remarks":"r",'
    + CAMEL_CASE,
    "2.1.0": '"format_version":2,"remarks":"r",'
    '"state_table_info":{"5":{"committed_epoch":55,"compaction_group_id":3},'
    '"6":{"committed_epoch":0,"compaction_group_id":0}},"rw_version":"x"}',
}


@pytest.mark.parametrize(("layout", "expected"), VERSION_JSON.items())
def test_a_new_entry_speaks_the_dialect_of_its_release(layout: str, expected: str) -> None:
    """Epochs of the cluster up to 2.0, state_table_info since 1.10, snake_case since 2.1."""
    version = message_class("hummock.HummockVersion", LAYOUTS[layout].era)()
    fields = {"id": 9, "max_committed_epoch": 77}
    if "safe_epoch" in version.DESCRIPTOR.fields_by_name:
        fields["safe_epoch"] = 66
    for name, value in fields.items():
        setattr(version, name, value)
    if "state_table_info" in version.DESCRIPTOR.fields_by_name:
        info = version.state_table_info[5]
        info.committed_epoch, info.compaction_group_id = 55, 3
        if "safe_epoch" in info.DESCRIPTOR.fields_by_name:
            info.safe_epoch = 44
        version.state_table_info[6].SetInParent()
    entry = new_entry(4, version, [1, 2], LAYOUTS[layout], "r", "x")
    assert entry.raw.decode() == '{"id":4,"hummock_version_id":9,"ssts":[1,2],' + expected


@pytest.mark.parametrize("tag", goldens.TAGS, ids=lambda tag: tag.name)
def test_a_new_entry_equals_upstreams(tag: Path) -> None:
    """Made from the golden snapshot, an entry says what RisingWave's own says."""
    upstream = manifests.parse((tag / "backup" / "manifest.json").read_bytes()).entries[2]
    snapshot = metasnapshot.loads((tag / "backup" / "7.snapshot").read_bytes())
    version = snapshot.hummock_version.message
    ids = object_ids(version, snapshot.sections.get("hummock_table_change_logs"))
    assert ids == sorted(upstream.ssts)
    entry = new_entry(7, version, ids, LAYOUTS[snapshot.layout], "", upstream.rw_version)
    expected, found = json.loads(upstream.raw), json.loads(entry.raw)
    expected["ssts"].sort()
    assert (found, list(found)) == (expected, list(expected))
