"""Every V2 snapshot that RisingWave wrote decodes and encodes back to exactly the same bytes."""

from __future__ import annotations

import json
from pathlib import Path

import goldens
import pytest
import xxhash

import metasnapshot
from metasnapshot.format.codec import row_codec
from metasnapshot.format.layout import model_of
from metasnapshot_models.layouts import LAYOUTS, RELEASES

EXPECTED = sorted(
    path
    for tag in goldens.TAGS
    for path in (*tag.glob("expected.*.json"), *tag.glob("*/expected.*.json"))
    if path.parent.name != "v1"
)

FILLED = [path for path in goldens.SNAPSHOTS if path.name != "1.snapshot"]
"""Snapshots with rows in every section."""


def snapshot_of(expected: Path) -> Path:
    """The snapshot that an expected file describes."""
    number = expected.name.split(".")[1]
    folder = expected.parent / "backup"
    return (folder if folder.is_dir() else expected.parent) / f"{number}.snapshot"


@pytest.mark.parametrize("path", goldens.SNAPSHOTS, ids=goldens.name)
def test_bytes_come_back(path: Path) -> None:
    """dumps(loads(x)) == x."""
    data = path.read_bytes()
    assert metasnapshot.dumps(metasnapshot.loads(data)) == data


@pytest.mark.parametrize("path", EXPECTED, ids=goldens.name)
def test_each_row_is_what_the_encoder_of_the_release_wrote(path: Path) -> None:
    """Row by row: length, hash and text of what the model encodes to equal those of RisingWave's
    encoder."""
    expected = json.loads(path.read_text(encoding="utf-8"))
    snapshot = metasnapshot.loads(snapshot_of(path).read_bytes())
    assert (snapshot.format_version, snapshot.id) == (expected["format_version"], expected["id"])
    names = [
        section["name"] for section in expected["sections"] if section["name"] != "hummock_version"
    ]
    assert names == list(snapshot.sections)
    for section in expected["sections"]:
        if section["name"] == "hummock_version":
            rows = list(snapshot.hummock_version.rows)
        else:
            layout = LAYOUTS[snapshot.layout]
            codec = row_codec(layout, model_of(layout, section["name"]))
            rows = [codec.encode(row) for row in snapshot.sections[section["name"]]]
        found = [(len(row), xxhash.xxh64_hexdigest(row)) for row in rows]
        assert found == [(row["len"], row["xxh64"]) for row in section["rows"]], section["name"]
        for row, described in zip(rows, section["rows"], strict=True):
            assert described.get("text", row.decode()) == row.decode()


@pytest.mark.parametrize("path", goldens.SNAPSHOTS, ids=goldens.name)
def test_a_row_is_rebuilt_from_its_public_fields(path: Path) -> None:
    """A new model, made of a row's public values and with blobs made of their bytes, gives the
    row's bytes."""
    with metasnapshot.open(path) as reader:
        layout = LAYOUTS[reader.layout]
        for section, model in layout.sections:
            codec = row_codec(layout, model)
            for (_, data), row in zip(reader.raw_rows(section), reader.rows(section), strict=True):
                values = {name: getattr(row, name) for name in row.__struct_fields__}
                fresh = {
                    name: metasnapshot.Blob(value.bytes)
                    if isinstance(value, metasnapshot.Blob)
                    else value
                    for name, value in values.items()
                }
                assert codec.encode(type(row)(**fresh)) == data


@pytest.mark.parametrize("path", goldens.SNAPSHOTS, ids=goldens.name)
def test_the_layout_is_that_of_the_release(path: Path) -> None:
    """The releases that a snapshot may be of include the one that wrote it, and share its
    sections."""
    tag = path.parent.parent.name.removeprefix("v")
    snapshot = metasnapshot.loads(path.read_bytes())
    assert tag in snapshot.releases
    written = LAYOUTS[RELEASES[tag].layout]
    assert [name for name, _ in written.sections] == list(snapshot.sections)
    assert snapshot.opaque == b""


@pytest.mark.parametrize("path", goldens.SNAPSHOTS, ids=goldens.name)
def test_the_hummock_version_is_a_message_of_its_release(path: Path) -> None:
    """The version's message shows as exactly the JSON that stands in the file."""
    version = metasnapshot.loads(path.read_bytes()).hummock_version
    assert version.json == json.loads(version.rows[0])


@pytest.mark.parametrize("path", FILLED, ids=goldens.name)
def test_blobs_are_values_that_can_be_shown(path: Path) -> None:
    """Every blob column of every row has its bytes; and blobs of one type are equal exactly if
    their bytes are."""
    snapshot = metasnapshot.loads(path.read_bytes())
    blobs = [
        value
        for rows in snapshot.sections.values()
        for row in rows
        for value in (getattr(row, name) for name in row.__struct_fields__)
        if isinstance(value, metasnapshot.Blob)
    ]
    assert all(blob == metasnapshot.Blob(blob.bytes) and blob.type is not None for blob in blobs)
    assert len(blobs) >= 100
