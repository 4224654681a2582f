"""Read a meta store inside one transaction: its layout, its counts, its rows in the order of their
primary keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc

from metasnapshot.errors import DatabaseError, RowError, UnknownFormat
from metasnapshot.format.codec import is_blob, row_codec
from metasnapshot.format.column_encoding import encode_columns
from metasnapshot.format.layout import Candidates, candidates, shape_of
from metasnapshot.format.scalars import described
from metasnapshot.metastore.bulk.reading import reader_of
from metasnapshot.metastore.ddl import MIGRATIONS_TABLE
from metasnapshot.metastore.engines import engine_of
from metasnapshot.metastore.results import FEW_ROWS, MANY_ROWS, stream
from metasnapshot.metastore.values import Forms, from_db
from metasnapshot_models.codecs import CODECS
from metasnapshot_models.definitions import Layout

BATCH_SIZE = 1 << 20
"""Bytes of blobs, about, that are held at once."""
T = TypeVar("T")


def find_layouts(connection: sa.Connection) -> Candidates:
    """The layouts that a meta store's migrations allow, the longest first.

    Raises:
        UnknownFormat: this is no meta store, or of no known release.
    """
    if not sa.inspect(connection).has_table(MIGRATIONS_TABLE):
        raise UnknownFormat(
            f"no table {MIGRATIONS_TABLE}: not a RisingWave meta store", hint="check --meta-store"
        )
    rows = connection.execute(_select(MIGRATIONS_TABLE, "version"))
    names = [_typed(row[0], str, f"{MIGRATIONS_TABLE}.version") for row in rows]
    if not names:
        raise UnknownFormat(
            f"table {MIGRATIONS_TABLE} is empty: the meta store was emptied, or never started",
            hint="check --meta-store",
        )
    return candidates(names)


def count_rows(connection: sa.Connection, table: str) -> int:
    """The number of rows of a table."""
    name = connection.dialect.identifier_preparer.quote_identifier(table)
    return int(connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one())


def read_rows(connection: sa.Connection, layout: Layout, model: str) -> Iterator[Any]:
    """The rows of a model's table, by primary key, one at a time.

    Raises:
        RowError: a value that its column cannot hold, with table, row and column.
        DatabaseError: the table cannot be read.
    """
    to_model = _models(layout, model, engine_of(connection).forms)
    for first, rows in _batches(connection, layout, model):
        yield from to_model(first, rows)


def read_encoded(connection: sa.Connection, layout: Layout, model: str) -> Iterator[Any]:
    """The same rows as the bytes of a snapshot's; short ones as lists of many, and where one of
    many is not right, all of them as models.

    Raises:
        RowError, DatabaseError: as for read_rows.
    """
    forms = engine_of(connection).forms
    codec, to_model = row_codec(layout, model), _models(layout, model, forms)
    to_columns = reader_of(codec.shape.columns, layout.era, forms)
    for first, rows in _batches(connection, layout, model):
        columns = to_columns(rows)
        encoded = columns and encode_columns(codec, columns)
        if isinstance(encoded, list):
            yield encoded
        else:
            yield from encoded or to_model(first, rows)


def _batches(
    connection: sa.Connection, layout: Layout, model: str
) -> Iterator[tuple[int, Sequence[Any]]]:
    """Some rows at a time as the driver gives them, and the number of the first."""
    shape, table = shape_of(layout, model), CODECS[model].table
    of_blobs = [at for at, column in enumerate(shape.columns) if is_blob(column.type)]
    statement = select_columns(connection, layout, model)
    first = 0
    try:
        found = stream(connection, statement, FEW_ROWS if of_blobs else MANY_ROWS)
        for rows in _gathered(found.partitions(), of_blobs):
            yield first, rows
            first += len(rows)
    except exc.DBAPIError as error:
        if engine_of(connection).is_conflict(error.orig):
            raise
        raise DatabaseError(f"cannot read table {table}: {error.orig}") from error


def _gathered(
    partitions: Iterable[Sequence[Sequence[Any]]], of_blobs: Sequence[int]
) -> Iterator[Sequence[Sequence[Any]]]:
    """Partitions together, as long as their blobs are small and few."""
    held: list[Sequence[Any]] = []
    size = 0
    for rows in partitions:
        held += rows
        for at in of_blobs:
            with suppress(TypeError):  # of what is no blob, as will be found
                size += sum(map(len, [row[at] for row in rows if row[at]]))
        if size >= BATCH_SIZE or len(held) >= MANY_ROWS:
            yield held
            held, size = [], 0
    if held:
        yield held


def _models(
    layout: Layout, model: str, forms: Forms
) -> Callable[[int, Sequence[Any]], Iterator[Any]]:
    """What makes models of rows."""
    shape, codec = shape_of(layout, model), CODECS[model]
    names = [column.name for column in shape.columns]
    convert = [from_db(column, layout.era, forms) for column in shape.columns]

    def to_models(first: int, rows: Sequence[Any]) -> Iterator[Any]:
        for number, values in enumerate(rows, first):
            try:
                yield codec.model(
                    **{
                        name: None if value is None else to_model(value)
                        for name, value, to_model in zip(names, values, convert, strict=True)
                    }
                )
            except RowError as error:
                raise error.at(section=f"table {codec.table}", row=number) from error

    return to_models


def select_columns(connection: sa.Connection, layout: Layout, model: str) -> Any:
    """A statement for the columns of a model, in the order of its shape, by primary key; JSON as
    text. Its text is made here: SQLAlchemy takes as long for it as a small table takes to be read.
    """
    quote = connection.dialect.identifier_preparer.quote_identifier
    has_json = engine_of(connection).forms.has_json
    shape = shape_of(layout, model)
    columns = [
        f"CAST({quote(column.name)} AS TEXT) AS {quote(column.name)}"
        if has_json and column.type.kind == "json"
        else quote(column.name)
        for column in shape.columns
    ]
    key = ", ".join(quote(column.name) for column in shape.columns if column.pk)
    table = quote(CODECS[model].table)
    return f"SELECT {', '.join(columns)} FROM {table} ORDER BY {key}"


def quoted(name: str) -> sa.ColumnClause[Any]:
    """A column by its name, quoted whatever it is."""
    return sa.column(_quoted_name(name))


def sequences(connection: sa.Connection) -> dict[str, int]:
    """hummock_sequence by name: the next id of each kind."""
    rows: Any = connection.execute(_select("hummock_sequence", "name", "seq"))
    column = "hummock_sequence.seq"
    return {_typed(row[0], str, column): _typed(row[1], int, column) for row in rows}


def system_parameters(connection: sa.Connection) -> dict[str, str]:
    """system_parameter by name."""
    rows: Any = connection.execute(_select("system_parameter", "name", "value"))
    column = "system_parameter.value"
    return {_typed(row[0], str, column): _typed(row[1], str, column) for row in rows}


def version_deltas(connection: sa.Connection) -> Iterator[tuple[int, bytes]]:
    """Id and HummockVersionDelta of each row of hummock_version_delta, by id."""
    table = "hummock_version_delta"
    statement = _select(table, "id", "full_version_delta").order_by(quoted("id"))
    blob = f"{table}.full_version_delta"
    for row_id, data in stream(connection, statement, FEW_ROWS):
        yield _typed(row_id, int, f"{table}.id"), _typed(data, bytes, blob)


def _select(table: str, *names: str) -> Any:
    return sa.select(*map(quoted, names)).select_from(sa.table(_quoted_name(table)))


def _quoted_name(name: str) -> sa.quoted_name:
    return sa.quoted_name(name, quote=True)


def _typed(value: Any, kind: type[T], column: str) -> T:
    """A value that is looked at before any codec is."""
    if not isinstance(value, kind):
        table, _, name = column.partition(".")
        raise RowError(
            f"not a {kind.__name__}: {described(value)}", section=f"table {table}", column=name
        )
    return value
