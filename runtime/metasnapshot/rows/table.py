"""The rows of a table in batches, as values or as Arrow: what `read` writes and a library takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from metasnapshot.errors import UsageError, ValueUnfit
from metasnapshot.hummock.partitions import TARGET, Partitions
from metasnapshot.hummock.scan import Scan
from metasnapshot.hummock.table_blocks import MEMORY, ObjectStore
from metasnapshot.hummock.visible import Range, Rows
from metasnapshot.rows.ahead import rows_of
from metasnapshot.rows.arrays import array_of
from metasnapshot.rows.arrow import Array, RecordBatch, Schema, pa
from metasnapshot.rows.fit import Fit, Unfit
from metasnapshot.rows.names import shown_key, unique_names
from metasnapshot.rows.piece import Piece
from metasnapshot.rows.where import Comparison
from metasnapshot.sst.schema import Column, TableSchema
from metasnapshot.sst.types import Kind, Type

PIECE_ROWS = 6500
"""So many fit into the caches of a core."""
TIMESTAMP_COLUMN = Column("_rw_timestamp", -1, Type(Kind.TIMESTAMPTZ), is_hidden=True)


@dataclass(frozen=True)
class TableRead:
    """A table that is to be read.

    Attributes:
        objects: where its objects lie.
        scan: which of their versions are its rows.
        schema: what their bytes mean.
        places: of the columns that are wanted, in that order.
        where: which rows are wanted: all of it holds.
        with_timestamp: whether a column _rw_timestamp says when each row was written.
        fit: what types become.
        ranges: of its keys that are wanted; None for all.
        memory: bytes that reading may take, about.
        jobs: processes that unpack and decode.
        ahead: whether a thread reads the next range meanwhile.
    """

    objects: ObjectStore
    scan: Scan
    schema: TableSchema
    places: tuple[int, ...]
    where: tuple[Comparison, ...] = ()
    with_timestamp: bool = False
    fit: Fit = field(default_factory=Fit)
    ranges: tuple[Range, ...] | None = None
    memory: int = MEMORY
    jobs: int = 1
    ahead: bool = True

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The columns that are given."""
        found = tuple(self.schema.columns[place] for place in self.places)
        return (*found, TIMESTAMP_COLUMN) if self.with_timestamp else found

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the columns that are given, each once: `name`, `name_1`."""
        return unique_names([column.name for column in self.columns])

    @cached_property
    def arrow_schema(self) -> Schema:
        """Of the batches."""
        types = [self.fit.arrow_type(column.type) for column in self.columns]
        return pa.schema(list(zip(self.names, types, strict=True)))

    def batches(self) -> Iterator[RecordBatch]:
        """The rows as Arrow.

        Raises:
            ValueUnfit: a value does not fit its Arrow type.
            DamageError: bytes are not as they were written.
        """
        if self.jobs > 1:
            from metasnapshot.rows.crew import batches_of  # noqa: PLC0415 - it imports this one

            yield from batches_of(self)
        else:
            yield from self.batches_of(self.cut())

    def batches_of(self, partitions: Partitions) -> Iterator[RecordBatch]:
        """The rows of what was cut as Arrow; where no column is wanted, only their number."""
        for piece in self.pieces_of(partitions):
            yield self._batch(piece)

    def record_batch(self, rows: Rows) -> RecordBatch:
        """Some rows as Arrow, as `batches` makes them."""
        return self._batch(Piece(rows, self.schema, self.places))

    def _batch(self, piece: Piece) -> RecordBatch:
        arrays = [self._array(piece, place) for place in range(len(self.columns))]
        if not arrays:
            return pa.RecordBatch.from_struct_array(pa.array([{}] * len(piece), pa.struct([])))
        return pa.record_batch(arrays, schema=self.arrow_schema)

    def values(self) -> Iterator[tuple[int, list[list[Any]]]]:
        """The rows as values: how many, and those of each column."""
        for piece in self.pieces():
            yield len(piece), self.values_of(piece)

    def values_of(self, piece: Piece) -> list[list[Any]]:
        """Some rows as values, those of each column."""
        columns = [piece.values(place) for place in self.places]
        if self.with_timestamp:
            columns.append(piece.moments().tolist())
        return columns

    def pieces(self) -> Iterator[Piece]:
        """The rows, some thousand at a time."""
        yield from self.pieces_of(self.cut())

    def cut(self) -> Partitions:
        """The table, cut into ranges.

        Raises:
            DamageError: an object is not as it was written.
        """
        share = self.memory // self.jobs
        return Partitions(self.objects, self.scan, TARGET, share)

    def pieces_of(self, partitions: Partitions) -> Iterator[Piece]:
        """The rows of what was cut."""
        ranges = partitions.ranges if self.ranges is None else self.ranges
        for rows in rows_of(partitions, ranges, self.schema.name, ahead=self.ahead):
            for start in range(0, len(rows), PIECE_ROWS):
                piece = self._chosen(rows.part(start, start + PIECE_ROWS))
                if len(piece):
                    yield piece

    def partitions(self, count: int) -> list[TableRead]:
        """The same table in so many parts, or fewer; each can go to another process.

        Raises:
            UsageError: it is no count.
        """
        if count < 1:
            raise UsageError(f"{count} parts of a table", hint="give at least one")
        ranges = self.cut().ranges
        size = -(-len(ranges) // count) or 1
        parts = (tuple(ranges[at : at + size]) for at in range(0, len(ranges), size))
        return [replace(self, ranges=part) for part in parts]

    def to_batches(self) -> Iterator[RecordBatch]:
        """As `batches`, once all objects are looked for.

        Raises:
            ObjectMissing: one is gone.
        """
        self.objects.look_for(self.scan.refs)
        yield from self.batches()

    def to_reader(self) -> Any:
        """A pyarrow.RecordBatchReader over the rows."""
        return pa.RecordBatchReader.from_batches(self.arrow_schema, self.to_batches())

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """The rows, for whatever takes Arrow; as often as it is asked for."""
        return self.to_reader().__arrow_c_stream__(requested_schema)

    def _chosen(self, rows: Rows) -> Piece:
        if not self.where:
            return Piece(rows, self.schema, self.places)
        keys = tuple(dict.fromkeys(item.place for item in self.where))
        whole = Piece(rows, self.schema, keys)
        columns = {place: whole.values(place) for place in keys}
        wanted = [
            n
            for n in range(len(rows))
            if all(item.holds(columns[item.place][n]) for item in self.where)
        ]
        return Piece(rows.pick(wanted), self.schema, self.places)

    def _array(self, piece: Piece, number: int) -> Array:
        type_ = self.columns[number].type
        if number == len(self.places):
            return pa.array(piece.moments()).cast(self.fit.arrow_type(type_))
        place = self.places[number]
        array = piece.array(place, self.fit)
        if array is not None:
            return array
        values = piece.values(place)
        try:
            return array_of(values, type_, self.fit)
        except Unfit:
            for row, value in enumerate(values):
                self._fit_one(piece, row, value, number)
            raise

    def _fit_one(self, piece: Piece, row: int, value: Any, number: int) -> None:
        """Name the row of a value that does not fit."""
        try:
            array_of([value], self.columns[number].type, self.fit)
        except Unfit as error:
            key = shown_key(piece.key(row), self.schema)
            raise ValueUnfit(
                f"table {self.schema.name}, key {key}, column {self.names[number]}: {error}",
                hint=f"{error.option} holds it",
            ) from error
