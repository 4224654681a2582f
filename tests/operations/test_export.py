"""export: what comes out can be read back by small readers of JSON lines, CSV and SQLite; damage
leaves nothing that looks whole."""

from __future__ import annotations

import base64
import json
import sqlite3
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import goldens
import pytest
from exhaustive import thin
from msgspec import structs

import metasnapshot
from metasnapshot import Blob, MetaSnapshot, SnapshotReader
from metasnapshot.errors import ChecksumMismatch, ConflictError, MetasnapshotError
from metasnapshot.format.layout import HUMMOCK_VERSION
from metasnapshot.operations.export import (
    export_rows,
    new_path,
    write_csv,
    write_jsonl,
    write_sqlite,
)

TAG = goldens.SHIPPED / "v3.0.3"
SEVENTH = TAG / "backup" / "7.snapshot"
AWKWARD = 'a "quoted", \r\n line\u2028 and \\N, \x00\x1b ✓'
SECRETS = (
    "hummockadmin",  # in the state store's URL
    'eyJ \\"x\\"',  # the licence key
    base64.b64encode(bytes(range(16)))[:16].decode(),  # a secret's value
    base64.b64encode(b"\x08\x04\x1a9\n)SELECT")[:12].decode(),  # a user's auth_info
    "hunter2",  # what planted() adds
    "aHVudGVyM",
)


def opened(data: bytes) -> SnapshotReader:
    return SnapshotReader(BytesIO(data))


def edited(edit: Callable[[MetaSnapshot], object]) -> SnapshotReader:
    """Snapshot 7 after an edit."""
    snapshot = metasnapshot.loads(SEVENTH.read_bytes())
    edit(snapshot)
    return opened(metasnapshot.dumps(snapshot))


def planted(snapshot: MetaSnapshot) -> None:
    """A password in properties and definitions."""
    source, sink = snapshot.sections["sources"][0], snapshot.sections["sinks"][0]
    source.with_properties = {"connector": "kafka", "properties.sasl.password": "hunter2"}
    source.definition = "CREATE SOURCE s WITH (properties.sasl.password = 'hunter2')"
    sink.properties = {"aws.credentials.secret_access_key": "hunter2", "primary_key": "id"}
    sink.definition = "CREATE SINK s WITH (\"secret.key\"='hunter2', url = 'db://u:hunter2@h/d')"
    snapshot.sections["secrets"][1].value = Blob(b"hunter2" + bytes(range(16)))


def jsonl(reader: SnapshotReader, *sections: str, with_secrets: bool = False) -> list[Any]:
    file = StringIO()
    write_jsonl(reader, sections or reader.section_names, file, with_secrets=with_secrets)
    return [json.loads(line) for line in file.getvalue().split("\n")[:-1]]


def read_csv(text: str) -> list[list[str | None]]:
    """A reader that tells nothing (None) from an empty text in quotes, as PostgreSQL's COPY."""
    rows: list[list[str | None]] = [[]]
    position = 0
    while position < len(text):
        cell: str | None = None
        if text[position] == '"':
            cell, position = "", position + 1
            while text[position] != '"' or text[position : position + 2] == '""':
                cell += text[position]
                position += 2 if text[position] == '"' else 1
            position += 1
        rows[-1].append(cell)
        assert text[position] in ",\n", "a value without quotes"
        if text[position] == "\n":
            rows.append([])
        elif text[position + 1] == "\n":
            rows[-1].append(None)
            rows.append([])
            position += 1
        position += 1
    assert rows.pop() == [], "the last line has its end"
    return rows


def csv_text(reader: SnapshotReader, section: str, *, with_secrets: bool = False) -> str:
    file = StringIO()
    count = write_csv(reader, section, file, with_secrets=with_secrets)
    assert count == len(read_csv(file.getvalue())) - 1
    return file.getvalue()


@pytest.mark.parametrize("path", thin(goldens.SNAPSHOTS), ids=goldens.name)
def test_json_lines_are_the_rows_and_a_summary(path: Path) -> None:
    """Each section's rows in the order of the file; the counts and the checksum last."""
    with metasnapshot.open(path) as reader:
        *lines, last = jsonl(reader)
        assert lines == [
            {"section": name, "row": row}
            for name in reader.section_names
            for row in export_rows(reader, name)
        ]
        rows = {place.name: place.count for place in reader.places}
        checksum = f"{reader.checksum:016x}"
    assert last == {"summary": {"snapshot_id": reader.id, "checksum": checksum, "rows": rows}}
    assert path.read_bytes()[-8:] == bytes.fromhex(checksum)[::-1]


@pytest.mark.parametrize("path", thin(goldens.SNAPSHOTS), ids=goldens.name)
def test_csv_comes_back_to_the_same_rows(path: Path) -> None:
    """Texts as they are, everything else as JSON, NULL as nothing; the head even of no row."""
    with metasnapshot.open(path) as reader:
        for place in reader.places:
            head, *found = read_csv(csv_text(reader, place.name, with_secrets=True))
            rows = list(export_rows(reader, place.name, with_secrets=True))
            assert len(head) == len(set(head)) >= 1
            for cells, row in zip(found, rows, strict=True):
                assert row.keys() == set(head)
                values = dict(zip(head, cells, strict=True))
                for name, value in row.items():
                    if isinstance(value, str) or value is None:
                        assert values[name] == value
                    else:
                        assert json.loads(values[name] or "") == value


def test_csv_tells_null_from_an_empty_text() -> None:
    """And quotes, commas, newlines, control characters and backslashes come back."""

    def edit(snapshot: MetaSnapshot) -> None:
        one, other, third = snapshot.sections["databases"]
        one.resource_group, one.name = "", AWKWARD
        other.resource_group, third.resource_group = "NULL", ","
        snapshot.sections["session_parameters"][0].description = None
        snapshot.sections["session_parameters"][1].description = ""
        snapshot.sections["secrets"].clear()

    reader = edited(edit)
    head, *rows = read_csv(csv_text(reader, "databases"))
    assert head[:3] == ["database_id", "name", "resource_group"]
    assert (rows[0][1], [row[2] for row in rows]) == (AWKWARD, ["", "NULL", ","])
    _, first, second, *_ = read_csv(csv_text(reader, "session_parameters"))
    assert (first[2], second[2]) == (None, "")
    assert csv_text(reader, "secrets") == '"secret_id","name","value"\n'


@pytest.mark.parametrize("path", thin(goldens.SNAPSHOTS), ids=goldens.name)
def test_sqlite_has_a_table_a_section(path: Path, tmp_path: Path) -> None:
    """With its count, blobs byte for byte, NULL as NULL, numbers as numbers, the rest as text."""
    file = tmp_path / "look.db"
    with metasnapshot.open(path) as reader, closing(sqlite3.connect(file)) as connection:
        counts = write_sqlite(reader, reader.section_names, file, with_secrets=True)
        assert counts == {place.name: place.count for place in reader.places}
        tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        assert [name for (name,) in tables] == list(reader.section_names)
        for name in set(reader.section_names) - {HUMMOCK_VERSION}:
            connection.row_factory = sqlite3.Row
            found = [dict(row) for row in connection.execute(f'SELECT * FROM "{name}"')]
            shown = list(export_rows(reader, name, with_secrets=True))
            for row, model, values in zip(reader.rows(name), found, shown, strict=True):
                assert model.keys() == values.keys()
                for column, value in values.items():
                    assert model[column] == in_sqlite(getattr(row, column), value)


def in_sqlite(value: object, shown: object) -> object:
    """What a value must be in SQLite."""
    if isinstance(value, Blob):
        return value.bytes
    if isinstance(shown, (dict, list)):
        return json.dumps(shown, ensure_ascii=False, separators=(",", ":"))
    return shown


def test_the_version_is_one_row_of_json(tmp_path: Path) -> None:
    """In every form: what HummockVersion.json gives."""
    reader = opened(SEVENTH.read_bytes())
    expected = reader.hummock_version.json
    assert jsonl(reader, HUMMOCK_VERSION)[0]["row"] == {"hummock.HummockVersion": expected}
    ((_,), (cell,)) = read_csv(csv_text(reader, HUMMOCK_VERSION))
    assert json.loads(cell or "") == expected
    write_sqlite(reader, [HUMMOCK_VERSION], tmp_path / "look.db")
    with closing(sqlite3.connect(tmp_path / "look.db")) as connection:
        ((text,),) = connection.execute("SELECT * FROM hummock_version")
    assert json.loads(text) == expected


def all_formats(reader: SnapshotReader, path: Path, *, with_secrets: bool) -> Iterator[str]:
    """What each format writes, as text; blobs of SQLite as base64."""
    yield json.dumps(jsonl(reader, with_secrets=with_secrets), ensure_ascii=False)
    yield "".join(
        csv_text(reader, name, with_secrets=with_secrets) for name in reader.section_names
    ).replace('""', '\\"')
    write_sqlite(reader, reader.section_names, path, with_secrets=with_secrets)
    with closing(sqlite3.connect(path)) as connection:
        rows = [
            [base64.b64encode(cell).decode() if isinstance(cell, bytes) else cell for cell in row]
            for name in reader.section_names
            for row in connection.execute(f'SELECT * FROM "{name}"')
        ]
    yield json.dumps(rows, ensure_ascii=False)


def test_no_format_shows_a_secret_unless_asked(tmp_path: Path) -> None:
    """Parameters, auth_info, secrets, properties, definitions; with_secrets shows all of them."""
    reader = edited(planted)
    for text in all_formats(reader, tmp_path / "hidden.db", with_secrets=False):
        assert [secret for secret in SECRETS if secret in text] == []
        assert "(redacted)" in text
        assert "primary_key" in text
    for text in all_formats(reader, tmp_path / "shown.db", with_secrets=True):
        assert [secret for secret in SECRETS if secret not in text] == []
        assert text.count("hunter2") == 5
        assert "(redacted)" not in text


@pytest.mark.parametrize("form", ["jsonl", "csv", "sqlite"])
def test_bytes_that_change_meanwhile_are_damage(form: str, tmp_path: Path) -> None:
    """In a late section: no summary, no row in SQLite, and no file where new_path promised one."""
    file = BytesIO(SEVENTH.read_bytes())
    reader = SnapshotReader(file)
    offset, row = next(reader.raw_rows("session_parameters"))
    file.seek(offset + 4)
    file.write(row.replace(b'"value":"default"', b'"value":"dEfault"'))
    text, target = StringIO(), tmp_path / "out"
    with (
        pytest.raises(ChecksumMismatch, match="section session_parameters, read a second time"),
        new_path(target) as path,
    ):
        path.write_text("begun", encoding="utf-8")
        if form == "jsonl":
            write_jsonl(reader, reader.section_names, text)
        elif form == "csv":
            write_csv(reader, "session_parameters", text)
        else:
            write_sqlite(reader, ["users", "session_parameters"], path.with_suffix(".db"))
    assert "summary" not in text.getvalue()
    assert list(tmp_path.iterdir()) == []


def test_a_path_appears_at_the_end_only(tmp_path: Path) -> None:
    """Until the block ends there is nothing under its name; then only that."""
    target = tmp_path / "out"
    with new_path(target) as path:
        path.write_text("all of it", encoding="utf-8")
        assert not target.exists()
    assert [item.name for item in tmp_path.iterdir()] == ["out"]
    assert target.read_text(encoding="utf-8") == "all of it"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """Neither a file, a directory, a broken link, nor what appeared while we wrote."""
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    (tmp_path / "directory").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("file", "directory", "link"):
        with (
            pytest.raises(ConflictError, match=f"{name} exists already"),
            new_path(tmp_path / name),
        ):
            pytest.fail("the block must not run")
    with pytest.raises(ConflictError), new_path(tmp_path / "late") as path:
        path.write_text("ours", encoding="utf-8")
        (tmp_path / "late").write_text("mine", encoding="utf-8")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"
    assert (tmp_path / "late").read_text(encoding="utf-8") == "mine"
    assert sorted(item.name for item in tmp_path.iterdir()) == ["directory", "file", "late", "link"]


@pytest.mark.parametrize("name", ["missing/out", "file/out", "x" * 300])
def test_where_nothing_can_be_written_is_said(tmp_path: Path, name: str) -> None:
    """A directory that is missing or a file, a name that is too long: an error with the path."""
    (tmp_path / "file").touch()
    with (
        pytest.raises(MetasnapshotError, match="cannot write ") as caught,
        new_path(tmp_path / name) as path,
    ):
        path.touch()
    assert (caught.value.exit_code, ".metasnapshot-" in str(caught.value)) == (1, False)
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


class Tracked(Blob):
    """A blob that can be watched."""


@pytest.mark.parametrize("form", ["jsonl", "csv", "sqlite"])
def test_rows_are_not_held(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a thousand are written, three are alive at most."""
    reader = opened(SEVENTH.read_bytes())
    first = next(reader.rows("secrets"))
    alive, most = weakref.WeakSet[Tracked](), 0

    def many(*_: object) -> Iterator[Any]:
        nonlocal most
        for number in range(1000):
            value = Tracked(bytes(number % 7))
            alive.add(value)
            most = max(most, len(alive))
            yield structs.replace(first, secret_id=number, value=value)

    monkeypatch.setattr(SnapshotReader, "rows", many)
    if form == "sqlite":
        counts = write_sqlite(reader, ["secrets"], tmp_path / "look.db", with_secrets=True)
        assert counts == {"secrets": 1000}
    elif form == "csv":
        assert write_csv(reader, "secrets", StringIO(), with_secrets=True) == 1000
    else:
        assert write_jsonl(reader, ["secrets"], StringIO()) == {"secrets": 1000}
    assert 1 <= most <= 3
