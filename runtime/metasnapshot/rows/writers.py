"""Batches of rows into files: Parquet, Arrow, and lines of text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from metasnapshot.errors import ValueUnfit
from metasnapshot.rows.arrow import RecordBatch, pa, parquet
from metasnapshot.rows.lines import Form, head, lines_of
from metasnapshot.rows.table import TableRead

ROW_GROUP_ROWS = 128 * 1024
ROW_GROUP_SIZE = 32 << 20
"""Bytes of Arrow that wait for their row group at most."""
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
    count, waiting, size = 0, list[RecordBatch](), 0

    def flush() -> None:
        try:
            writer.write_table(pa.Table.from_batches(waiting, read.arrow_schema))
        except pa.ArrowNotImplementedError as error:
            raise _no_parquet(read, error) from error
        waiting.clear()
        pa.default_memory_pool().release_unused()

    with writer:
        for batch in read.batches():
            waiting.append(batch)
            count, size = count + batch.num_rows, size + batch.nbytes
            if size >= ROW_GROUP_SIZE or sum(b.num_rows for b in waiting) >= ROW_GROUP_ROWS:
                flush()
                size = 0
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


def write_lines(read: TableRead, file: BinaryIO, form: Form, step: Step) -> int:
    """Write a line a row: of CSV, with a head, every value as RisingWave prints it, in quotes, NULL
    as nothing; or of JSON. Returns the rows.
    """
    if form == "csv":
        file.write(head(read.names))
    count = 0
    for size, data in lines_of(read, form):
        file.write(data)
        count += size
        step(count)
    return count
