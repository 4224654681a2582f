"""Batches of rows into files: Parquet, Arrow, CSV, and a line of JSON a row."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import orjson

from metasnapshot.errors import ValueUnfit
from metasnapshot.rows.arrow import RecordBatch, pa, parquet
from metasnapshot.rows.table import TableRead, unique_names
from metasnapshot.rows.text import float_text, text_of
from metasnapshot.sst.types import INTEGERS, Kind, Type

EXACT_MAX = 1 << 53
"""Integers up to this one are exact in every reader of JSON."""
ROW_GROUP_ROWS = 128 * 1024
Facts = Mapping[str, str]
"""What a file says of where it comes from."""
Step = Callable[[int], object]
"""Is told how many rows were written."""


def write_parquet(
    read: TableRead, file: BinaryIO, facts: Facts, step: Step, *, dictionary: tuple[str, ...] = ()
) -> int:
    """Write Parquet, compressed with zstd; the facts and the count of rows stand in its metadata.
    Returns the rows.

    Args:
        read: the table.
        file: where to.
        facts: where it comes from.
        step: is told how far it is.
        dictionary: columns whose values are few.
    """
    try:
        writer = parquet.ParquetWriter(
            file,
            read.arrow_schema,
            compression="zstd",
            use_dictionary=list(dictionary) or False,
            store_schema=True,
        )
    except pa.ArrowNotImplementedError as error:
        raise _no_parquet(read, error) from error
    count, waiting, group = 0, list[RecordBatch](), 0

    def flush() -> None:
        try:
            writer.write_table(pa.Table.from_batches(waiting, read.arrow_schema))
        except pa.ArrowNotImplementedError as error:
            raise _no_parquet(read, error) from error
        waiting.clear()

    with writer:
        for batch in read.batches():
            waiting.append(batch)
            count, group = count + batch.num_rows, group + batch.num_rows
            if group >= ROW_GROUP_ROWS:
                flush()
                group = 0
            step(count)
        flush()
        writer.add_key_value_metadata({**facts, "metasnapshot.rows": str(count)})
    return count


def _no_parquet(read: TableRead, error: Exception) -> ValueUnfit:
    return ValueUnfit(
        f"table {read.schema.name}: Parquet has no such columns: {error}",
        hint="--on-unfit text makes text of them",
    )


def write_arrow(
    read: TableRead, file: BinaryIO, facts: Facts, step: Step, *, stream: bool = False
) -> int:
    """Write an Arrow file, or a stream where nobody can seek. Returns the rows."""
    schema = read.arrow_schema.with_metadata(dict(facts))
    make: Any = pa.ipc.new_stream if stream else pa.ipc.new_file
    count = 0
    with make(file, schema) as writer:
        for batch in read.batches():
            writer.write_batch(batch.replace_schema_metadata(dict(facts)))
            count += batch.num_rows
            step(count)
    return count


def write_csv(read: TableRead, file: BinaryIO, step: Step) -> int:
    """Write CSV with a head: every value as RisingWave prints it, in quotes; NULL is nothing.
    Returns the rows.
    """
    file.write((",".join(map(_quoted, read.names)) + "\n").encode())
    types = [column.type for column in read.columns]
    count = 0
    for size, batch in read.values():
        columns = [
            ["" if value is None else _quoted(text_of(value, type_)) for value in values]
            for values, type_ in zip(batch, types, strict=True)
        ]
        rows = zip(*columns, strict=True) if columns else [()] * size
        file.write("".join(",".join(row) + "\n" for row in rows).encode())
        count += size
        step(count)
    return count


def write_jsonl(read: TableRead, file: BinaryIO, step: Step) -> int:
    """Write a line of JSON a row. Returns the rows."""
    types = [column.type for column in read.columns]
    count = 0
    for size, batch in read.values():
        columns = [
            [plain(value, type_) for value in values]
            for values, type_ in zip(batch, types, strict=True)
        ]
        rows = zip(*columns, strict=True) if columns else [()] * size
        lines = (dump(dict(zip(read.names, row, strict=True))) for row in rows)
        file.write(b"".join(lines))
        count += size
        step(count)
    return count


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


def _quoted(text: str) -> str:
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
