"""Rows as lines of text: CSV, with every value as RisingWave prints it, and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal

import orjson

from metasnapshot.rows.names import unique_names
from metasnapshot.rows.piece import Piece
from metasnapshot.rows.text import float_text, text_of
from metasnapshot.sst.types import INTEGERS, Kind, Type

if TYPE_CHECKING:
    from metasnapshot.rows.table import TableRead

EXACT_MAX = 1 << 53
"""Integers up to this one are exact in every reader of JSON."""
Form = Literal["csv", "jsonl"]


def head(names: tuple[str, ...]) -> bytes:
    """The first line of CSV."""
    return (",".join(map(quoted_cell, names)) + "\n").encode()


def lines_of(read: TableRead, form: Form) -> Iterator[tuple[int, bytes]]:
    """All rows of a table as lines, some thousand at a time: how many, and they.

    Raises:
        DamageError: bytes are not as they were written.
    """
    if read.jobs > 1:
        from metasnapshot.rows import crew  # noqa: PLC0415 - it imports this one

        yield from crew.lines_of(read, form)
        return
    for piece in read.pieces():
        yield lines_of_piece(read, piece, form)


def lines_of_piece(read: TableRead, piece: Piece, form: Form) -> tuple[int, bytes]:
    """Some rows as lines."""
    columns = read.values_of(piece)
    types = [column.type for column in read.columns]
    make = _csv if form == "csv" else _json
    return len(piece), make(len(piece), columns, types, read.names)


def _csv(size: int, columns: list[list[Any]], types: list[Type], _: tuple[str, ...]) -> bytes:
    texts = [
        ["" if value is None else quoted_cell(text_of(value, type_)) for value in values]
        for values, type_ in zip(columns, types, strict=True)
    ]
    rows = zip(*texts, strict=True) if texts else [()] * size
    return "".join(",".join(row) + "\n" for row in rows).encode()


def _json(size: int, columns: list[list[Any]], types: list[Type], names: tuple[str, ...]) -> bytes:
    found = [
        [plain(value, type_) for value in values]
        for values, type_ in zip(columns, types, strict=True)
    ]
    rows = zip(*found, strict=True) if found else [()] * size
    return b"".join(dump(dict(zip(names, row, strict=True))) for row in rows)


def dump(row: dict[str, Any]) -> bytes:
    """A line."""
    try:
        return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # nested deeper than it goes
        return (json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def plain(value: Any, type_: Type) -> Any:
    """A value as JSON has it: what it cannot hold exactly is text."""
    if value is None:
        return None
    if type_.kind in INTEGERS:
        return value if -EXACT_MAX <= value <= EXACT_MAX else str(value)
    make = _PLAIN.get(type_.kind)
    return text_of(value, type_) if make is None else make(value, type_)


def _struct(value: tuple[Any, ...], type_: Type) -> dict[str, Any]:
    names = unique_names([field.name for field in type_.fields])
    items = (plain(item, field.type) for item, field in zip(value, type_.fields, strict=True))
    return dict(zip(names, items, strict=True))


def _map(value: list[tuple[Any, Any]], type_: Type) -> dict[str, Any]:
    key, item = (field.type for field in type_.fields)
    return {text_of(one, key): plain(other, item) for one, other in value}


def _number(text: str) -> float | str:
    """The number that the text is, or the text of what is none."""
    return text if text[-1] in "yN" else float(text)


def quoted_cell(text: str) -> str:
    """A cell of CSV."""
    return '"' + text.replace('"', '""') + '"'


_PLAIN: dict[Kind, Callable[[Any, Type], Any]] = {
    Kind.BOOLEAN: lambda value, _: value,
    Kind.VARCHAR: lambda value, _: value,
    Kind.JSONB: lambda value, _: value,
    Kind.REAL: lambda value, _: _number(float_text(value, 32)),
    Kind.DOUBLE: lambda value, _: _number(float_text(value, 64)),
    Kind.STRUCT: _struct,
    Kind.LIST: lambda value, type_: [plain(item, type_.fields[0].type) for item in value],
    Kind.MAP: _map,
    Kind.VECTOR: lambda value, _: [_number(float_text(item, 32)) for item in value],
}
