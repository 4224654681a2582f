"""Rows of every column kind, made up: they come back; and what is wrong with a row is told with its
column."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from exhaustive import WHOLE, thin
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from metasnapshot.errors import RowError
from metasnapshot.format.codec import INTEGER_RANGES, RowCodec, enum_class, row_codec
from metasnapshot.format.scalars import Blob, Fixed, Timestamp
from metasnapshot_models.codecs import CODECS
from metasnapshot_models.definitions import Column, ColumnType
from metasnapshot_models.layouts import LAYOUTS

CODEC_KEYS = sorted({(model, shape) for model, codec in CODECS.items() for shape in codec.shapes})


def codec_of(model: str, shape: str) -> RowCodec:
    """The codec of a model's shape."""
    return row_codec(LAYOUTS[shape], model)


def timestamps() -> st.SearchStrategy[Timestamp]:
    digits = st.sampled_from([0, 3, 6, 9]).flatmap(
        lambda count: st.text("0123456789", min_size=count, max_size=count)
    )

    def build(moment: datetime, fraction: str) -> Timestamp:
        text = moment.replace(microsecond=0).isoformat()
        return Timestamp(f"{text}.{fraction}" if fraction else text)

    return st.builds(build, st.datetimes(), digits)


def json_values(json_type: Any) -> st.SearchStrategy[Any]:
    if json_type == "parallelism":
        fixed = st.builds(Fixed, n=st.integers(0, 2**64 - 1))
        return st.sampled_from(["Adaptive", "Custom"]) | fixed
    if json_type == "String":
        return st.text()
    if isinstance(json_type, str):
        if json_type in INTEGER_RANGES:
            return st.integers(*INTEGER_RANGES[json_type])
        return st.dictionaries(st.text("ab", max_size=3), st.text() | st.booleans(), max_size=3)
    if json_type[0] == "list":
        return st.lists(json_values(json_type[1]), max_size=4)
    return st.dictionaries(json_values(json_type[1]), json_values(json_type[2]), max_size=4)


def values(column_type: ColumnType) -> st.SearchStrategy[Any]:  # noqa: PLR0911 - a kind each
    """Any value that a column of this type can hold."""
    match column_type.kind:
        case "integer":
            return st.integers(*INTEGER_RANGES[column_type.integer])
        case "bool":
            return st.booleans()
        case "string":
            return st.text()
        case "bytes" | "message":
            long = st.integers(0, 3000).map(lambda size: bytes(i * 37 % 256 for i in range(size)))
            return (st.binary(max_size=40) | long).map(Blob)
        case "timestamp":
            return timestamps()
        case "uuid":
            return st.uuids()
        case "enum":
            return st.sampled_from(
                [enum_class(column_type.name)(name) for name in column_type.members]
            )
        case _:
            return json_values(column_type.json)


def column_values(column: Column) -> st.SearchStrategy[Any]:
    return values(column.type) | st.none() if column.nullable else values(column.type)


@pytest.mark.parametrize(("model", "shape"), thin(CODEC_KEYS))
@settings(max_examples=100 if WHOLE else 10)
@given(data=st.data())
def test_any_row_comes_back(model: str, shape: str, data: st.DataObject) -> None:
    """A model of every shape that ever was, with any values, encodes to a row that decodes to
    itself."""
    codec = codec_of(model, shape)
    row = codec.model(
        **{column.name: data.draw(column_values(column)) for column in codec.shape.columns}
    )
    encoded = codec.encode(row)
    assert codec.decode(encoded) == row
    assert codec.encode(codec.decode(encoded)) == encoded


USER = (
    '{"user_id":1,"name":"root","is_super":true,"can_create_db":true,'
    '"can_create_user":true,"can_login":true,"is_admin":false,"auth_info":null}'
)


@pytest.mark.parametrize(
    ("old", "new", "column", "reason"),
    [
        ('"name":"root",', "", "name", "missing required field"),
        ('"name":"root"', '"name":"root","shoe":7', "shoe", "unknown field"),
        ('"name":"root"', '"name":7', "name", "Expected `str`, got `int`"),
        ('"name":"root"', '"name":null', "name", "Expected `str`, got `null`"),
        ('"is_super":true', '"is_super":1', "is_super", "Expected `bool`, got `int`"),
        ('"user_id":1', '"user_id":1.0', "user_id", "Expected `int`, got `float`"),
        ('"user_id":1', '"user_id":"1"', "user_id", "Expected `int`, got `str`"),
        ('"user_id":1', '"user_id":4294967296', "user_id", "<= 4294967295"),
        ('"user_id":1', '"user_id":-1', "user_id", ">= 0"),
        ('"auth_info":null', '"auth_info":[1,256]', "auth_info", "integers from 0 to 255"),
        ('"auth_info":null', '"auth_info":[1, 2]', "auth_info", "RisingWave does not write"),
        ('"auth_info":null', '"auth_info":[01]', "auth_info", "integers from 0 to 255"),
        ('"auth_info":null', '"auth_info":[1', "auth_info", "without an end"),
        ('"auth_info":null', '"auth_info":[1],"auth_info":[2]', "auth_info", "length <= 0"),
        ('"auth_info":null', '"auth_info":"x"', "auth_info", "Expected `array | null`, got `str`"),
        ('"name":"root"', '"name":"root","name":"root"', "", "duplicate key"),
        ('"name":"root"', '"name": "root"', "", "a space"),
        ('"name":"root"', '"name":"r\\u006fot"', "", "written another way"),
        ('{"user_id":1,"name":"root"', '{"name":"root","user_id":1', "", "another order"),
        ("{", "[", "", "Expected `object`, got `array`"),
        ("}", "", "", "truncated"),
        ("}", "} ", "", "another way"),
    ],
)
def test_what_is_wrong_with_a_row(old: str, new: str, column: str, reason: str) -> None:
    """A row that its release would not write is refused, with the column where there is one."""
    assert old in USER
    codec = codec_of("user", "3.0.1")
    codec.decode(USER.encode())
    with pytest.raises(RowError) as caught:
        codec.decode(USER.replace(old, new, 1).encode())
    assert caught.value.column == column
    assert reason in caught.value.reason


@pytest.mark.parametrize(
    ("model", "shape", "column", "value", "reason"),
    [
        ("cluster", "1.9.0", "cluster_id", '"17698A74-9C3A-4CB8-B2E7-4C0354E00992"', "not a uuid"),
        ("cluster", "1.9.0", "created_at", '"2024-07-01 08:00:00"', "not a timestamp"),
        ("cluster", "1.9.0", "created_at", '"2024-02-30T08:00:00"', "day"),
        ("catalog_version", "1.9.0", "name", '"Unheard"', "Invalid enum value"),
    ],
)
def test_values_of_other_kinds(
    model: str, shape: str, column: str, value: str, reason: str
) -> None:
    """A uuid, timestamp or enum that RisingWave would not write names its column."""
    codec = codec_of(model, shape)
    good = {
        "cluster_id": '"17698a74-9c3a-4cb8-b2e7-4c0354e00992"',
        "created_at": '"2024-07-01T08:00:00"',
    }
    if model == "catalog_version":
        good = {"name": '"Notification"', "version": "1"}
    good[column] = value
    row = "{" + ",".join(f'"{name}":{text}' for name, text in good.items()) + "}"
    with pytest.raises(RowError, match=reason) as caught:
        codec.decode(row.encode())
    assert caught.value.column == column


def test_an_enum_member_lives_as_long_as_its_releases() -> None:
    """ForceAppendOnly is a sink type until 2.7, and Secret an object type since 1.10."""
    members = {shape: codec_of("sink", shape).shape for shape in ("2.7.0", "2.8.0")}
    types = {
        shape: next(column.type for column in found.columns if column.name == "sink_type")
        for shape, found in members.items()
    }
    assert "ForceAppendOnly" in types["2.7.0"].members
    assert "ForceAppendOnly" not in types["2.8.0"].members


def test_a_model_of_another_release_is_not_written_silently() -> None:
    """A column that the layout lacks must be unset, one that it has must not be."""
    codec = codec_of("user", "2.5.2")
    user = codec_of("user", "3.0.1").decode(USER.encode())
    with pytest.raises(RowError, match="no such column") as caught:
        codec.encode(user)
    assert caught.value.column == "is_admin"
    user.is_admin = UNSET
    codec.encode(user)
    with pytest.raises(RowError, match="the row does not") as caught:
        codec_of("user", "3.0.1").encode(user)
    assert caught.value.column == "is_admin"


@pytest.mark.parametrize("value", ["text", 7, b"bytes"])
def test_a_blob_column_takes_blobs_only(value: object) -> None:
    """Anything else in a blob column is told before it is written."""
    codec = codec_of("user", "3.0.1")
    user = codec.decode(USER.encode())
    user.auth_info = value
    with pytest.raises(RowError, match="expected a Blob") as caught:
        codec.encode(user)
    assert caught.value.column == "auth_info"


def test_a_wrong_value_is_not_written() -> None:
    """What decoding would refuse, encoding refuses: a number out of range, a text for a number."""
    codec = codec_of("user", "3.0.1")
    for value in (2**32, "1", None):
        user = codec.decode(USER.encode())
        user.user_id = value
        with pytest.raises(RowError) as caught:
            codec.encode(user)
        assert caught.value.column == "user_id"


def test_uuid_is_a_uuid() -> None:
    """A cluster id is Python's UUID."""
    row = (
        b'{"cluster_id":"17698a74-9c3a-4cb8-b2e7-4c0354e00992","created_at":"2024-07-01T08:00:00"}'
    )
    cluster = codec_of("cluster", "1.9.0").decode(row)
    assert cluster.cluster_id == UUID("17698a74-9c3a-4cb8-b2e7-4c0354e00992")
