"""Values of every kind between a model and SQLite."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from metasnapshot.errors import RowError
from metasnapshot.format.scalars import Blob, Fixed, Timestamp
from metasnapshot.metastore.values import PLAIN, from_db, to_db
from metasnapshot_models.codecs import CODECS
from metasnapshot_models.definitions import Column
from metasnapshot_models.enums import DispatcherType

ERA = "v2.6.0"


def column(model: str, name: str, shape: str = "1.9.0") -> Column:
    return next(item for item in CODECS[model].shapes[shape].columns if item.name == name)


PAIRS: list[tuple[Column, Any, Any]] = [
    (column("cluster", "cluster_id"), b"\0" * 15 + b"\7", UUID(int=7)),
    (
        column("cluster", "created_at"),
        "2024-07-01 08:00:00.123456789",
        Timestamp("2024-07-01T08:00:00.123456789"),
    ),
    (column("actor_dispatcher", "dispatcher_type"), "NO_SHUFFLE", DispatcherType.NO_SHUFFLE),
    (
        column("actor_dispatcher", "dist_key_indices"),
        "[-1,2147483647,-2147483648]",
        [-1, 2147483647, -2147483648],
    ),
    (column("actor_dispatcher", "hash_mapping"), b"\x08\x01", Blob(b"\x08\x01")),
    (column("streaming_job", "parallelism"), '"Adaptive"', "Adaptive"),
    (column("streaming_job", "parallelism"), '{"Fixed":18446744073709551615}', Fixed(2**64 - 1)),
    (column("actor", "upstream_actor_ids"), '{"1":[7],"10":[1],"2":[]}', {1: [7], 2: [], 10: [1]}),
    (
        column("source", "with_properties"),
        '{"A":"0","_":"x","a":"ä\\u0001"}',
        {"A": "0", "_": "x", "a": "ä\x01"},
    ),
    (
        column("hummock_version_stats", "stats"),
        '{"10":{"totalKeyCount":"-5","totalKeySize":"123"},"7":{}}',
        {7: {}, 10: {"totalKeySize": "123", "totalKeyCount": "-5"}},
    ),
    (column("system_parameter", "is_mutable"), 1, True),
    (column("hummock_sequence", "seq"), -(2**63), -(2**63)),
    (column("view", "name"), "o'brien; --", "o'brien; --"),
]


@pytest.mark.parametrize(
    ("where", "stored", "value"), PAIRS, ids=lambda item: getattr(item, "name", None)
)
def test_values_go_both_ways(where: Column, stored: Any, value: Any) -> None:
    """What SQLite stores becomes the model's value, and the value becomes what RisingWave
    stores."""
    assert from_db(where, ERA, PLAIN)(stored) == value
    change = to_db(where, PLAIN)
    assert (value if change is None else change(value)) == stored


@pytest.mark.parametrize(
    ("model", "name", "stored", "order"),
    [
        ("actor", "upstream_actor_ids", '{"1":[7],"10":[1],"2":[]}', [1, 2, 10]),
        ("hummock_version_stats", "stats", '{"10":{},"9":{}}', [9, 10]),
        ("source", "with_properties", '{"b":"","a":"","B":""}', ["B", "a", "b"]),
    ],
)
def test_maps_are_in_the_order_of_a_snapshot(
    model: str, name: str, stored: str, order: list[Any]
) -> None:
    """Numbers by value, names by byte, whatever order the database has."""
    assert list(from_db(column(model, name), ERA, PLAIN)(stored)) == order


def test_a_message_in_json_keeps_the_order_of_its_fields() -> None:
    """The database sorts the names, a snapshot does not."""
    stats = from_db(column("hummock_version_stats", "stats"), ERA, PLAIN)
    fields = ["totalCompressedSize", "totalKeyCount", "totalKeySize", "totalValueSize"]
    text = json.dumps({"7": dict.fromkeys(fields, "1")})
    assert list(stats(text)[7]) == [
        "totalKeySize",
        "totalValueSize",
        "totalKeyCount",
        "totalCompressedSize",
    ]


@pytest.mark.parametrize(
    ("where", "bad"),
    [
        (column("cluster", "cluster_id"), "text"),
        (column("cluster", "cluster_id"), b"short"),
        (column("cluster", "created_at"), "yesterday"),
        (column("cluster", "created_at"), 7),
        (column("actor_dispatcher", "dispatcher_type"), "UNHEARD"),
        (column("actor_dispatcher", "dist_key_indices"), "[1,"),
        (column("actor_dispatcher", "dist_key_indices"), '["x"]'),
        (column("actor_dispatcher", "hash_mapping"), "text"),
        (column("actor_dispatcher", "id"), 2**31),
        (column("actor_dispatcher", "id"), "1"),
        (column("system_parameter", "is_mutable"), 2),
        (column("view", "name"), b"bytes"),
        (column("streaming_job", "parallelism"), '"Sometimes"'),
    ],
    ids=lambda item: getattr(item, "name", repr(item)),
)
def test_what_a_column_cannot_hold(where: Column, bad: Any) -> None:
    """A value of another kind is an error that names the column and its type."""
    with pytest.raises(RowError, match=f"not a {where.type.name}") as caught:
        from_db(where, ERA, PLAIN)(bad)
    assert caught.value.column == where.name
