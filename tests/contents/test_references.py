"""References: golden snapshots have none that dangles, and each kind of them is followed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Any

import goldens
import pytest
import xxhash
from exhaustive import thin
from hypothesis import given, settings
from hypothesis import strategies as st

import metasnapshot
from metasnapshot.contents.findings import ERROR, Finding
from metasnapshot.contents.foreign_keys import references_of
from metasnapshot.contents.references import KINDS as KEYS
from metasnapshot.contents.references import LOST, check_references
from metasnapshot.errors import RowError
from metasnapshot.format.layout import model_of, shape_of
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.format.scalars import Blob
from metasnapshot.format.snapshot import MetaSnapshot
from metasnapshot_models.codecs import CODECS
from metasnapshot_models.enums import ObjectType
from metasnapshot_models.layouts import LAYOUTS, RELEASES

Column = tuple[str, str]
"""A table and a column of it."""
KINDS: dict[ObjectType, Column] = {kind: (table, name) for kind, (table, (name,)) in KEYS.items()}
REFERENCES: dict[Column, Column] = {
    (table, name): (target, column)
    for (table, (name,)), (target, (column,)) in references_of(RELEASES)
}
"""Those of all releases."""
UNUSED = 2_000_000_011
"""An id that no golden row has."""
FULL = [tag / "backup" / "7.snapshot" for tag in goldens.TAGS]
CUT = [path for path in goldens.SNAPSHOTS if goldens.name(path).startswith("v2.2.0/mysql/")]
SOUND = [path for path in goldens.SNAPSHOTS if path not in CUT]
NO_MESSAGE = b"\x0f"
"""Wire type 7, which there is not."""


@cache
def _bytes(path: Path) -> bytes:
    return path.read_bytes()


def _load(path: Path) -> MetaSnapshot:
    return metasnapshot.loads(_bytes(path))


def _check(snapshot: MetaSnapshot) -> list[Finding]:
    return [
        item for item in _all(snapshot) if not item.what.startswith(("secret ", "streaming_job "))
    ]


def _all(snapshot: MetaSnapshot) -> list[Finding]:
    """Those of JOBS and SECRETS too; golden rows name secrets at random."""
    return list(check_references(SnapshotReader(BytesIO(metasnapshot.dumps(snapshot)))))


def _sections(snapshot: MetaSnapshot) -> dict[str, str]:
    layout = LAYOUTS[snapshot.layout]
    return {CODECS[model].table: section for section, model in layout.sections}


def _values(snapshot: MetaSnapshot, column: Column) -> list[int]:
    """What stands in a column, NULL left out; nothing if the layout lacks it."""
    section = _sections(snapshot).get(column[0], "")
    found = [getattr(row, column[1]) for row in snapshot.sections.get(section, [])]
    return [value for value in found if isinstance(value, int)]


@cache
def _where(column: Column) -> tuple[Path, ...]:
    """The oldest and the newest golden snapshot that have a reference of this kind."""
    found = [path for path in FULL if _values(_load(path), column)]
    return tuple(dict.fromkeys(found[:1] + found[-1:]))


def _dangling(snapshot: MetaSnapshot) -> set[Finding]:
    """What must be found, worked out row by row."""
    found: set[Finding] = set()
    sections = _sections(snapshot)
    for column, target in REFERENCES.items():
        known = _values(snapshot, target)
        for value in _values(snapshot, column):
            if value not in known:
                found.add(_lost(sections[column[0]], column[1], target[0], value))
    for row in snapshot.sections["objects"]:
        column = KINDS[row.obj_type]
        if column[0] in sections and row.oid not in _values(snapshot, column):
            found.add(_rowless(sections[column[0]], row.oid, row.obj_type))
    return found


def _lost(section: str, column: str, table: str, value: int) -> Finding:
    return Finding(ERROR, section, f"{column} {value}", f"{table} {value} is not there", LOST)


def _rowless(section: str, oid: int, kind: ObjectType) -> Finding:
    what = f"object {oid} is a {kind.value}, but there is no such row"
    return Finding(ERROR, section, f"object {oid}", what, LOST)


@pytest.mark.parametrize("path", SOUND, ids=goldens.name)
def test_golden_snapshots_are_clean(path: Path) -> None:
    """Nothing is found in what RisingWave wrote."""
    assert _check(_load(path)) == []


@pytest.mark.parametrize("path", CUT, ids=goldens.name)
def test_what_a_database_cut_is_found(path: Path) -> None:
    """In 2.2.0 MySQL's column for the parameters of a connection had one byte."""
    assert {(item.section, item.row) for item in _check(_load(path))} == {
        ("connections", "51"),
        ("connections", "89"),
        ("connections", "object 61"),
        ("sinks", "connection_id 61"),
        ("sources", "connection_id 61"),
    }


def test_golden_snapshots_have_every_kind_of_reference() -> None:
    """The tests below leave none out."""
    assert [column for column in REFERENCES if not _where(column)] == []
    assert set(KINDS) == set(ObjectType)


@pytest.mark.parametrize("column", thin(REFERENCES), ids=".".join)
def test_a_reference_to_an_id_that_nobody_has(column: Column) -> None:
    """It is an error that names section, column and id."""
    for path in _where(column):
        snapshot = _load(path)
        section = _sections(snapshot)[column[0]]
        row = next(
            row for row in snapshot.sections[section] if isinstance(getattr(row, column[1]), int)
        )
        setattr(row, column[1], UNUSED)
        found = _check(snapshot)
        assert _lost(section, column[1], REFERENCES[column][0], UNUSED) in found
        assert len(found) == len(set(found))
        assert set(found) == _dangling(snapshot)


def _without_target(snapshot: MetaSnapshot, column: Column) -> int:
    """Take away a row that another row refers to by this column; returns its id."""
    table, name = REFERENCES[column]
    section = _sections(snapshot)[table]
    rows = snapshot.sections[section]
    for value in _values(snapshot, column):
        snapshot.sections[section] = [row for row in rows if getattr(row, name) != value]
        if value in _values(snapshot, column):
            return value
    raise AssertionError(f"every row that has a {column} refers to itself")


@pytest.mark.parametrize("column", thin(REFERENCES), ids=".".join)
def test_a_row_that_is_gone(column: Column) -> None:
    """Whoever refers to it is an error that names section, column and id; nobody else is."""
    for path in _where(column):
        snapshot = _load(path)
        value = _without_target(snapshot, column)
        found = _check(snapshot)
        section = _sections(snapshot)[column[0]]
        assert _lost(section, column[1], REFERENCES[column][0], value) in found
        assert set(found) == _dangling(snapshot)


def test_null_refers_to_nothing() -> None:
    """A column that takes NULL may be NULL in every row."""
    nullable = 0
    for path, column in product(FULL[:1] + FULL[-1:], REFERENCES):
        snapshot = _load(path)
        section = _sections(snapshot).get(column[0])
        layout = LAYOUTS[snapshot.layout]
        columns = shape_of(layout, model_of(layout, section)).columns if section else ()
        if section and any(item.name == column[1] and item.nullable for item in columns):
            for row in snapshot.sections[section]:
                setattr(row, column[1], None)
            assert _check(snapshot) == []
            nullable += 1
    assert nullable > 20


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", [FULL[0], FULL[-1]], ids=goldens.name)
def test_an_object_without_its_row(path: Path, kind: ObjectType) -> None:
    """An object of each kind must have its row in the table of that kind."""
    snapshot = _load(path)
    table, name = KINDS[kind]
    section = _sections(snapshot)[table]
    objects = {row.oid for row in snapshot.sections["objects"] if row.obj_type == kind}
    gone = next(row for row in snapshot.sections[section] if getattr(row, name) in objects)
    snapshot.sections[section].remove(gone)
    found = _check(snapshot)
    assert _rowless(section, getattr(gone, name), kind) in found
    assert set(found) == _dangling(snapshot)


def test_an_object_of_the_wrong_kind() -> None:
    """A view that says it is a function has no row among the functions."""
    snapshot = _load(FULL[-1])
    row = next(row for row in snapshot.sections["objects"] if row.obj_type == ObjectType.VIEW)
    row.obj_type = ObjectType.FUNCTION
    assert _check(snapshot) == [_rowless("functions", row.oid, ObjectType.FUNCTION)]


def _blobs(snapshot: MetaSnapshot) -> list[tuple[str, str, Any, str]]:
    """The first row of each section with a blob in each column: section, column, row, key."""
    layout, found = LAYOUTS[snapshot.layout], list[tuple[str, str, Any, str]]()
    for section, model in layout.sections:
        columns = shape_of(layout, model).columns
        keys = [column.name for column in columns if column.pk]
        for column in (column for column in columns if column.type.message):
            rows = snapshot.sections[section]
            row = next((row for row in rows if getattr(row, column.name) is not None), None)
            if row is not None:
                key = ", ".join(str(getattr(row, name)) for name in keys)
                found.append((section, column.name, row, key))
    return found


@pytest.mark.parametrize("path", FULL, ids=goldens.name)
def test_a_blob_that_is_no_message(path: Path) -> None:
    """It is an error that names section, key and column; for every column that has messages."""
    count = len(_blobs(_load(path)))
    assert count > 15
    snapshot = _load(path)
    expected: set[tuple[str, str, str, str]] = set()
    for section, column, row, key in _blobs(snapshot):
        setattr(row, column, Blob(NO_MESSAGE))
        expected.add((ERROR, section, key, f"column {column}"))
    found = _check(snapshot)
    assert {(x.severity, x.section, x.row, x.what.partition(":")[0]) for x in found} == expected
    assert len(found) == len(expected) == count
    assert all(": not a " in item.what for item in found)


@settings(max_examples=60)
@given(st.data())
def test_any_bytes_are_a_message_or_a_finding(data: st.DataObject) -> None:
    """Random bytes never end a check; they are found unless they happen to decode."""
    snapshot = _load(goldens.SHIPPED / "v3.0.3" / "backup" / "7.snapshot")
    section, column, row, key = data.draw(st.sampled_from(_blobs(snapshot)), label="blob")
    random = data.draw(st.binary(max_size=200), label="bytes")
    decodes = _decodes(
        lambda: Blob(random, getattr(row, column).type, LAYOUTS["3.0.1"].era).message
    )
    setattr(row, column, Blob(random))
    found = [(item.section, item.row) for item in _check(snapshot)]
    assert found == ([] if decodes else [(section, key)])


def _decodes(read: Callable[[], object]) -> bool:
    try:
        read()
    except RowError:
        return False
    return True


def test_a_row_that_does_not_decode_is_damage() -> None:
    """What only the codec can see is not taken for a clean row."""
    body = _bytes(FULL[-1])[:-8].replace(b'"obj_type":"Table"', b'"obj_type":"Tabld"', 1)
    data = body + xxhash.xxh64_intdigest(body).to_bytes(8, "little")
    with pytest.raises(RowError, match=r"section objects, row 4, column obj_type, "):
        list(check_references(SnapshotReader(BytesIO(data))))


def test_a_secret_that_is_not_there_is_a_warning() -> None:
    """Sources and sinks name secrets in a map of messages, and look them up when they start."""
    snapshot = _load(FULL[-1])
    named = {
        secret.secret_id
        for section in ("sinks", "sources")
        for row in snapshot.sections[section]
        if row.secret_ref is not None
        for secret in row.secret_ref.message.values()
    }
    known = {row.secret_id for row in snapshot.sections["secrets"]}
    told = {item.row for item in _all(snapshot) if item.row.startswith("secret_ref ")}
    assert told == {f"secret_ref {number}" for number in named - known}
    assert told


def test_a_fragment_without_its_job_is_an_error() -> None:
    """No foreign key says so, but the meta node takes it for granted."""
    snapshot = _load(FULL[-1])
    job = snapshot.sections["fragments"][0].job_id
    jobs = snapshot.sections["streaming_jobs"]
    snapshot.sections["streaming_jobs"] = [row for row in jobs if row.job_id != job]
    rows = [item.row for item in _all(snapshot) if item.what.startswith("streaming_job ")]
    assert rows == [f"job_id {job}"]
