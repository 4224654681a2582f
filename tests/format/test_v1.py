"""V1 snapshots: what RisingWave's own code wrote, vectors worked out by hand, and which layout a
file is in."""

from __future__ import annotations

import json
import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import goldens
import pytest
import xxhash
from v1_snapshots import bare

import metasnapshot
from metasnapshot import Blob, MetaSnapshot
from metasnapshot.errors import DamageError, RowError, Truncated, UnknownFormat
from metasnapshot.format.messages import message_class
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.format.v1 import Pair, era_of_release
from metasnapshot_models.definitions import ColumnType
from metasnapshot_models.v1 import V1_LAYOUTS

DEFAULT_CF = "default_cf (hex key, hex value; sorted)"


def snapshot(layout: str, version: bytes = b"\x08\xc1\x02", **sections: list[Any]) -> MetaSnapshot:
    """A snapshot of id 123 and version 321, with these rows and no others."""
    found = bare(layout, 123, version, **sections)
    found.format_version = 0
    return found


def shown(section: str, rows: list[Any]) -> Any:
    """Rows as golden files show them."""
    if section == "default_cf":
        return sorted([pair.key.hex(), pair.value.hex()] for pair in rows)
    return [row.json if isinstance(row, Blob) else row for row in rows]


@pytest.mark.parametrize("path", goldens.V1_SNAPSHOTS, ids=goldens.name)
def test_bytes_come_back(path: Path) -> None:
    """dumps(loads(x)) == x."""
    data = path.read_bytes()
    assert metasnapshot.dumps(metasnapshot.loads(data)) == data


@pytest.mark.parametrize("named", ["by the manifest", ""])
@pytest.mark.parametrize("path", goldens.V1_SNAPSHOTS, ids=goldens.name)
def test_every_message_is_what_risingwave_wrote(path: Path, named: str) -> None:
    """With the release from the manifest and without it: proto3 JSON of every row, unknown to
    nobody."""
    expected = json.loads((path.parent / "expected.5.json").read_text(encoding="utf-8"))
    manifest = json.loads((path.parent / "manifest.json").read_text(encoding="utf-8"))
    release = manifest["snapshot_metadata"][0]["rw_version"] if named else None
    found = metasnapshot.loads(path.read_bytes(), release)
    assert (found.id, found.format_version) == (expected["id"], expected["format_version"])
    assert found.hummock_version.json == expected["hummock_version"]
    for section, rows in found.sections.items():
        wanted = expected[DEFAULT_CF if section == "default_cf" else section]
        assert (wanted if isinstance(wanted, list) else [wanted]) == shown(section, rows)


@pytest.mark.parametrize(
    ("layout", "size", "checksum"),
    [
        ("v1-0.1.15", 75, "df1b3996ad264e3b"),
        ("v1-0.1.17", 87, "d414c8d2a2f0a356"),
        ("v1-2.0", 103, "58f6a5b277d03dcb"),
    ],
)
def test_an_empty_snapshot_byte_by_byte(layout: str, size: int, checksum: str) -> None:
    """Id 123, version 321, no rows: the head, zeros, and the known checksum."""
    data = metasnapshot.dumps(snapshot(layout))
    header = "7b00000000000000" if layout == "v1-0.1.15" else "000000007b00000000000000"
    head = bytes.fromhex(header + "0000000000000000" + "03000000" + "08c102")
    assert data == head.ljust(size - 8, b"\0") + bytes.fromhex(checksum)
    assert metasnapshot.dumps(metasnapshot.loads(data)) == data


def test_members_of_later_layouts_are_empty() -> None:
    """Secrets came with 2.0: an older snapshot has none; what no layout has is an error."""
    data = metasnapshot.dumps(snapshot("v1-0.19"))
    reader = SnapshotReader(BytesIO(data), len(data))
    assert "secret" not in reader.section_names
    assert list(reader.rows("secret")) == []
    with pytest.raises(UnknownFormat, match="no section secrets"):
        reader.rows("secrets")


def test_the_body_of_upstreams_unit_test() -> None:
    """test_metadata_encoding_decoding: a pair, a version, statistics, a compaction group."""
    found = snapshot(
        "v1-2.0",
        b"\x08\x01",
        default_cf=[Pair(b"\0\1\2", b"\3\4\5")],
        version_stats=[Blob(bytes.fromhex("080a120808c801120318e807"))],
        compaction_groups=[Blob(bytes.fromhex("08b817"))],
    )
    expected = (
        "01000000 05000000 0a03000102  01000000 05000000 0a03030405  02000000 0801"
        "0c000000 080a120808c801120318e807 01000000 03000000 08b817"
    )
    data = metasnapshot.dumps(found)
    assert data[12:-8] == bytes.fromhex(expected).ljust(len(data) - 20, b"\0")
    read = metasnapshot.loads(data)
    assert read.sections["default_cf"] == [Pair(b"\0\1\2", b"\3\4\5")]
    assert read.sections["version_stats"][0].json == {
        "hummockVersionId": "10",
        "tableStats": {"200": {"totalKeyCount": "1000"}},
    }
    assert read.sections["compaction_groups"][0].message.id == 3000


@pytest.mark.parametrize("snapshot_id", [1, 2, 3, 1 << 40])
@pytest.mark.parametrize("layout", V1_LAYOUTS)
def test_the_layout_is_found_whatever_the_id(layout: str, snapshot_id: int) -> None:
    """An id of 0.1.15 may look like a format_version; the end of the body tells."""
    found = snapshot(
        layout,
        default_cf=[Pair(b"backup_id_next_generator", b"\0\0\0\0\0\0\0\7")],
        database=[Blob(b"\x08\x01\x12\x03dev")],
    )
    found.id = snapshot_id
    data = metasnapshot.dumps(found)
    read = metasnapshot.loads(data)
    assert (read.layout, read.id) == (layout, snapshot_id)
    assert metasnapshot.dumps(read) == data


def test_an_sst_is_read_by_the_fields_of_its_time() -> None:
    """0.18 gave field 2 of an SST to its id, which was its key range in 0.1.17."""
    old = bytes.fromhex("0801120e0802120a12080a061a0408091200")
    new = bytes.fromhex("0801120e0802120a12080a061a0408091009")
    eras = [
        metasnapshot.loads(metasnapshot.dumps(snapshot("v1-0.1.17", data))) for data in (old, new)
    ]
    assert [item.hummock_version.era for item in eras] == ["v0.1.17", "v0.18.0"]


def test_keys_without_values_are_damage() -> None:
    """Both lists of default_cf are of one length."""
    data = metasnapshot.dumps(snapshot("v1-2.0", default_cf=[Pair(b"k", b"v")]))
    cut = data[: 12 + 11] + struct.pack("<I", 0) + data[12 + 11 + 11 : -8]
    with pytest.raises(RowError, match="1 keys and 0 values") as caught:
        metasnapshot.loads(cut + struct.pack("<Q", xxhash.xxh64_intdigest(cut)))
    assert caught.value.section == "default_cf"


def test_bytes_behind_the_last_member_are_damage() -> None:
    """No later release added a member: nothing may follow."""
    body = metasnapshot.dumps(snapshot("v1-2.0"))[:-8] + b"\0"
    with pytest.raises(DamageError, match="left behind secret"):
        metasnapshot.loads(body + struct.pack("<Q", xxhash.xxh64_intdigest(body)))


def test_a_format_of_the_future_is_none_of_v1() -> None:
    """A format_version above 2 is unknown unless the bytes are a file of 0.1.15."""
    body = struct.pack("<IQI", 3, 1, 7)
    with pytest.raises(UnknownFormat, match="unknown format_version 3"):
        metasnapshot.loads(body + struct.pack("<Q", xxhash.xxh64_intdigest(body)))


def test_a_row_that_is_no_message_is_named() -> None:
    """Section, row and offset."""
    data = metasnapshot.dumps(snapshot("v1-2.0", database=[Blob(b"\x08\x01"), Blob(b"\x0a\xff")]))
    with pytest.raises(RowError, match=r"not a catalog\.Database message") as caught:
        metasnapshot.loads(data)
    assert (caught.value.section, caught.value.row) == ("database", 1)


@pytest.mark.parametrize(
    ("section", "rows"),
    [
        ("database", ["a text"]),
        ("cluster_id", ["one", "another"]),
        ("cluster_id", ["\ud800"]),
        ("system_param", []),
        ("default_cf", [Blob(b"")]),
        ("nonsense", []),
    ],
)
def test_rows_of_another_kind_are_not_written(section: str, rows: list[Any]) -> None:
    """A member takes rows of its own kind, a single one exactly one."""
    found = snapshot("v1-2.0")
    found.sections[section] = rows
    with pytest.raises(RowError) as caught:
        metasnapshot.dumps(found)
    assert caught.value.section == section


def test_a_missing_member_is_not_written() -> None:
    """As in V2."""
    found = snapshot("v1-0.19")
    del found.sections["view"]
    with pytest.raises(RowError, match="section not written"):
        metasnapshot.dumps(found)


def test_a_message_that_somebody_changes_is_written_anew() -> None:
    """A Blob of other bytes takes the place of the one that was read."""
    read = metasnapshot.loads(metasnapshot.dumps(snapshot("v1-2.0", database=[Blob(b"\x08\x01")])))
    (row,) = read.sections["database"]
    message = row.message
    message.name = "prod"
    column = ColumnType("database", "message", message="catalog.Database", wrapper="single")
    read.sections["database"] = [Blob(message.SerializeToString(), column, row.era)]
    again = metasnapshot.loads(metasnapshot.dumps(read))
    assert again.sections["database"][0].json == {"id": 1, "name": "prod"}


def test_a_length_of_zero_is_an_empty_message() -> None:
    """Not the long form that V2 has."""
    data = metasnapshot.dumps(snapshot("v1-2.0", version=b"", view=[Blob(b""), Blob(b"")]))
    assert len(metasnapshot.loads(data).sections["view"]) == 2


def test_a_cut_body_with_a_right_checksum_is_truncated() -> None:
    """Members that are missing in every layout are missed."""
    body = metasnapshot.dumps(snapshot("v1-2.0", database=[Blob(b"\x08\x01")]))[:-8]
    cut = body[:70]
    with pytest.raises((Truncated, RowError)):
        metasnapshot.loads(cut + struct.pack("<Q", xxhash.xxh64_intdigest(cut)))


@pytest.mark.parametrize("release", ["2.0.3", None])
def test_what_an_upgraded_cluster_kept_is_read_by_its_own_release(release: str | None) -> None:
    """Fragments hold fields that are gone, and a later era reads others of them differently."""
    message = message_class("meta.TableFragments", "v1.7.0")(table_id=7)
    actor = message.fragments[1].actors.add(actor_id=3)
    actor.nodes.materialize.table.properties["retention_seconds"] = "60"
    actor.dispatcher.add(type=1, output_indices=[0, 1])
    data = metasnapshot.dumps(
        snapshot("v1-2.0", table_fragments=[Blob(message.SerializeToString())])
    )
    (row,) = metasnapshot.loads(data, release).sections["table_fragments"]
    assert row.era == "v2.0.1"
    assert row.bytes == message.SerializeToString()


def test_a_file_that_fits_two_headers_is_what_its_release_says() -> None:
    """Else what its rows are."""
    found = snapshot("v1-0.1.15", b"", compaction_groups=[Blob(b"")] * 4)
    found.id = 1
    data = metasnapshot.dumps(found)
    assert metasnapshot.loads(data, "0.1.15").layout == "v1-0.1.15"
    assert metasnapshot.dumps(metasnapshot.loads(data)) == data


@pytest.mark.parametrize("release", ["1.7", "v1.7.0", "1.7.4", "1.7.0-single-node"])
def test_a_release_is_recognised_however_it_is_written(release: str) -> None:
    """As in manifests, tags and talk."""
    assert era_of_release(release, V1_LAYOUTS["v1-0.19"]) == "v1.7.0"


def test_nothing_opaque_is_lost() -> None:
    """V1 has no place for it."""
    found = snapshot("v1-2.0")
    found.opaque = b"x"
    with pytest.raises(RowError, match="nothing opaque"):
        metasnapshot.dumps(found)


@pytest.mark.parametrize("layout", ["v1-0.1.15", "v1-2.0"])
def test_an_id_is_a_u64(layout: str) -> None:
    """Whatever the header."""
    found = snapshot(layout)
    found.id = 1 << 64
    with pytest.raises(RowError, match="not a header"):
        metasnapshot.dumps(found)
