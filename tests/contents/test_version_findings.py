"""The checks of a Hummock version, each on a golden version that was changed in one place."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import goldens
import pytest

import metasnapshot
from metasnapshot.catalogue.manifest import ManifestEntry, parse
from metasnapshot.contents.findings import ERROR, WARNING, Finding
from metasnapshot.contents.sequences import FIRST_IDS, raise_sequences
from metasnapshot.contents.version_findings import check_version
from metasnapshot.errors import InconsistentStore
from metasnapshot.format.hummock_version import HummockVersion
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.format.snapshot import MetaSnapshot
from metasnapshot_models.layouts import LAYOUTS
from metasnapshot_models.models import HummockSequence

TAG = goldens.SHIPPED / "v3.0.3"
OVERLAPPING, NONOVERLAPPING = 2, 1
STATELESS = "SSTs have keys of it, but it has no state: compaction will drop them"


class Found(NamedTuple):
    """A finding without its hint."""

    severity: str
    section: str
    row: str
    what: str


def _entry(tag: Path, number: int) -> ManifestEntry:
    entries = parse((tag / "backup" / "manifest.json").read_bytes()).entries
    return next(entry for entry in entries if entry.id == number)


def _load() -> MetaSnapshot:
    return metasnapshot.loads((TAG / "backup" / "7.snapshot").read_bytes())


def _check(snapshot: MetaSnapshot, entry: ManifestEntry) -> list[Finding]:
    reader = SnapshotReader(BytesIO(metasnapshot.dumps(snapshot)))
    return list(check_version(reader, entry))


def _new(findings: list[Finding]) -> list[Found]:
    """What was found, but for what golden snapshots have: one table without state."""
    found = [Found(item.severity, item.section, item.row, item.what) for item in findings]
    return [item for item in found if item.what != STATELESS]


def _pinning(entry: ManifestEntry, ids: tuple[int, ...]) -> ManifestEntry:
    """The entry with other ids of objects."""
    return replace(entry, text=json.dumps(json.loads(entry.raw) | {"ssts": ids}).encode())


def _changed(change: Callable[[Any], object], ids: tuple[int, ...] = ()) -> list[Found]:
    """What is found in the version after a change."""
    snapshot, entry = _load(), _entry(TAG, 7)
    version = snapshot.hummock_version.message
    change(version)
    form, era = snapshot.hummock_version.form, LAYOUTS[snapshot.layout].era
    snapshot.hummock_version = HummockVersion.from_message(version, form, era)
    return _new(_check(snapshot, _pinning(entry, entry.ssts + ids)))


def _error(row: str, what: str) -> Found:
    return Found(ERROR, "hummock_version", row, what)


def _warning(row: str, what: str) -> Found:
    return Found(WARNING, "hummock_version", row, what)


@pytest.mark.parametrize("tag", goldens.TAGS, ids=goldens.name)
def test_golden_versions_have_no_errors(tag: Path) -> None:
    """Nothing is wrong with what RisingWave wrote but a table of the test data without state."""
    for number in (1, 2, 7):
        snapshot = metasnapshot.loads((tag / "backup" / f"{number}.snapshot").read_bytes())
        found = _check(snapshot, _entry(tag, number))
        assert {item.severity for item in found} <= {WARNING}
        assert _new(found) == []


def test_a_change_of_nothing_finds_nothing() -> None:
    """The tests below see their own change only."""
    assert _changed(lambda _: None) == []


def test_levels_of_another_group() -> None:
    """Levels say which group they are of; it must be the one that they stand under."""

    def change(version: Any) -> None:
        version.levels[3].group_id = 2

    assert _changed(change) == [_error("group 3", "its levels say group 2")]


def test_a_level_of_another_number() -> None:
    """Levels are numbered from 1 on, as they stand."""

    def change(version: Any) -> None:
        version.levels[2].levels[4].level_idx = 6

    assert _changed(change) == [_error("group 2, level 5", "says that it is level 6")]


def test_a_level_that_may_overlap() -> None:
    """Only sub levels may."""

    def change(version: Any) -> None:
        version.levels[2].levels[5].level_type = OVERLAPPING

    what = "is not of the type that does not overlap"
    assert _changed(change) == [_error("group 2, level 6", what)]


@pytest.mark.parametrize("where", ["level", "sub level"])
def test_ssts_that_overlap(where: str) -> None:
    """In a level of the other type two SSTs must not share a key."""

    def change(version: Any) -> None:
        levels = version.levels[2]
        level = levels.levels[5] if where == "level" else levels.l0.sub_levels[0]
        level.table_infos.add().CopyFrom(level.table_infos[0])

    place, sst = ("level 6", 1001) if where == "level" else ("L0 sub level 1", 1007)
    what = f"SSTs {sst} and {sst} overlap"
    assert _changed(change) == [_error(f"group 2, {place}", what)]


def test_ssts_that_may_overlap() -> None:
    """In a sub level of the overlapping type they may."""

    def change(version: Any) -> None:
        level = version.levels[2].l0.sub_levels[1]
        assert level.level_type == OVERLAPPING
        level.table_infos.add().CopyFrom(level.table_infos[0])

    assert _changed(change) == []


@pytest.mark.parametrize("exclusive", [True, False])
def test_ssts_that_touch(*, exclusive: bool) -> None:
    """One may end where the next begins only if it leaves that key out."""

    def change(version: Any) -> None:
        level = version.levels[2].levels[5]
        first, second = level.table_infos[0], level.table_infos.add()
        second.CopyFrom(first)
        second.key_range.left = first.key_range.right
        second.key_range.right = b"\xff" * 16
        first.key_range.right_exclusive = exclusive

    what = "SSTs 1001 and 1001 overlap"
    assert _changed(change) == ([] if exclusive else [_error("group 2, level 6", what)])


@pytest.mark.parametrize("tables", [(18, 10, 24), (10, 10, 18)])
def test_table_ids_that_do_not_ascend(tables: tuple[int, ...]) -> None:
    """Since 2.3 a meta node takes them for sorted; each stands once."""

    def change(version: Any) -> None:
        version.levels[2].levels[5].table_infos[0].table_ids[:] = tables

    what = "table ids of SST 1001 are not ascending"
    assert _changed(change) == [_error("group 2, level 6", what)]


def test_sub_levels_in_a_wrong_order() -> None:
    """Sub levels ascend by id, the oldest first; none has the id of another."""

    def change(version: Any) -> None:
        version.levels[2].l0.sub_levels[1].sub_level_id = 1

    assert _changed(change) == [_error("group 2, L0 sub level 1", "comes after sub level 1")]


def test_an_empty_sub_level() -> None:
    """Worth a look: upstream's own check tells of it."""

    def change(version: Any) -> None:
        version.levels[2].l0.sub_levels.add(sub_level_id=9, level_type=OVERLAPPING)

    assert _changed(change) == [_warning("group 2, L0 sub level 9", "is empty")]


def test_a_table_in_a_group_without_levels() -> None:
    """A restored meta node would not find where the table's data is."""
    table = min(_load().hummock_version.message.state_table_info)

    def change(version: Any) -> None:
        version.state_table_info[table].compaction_group_id = 77

    what = "its compaction group 77 has no levels"
    assert _changed(change) == [_error(f"table {table}", what)]


def test_state_of_a_table_in_no_catalog() -> None:
    """Worth a look: a drop may be under way."""

    def change(version: Any) -> None:
        version.state_table_info[2_000_000].compaction_group_id = 2

    assert _changed(change) == [_warning("table 2000000", "has state, but is in no catalog")]


def test_keys_of_a_table_without_state() -> None:
    """Compaction drops them, so that a lost state_table_info loses data."""
    snapshot = _load()
    ssts = snapshot.hummock_version.message.levels[2].levels[5].table_infos
    table = ssts[0].table_ids[0]
    version = snapshot.hummock_version.message
    del version.state_table_info[table]
    snapshot.hummock_version = HummockVersion.from_message(version, "json", "v3.0.3")
    found = [item for item in _check(snapshot, _entry(TAG, 7)) if item.row == f"table {table}"]
    assert [(item.severity, item.what) for item in found] == [(WARNING, STATELESS)]


@pytest.mark.parametrize(("group", "is_told"), [(4, False), (5, True)])
def test_a_group_without_a_config(group: int, *, is_told: bool) -> None:
    """The static groups have the default one; any other is told of."""

    def change(version: Any) -> None:
        version.levels[group].group_id = group

    what = "has no compaction config: the meta node will make a new one"
    assert _changed(change) == ([_warning(f"group {group}", what)] if is_told else [])


def test_an_object_that_the_manifest_does_not_pin() -> None:
    """The cluster's garbage collection may delete it."""
    entry = _entry(TAG, 7)
    found = _new(_check(_load(), _pinning(entry, entry.ssts[1:])))
    what = "is needed, but the manifest does not pin it"
    assert found == [_error(f"object {entry.ssts[0]}", what)]


def test_an_object_that_nothing_needs() -> None:
    """It is kept for nothing: worth a look, told once however often it is named."""
    what = "is in the manifest, but nothing needs it"
    assert _changed(lambda _: None, ids=(5, 5, 1001)) == [_warning("object 5", what)]


def _sequences(**values: int | None) -> list[Found]:
    """What is found if sequences stand elsewhere; None takes the row away."""
    snapshot = _load()
    rows = snapshot.sections["hummock_sequences"]
    for name, value in values.items():
        row = next(row for row in rows if row.name == name)
        if value is None:
            rows.remove(row)
        else:
            row.seq = value
    return _new(_check(snapshot, _entry(TAG, 7)))


def _in_use() -> dict[str, int]:
    version = _load().hummock_version.message
    every = [*version.levels[2].levels, *version.levels[3].levels]
    every += [*version.levels[2].l0.sub_levels, *version.levels[3].l0.sub_levels]
    ssts = [sst.sst_id for level in every for sst in level.table_infos]
    objects = max(*ssts, *_entry(TAG, 7).ssts)
    return {"sstable_object": objects, "compaction_group": max(version.levels), "meta_backup": 7}


@pytest.mark.parametrize("name", FIRST_IDS)
def test_a_sequence_at_what_is_in_use(name: str) -> None:
    """The next id is what a sequence says: at or below an id in use, that id is given twice."""
    largest = _in_use()[name]
    assert _sequences(**{name: largest + 1}) == []
    for value in (largest, 0):
        what = f"stands at {value}, but {largest} is in use"
        assert _sequences(**{name: value}) == [Found(ERROR, "hummock_sequences", name, what)]


def test_a_sequence_without_a_row() -> None:
    """A meta node starts it at its first id, whatever is in use."""
    found = _sequences(sstable_object=None, compaction_group=None, meta_backup=None)
    assert [(item.row, item.what.split(",")[0]) for item in found] == [
        ("sstable_object", "stands at 1"),
        ("meta_backup", "stands at 1"),
    ]


def test_sst_ids_count_for_the_sequence_of_objects() -> None:
    """A split gives an SST an id of its own from the same sequence."""

    def change(version: Any) -> None:
        version.levels[2].levels[5].table_infos[0].sst_id = 1 << 60

    (found,) = _changed(change)
    assert (found.severity, found.row) == (ERROR, "sstable_object")
    assert found.what.endswith(f"but {1 << 60} is in use")


def test_raising_leaves_nothing_to_find() -> None:
    """What --bump-sequences does is what the finding asks for, rows that are not there included."""
    snapshot = _load()
    rows = [HummockSequence(name="meta_backup", seq=3), HummockSequence(name="other", seq=1)]
    raised = raise_sequences(rows, _in_use())
    assert {row.name: row.seq for row in rows} == {
        "meta_backup": 8,
        "other": 1,
        "sstable_object": _in_use()["sstable_object"] + 1,
    }
    assert "meta_backup raised from 3 to 8" in raised
    assert raise_sequences(rows, _in_use()) == []
    snapshot.sections["hummock_sequences"] = sorted(rows, key=lambda row: row.name)
    assert _new(_check(snapshot, _entry(TAG, 7))) == []


def test_no_id_is_left() -> None:
    """A sequence is an i64: above its last number there is nothing to raise it to."""
    with pytest.raises(InconsistentStore, match="no sstable_object is left above"):
        raise_sequences([], {"sstable_object": (1 << 63) - 1})
