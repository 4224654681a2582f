"""What becomes of a query's columns in a file: no value changes without a word."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

import orjson

from metasnapshot.errors import ValueUnfit
from metasnapshot.rows.arrow import RecordBatch, pa, parquet
from metasnapshot.rows.lines import EXACT_MAX, dump, head, quoted_cell
from metasnapshot.rows.writers import ROW_GROUP_SIZE, Facts, Step

INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
WIDE = ("HUGEINT", "UHUGEINT")
"""Which Arrow has none of: as decimals of 38 digits, whose casts fail where there are more."""
TEXT_ONLY = ("BIT", "TIME WITH TIME ZONE", "VARIANT", "BIGNUM")
NATIVE = ("BOOLEAN", "FLOAT", "DOUBLE", "VARCHAR", *INTEGERS)
_WORDS = re.compile(r'"(?:[^"\\]|\\.)*"|-?(?:NaN|Infinity)')
"""Texts, so that nothing in them is found, and what DuckDB calls numbers that JSON lacks."""
INTERVAL = (
    "CASE WHEN {0} IS NULL THEN NULL ELSE struct_pack("
    "months := (date_part('year', {0}) * 12 + date_part('month', {0}))::INTEGER, "
    "days := date_part('day', {0})::INTEGER, "
    "microseconds := (date_part('hour', {0}) * 3600000000 + date_part('minute', {0}) * 60000000 "
    "+ date_part('microsecond', {0}))::BIGINT) END"
)


def for_arrow(column: str, kind: str) -> str:
    """In Arrow and Parquet: as it is, where they have the type."""
    if kind in WIDE:
        return f"{column}::DECIMAL(38, 0)"
    if kind in TEXT_ONLY or kind.startswith("ENUM"):
        return f"{column}::VARCHAR"
    return INTERVAL.format(column) if kind == "INTERVAL" else column


def for_csv(column: str, _: str) -> str:
    """In CSV: DuckDB's text."""
    return f"{column}::VARCHAR"


def for_json(column: str, kind: str) -> str:
    """In JSON: what JSON has as it is, what is nested as JSON, the rest as text."""
    if kind in NATIVE:
        return column
    if kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION")):
        return f"struct_pack(json := to_json({column})::VARCHAR)"
    return f"{column}::VARCHAR"


def write_result(
    reader: Any, form: str, file: BinaryIO, facts: Facts, step: Step, *, stream: bool = False
) -> int:
    """Write the rows of a query. Returns how many.

    Args:
        reader: of them, their columns as the function of the form says.
        form: parquet, arrow, csv or jsonl.
        file: where to.
        facts: where they come from, for Parquet and Arrow.
        step: is told how far it is.
        stream: whether nobody can seek in the file.

    Raises:
        ValueUnfit: the file cannot hold a type.
    """
    if form == "csv":
        file.write(head(tuple(reader.schema.names)))
    if form in ("csv", "jsonl"):
        count = 0
        for batch in reader:
            file.write(_csv(batch) if form == "csv" else _jsonl(batch))
            count += batch.num_rows
            step(count)
        return count
    write = _write_parquet if form == "parquet" else _write_arrow
    try:
        return write(reader, file, facts, step, stream=stream)
    except pa.ArrowNotImplementedError as error:
        raise ValueUnfit(
            f"{form} has no such columns: {error}", hint="cast them in the query: x::VARCHAR"
        ) from error


def _write_parquet(reader: Any, file: BinaryIO, facts: Facts, step: Step, *, stream: bool) -> int:
    del stream  # Parquet has one form
    count, size, waiting = 0, 0, list[RecordBatch]()
    with parquet.ParquetWriter(file, reader.schema, compression="zstd") as writer:
        for batch in reader:
            waiting.append(batch)
            count, size = count + batch.num_rows, size + batch.nbytes
            if size >= ROW_GROUP_SIZE:
                writer.write_table(pa.Table.from_batches(waiting, reader.schema))
                waiting, size = [], 0
            step(count)
        writer.write_table(pa.Table.from_batches(waiting, reader.schema))
        writer.add_key_value_metadata({**facts, "metasnapshot.rows": str(count)})
    return count


def _write_arrow(reader: Any, file: BinaryIO, facts: Facts, step: Step, *, stream: bool) -> int:
    schema = reader.schema.with_metadata(dict(facts))
    make: Any = pa.ipc.new_stream if stream else pa.ipc.new_file
    count = 0
    with make(file, schema) as writer:
        for batch in reader:
            writer.write_batch(batch.replace_schema_metadata(dict(facts)))
            count += batch.num_rows
            step(count)
    return count


def _csv(batch: RecordBatch) -> bytes:
    columns = [
        ["" if value is None else quoted_cell(value) for value in column.to_pylist()]
        for column in batch.columns
    ]
    return "".join(",".join(row) + "\n" for row in zip(*columns, strict=True)).encode()


def _jsonl(batch: RecordBatch) -> bytes:
    columns = [list(_plain(column)) for column in batch.columns]
    rows = zip(*columns, strict=True)
    return b"".join(dump(dict(zip(batch.schema.names, row, strict=True))) for row in rows)


def _plain(column: Any) -> Iterator[Any]:
    is_nested = pa.types.is_struct(column.type)
    for value in column.to_pylist():
        if is_nested:
            yield None if value["json"] is None else _nested(value["json"])
        elif isinstance(value, int) and not -EXACT_MAX <= value <= EXACT_MAX:
            yield str(value)
        elif isinstance(value, float) and not math.isfinite(value):
            yield "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        else:
            yield value


def _nested(text: str) -> orjson.Fragment:
    """What is nested, as DuckDB writes it, but for words of it that are no JSON."""

    def word(match: re.Match[str]) -> str:
        return match[0] if match[0][0] == '"' else f'"{match[0]}"'

    has_words = "NaN" in text or "Infinity" in text
    return orjson.Fragment(_WORDS.sub(word, text) if has_words else text)
