"""Models of a section that are encoded together: the bytes and the errors of one by one."""

from __future__ import annotations

from io import BytesIO
from typing import Any
from uuid import UUID

import msgspec
import pytest
from goldens import SHIPPED
from msgspec import UNSET

import metasnapshot
from metasnapshot import Blob, Timestamp
from metasnapshot.errors import RowError
from metasnapshot.format.codec import row_codec
from metasnapshot.format.column_encoding import encode_models
from metasnapshot.format.layout import HUMMOCK_VERSION, model_of, section_names
from metasnapshot.format.writer import MODELS_MAX, SnapshotWriter
from metasnapshot_models.layouts import LAYOUTS

GOLDEN = metasnapshot.loads((SHIPPED / "v3.0.3" / "backup" / "2.snapshot").read_bytes())
LAYOUT = LAYOUTS[GOLDEN.layout]
AT = 3
"""The bad row among the good ones."""


@pytest.mark.parametrize("section", [name for name, rows in GOLDEN.sections.items() if rows])
def test_models_together_are_the_bytes_of_one_by_one(section: str) -> None:
    """Rows of each section of a real snapshot are encoded together, and to the same bytes."""
    codec, rows = row_codec(LAYOUT, model_of(LAYOUT, section)), GOLDEN.sections[section]
    together = encode_models(codec, rows)
    assert together is not None
    assert list(together) == [codec.encode(row) for row in rows]


@pytest.mark.parametrize("size", [0, 1, 20, 1023, 1024, 1025, 20_001])
def test_blobs_of_every_size_come_back(size: int) -> None:
    """Around the size from which blobs are put in apart, and beside null ones."""
    data = bytes(number * 7 % 256 for number in range(size))
    codec = row_codec(LAYOUT, model_of(LAYOUT, "fragments"))
    row = GOLDEN.sections["fragments"][0]
    rows = [
        msgspec.structs.replace(row, fragment_id=number, stream_node=Blob(data))
        for number in range(5)
    ]
    together = encode_models(codec, rows)
    assert together is not None
    assert [codec.decode(encoded) for encoded in together] == rows


def bad_rows() -> list[tuple[str, str, dict[str, Any]]]:
    """Section, column, and what no row of it can hold."""
    return [
        ("fragments", "stream_node", {"stream_node": b"bare"}),
        ("fragments", "stream_node", {"stream_node": "text"}),
        ("fragments", "stream_node", {"stream_node": UNSET}),
        ("fragments", "fragment_id", {"fragment_id": 1 << 40}),
        ("fragments", "fragment_id", {"fragment_id": True}),
        ("fragments", "fragment_id", {"fragment_id": UNSET}),
        ("objects", "oid", {"oid": "7"}),
        ("objects", "created_at", {"created_at": 7}),
        ("objects", "obj_type", {"obj_type": "NO_SUCH_TYPE"}),
        ("users", "is_super", {"is_super": 1}),
        ("users", "name", {"name": None}),
    ]


@pytest.mark.parametrize(("section", "column", "changes"), bad_rows())
@pytest.mark.parametrize("number", [AT, MODELS_MAX + AT])
def test_the_bad_one_of_many_is_named(
    section: str, column: str, changes: dict[str, Any], number: int
) -> None:
    """A model that does not fit is refused with its row and column, also among many others."""
    good = GOLDEN.sections[section][0]
    rows = [good] * number + [msgspec.structs.replace(good, **changes)] + [good] * 2
    with pytest.raises(RowError) as caught:
        write(section, rows)
    assert (caught.value.section, caught.value.row) == (section, number)
    assert caught.value.column == column


def test_a_model_of_another_table_is_refused() -> None:
    """A model of another section among the right ones is an error of its row."""
    rows = [*GOLDEN.sections["users"][:1], GOLDEN.sections["objects"][0]]
    with pytest.raises(RowError, match="expected a ") as caught:
        write("users", rows)
    assert caught.value.row == 1


def test_values_that_are_text_already_are_as_good() -> None:
    """A timestamp and a uuid may be objects or their text: the bytes are the same."""
    row = GOLDEN.sections["clusters"][0]
    assert isinstance(row.cluster_id, UUID)
    assert isinstance(row.created_at, Timestamp)
    text = msgspec.structs.replace(
        row, cluster_id=str(row.cluster_id), created_at=str(row.created_at)
    )
    assert write("clusters", [row]) == write("clusters", [text])


def test_encoded_rows_and_models_keep_their_order() -> None:
    """Models between rows that are bytes already, one or many, stay where they are."""
    codec = row_codec(LAYOUT, model_of(LAYOUT, "fragments"))
    row = GOLDEN.sections["fragments"][0]
    models = [msgspec.structs.replace(row, fragment_id=number) for number in range(6)]
    encoded = [codec.encode(model) for model in models]
    mixed = [models[0], encoded[1], models[2], models[3], encoded[4:], models[0]]
    assert write("fragments", mixed, 7) == write("fragments", [*encoded, encoded[0]], 7)


def write(section: str, rows: list[Any], count: int | None = None) -> bytes:
    """The bytes up to a section's end, the sections before it empty."""
    file = BytesIO()
    writer = SnapshotWriter(file, 1, LAYOUT)
    for name in section_names(LAYOUT):
        if name == HUMMOCK_VERSION:
            writer.write_hummock_version(GOLDEN.hummock_version)
            continue
        if name == section:
            writer.write_section(name, len(rows) if count is None else count, rows)
            return file.getvalue()
        writer.write_section(name, 0, [])
    raise AssertionError(section)
