"""References out of the tables of releases: whatever foreign keys these have, and only as long."""

from __future__ import annotations

import sqlite3
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import goldens
import pytest

import metasnapshot
from metasnapshot.contents import foreign_keys
from metasnapshot.contents.foreign_keys import BY_HAND, Values, missing, references_of
from metasnapshot.contents.references import check_references
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.format.scalars import Blob
from metasnapshot_models.ddl import TABLES, DdlColumn, DdlForeignKey, DdlTable

LATER = {
    (("pending_sink_state", ("sink_id",)), ("object", ("oid",))),
    (("subscription", ("dependent_table_id",)), ("object", ("oid",))),
}
"""Columns that are older than their foreign keys."""
A = DdlColumn("a", "integer")
B = DdlColumn("b", "integer")
LATE = DdlColumn("a", "integer", since="2.0.1")


def key(*columns: str, since: str = "", until: str = "", to: str = "box") -> DdlForeignKey:
    return DdlForeignKey("FK", columns, to, columns, since=since, until=until)


@pytest.mark.parametrize("tag", goldens.TAGS, ids=lambda tag: tag.name)
def test_references_are_the_foreign_keys_of_each_release(tag: Path) -> None:
    """Each foreign key of a golden schema is followed, two of them to what they must be, and
    nothing that is none, but for a key that the table got in a later release."""
    with sqlite3.connect(":memory:") as connection:
        connection.executescript((tag / "schema.sqlite.sql").read_text(encoding="utf-8"))
        names = "SELECT name FROM sqlite_master WHERE type = 'table'"
        keys = {
            ((table, (row[3],)), (row[2], (row[4],)))
            for (table,) in connection.execute(names).fetchall()
            for row in connection.execute(f'PRAGMA foreign_key_list("{table}")')
        }
    connection.close()
    found = {(key, target) for key, target in references_of([tag.name.removeprefix("v")])}
    assert found - set(BY_HAND.items()) - LATER == {
        (key, target) for key, target in keys - LATER if key not in BY_HAND
    }
    assert set(BY_HAND.items()) <= found
    assert {key for key, _ in found} >= {key for key, _ in keys}


@pytest.mark.parametrize(
    ("columns", "keys", "release", "targets"),
    [
        pytest.param((A,), (key("a"),), "1.9.0", {"box"}, id="of all releases"),
        pytest.param((A,), (key("a"),), "3.0.3", {"box"}, id="of all releases, later"),
        pytest.param((A,), (key("a", until="2.0.7"),), "2.0.7", {"box"}, id="before it went"),
        pytest.param((A,), (key("a", until="2.0.7"),), "2.1.0", set(), id="after it went"),
        pytest.param((A,), (key("a", since="2.1.0"),), "1.9.0", {"box"}, id="before it came"),
        pytest.param((LATE,), (key("a", since="2.1.0"),), "2.0.1", {"box"}, id="with its column"),
        pytest.param((LATE,), (key("a", since="2.1.0"),), "1.10.2", set(), id="before its column"),
        pytest.param(
            (A,),
            (key("a", until="2.0.7"), key("a", since="2.1.0", to="jar")),
            "2.0.7",
            {"box"},
            id="before it turned",
        ),
        pytest.param(
            (A,),
            (key("a", until="2.0.7"), key("a", since="2.1.0", to="jar")),
            "2.1.0",
            {"jar"},
            id="after it turned",
        ),
        pytest.param((A,), (key("a"), key("a", to="jar")), "2.1.0", {"box", "jar"}, id="two"),
        pytest.param((A, B), (key("a", "b"),), "2.1.0", {"box"}, id="of two columns"),
    ],
)
def test_a_foreign_key_is_followed_in_its_releases(
    monkeypatch: pytest.MonkeyPatch,
    columns: tuple[DdlColumn, ...],
    keys: tuple[DdlForeignKey, ...],
    release: str,
    targets: set[str],
) -> None:
    """As long as its column names rows of a table, also before a release says so."""
    monkeypatch.setattr(foreign_keys, "TABLES", (DdlTable("toy", columns, keys, ()),))
    foreign_keys.by_release.cache_clear()
    try:
        found = references_of([release])
    finally:
        foreign_keys.by_release.cache_clear()
    assert {target for _, (target, _) in found} == targets


def test_keys_of_text_and_of_many_columns_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the columns hold, a row that names none is an error with all their values."""
    made_up = {
        "session_parameter": DdlForeignKey("FK", ("name",), "system_parameter", ("name",)),
        "iceberg_namespace_properties": DdlForeignKey(
            "FK",
            ("catalog_name", "namespace"),
            "iceberg_tables",
            ("catalog_name", "table_namespace"),
        ),
    }
    tables = tuple(
        item._replace(foreign_keys=(made_up[item.name],)) if item.name in made_up else item
        for item in TABLES
    )
    data = (goldens.SHIPPED / "v3.0.3" / "backup" / "7.snapshot").read_bytes()
    snapshot = metasnapshot.loads(data)
    (table, *_) = snapshot.sections["iceberg_tables"]
    (row, other, *_) = snapshot.sections["iceberg_namespace_properties"]
    row.catalog_name, row.namespace = table.catalog_name, table.table_namespace
    other.catalog_name, other.namespace = table.catalog_name, "nowhere"
    monkeypatch.setattr(foreign_keys, "TABLES", tables)
    foreign_keys.by_release.cache_clear()
    try:
        reader = SnapshotReader(BytesIO(metasnapshot.dumps(snapshot)))
        found = list(check_references(reader))
    finally:
        foreign_keys.by_release.cache_clear()
    of_two = [item.row for item in found if item.section == "iceberg_namespace_properties"]
    assert f"catalog_name {table.catalog_name}, namespace nowhere" in of_two
    assert f"catalog_name {table.catalog_name}, namespace {table.table_namespace}" not in of_two
    names = {item.name for item in snapshot.sections["session_parameters"]}
    names -= {item.name for item in snapshot.sections["system_parameters"]}
    of_text = {item.row for item in found if item.section == "session_parameters"}
    assert of_text == {f"name {name}" for name in names} != set()


def test_values_of_any_kind_are_compared() -> None:
    """Bytes by what they are, integers beside text as they are; a NULL names nothing."""
    integers, texts, pairs = (
        Values(("a",), is_integer=True),
        Values(("a",), is_integer=False),
        Values(("a", "b"), is_integer=True),
    )
    for value in (3, 1, 3):
        integers.note((value,))
    for value in ("x", Blob(b"\x00"), Blob(b"\x00")):
        texts.note((value,))
    for row in (SimpleNamespace(a=1, b=2), SimpleNamespace(a=1, b=None)):
        pairs.note_row(row)
    integers.note_row(SimpleNamespace(a=None))
    assert missing(integers, Values(("a",), is_integer=True)) == [(1,), (3,)]
    assert missing(texts, integers) == [("x",), (b"\x00",)]
    assert missing(integers, texts) == [(1,), (3,)]
    assert missing(pairs, pairs) == []
    assert missing(pairs, Values(("a", "b"), is_integer=True)) == [(1, 2)]
