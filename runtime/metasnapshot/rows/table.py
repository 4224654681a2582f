"""The rows of a table in batches, as values or as Arrow: what `read` writes and a library takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from metasnapshot.errors import UsageError, ValueUnfit
from metasnapshot.hummock.merge import Version, table_versions
from metasnapshot.hummock.scan import PHYSICAL_SHIFT, Scan
from metasnapshot.hummock.table_blocks import ObjectStore
from metasnapshot.rows.arrays import array_of
from metasnapshot.rows.arrow import Array, RecordBatch, Schema, pa
from metasnapshot.rows.fit import Fit, Unfit
from metasnapshot.rows.text import text_of
from metasnapshot.rows.where import Comparison
from metasnapshot.sst.keys import read_key
from metasnapshot.sst.place import Place
from metasnapshot.sst.row import decode_row
from metasnapshot.sst.schema import Column, TableSchema
from metasnapshot.sst.types import Kind, Type

BATCH_ROWS = 6500
EPOCH_START_MS = 1_617_235_200_000
"""Of epochs: 2021-04-01, in milliseconds since 1970."""
TIMESTAMP_COLUMN = Column("_rw_timestamp", -1, Type(Kind.TIMESTAMPTZ), is_hidden=True)
KEY_SHOWN = 60


@dataclass(frozen=True)
class Batch:
    """Some rows: their keys, and the values of each column."""

    keys: list[bytes]
    columns: list[list[Any]]


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
    """

    objects: ObjectStore
    scan: Scan
    schema: TableSchema
    places: tuple[int, ...]
    where: tuple[Comparison, ...] = ()
    with_timestamp: bool = False
    fit: Fit = field(default_factory=Fit)

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
        for batch in self.values():
            arrays = [self._array(batch, place) for place in range(len(self.columns))]
            if arrays:
                yield pa.record_batch(arrays, schema=self.arrow_schema)

    def values(self) -> Iterator[Batch]:
        """The rows as values."""
        batch = self._empty()
        wanted = tuple({*self.places, *(item.place for item in self.where)})
        for version in table_versions(self.objects, self.scan):
            row = decode_row(version.table_key, version.value, self.schema, wanted, version.place)
            if not all(item.holds(row) for item in self.where):
                continue
            batch.keys.append(version.table_key)
            for column, value in zip(batch.columns, self._given(row, version), strict=True):
                column.append(value)
            if len(batch.keys) == BATCH_ROWS:
                yield batch
                batch = self._empty()
        if batch.keys:
            yield batch

    def _given(self, row: Sequence[Any], version: Version) -> list[Any]:
        found = [row[place] for place in self.places]
        return [*found, moment_of(version.epoch)] if self.with_timestamp else found

    def _empty(self) -> Batch:
        return Batch([], [[] for _ in self.columns])

    def _array(self, batch: Batch, place: int) -> Array:
        type_ = self.columns[place].type
        try:
            return array_of(batch.columns[place], type_, self.fit)
        except Unfit:
            for key, value in zip(batch.keys, batch.columns[place], strict=True):
                self._fit_one(key, value, place)
            raise

    def _fit_one(self, key: bytes, value: Any, place: int) -> None:
        """Name the row of a value that does not fit."""
        try:
            array_of([value], self.columns[place].type, self.fit)
        except Unfit as error:
            raise ValueUnfit(
                f"table {self.schema.name}, key {shown_key(key, self.schema)}, column "
                f"{self.names[place]}: {error}",
                hint=f"{error.option} holds it",
            ) from error


def moment_of(epoch: int) -> int:
    """When an epoch began, in microseconds since 1970."""
    return ((epoch >> PHYSICAL_SHIFT) + EPOCH_START_MS) * 1000


def shown_key(table_key: bytes, schema: TableSchema) -> str:
    """A key for messages: `id=5, name=x`."""
    values = read_key(table_key, schema, Place())
    parts: list[str] = []
    for item, value in zip(schema.key, values, strict=True):
        column = schema.columns[item.index]
        text = "NULL" if value is None else text_of(value, column.type)
        shown = text if len(text) <= KEY_SHOWN else f"{text[:KEY_SHOWN]}…"
        parts.append(f"{column.name}={shown}")
    return ", ".join(parts) or "(none)"


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """Names of columns, of which some may be equal, made different."""
    taken, found = set(names), list[str]()
    for name in names:
        shown, number = name, 0
        while shown in found or (number and shown in taken):
            number += 1
            shown = f"{name}_{number}"
        found.append(shown)
    return tuple(found)


def choose_columns(
    schema: TableSchema, wanted: Sequence[str] | None, *, with_hidden: bool
) -> tuple[int, ...]:
    """The places of columns by their names; without any, of all that are not hidden.

    Raises:
        UsageError: there is no such column, or it stands twice.
    """
    if wanted is None:
        every = enumerate(schema.columns)
        found = [place for place, column in every if with_hidden or not column.is_hidden]
        return tuple(place for place in found if place not in schema.unstored)
    names = unique_names([column.name for column in schema.columns])
    for name in wanted:
        if name not in names:
            raise UsageError(
                f"table {schema.name} has no column {name}", hint=f"it has {', '.join(names)}"
            )
        if list(wanted).count(name) > 1:
            raise UsageError(f"column {name} is asked for twice", hint="name it once")
    return tuple(names.index(name) for name in wanted)
