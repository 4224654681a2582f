"""diff of V1 snapshots, whose eras, unknown fields and repeated keys no V2 snapshot has."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import goldens
import pytest
from v1_snapshots import bare, cluster, row

import metasnapshot
from metasnapshot import Blob, MetaSnapshot, SnapshotReader
from metasnapshot.contents.fields import fields_of
from metasnapshot.format.messages import message_class
from metasnapshot.operations.diff import compare as operation
from metasnapshot.operations.diff.compare import (
    ADDED,
    CHANGED,
    REMOVED,
    UNKNOWN_FIELDS,
    Change,
    align,
    diff_names,
    diff_objects,
    diff_rows,
)
from metasnapshot.operations.diff.sides import SnapshotSide
from metasnapshot_models.v1 import V1_LAYOUTS

LAYOUT = "v1-0.19"
"""One layout of nine eras, with 1.4 to 1.5 in it, where most enums got other names."""
UNKNOWN = b"\xfa\x3f\x03abc"
"""A field that no era has: 1023, the text abc."""
OPPOSITE = {ADDED: REMOVED, REMOVED: ADDED, CHANGED: CHANGED}
V1_PAIRS = list(pairwise(goldens.V1_SNAPSHOTS))
V2_PAIR = [goldens.SHIPPED / tag / "backup" / "2.snapshot" for tag in ("v2.2.0", "v3.0.3")]
IN_ORDER = """
import sys
from metasnapshot import SnapshotReader
from metasnapshot.operations.diff import compare as diff
from metasnapshot.operations.diff.sides import SnapshotSide
diff.PART_ROWS = 2
with open(sys.argv[1], "rb") as one, open(sys.argv[2], "rb") as other:
    sides = [SnapshotSide(SnapshotReader(file)) for file in (one, other)]
    diff.align(*sides)
    for change in diff.diff_rows(*sides):
        print(change)
"""


def opened(source: MetaSnapshot | Path) -> SnapshotSide:
    data = source.read_bytes() if isinstance(source, Path) else metasnapshot.dumps(source)
    return SnapshotSide(SnapshotReader(BytesIO(data)))


def aligned(a: MetaSnapshot | Path, b: MetaSnapshot | Path) -> tuple[SnapshotSide, SnapshotSide]:
    sides = opened(a), opened(b)
    align(*sides)
    return sides


def rows_changed(a: MetaSnapshot | Path, b: MetaSnapshot | Path) -> list[Change]:
    return list(diff_rows(*aligned(a, b)))


def table_of(era: str, **fields: Any) -> Blob:
    """The table of a small cluster, with fields of a later era."""
    table = cluster(LAYOUT, 1).sections["table"][0]
    message = message_class("catalog.Table", era).FromString(table.bytes)
    for name, value in fields.items():
        setattr(message, name, value)
    return Blob(message.SerializeToString(deterministic=True))


def of_era(era: str, number: int, **fields: Any) -> MetaSnapshot:
    """A small cluster with a sink and a level whose enums were renamed, read by an era."""
    made = cluster(LAYOUT, number)
    sink = made.sections["sink"][0].bytes
    made.sections["sink"] = [Blob(sink + row(LAYOUT, "sink", sink_type=1).bytes)]
    made.sections["table"] = [table_of(era, **fields)]
    assert opened(made).reader.era == era
    return made


def views(*texts: str, number: int = 1) -> MetaSnapshot:
    """A snapshot of nothing but views of one id."""
    found = [row(LAYOUT, "view", id=1004, name="v", sql=text) for text in texts]
    return bare(LAYOUT, number, view=found)


def test_a_field_that_only_the_later_era_knows_is_compared() -> None:
    """Of a row that has it since, and of one that has not: the same either way, by name too."""
    older, newer = of_era("v0.19.0", 1), of_era("v1.4.0", 2, description="of orders")
    expected = [Change("table", CHANGED, (1001,), ("description",))]
    assert rows_changed(older, newer) == rows_changed(newer, older) == expected
    named = Change("tables", CHANGED, ("dev.public.t",), ("description",))
    assert list(diff_names(*aligned(older, newer))) == [named]


def test_renamed_enums_are_no_difference() -> None:
    """A sink's type and a level's, of equal bytes, though 1.5 gave them other names."""
    older, newer = of_era("v0.19.0", 1), of_era("v1.6.0", 2, created_at_cluster_version="1.6.0")
    assert older.sections["sink"][0].bytes == newer.sections["sink"][0].bytes
    shown = [
        (fields_of(next(side.rows("sink")))["sink_type"], str(side.version()))
        for side in map(opened, (older, newer))
    ]
    assert [name for name, _ in shown] == ["APPEND_ONLY", "SINK_TYPE_APPEND_ONLY"]
    assert ["LEVEL_TYPE_NONOVERLAPPING" in version for _, version in shown] == [False, True]
    expected = [Change("table", CHANGED, (1001,), ("created_at_cluster_version",))]
    assert rows_changed(older, newer) == rows_changed(newer, older) == expected


def test_both_are_read_by_the_later_era() -> None:
    """Whichever comes first; a side that is read alone has its own again."""
    older, newer = of_era("v0.19.0", 1), of_era("v1.6.0", 2, created_at_cluster_version="1.6.0")
    for pair in ((older, newer), (newer, older)):
        assert [side.reader.era for side in aligned(*pair)] == ["v1.6.0", "v1.6.0"]
    assert opened(older).reader.era == "v0.19.0"


@pytest.mark.parametrize(
    ("before", "after"),
    [(b"", UNKNOWN), (UNKNOWN, b""), (UNKNOWN, UNKNOWN[:-1] + b"d")],
    ids=["added", "removed", "another"],
)
def test_unknown_fields_are_compared(before: bytes, after: bytes) -> None:
    """A row of which all known fields are equal is changed by what nobody knows."""
    a, b = cluster(LAYOUT, 1), cluster(LAYOUT, 2)
    for snapshot, more in ((a, before), (b, after)):
        snapshot.sections["view"] = [Blob(snapshot.sections["view"][0].bytes + more)]
    assert rows_changed(a, b) == [Change("view", CHANGED, (1004,), (UNKNOWN_FIELDS,))]
    assert rows_changed(a, a) == []


def test_a_known_field_is_named_before_unknown_ones() -> None:
    """What differs by name says more than that something else does."""
    a, b = cluster(LAYOUT, 1), cluster(LAYOUT, 2, view="SELECT 2")
    b.sections["view"] = [Blob(b.sections["view"][0].bytes + UNKNOWN)]
    assert rows_changed(a, b) == [Change("view", CHANGED, (1004,), ("sql",))]


@pytest.mark.parametrize("path", goldens.V1_SNAPSHOTS, ids=goldens.name)
def test_a_snapshot_does_not_differ_from_itself(path: Path) -> None:
    """Not by name, row or object, though keys repeat in golden ones."""
    a, b = aligned(path, path)
    assert ([*diff_names(a, b), *diff_rows(a, b)], diff_objects(a, b)) == ([], ([], []))
    keys = Counter(
        (section, *(str(fields_of(found)[name]) for name in names))
        for section in a.section_names
        if section != "hummock_version" and (names := a.key_names(section))
        for found in a.rows(section)
    )
    assert max(keys.values()) > 1


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (["one"], ["one", "two"], [ADDED]),
        (["one", "two"], ["one"], [REMOVED]),
        (["one", "two"], ["two"], [REMOVED]),
        (["one", "two"], ["two", "one"], []),
        (["one", "two"], ["three", "one"], [CHANGED]),
        (["one", "one"], ["one"], [REMOVED]),
        (["one"], ["one", "one", "one"], [ADDED, ADDED]),
        (["one", "two"], ["three", "four", "five"], [CHANGED, CHANGED, ADDED]),
        (["one", "two", "three"], ["four"], [CHANGED, REMOVED, REMOVED]),
    ],
)
def test_rows_of_one_key_are_counted(
    before: list[str], after: list[str], expected: list[str]
) -> None:
    """Equal ones are one, in whatever order; of the others each is told."""
    found = rows_changed(views(*before), views(*after, number=2))
    columns = {ADDED: (), REMOVED: (), CHANGED: ("sql",)}
    assert found == [Change("view", change, (1004,), columns[change]) for change in expected]


@pytest.mark.parametrize(("first", "second"), V1_PAIRS, ids=goldens.name)
def test_what_one_way_adds_the_other_removes(first: Path, second: Path) -> None:
    """Of two eras, also where the later cannot read the older: 2.5 gave field 6 of Dispatcher to
    another type. Sound files are no damage."""
    there, back = rows_changed(first, second), rows_changed(second, first)
    turned = [replace(change, change=OPPOSITE[change.change]) for change in back]
    assert there
    assert Counter(turned) == Counter(there)


@pytest.mark.parametrize("older", list(V1_LAYOUTS)[:-1])
def test_a_cluster_of_two_layouts_is_one(older: str) -> None:
    """Objects of Hummock and names are the same after an upgrade that changed nothing."""
    a, b = aligned(cluster(older, 1), cluster("v1-2.0", 2))
    assert diff_objects(a, b) == ([], [])
    assert [change for change in diff_names(a, b) if change.kind != "system parameters"] == []


def test_v2_snapshots_are_read_as_before() -> None:
    """Each by its own layout: there is nothing to align."""
    a, b = map(opened, V2_PAIR)
    expected = list(diff_rows(a, b))
    eras = a.reader.era, b.reader.era
    align(a, b)
    assert (a.reader.era, b.reader.era) == eras == ("v2.2.0", "v3.0.3")
    assert list(diff_rows(a, b)) == expected != []
    a.reader.read_as("v1.4.0")
    assert a.reader.era == "v2.2.0"


def test_parts_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few rows are held at once: rows of one key are in one part."""
    a, b = views("one", "one", "two"), views("one", "three", "two", "two", number=2)
    expected = rows_changed(a, b)
    assert [change.change for change in expected] == [CHANGED, ADDED]
    monkeypatch.setattr(operation, "PART_ROWS", 1)
    assert rows_changed(a, b) == expected


@pytest.mark.parametrize("format_version", [1, 2])
def test_results_come_in_one_order(format_version: int) -> None:
    """In every process, whatever seed its hashes have, and in parts too."""
    pair = V2_PAIR if format_version == 2 else goldens.V1_SNAPSHOTS[:2]
    command = [sys.executable, "-c", IN_ORDER, *map(str, pair)]
    path = os.pathsep.join(filter(None, sys.path))
    printed = [
        subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert printed[0] == printed[1]
    assert printed[0].count(b"\n") > 10
