from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import xxhash
from golden_rows import CASES, Case, objects, schema, shown, shown_key, version
from golden_ssts import IDS, OBJECTS, facts, path

from metasnapshot.errors import UsageError
from metasnapshot.hummock.merge import table_versions
from metasnapshot.hummock.scan import plan_scan
from metasnapshot.sst.block import read_block
from metasnapshot.sst.keys import DAY_US, plain, read_key
from metasnapshot.sst.place import Place
from metasnapshot.sst.row import decode_row
from metasnapshot.sst.scalar import read_layout, walk
from metasnapshot.sst.types import Kind, Type

HERE = Place("x")
_FLOATS = {
    Kind.REAL: (1 << 31, 0x7F800000, 0x7FC00000),
    Kind.DOUBLE: (1 << 63, 0x7FF0000000000000, 0x7FF8000000000000),
}
"""The bits of the sign, of infinity and of the NaN that all are made."""


@pytest.mark.parametrize(("tag", "number"), OBJECTS, ids=IDS)
def test_golden_entries_are_as_known(tag: str, number: int) -> None:
    """Every entry of a golden object, walked one by one, is what RisingWave's own reader read."""
    known = facts(tag)[number]
    data = path(tag, number).read_bytes()
    digest = xxhash.xxh64()
    for block in known["blocks"]:
        stored = data[block["offset"] : block["offset"] + block["len"]]
        body = read_block(stored, block["uncompressed_size"], HERE)
        prefix = read_layout(body, HERE).table_id.to_bytes(4, "big")
        for key, start, end in walk(body, HERE, block["table_id"], block["total_key_count"]):
            for part in (prefix + key, body[start:end]):
                digest.update(len(part).to_bytes(4, "little"))
                digest.update(part)
    assert known["entries_xxh64"] == digest.hexdigest()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_golden_rows_one_by_one(case: Case) -> None:
    """Every table of every release, at every epoch, has the rows that went in."""
    table = schema(case.tag, case.table)
    whole = case.rows
    committed = version(case.tag).state_table_info[case.table].committed_epoch
    if case.epoch_number > committed:
        with pytest.raises(UsageError, match=f"later than {committed}"):
            plan_scan(version(case.tag), case.table, epoch=case.epoch_number)
        return
    scan = plan_scan(
        version(case.tag), case.table, epoch=case.epoch_number, retention_s=table.retention_s
    )
    wanted = tuple(range(len(table.columns)))
    found = list(table_versions(objects(case.tag), scan))
    assert [row["key"] for row in whole] == [shown_key(item.table_key) for item in found]
    assert [row["epoch"] for row in whole] == [str(item.epoch) for item in found]
    for row, item in zip(whole, found, strict=True):
        values = decode_row(item.table_key, item.value, table, wanted, item.place)
        shown_values = [
            shown(value, column.type) for value, column in zip(values, table.columns, strict=True)
        ]
        assert row["v"] == shown_values


def _as_in_key(value: Any, type_: Type) -> Any:
    """A value as a key keeps it: without the scale of decimals, the parts of intervals, the
    payload of NaN and the sign of zero."""
    if value is None:
        return None
    if type_.kind is Kind.DECIMAL and not value.is_infinite():
        return Decimal("NaN") if value.is_nan() else plain(value)
    if type_.kind is Kind.INTERVAL:
        days, micros = divmod(value[2] + (value[0] * 30 + value[1]) * DAY_US, DAY_US)
        return (*divmod(days, 30), micros)
    if type_.kind in _FLOATS:
        top, infinity, quiet = _FLOATS[type_.kind]
        return quiet if value & ~top > infinity else 0 if value == top else value
    return _nested(value, type_)


def _nested(value: Any, type_: Type) -> Any:
    types = [field.type for field in type_.fields]
    if type_.kind is Kind.VECTOR:
        return tuple(_as_in_key(item, Type(Kind.REAL)) for item in value)
    if type_.kind is Kind.LIST:
        return [_as_in_key(item, types[0]) for item in value]
    if type_.kind is Kind.STRUCT:
        return tuple(map(_as_in_key, value, types))
    if type_.kind is Kind.MAP:
        return sorted(tuple(map(_as_in_key, item, types)) for item in value)
    return value


@pytest.mark.parametrize("case", [case for case in CASES if case.epoch == "E1"], ids=str)
def test_golden_keys_hold_the_columns(case: Case) -> None:
    """The columns of a key, of each type and in each order, are those of its value."""
    table = schema(case.tag, case.table)
    scan = plan_scan(version(case.tag), case.table, epoch=case.epoch_number)
    wanted = tuple(range(len(table.columns)))
    for item in table_versions(objects(case.tag), scan):
        values = decode_row(item.table_key, item.value, table, wanted, item.place)
        columns = [(column.index, table.columns[column.index].type) for column in table.key]
        expected = [_as_in_key(values[index], type_) for index, type_ in columns]
        found = read_key(item.table_key, table, HERE)
        assert list(map(repr, expected)) == list(map(repr, found))
