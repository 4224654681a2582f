"""A table's row out of its key and value, one at a time."""

from __future__ import annotations

from typing import Any

from metasnapshot.errors import UnknownFormat
from metasnapshot.sst.block import Bytes
from metasnapshot.sst.keys import read_key
from metasnapshot.sst.place import Place
from metasnapshot.sst.schema import Column, TableSchema
from metasnapshot.sst.values import Cursor, read_datum, read_row, read_whole

Row = list[Any]
"""Values by the order of the catalog's columns, as sst.values has them."""


def decode_row(
    table_key: bytes, value: Bytes, schema: TableSchema, wanted: tuple[int, ...], place: Place
) -> Row:
    """The wanted columns of a row, by their places among the columns; the others stay None.

    Args:
        table_key: vnode and key, without the epoch.
        value: what was put, without its tag.
        schema: of the table.
        wanted: places of columns.
        place: for errors.

    Raises:
        SstDamage: the bytes are no row of that table.
        UnknownFormat: a column's default cannot be told offline.
    """
    if schema.is_raw:
        return [table_key, bytes(value)]
    row: Row = [None] * len(schema.columns)
    cursor = Cursor(value, 0, len(value), place)
    if schema.is_versioned:
        _fill_versioned(row, cursor, schema, wanted)
    else:
        for index in schema.value_indices:
            row[index] = read_datum(cursor, schema.columns[index].type)
        cursor.finish()
    if any(index in wanted for index in schema.key_only):
        keys = read_key(table_key, schema, place)
        for item, found in zip(schema.key, keys, strict=True):
            if item.index in schema.key_only:
                row[item.index] = found
    return row


def _fill_versioned(row: Row, cursor: Cursor, schema: TableSchema, wanted: tuple[int, ...]) -> None:
    if not schema.value_indices and cursor.at == cursor.end:
        return
    slots = read_row(cursor)
    for index in wanted:
        if index in schema.key_only:
            continue
        column = schema.columns[index]
        if column.id in slots:
            row[index] = read_whole(slots[column.id], column.type)
        else:
            row[index] = default_of(column, schema, cursor.place)


def default_of(column: Column, schema: TableSchema, place: Place) -> Any:
    """What a row has in a column that was added after it.

    Raises:
        UnknownFormat: it cannot be told offline.
    """
    if column.unknown_default:
        raise UnknownFormat(
            f"table {schema.name}, column {column.name}: rows were written before it was added, "
            f"and {column.unknown_default}",
            hint="leave the column out with --columns",
        )
    if not column.default:
        return None
    cursor = Cursor(column.default, 0, len(column.default), place)
    value = read_datum(cursor, column.type)
    cursor.finish()
    return value
