"""Columns that were added later, with a default: rows that were written before have it."""

from __future__ import annotations

import struct
from decimal import Decimal
from typing import Any

import pytest
from sst_writer import Sst, put

from metasnapshot.contents.table_schema import schema_of_message
from metasnapshot.errors import SstDamage, UnknownFormat
from metasnapshot.format import messages
from metasnapshot.hummock.merge import table_versions
from metasnapshot.hummock.scan import Scan, SstRef
from metasnapshot.hummock.table_blocks import ObjectStore
from metasnapshot.rows.fit import Fit
from metasnapshot.rows.table import TableRead
from metasnapshot.sst.row import decode_row
from metasnapshot.store.memory import MemoryStore

TABLE, EPOCH = 7, 9 << 16
OLD, NEWER = "v1.2.0", "v3.0.3"
"""Eras: without and with snapshot_value."""
NULL = b"\x00"


def text(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data


def words(name: str, *parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type_name": name, "field_type": list(parts), **more}


INT = words("INT32")
PAIR = words("STRUCT", INT, words("VARCHAR"), field_names=["a", "b"])
PAIR_OF_IDS = words("STRUCT", INT, words("VARCHAR"), field_names=["a", "b"], field_ids=[1, 2])
VALUES: dict[str, tuple[dict[str, Any], bytes, Any]] = {
    "smallint": (words("INT16"), struct.pack("<h", -2), -2),
    "int": (INT, struct.pack("<i", 5), 5),
    "bigint": (words("INT64"), struct.pack("<q", -(1 << 63)), -(1 << 63)),
    "real": (words("FLOAT"), struct.pack("<f", 1.5), 0x3FC00000),
    "double": (words("DOUBLE"), struct.pack("<d", -0.0), 1 << 63),
    "boolean": (words("BOOLEAN"), b"\x01", True),
    "varchar": (words("VARCHAR"), text(b"n\xc3\xa9"), "né"),
    "empty varchar": (words("VARCHAR"), text(b""), ""),
    "bytea": (words("BYTEA"), text(b"\x00\xff"), b"\x00\xff"),
    "decimal": (words("DECIMAL"), struct.pack("<4I", 2 << 16, 150, 0, 0), Decimal("1.50")),
    "date": (words("DATE"), struct.pack("<i", 719163), 0),
    "time": (words("TIME"), struct.pack("<II", 3661, 5000), 3661000005000),
    "timestamp": (words("TIMESTAMP"), struct.pack("<qI", -1, 1000), -1_000_000_000 + 1000),
    "timestamptz": (words("TIMESTAMPTZ"), struct.pack("<q", -7), -7),
    "interval": (words("INTERVAL"), struct.pack("<iiq", 1, -2, 3), (1, -2, 3)),
    "jsonb": (words("JSONB"), text(b'\x01{"a":1}'), '{"a":1}'),
    "list": (
        words("LIST", INT),
        struct.pack("<IBi", 2, 1, 8) + NULL,
        [8, None],
    ),
    "struct": (PAIR, b"\x01" + struct.pack("<i", 3) + b"\x01" + text(b"x"), (3, "x")),
    "struct with ids": (PAIR_OF_IDS, b"\x01" + struct.pack("<i", 3) + NULL, (3, None)),
    "list of such": (
        words("LIST", PAIR_OF_IDS),
        struct.pack("<I", 1) + b"\x01\x01" + struct.pack("<i", 3) + NULL,
        [(3, None)],
    ),
}


def table(era: str, type_: dict[str, Any], **column: Any) -> Any:
    """A table of `id` and a later column `c`."""
    kinds = {"type_name": "INT64"}
    first = {"name": "id", "column_id": 1, "column_type": kinds}
    added = {"name": "c", "column_id": 2, "column_type": type_, **column}
    order = {"direction": "DIRECTION_ASCENDING", "nulls_are": "NULLS_ARE_LARGEST"}
    return messages.message_class("catalog.Table", era)(
        id=TABLE,
        name="t",
        columns=[{"column_desc": first}, {"column_desc": added}],
        pk=[{"column_index": 0, "order_type": order}],
        value_indices=[0, 1],
        version={},
    )


def row(*slots: tuple[int, bytes]) -> bytes:
    """A column-aware row."""
    offsets, at = b"", 0
    for _, data in slots:
        offsets += bytes([at])
        at += len(data)
    ids = b"".join(struct.pack("<i", number) for number, _ in slots)
    head = b"\x81" + struct.pack("<I", len(slots)) + ids
    return head + offsets + b"".join(data for _, data in slots)


def read(message: Any, *rows: bytes) -> list[Any]:
    """Column `c` of rows, once both ways agree on it."""
    schema = schema_of_message(message)
    sst, store = Sst(), MemoryStore()
    keys = [struct.pack(">HBQ", 0, 0, (1 << 63) + number) for number in range(len(rows))]
    sst.add(TABLE, [put(key, EPOCH, value) for key, value in zip(keys, rows, strict=True)])
    store.put_if_absent("d/1.data", sst.data())
    objects = ObjectStore(lambda: store, "d", prefixed=False)
    scan = Scan(TABLE, EPOCH, 0, ((SstRef(1, len(sst.data()), 0),),))
    plain = [
        decode_row(item.table_key, item.value, schema, (0, 1), item.place)[1]
        for item in table_versions(objects, scan)
    ]
    every = TableRead(objects, scan, schema, (1,), fit=Fit(decimal_scale=None))
    found = [value for _, columns in every.values() for value in columns[0]]
    assert found == plain
    assert sum(batch.num_rows for batch in every.batches()) == len(rows)
    return found


def one(number: int) -> tuple[int, bytes]:
    return 1, struct.pack("<q", number)


@pytest.mark.parametrize("name", VALUES)
def test_the_value_of_that_day(name: str) -> None:
    """A row that lacks the column has what its default was on the day when the column came,
    whatever its expression; a row that has it as NULL has NULL, and any other its own."""
    type_, scalar, value = VALUES[name]
    default = {"snapshot_value": {"body": b"\x01" + scalar}, "expr": {"now": {}}}
    message = table(NEWER, type_, default_column=default)
    own: list[tuple[bytes, Any]] = [(row(one(3), (2, b"")), None)]
    if "ids" not in name and "such" not in name:
        own.append((row((2, scalar), one(2)), value))
    found = read(message, row(one(1)), *(item for item, _ in own), row(one(4), (3, b"dropped")))
    assert found == [value, *(known for _, known in own), value]


CONSTANTS = [
    (era, name)
    for era in (OLD, NEWER)
    for name, (type_, _, _) in VALUES.items()
    if era == NEWER or "field_ids" not in str(type_)
]


@pytest.mark.parametrize(("era", "name"), CONSTANTS)
def test_a_constant(era: str, name: str) -> None:
    """Where a release kept no such value, a constant of the column's type is the default."""
    type_, scalar, value = VALUES[name]
    expression = {"constant": {"body": b"\x01" + scalar}, "return_type": type_}
    message = table(era, type_, default_column={"expr": expression})
    assert read(message, row(one(1))) == [value]


def test_nothing_is_null() -> None:
    """Without a default, with one of NULL, and in a generated column, older rows have NULL."""
    for column in (
        {},
        {"default_column": {"snapshot_value": {"body": NULL}}},
        {"default_column": {"expr": {"constant": {"body": NULL}, "return_type": INT}}},
        {"generated_column": {"expr": {"now": {}}}},
    ):
        assert read(table(NEWER, INT, **column), row(one(1))) == [None]


CALL = {"func_call": {"children": [{"now": {}}]}, "return_type": INT}
BIGINT = {"constant": {"body": b"\x01" + bytes(8)}, "return_type": words("INT64")}
REFUSED: dict[str, dict[str, Any]] = {
    "a function": {"expr": CALL},
    "now()": {"expr": {"now": {}, "return_type": INT}},
    "a column": {"expr": {"input_ref": 0, "return_type": INT}},
    "a constant of another type": {"expr": BIGINT},
    "an expression that is not known": {"expr": {"return_type": INT}},
    "no expression": {},
    "a value of no bytes": {"snapshot_value": {}},
    "a constant of no bytes": {"expr": {"constant": {}, "return_type": INT}},
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_cluster_alone_can_tell(name: str) -> None:
    """Any other default ends the read of rows that need it, with the column's name and what helps;
    rows that have the column are read, and so are all without it."""
    message = table(NEWER, INT, default_column=REFUSED[name])
    with pytest.raises(UnknownFormat, match="column c: rows were written before") as error:
        read(message, row(one(1)))
    assert "--columns" in error.value.hint
    assert read(message, row(one(1), (2, struct.pack("<i", 6)))) == [6]


@pytest.mark.parametrize("body", [b"\x01\x05", b"\x01" + bytes(5), b"\x02" + bytes(4), b"\x00\x00"])
def test_a_default_that_is_no_value(body: bytes) -> None:
    """Bytes that are no value of the column's type are damage."""
    message = table(NEWER, INT, default_column={"snapshot_value": {"body": body}})
    with pytest.raises(SstDamage):
        read(message, row(one(1)))
