"""Rows decoded by the many are what rows decoded one by one are, and nothing else is accepted."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import goldens
import pytest
from hypothesis import given
from hypothesis import strategies as st

import metasnapshot
from metasnapshot.errors import RowError
from metasnapshot.format import blobs
from metasnapshot.format.codec import RowCodec, row_codec
from metasnapshot.format.columns import columns_of, decode_columns
from metasnapshot.format.layout import model_of
from metasnapshot.format.reader import SnapshotReader
from metasnapshot_models.layouts import LAYOUTS

LAYOUT = LAYOUTS["3.0.1"]


def one_by_one(codec: RowCodec, rows: list[bytes]) -> Any:
    try:
        return [tuple(values) for values in columns_of(codec, map(codec.decode, rows))]
    except RowError:
        return None


def many(codec: RowCodec, rows: list[bytes]) -> Any:
    found = decode_columns(codec, rows)
    return found and [tuple(values) for values in found]


@pytest.mark.parametrize("path", goldens.SNAPSHOTS, ids=goldens.name)
def test_columns_are_those_of_the_models(path: Path) -> None:
    """Every golden section, at once and row by row; none of them needs the second way."""
    with metasnapshot.open(path) as reader:
        layout = LAYOUTS[reader.layout]
        for section, model in layout.sections:
            codec = row_codec(layout, model)
            rows = [data for _, data in reader.raw_rows(section)]
            if rows:
                assert many(codec, rows) == one_by_one(codec, rows), section


@pytest.mark.parametrize("section", ["users", "tables", "objects", "clusters", "fragments"])
def test_a_changed_byte_is_judged_alike(section: str) -> None:
    """Whatever byte of a row is changed, many rows are accepted only if each of them is."""
    path = next(path for path in goldens.SNAPSHOTS if goldens.name(path).endswith("2.snapshot"))
    with metasnapshot.open(path) as reader:
        layout = LAYOUTS[reader.layout]
        codec = row_codec(layout, model_of(layout, section))
        rows = [data for _, data in reader.raw_rows(section)][:2]
    row = min(rows, key=len)
    for place in range(min(len(row), 1500)):
        for change in (b"0", b"1", b",", b'"', b"]", b" ", b"\n", b"\\", b"\xff"):
            bad = row[:place] + change + row[place + 1 :]
            assert many(codec, [bad, row]) == one_by_one(codec, [bad, row]), bad


@pytest.mark.parametrize(
    "rows",
    [
        [b'{"id":1,"oid":1,"used_by":2}\n{"id":2,"oid":1,"used_by":2}', b""],
        [b'{"id":1,"oid":1', b'"used_by":2}'],
        [b'{"id":1,"oid":1,"used_by":2}\n'],
        [b'{"id":1,"oid":1,"used_by":2},{"id":2,"oid":1,"used_by":2}'],
        [b""],
    ],
)
def test_rows_cannot_make_up_for_each_other(rows: list[bytes]) -> None:
    """Rows that are right only when they are put together are wrong."""
    assert many(row_codec(LAYOUT, "object_dependency"), rows) is None


def test_columns_of_a_section_that_has_a_bad_row(small: bytes) -> None:
    """The error names section, row, column and offset, as reading row by row does."""
    file = BytesIO(small)
    reader = SnapshotReader(file)
    offset, row = next(iter(reader.raw_rows("users")))
    file.seek(offset + 4)
    file.write(row.replace(b'"user_id":1', b'"user_id":x', 1))
    with pytest.raises(RowError) as caught:
        list(reader.columns("users"))
    error = caught.value
    assert (error.section, error.row, error.offset) == ("users", 0, offset)


@given(st.lists(st.binary(max_size=600)))
def test_many_blobs_are_each_of_them(found: list[bytes]) -> None:
    """Blobs decoded together are the blobs, short and long and empty ones."""
    assert blobs.decode_many([blobs.encode(data)[1:-1] for data in found]) == found


@pytest.mark.parametrize("bad", [b",", b"1,", b",1", b"256", b"01", b"1,,2", b"1 ", b"-1"])
def test_a_bad_blob_among_good_ones(bad: bytes) -> None:
    """Joined with its neighbours it is still no array."""
    for texts in ([bad], [b"1,2", bad], [bad, b"3"], [b"1", bad, b"3"]):
        with pytest.raises(ValueError, match="as RisingWave writes it"):
            blobs.decode_many(texts)
