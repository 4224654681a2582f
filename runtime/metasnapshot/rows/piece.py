"""Some thousand rows and their columns, as values or as Arrow arrays."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metasnapshot.hummock.scan import PHYSICAL_SHIFT
from metasnapshot.hummock.visible import Rows
from metasnapshot.rows.arrow import Array, pa
from metasnapshot.rows.fit import Fit
from metasnapshot.rows.gather import gather
from metasnapshot.sst.buffer import Numbers
from metasnapshot.sst.row import Row, decode_row
from metasnapshot.sst.schema import TableSchema
from metasnapshot.sst.slots import Slots, locate
from metasnapshot.sst.values import Cursor, read_value, read_whole

EPOCH_START_MS = 1_617_235_200_000
"""Of epochs: 2021-04-01, in milliseconds since 1970."""


class Piece:
    """Rows by key; their columns are decoded in the order of the buffer, where that is another."""

    def __init__(self, rows: Rows, schema: TableSchema, wanted: Sequence[int]) -> None:
        self._schema = schema
        self._wanted = tuple(wanted)
        self._key_rows = rows
        self._back: Numbers | None = None
        if (rows.start[1:] < rows.start[:-1]).any():
            order = np.argsort(rows.start)
            self._back = np.empty_like(order)
            self._back[order] = np.arange(len(order))
            rows = rows.pick(order.tolist())
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def key(self, number: int) -> bytes:
        """The key of a row."""
        return self._key_rows.key(number)

    def moments(self) -> NDArray[np.int64]:
        """When each row was written, in microseconds since 1970."""
        physical = (self._key_rows.epoch >> np.uint64(PHYSICAL_SHIFT)).astype(np.int64)
        return (physical + EPOCH_START_MS) * 1000

    def array(self, place: int, fit: Fit) -> Array | None:
        """A column as Arrow; None if it has to be made of values."""
        if self._slots is None:
            return None
        type_ = self._schema.columns[place].type
        found = gather(self._rows.buffer, self._slots[place], type_, fit)
        if found is None or self._back is None:
            return found
        return found.take(pa.array(self._back))

    def values(self, place: int) -> list[Any]:
        """A column as values.

        Raises:
            SstDamage: a row is not as it was written.
            UnknownFormat: a default cannot be told offline.
        """
        slots = self._slots
        found = (
            [row[place] for row in self._decoded]
            if slots is None
            else self._values(slots[place], place)
        )
        return found if self._back is None else [found[n] for n in self._back.tolist()]

    @cached_property
    def _slots(self) -> dict[int, Slots] | None:
        rows = self._rows
        return locate(rows.buffer, rows.start, rows.size, self._schema, self._wanted)

    @cached_property
    def _decoded(self) -> list[Row]:
        """Every row, one by one."""
        rows = self._rows
        return [
            decode_row(rows.key(n), rows.value(n), self._schema, self._wanted, rows.place(n))
            for n in range(len(rows))
        ]

    def _values(self, slots: Slots, place: int) -> list[Any]:
        type_ = self._schema.columns[place].type
        data = self._rows.buffer.data.data
        found: list[Any] = []
        spans = zip(slots.start.tolist(), slots.size.tolist(), slots.valid.tolist(), strict=True)
        for number, (start, size, valid) in enumerate(spans):
            if not valid:
                found.append(None)
                continue
            cursor = Cursor(data, start, start + size, self._rows.place(number))
            if self._schema.is_versioned:
                found.append(read_whole(cursor, type_))
            else:
                found.append(read_value(cursor, type_))
                cursor.finish()
        return found
