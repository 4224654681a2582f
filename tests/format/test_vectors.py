"""Byte vectors computed from the described format, and the inputs of upstream's own unit tests."""

from __future__ import annotations

import struct
from io import BytesIO

import pytest
import xxhash

import metasnapshot
from metasnapshot import HummockVersion, MetaSnapshot
from metasnapshot.errors import RowError, Truncated, UnknownFormat
from metasnapshot.format.framing import FrameReader, FrameWriter
from metasnapshot.format.layout import candidates
from metasnapshot.format.reader import SnapshotReader
from metasnapshot_models.layouts import LAYOUTS, RELEASES
from metasnapshot_models.models import SerdeSeaqlMigration

EMPTY_BY_LAYOUT = {
    "1.9.0": "1b35b20d63ce8d23",
    "1.10.0": "83ae61533f476c21",
    "2.4.0": "83ae61533f476c21",
    "2.5.2": "b7604e6956f06f9b",
    "2.7.0": "b7604e6956f06f9b",
    "2.7.1": "2c3c646e901b3a36",
    "2.8.0": "d1f25c3f7756ebe2",
    "3.0.0": "dfad6b6cc32e8e8e",
    "main": "dfad6b6cc32e8e8e",
}
"""XXH64 of a snapshot with id 123, version 123 and no rows."""


def empty(layout: str, version: HummockVersion | None = None) -> MetaSnapshot:
    """A snapshot of id 123 without a row."""
    found = LAYOUTS[layout]
    return MetaSnapshot(
        2,
        123,
        layout,
        found.releases,
        {section: [] for section, _ in found.sections},
        version or HummockVersion("json", [b'{"id":"123"}'], found.era),
    )


def form2(rows: list[bytes]) -> bytes:
    """A snapshot of branch release-2.8 with these rows of hummock_version."""
    return metasnapshot.dumps(empty("release-2.8", HummockVersion("protobuf", rows, "v2.8.0")))


@pytest.mark.parametrize(("layout", "digest"), EMPTY_BY_LAYOUT.items())
def test_an_empty_snapshot_has_the_known_hash(layout: str, digest: str) -> None:
    """An empty snapshot of each number of sections has the hash that was worked out for it."""
    data = metasnapshot.dumps(empty(layout))
    assert xxhash.xxh64_hexdigest(data[:-8]) == digest


def test_an_empty_snapshot_of_main_byte_by_byte() -> None:
    """37 sections, id 123, version 123: 188 bytes."""
    expected = (
        "020000007b0000000000000000000000010000000c0000007b226964223a22313233227d"
        + "00" * 144
        + "8e8e2ec36c6baddf"
    )
    assert metasnapshot.dumps(empty("main")).hex() == expected


def test_the_protobuf_form_byte_by_byte() -> None:
    """Branch release-2.8: version 123, then an empty change log of table 42."""
    expected = (
        "020000007b00000000000000000000000200000002000000087b040000002a000000"
        + "00" * 140
        + "5fbcc78229ad4696"
    )
    assert form2([b"\x08\x7b", struct.pack("<I", 42)]).hex() == expected


def test_an_empty_row_takes_the_long_length() -> None:
    """A version of nothing but defaults is no byte: u32 0, u64 0."""
    data = form2([b"", struct.pack("<I", 42)])
    head = "020000007b000000000000000000000002000000000000000000000000000000040000002a000000"
    assert data.hex().startswith(head)
    assert data.hex().endswith("244130f213cee7d4")


def test_a_row_is_framed_by_its_length() -> None:
    """The row `"hello"` and its checksum."""
    file = BytesIO()
    writer = FrameWriter(file)
    writer.row(b'"hello"')
    writer.finish()
    assert file.getvalue().hex() == "070000002268656c6c6f22d10d9e3c2768203d"


@pytest.mark.parametrize(
    "data",
    [
        "070000002268656c6c6f22d10d9e3c2768203d",
        "0000000007000000000000002268656c6c6f22687297f4cec726f5",
    ],
)
def test_both_length_forms_are_read(data: str) -> None:
    """u32 7, or u32 0 and u64 7: the same row, and the checksum of its own form."""
    raw = bytes.fromhex(data)
    frames = FrameReader(BytesIO(raw), 0, len(raw) - 8)
    assert frames.take(frames.length(0)) == b'"hello"'
    stored, computed = frames.finish()
    assert stored == computed


@pytest.mark.parametrize("data", [b"\0\0\0\0", b'\x64\0\0\0"hello"'])
def test_a_length_beyond_the_end_is_truncation(data: bytes) -> None:
    """u32 0 with nothing behind it, and a claim of 100 bytes before 7."""
    frames = FrameReader(BytesIO(data), 0, len(data))
    with pytest.raises(Truncated):
        frames.length(0)


def with_migrations(layout: str, body: bytes) -> bytes:
    """A file of a layout's migrations whose sections after hummock_version are `body`."""
    names = sorted(_migrations(layout))
    rows = b"".join(
        struct.pack("<I", len(row)) + row
        for row in (b'{"version":"%b","applied_at":1}' % name.encode() for name in names)
    )
    version = b'{"id":"123"}'
    data = struct.pack("<IQI", 2, 123, len(names)) + rows
    data += struct.pack("<II", 1, len(version)) + version + body
    return data + struct.pack("<Q", xxhash.xxh64_intdigest(data))


def _migrations(layout: str) -> frozenset[str]:
    return RELEASES[LAYOUTS[layout].releases[-1]].migrations


def sections_after_version(layout: str) -> int:
    return len(LAYOUTS[layout].sections) - 1


@pytest.mark.parametrize(
    ("migrations", "layout", "releases"),
    [
        ("2.5.0", "2.5.0", ("2.5.0", "2.5.1")),
        ("2.5.0", "2.5.2", ("2.5.2", "2.5.3")),
        ("2.7.0", "2.7.0", ("2.7.0",)),
        ("2.7.0", "2.7.1", ("2.7.1", "2.7.2", "2.7.3", "2.7.4")),
        ("2.8.0", "2.8.0", ("2.8.0", "2.8.1", "2.8.2", "2.8.3", "2.8.4", "2.8.5")),
        ("1.9.0", "1.9.0", ("1.9.2",)),
    ],
)
def test_one_set_of_migrations_two_layouts(
    migrations: str, layout: str, releases: tuple[str, ...]
) -> None:
    """The number of sections tells apart layouts with the same migrations."""
    data = with_migrations(migrations, b"\0\0\0\0" * sections_after_version(layout))
    snapshot = metasnapshot.loads(data)
    assert (snapshot.layout, snapshot.releases, snapshot.opaque) == (layout, releases, b"")
    assert metasnapshot.dumps(snapshot) == data


@pytest.mark.parametrize("layout", ["2.3.0", "2.5.2", "3.0.1", "main"])
def test_sections_of_the_future_stay_as_they_are(layout: str) -> None:
    """A section after the last known one is opaque, byte for byte: upstream's
    appended_future_sections."""
    row = b'"future section"'
    future = struct.pack("<II", 1, len(row)) + row
    data = with_migrations(layout, b"\0\0\0\0" * sections_after_version(layout) + future)
    snapshot = metasnapshot.loads(data)
    assert (snapshot.layout, snapshot.opaque) == (layout, future)
    assert metasnapshot.dumps(snapshot) == data


@pytest.mark.parametrize("row", [b'"future section"', b'{"id":1}'])
def test_a_foreign_section_is_not_mistaken_for_a_forgotten_one(row: bytes) -> None:
    """At 2.5.0, what follows is user_default_privilege only if its rows are."""
    future = struct.pack("<II", 1, len(row)) + row
    data = with_migrations("2.5.0", b"\0\0\0\0" * sections_after_version("2.5.0") + future)
    snapshot = metasnapshot.loads(data)
    assert (snapshot.layout, snapshot.opaque) == ("2.5.0", future)


def test_trailing_bytes_that_are_no_section() -> None:
    """upstream's ignores_trailing_metadata: one section is read by name, the rest is hashed, not
    parsed."""
    trailing = struct.pack("<II", 1, 100) + b'"short"'
    data = with_migrations("3.0.1", b"\0\0\0\0" * sections_after_version("3.0.1") + trailing)
    reader = SnapshotReader(BytesIO(data))
    assert list(reader.rows("hummock_sequences")) == []
    assert reader.opaque == trailing


def test_an_unknown_set_is_read_as_the_largest_known_subset() -> None:
    """A release newer than the registry is read as far as it is known, and the reader says so."""
    snapshot = empty("3.0.1")
    names = [*sorted(_migrations("3.0.1")), "m20991231_000000_future"]
    snapshot.sections["seaql_migrations"] = [
        SerdeSeaqlMigration(version=name, applied_at=1) for name in names
    ]
    reader = SnapshotReader(BytesIO(metasnapshot.dumps(snapshot)))
    assert (reader.layout, reader.exact) == ("3.0.1", False)
    assert reader.unknown_migrations == ("m20991231_000000_future",)


def test_no_known_migrations_is_no_layout() -> None:
    """A file that names no migration of RisingWave is refused."""
    with pytest.raises(UnknownFormat, match="no known release"):
        candidates([])


def test_a_json_version_has_one_row() -> None:
    """Two rows of JSON in hummock_version are none of the two forms."""
    rows = [b'{"id":"1"}', b'{"id":"2"}']
    with pytest.raises(RowError, match="expected one row of JSON, found 2"):
        HummockVersion.from_rows(rows, "HEAD")


def test_a_change_log_needs_its_table_id() -> None:
    """Upstream's text for an item shorter than the id."""
    with pytest.raises(RowError, match="table change log item shorter than table id"):
        HummockVersion.from_rows([b"\x08\x7b", b"\x2a\0"], "v2.8.0")


def test_a_version_moves_between_the_forms() -> None:
    """From JSON to protobuf and back: change logs leave the message and come back."""
    text = b'{"id":"7","tableChangeLogs":{"42":{"changeLogs":[{"epochs":["9"]}]}}}'
    version = HummockVersion.from_rows([text], "v2.8.0")
    protobuf = HummockVersion.from_message(version.message, "protobuf", "v2.8.0")
    assert len(protobuf.rows) == 2
    assert protobuf.rows[1][:4] == struct.pack("<I", 42)
    assert HummockVersion.from_message(protobuf.message, "json", "v2.8.0").rows == (text,)
