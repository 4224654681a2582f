"""diff, held against rows that are compared as plain dicts, and against changes made on purpose."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import goldens
import pytest
from exhaustive import thin
from made_sides import Rows
from msgspec import UNSET, structs

import metasnapshot
from metasnapshot import Blob, MetaSnapshot, SnapshotReader
from metasnapshot.contents.cluster import KINDS
from metasnapshot.errors import ChecksumMismatch
from metasnapshot.format.hummock_version import HummockVersion
from metasnapshot.format.layout import HUMMOCK_VERSION
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations.diff.compare import (
    ADDED,
    CHANGED,
    PARAMETERS,
    REMOVED,
    Change,
    Side,
    diff_names,
    diff_objects,
    diff_rows,
)
from metasnapshot.operations.diff.sides import MetaStoreSide, SnapshotSide
from metasnapshot_models.layouts import LAYOUTS

TAG = goldens.SHIPPED / "v3.0.3"
SECOND, SEVENTH = (TAG / "backup" / f"{number}.snapshot" for number in (2, 7))
OF_ONE_TAG = [
    pair
    for tag in goldens.TAGS
    for pair in combinations((path for path in goldens.SNAPSHOTS if tag in path.parents), 2)
]
ACROSS_LAYOUTS = list(pairwise(tag / "backup" / "2.snapshot" for tag in goldens.TAGS))
Difference = tuple[str, str, tuple[Any, ...], frozenset[str]]
"""Section, change, key and columns."""
OPPOSITE = {ADDED: REMOVED, REMOVED: ADDED, CHANGED: CHANGED}


def opened(source: Path | bytes) -> SnapshotSide:
    data = source if isinstance(source, bytes) else source.read_bytes()
    return SnapshotSide(SnapshotReader(BytesIO(data)))


def edited(edit: Callable[[MetaSnapshot], object]) -> SnapshotSide:
    """Snapshot 7 after an edit."""
    snapshot = metasnapshot.loads(SEVENTH.read_bytes())
    edit(snapshot)
    return opened(metasnapshot.dumps(snapshot))


def changes(a: Side, b: Side) -> list[Change]:
    return [*diff_names(a, b), *diff_rows(a, b)]


def raw_rows(side: SnapshotSide) -> dict[str, dict[tuple[Any, ...], dict[str, Any]]]:
    """Rows by section and primary key, decoded by nothing but json."""
    found: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = {}
    for section in side.reader.section_names:
        rows = [json.loads(row) for _, row in side.reader.raw_rows(section)]
        names: list[str] = []
        if section != HUMMOCK_VERSION:
            names = side.key_names(section)
        found[section] = {tuple(row[name] for name in names): row for row in rows}
        assert len(found[section]) == len(rows)
    return found


def naive(a: SnapshotSide, b: SnapshotSide) -> set[Difference]:
    """Whatever differs; the version, which has no key, leaves out what is empty."""
    before, after = raw_rows(a), raw_rows(b)
    found: set[Difference] = set()
    for section in before.keys() | after.keys():
        left, right = before.get(section, {}), after.get(section, {})
        found |= {(section, ADDED, key, frozenset()) for key in right.keys() - left.keys()}
        found |= {(section, REMOVED, key, frozenset()) for key in left.keys() - right.keys()}
        for key in left.keys() & right.keys():
            one, other = left[key], right[key]
            shared = one.keys() & other.keys() if key else one.keys() | other.keys()
            names = {name for name in shared if one.get(name) != other.get(name)}
            if names:
                found.add((section, CHANGED, key, frozenset(names)))
    return found


def comparable(found: list[Change]) -> set[Difference]:
    items = {(item.kind, item.change, item.key, frozenset(item.columns)) for item in found}
    assert len(items) == len(found), "a change is told once"
    return items


def turned(found: list[Change]) -> set[Change]:
    """What the other direction must say."""
    return {
        replace(item, change=OPPOSITE[item.change], before=item.after, after=item.before)
        for item in found
    }


@pytest.mark.parametrize("path", goldens.SNAPSHOTS, ids=goldens.name)
def test_a_snapshot_does_not_differ_from_itself(path: Path) -> None:
    """Not by name, not by row, not by object."""
    a, b = opened(path), opened(path)
    assert (changes(a, b), diff_objects(a, b)) == ([], ([], []))


def test_what_changed_from_golden_2_to_7_is_what_was_done() -> None:
    """Four sequences moved, one is new, so is a worker, and three views have other definitions."""
    a, b = opened(SECOND), opened(SEVENTH)
    names = list(diff_names(a, b))
    assert {item.key[0] for item in names} == {
        "dev.o'brien; --.Weiß ÄÖÜ",
        "dev.back\\slash.o'brien; --",
        "with 'q' \"dq\".back\\slash.back\\slash",
    }
    assert {(item.kind, item.columns) for item in names} == {("views", ("definition",))}
    moved = ("meta_backup", "sstable_object", "compaction_task", "compaction_group")
    assert comparable(list(diff_rows(a, b))) == {
        *(("views", CHANGED, (key,), frozenset({"definition"})) for key in (12, 70, 85)),
        *(("hummock_sequences", CHANGED, (name,), frozenset({"seq"})) for name in moved),
        ("hummock_sequences", ADDED, ("new_seq_é",), frozenset()),
        ("workers", ADDED, (11,), frozenset()),
    }


@pytest.mark.parametrize(
    ("first", "second"), thin([*OF_ONE_TAG, *ACROSS_LAYOUTS]), ids=goldens.name
)
def test_rows_differ_where_plain_dicts_do(first: Path, second: Path) -> None:
    """Every pair of a release's snapshots, and pairs of releases: the rows and columns that differ
    in their JSON, where both have the column; and what one way adds the other removes."""
    a, b = opened(first), opened(second)
    there, back = list(diff_rows(a, b)), list(diff_rows(b, a))
    expected = naive(a, b)
    told = comparable(there)
    if (
        a.reader.layout != b.reader.layout
    ):  # messages of two releases may say the same in other words
        told, expected = (
            {item for item in found if item[0] != HUMMOCK_VERSION} for found in (told, expected)
        )
    assert told == expected
    assert turned(back) == set(there)


@pytest.mark.parametrize(
    ("first", "second"), thin([*OF_ONE_TAG, *ACROSS_LAYOUTS]), ids=goldens.name
)
def test_names_that_one_way_adds_the_other_removes(first: Path, second: Path) -> None:
    """With the same columns of what changed, values swapped, and the objects of Hummock too."""
    a, b = opened(first), opened(second)
    there, back = list(diff_names(a, b)), list(diff_names(b, a))
    assert (turned(back), len(back)) == (set(there), len(set(there)))
    assert list(dict.fromkeys(item.kind for item in there)) == [
        kind for kind in (*KINDS, *PARAMETERS.values()) if kind in {item.kind for item in there}
    ]
    assert diff_objects(a, b) == diff_objects(b, a)[::-1]


def test_objects_are_those_of_the_manifest() -> None:
    """From the empty snapshot 1 to 2: what upstream's manifest lists for 2."""
    manifest = json.loads((TAG / "backup" / "manifest.json").read_text(encoding="utf-8"))
    (ssts,) = (item["ssts"] for item in manifest["snapshot_metadata"] if item["id"] == 2)
    assert len(ssts) == 18
    found = diff_objects(opened(TAG / "backup" / "1.snapshot"), opened(SECOND))
    assert found == (sorted(ssts), [])


def test_a_column_that_only_one_release_has_is_no_change() -> None:
    """The same database with and without it; a column that both have still is one."""
    row = next(opened(SEVENTH).rows("databases"))
    older = structs.replace(row, barrier_interval_ms=UNSET, checkpoint_frequency=UNSET)
    old, new = Rows(LAYOUTS["2.2.0"]), Rows(LAYOUTS["3.0.1"], {"databases": [row]})
    old.sections["databases"] = [older]
    assert (changes(old, new), changes(new, old)) == ([], [])
    old.sections["databases"] = [structs.replace(older, resource_group="another")]
    by_name, by_row = changes(old, new)
    assert (by_name.columns, by_row.columns) == (("resource_group",), ("resource_group",))


@pytest.mark.parametrize("tag", goldens.STORES, ids=goldens.name)
def test_a_store_does_not_differ_from_its_own_snapshot(tag: Path, tmp_path: Path) -> None:
    """Rows out of SQLite equal those of the file, whichever of several layouts it is in."""
    snapshot = opened(tag / "backup" / "7.snapshot")
    with (
        open_meta_store(f"sqlite:///{goldens.copy_store(tag, tmp_path / 'meta.db')}") as store,
        store.read_transaction() as connection,
    ):
        assert changes(snapshot, MetaStoreSide(connection, snapshot.reader)) == []


def functions_of(snapshot: MetaSnapshot) -> list[Any]:
    """Its functions, all named f and in one schema."""
    rows = snapshot.sections["functions"]
    for row in rows:
        row.name = "f"
    ids = {row.function_id for row in rows}
    for row in snapshot.sections["objects"]:
        if row.oid in ids:
            row.database_id = row.schema_id = None
    return rows


def test_functions_of_one_name_are_numbered_by_id() -> None:
    """In whatever order the rows are; without the last, that one is gone and no other changed."""
    before = edited(functions_of)
    assert list(diff_names(before, edited(lambda it: functions_of(it).reverse()))) == []
    found = list(diff_names(before, edited(lambda it: functions_of(it).pop())))
    assert found == [Change("functions", REMOVED, ("f #4",))]


def test_a_name_that_looks_like_a_number_hides_nothing() -> None:
    """A function that is called `f #2` stands beside the second f."""

    def rename(snapshot: MetaSnapshot) -> None:
        functions_of(snapshot)[3].name = "f #2"

    def rename_and_drop(snapshot: MetaSnapshot) -> None:
        rename(snapshot)
        snapshot.sections["functions"].pop()

    expected = [Change("functions", REMOVED, ("f #2",))]
    assert list(diff_names(edited(rename), edited(rename_and_drop))) == expected


def test_a_version_that_alone_differs_is_a_change() -> None:
    """Of the section hummock_version, with its fields."""

    def edit(snapshot: MetaSnapshot) -> None:
        version = snapshot.hummock_version
        message = version.message
        message.id += 1
        snapshot.hummock_version = HummockVersion.from_message(message, version.form, version.era)

    expected = [Change(HUMMOCK_VERSION, CHANGED, (), ("id",))]
    assert changes(opened(SEVENTH), edited(edit)) == expected


@pytest.mark.parametrize("find", [diff_names, diff_rows])
def test_bytes_that_change_while_they_are_compared_are_damage(
    find: Callable[[Side, Side], Iterator[Change]],
) -> None:
    """A file that was sound when it was opened: its section is hashed to the end."""
    file = BytesIO(SEVENTH.read_bytes())
    side = SnapshotSide(SnapshotReader(file))
    offset, row = next(side.reader.raw_rows("session_parameters"))
    file.seek(offset + 4)
    file.write(row.replace(b'"value":"default"', b'"value":"dEfault"'))
    with pytest.raises(ChecksumMismatch, match="section session_parameters, read a second time"):
        list(find(opened(SEVENTH), side))


class Tracked(Blob):
    """A blob that can be watched."""


def test_rows_are_not_held() -> None:
    """While a thousand are compared, two are alive at most."""
    alive = weakref.WeakSet[Tracked]()
    first, most = next(opened(SEVENTH).rows("secrets")), 0

    class Many(Rows):
        def rows(self, section: str) -> Iterator[Any]:
            nonlocal most
            for number in range(1000 if section == "secrets" else 0):
                value = Tracked(bytes([number % 251]))
                alive.add(value)
                most = max(most, len(alive))
                yield structs.replace(first, secret_id=number, value=value)

        def count(self, section: str) -> int:
            return 1000 if section == "secrets" else 0

    layout = LAYOUTS["3.0.1"]
    assert changes(Many(layout), Many(layout)) == []
    assert 1 <= most <= 3
