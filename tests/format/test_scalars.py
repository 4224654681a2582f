"""Timestamps, blobs and their messages."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from goldens import SHIPPED

import metasnapshot
from metasnapshot.errors import RowError
from metasnapshot.format.scalars import Blob, Timestamp
from metasnapshot_models.column_types import AUTH_INFO_1_9_0, DATA_TYPE_ARRAY_1_9_0, VEC_U8


def test_nanoseconds_are_exact() -> None:
    """Nine digits stay nine digits; datetime is told to be less exact."""
    moment = Timestamp("2024-07-01T08:00:00.123456789")
    assert moment.nanoseconds == 1_719_820_800_123_456_789
    assert moment.datetime() == datetime(2024, 7, 1, 8, 0, 0, 123456, UTC)
    assert str(moment) == "2024-07-01T08:00:00.123456789"


def test_timestamps_sort_by_time() -> None:
    """Fewer digits are not earlier."""
    texts = ["2024-07-01T08:00:00.500", "2024-07-01T08:00:00", "2024-07-01T08:00:00.499999999"]
    assert [item.text for item in sorted(map(Timestamp, texts))] == [texts[1], texts[2], texts[0]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-07-01 08:00:00", "2024-07-01T08:00:00"),
        ("2024-07-01 08:00:00.5", "2024-07-01T08:00:00.500"),
        ("2024-07-01 08:00:00.500", "2024-07-01T08:00:00.500"),
        ("2024-07-01 08:00:00.100200", "2024-07-01T08:00:00.100200"),
        ("2024-07-01 08:00:00.123456789", "2024-07-01T08:00:00.123456789"),
        ("2024-07-01T08:00:00.000000", "2024-07-01T08:00:00"),
    ],
)
def test_a_databases_text_is_written_as_chrono_writes_it(text: str, expected: str) -> None:
    """Zero, three, six or nine digits, as few as are exact."""
    assert Timestamp.parse(text).text == expected


def test_blobs_show_their_messages() -> None:
    """A message, a list of messages, and raw bytes."""
    snapshot = metasnapshot.loads((SHIPPED / "v3.0.3" / "backup" / "7.snapshot").read_bytes())
    function = snapshot.sections["functions"][0]
    assert isinstance(function.arg_types.message, list)
    assert [item["typeName"] for item in function.arg_types.json if "typeName" in item] != []
    secret = snapshot.sections["secrets"][0]
    assert secret.value.message is None
    assert secret.value.json == list(secret.value.bytes)


def test_empty_bytes_are_an_empty_message() -> None:
    """Protobuf writes nothing for defaults."""
    assert Blob(b"", AUTH_INFO_1_9_0, "v3.0.3").json == {}
    assert Blob(b"", DATA_TYPE_ARRAY_1_9_0, "v3.0.3").json == []
    assert Blob(b"", VEC_U8).json == []


def test_bytes_that_are_no_message() -> None:
    """Damage inside a blob is told when somebody looks at its message, not before."""
    blob = Blob(b"\xff\xff\xff", AUTH_INFO_1_9_0, "v3.0.3")
    with pytest.raises(RowError, match=r"not a user.AuthInfo message"):
        _ = blob.message


def test_blobs_compare_by_their_bytes() -> None:
    """Where a blob came from does not matter."""
    assert Blob(b"x", AUTH_INFO_1_9_0, "v3.0.3") == Blob(b"x")
    assert Blob(b"x") != Blob(b"y")
    assert len({Blob(b"x"), Blob(b"x", VEC_U8)}) == 1
