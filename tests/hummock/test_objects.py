"""Which objects a snapshot needs: those that RisingWave's manifest names, with kind and size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import goldens
import pytest
from hypothesis import given
from hypothesis import strategies as st

import metasnapshot
from metasnapshot.catalogue.repository import Repository
from metasnapshot.hummock.objects import (
    CHANGE_LOGS_SECTION,
    NeededObject,
    NeededObjects,
    needed_by,
    object_ids,
)
from metasnapshot.hummock.paths import DATA, GRAPH, SUFFIXES, VECTOR
from metasnapshot.store.local import LocalStore

U64_MAX = (1 << 64) - 1
OBJECTS = st.builds(
    NeededObject,
    st.one_of(st.integers(0, 9), st.integers(0, U64_MAX)),
    st.sampled_from(SUFFIXES),
    st.integers(0, U64_MAX),
    st.integers(0, U64_MAX),
    st.integers(0, U64_MAX),
)


@pytest.mark.parametrize("tag", goldens.TAGS, ids=goldens.name)
def test_ids_are_those_of_the_manifest(tag: Path) -> None:
    """For each golden snapshot, from the file and from the decoded version alike."""
    backups = Repository(LocalStore(tag), "backup")
    assert len(backups.manifest().ids) >= 3
    for entry in backups.manifest().entries:
        with backups.open(entry.id) as reader:
            assert list(needed_by(reader).ids) == sorted(entry.ssts)
        snapshot = backups.get(entry.id)
        logs = snapshot.sections.get(CHANGE_LOGS_SECTION)
        assert object_ids(snapshot.hummock_version.message, logs) == sorted(entry.ssts)


@pytest.mark.parametrize("path", goldens.SNAPSHOTS, ids=goldens.name)
def test_kinds_and_sizes_are_those_of_the_version(path: Path) -> None:
    """Walked in another way, from the version's JSON: each object has its suffix and size."""
    snapshot = metasnapshot.loads(path.read_bytes())
    expected = set(_in_version(snapshot.hummock_version.json))
    for row in snapshot.sections.get(CHANGE_LOGS_SECTION, []):
        for blob in (row.new_value_sst, row.old_value_sst):
            expected |= {_object(DATA, item) for item in blob.json}
    with metasnapshot.open(path) as reader:
        needed = needed_by(reader)
    assert sorted(expected) == [NeededObject(*item[:3]) for item in needed]
    assert needed.size == sum(item.size for item in expected)


def test_golden_snapshots_have_all_kinds() -> None:
    """A test of kinds tests none if there are no vector files and graphs in the golden files."""
    kinds: set[str] = set()
    for path in goldens.SNAPSHOTS:
        with metasnapshot.open(path) as reader:
            kinds |= {item.suffix for item in needed_by(reader)}
    assert kinds == set(SUFFIXES)


def test_ids_are_object_ids_never_sst_ids() -> None:
    """After a split an SST has another id than the object that it is in."""
    with metasnapshot.open(goldens.SHIPPED / "v3.0.3" / "backup" / "7.snapshot") as reader:
        ids = set(needed_by(reader).ids)
        levels = reader.hummock_version.message.levels[3].levels
    (sst,) = levels[4].table_infos
    assert (sst.object_id, sst.sst_id) == (1005, 1010)
    assert (1005 in ids, 1010 in ids) == (True, False)


@given(st.lists(OBJECTS))
def test_each_object_stands_once_and_is_found(objects: list[NeededObject]) -> None:
    """Ascending, each id once as it came first; place finds those that are there and no others."""
    first: dict[int, NeededObject] = {}
    for item in objects:
        first.setdefault(item.id, item)
    needed = NeededObjects(objects)
    assert list(needed) == [first[number] for number in sorted(first)]
    assert len(needed) == len(first)
    assert needed.size == sum(item.size for item in first.values())
    for number, item in first.items():
        place = needed.place(number)
        assert place is not None
        assert needed[place] == item
        for other in (number - 1, number + 1):
            assert (needed.place(other) is not None) == (other in first)


def test_none_are_needed_by_an_empty_version() -> None:
    """A cluster right after its first start needs no object."""
    with metasnapshot.open(goldens.SMALL) as reader:
        needed = needed_by(reader)
    assert (len(needed), needed.size, list(needed), needed.place(0)) == (0, 0, [], None)


def _in_version(version: Any) -> list[NeededObject]:
    found: list[NeededObject] = []
    for levels in version.get("levels", {}).values():
        for level in (*levels.get("levels", []), *levels["l0"].get("subLevels", [])):
            found += [_object(DATA, item) for item in level.get("tableInfos", [])]
    for logs in version.get("tableChangeLogs", {}).values():
        for log in logs.get("changeLogs", []):
            ssts = (*log.get("newValue", []), *log.get("oldValue", []))
            found += [_object(DATA, item) for item in ssts]
    for index in version.get("vectorIndexes", {}).values():
        variant = index.get("flat") or index.get("hnswFlat") or {}
        found += [_object(VECTOR, item) for item in variant.get("vectorFiles", [])]
        if "graphFile" in variant:
            found.append(_object(GRAPH, variant["graphFile"]))
    return found


def _object(suffix: str, item: Any) -> NeededObject:
    return NeededObject(int(item["objectId"]), suffix, int(item.get("fileSize", 0)))
