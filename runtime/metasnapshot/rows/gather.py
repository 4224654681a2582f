"""Slots of columns as Arrow arrays, without a loop over the rows.

Kinds that stand here are gathered by numpy; of the others, and wherever a value is not as it should
be or does not fit, there is no array here: `arrays.array_of` makes it, or says why not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metasnapshot.rows.arrow import Array, pa
from metasnapshot.rows.fit import NANOS, Fit
from metasnapshot.sst.buffer import Buffer, Flags, Numbers
from metasnapshot.sst.slots import LENGTH_SIZE, Slots
from metasnapshot.sst.types import TEXTS, Kind, Type
from metasnapshot.sst.values import CE_DAYS, DAY_S, JSONB_TEXT
from metasnapshot.sst.values import NANOS as SECOND_NANOS

MICRO = 1000
SECOND_MICROS = 1_000_000
I64_MAX = (1 << 63) - 1
_NUMBERS = {
    Kind.SMALLINT: "<i2",
    Kind.INT: "<i4",
    Kind.BIGINT: "<i8",
    Kind.SERIAL: "<i8",
    Kind.REAL: "<f4",
    Kind.DOUBLE: "<f8",
    Kind.TIMESTAMPTZ: "<i8",
}
Maker = Callable[[Buffer, Slots, Type, Fit], Any]


def gather(buffer: Buffer, slots: Slots, type_: Type, fit: Fit) -> Array | None:
    """The array of a column; None if it has to be made value by value.

    Args:
        buffer: the blocks.
        slots: of the column, their starts ascending.
        type_: of the column.
        fit: what types become.
    """
    if fit.is_text(type_):
        return None
    if type_.kind in TEXTS:
        return _texts(buffer, slots, type_.kind)
    width = type_.width
    if width is None or ((slots.size != width) & slots.valid).any():
        return None
    if type_.kind in _NUMBERS:
        return _primitive(
            buffer.numbers(slots.start, _NUMBERS[type_.kind]), slots.valid, fit.arrow_of(type_)
        )
    make = _MAKERS.get(type_.kind)
    return None if make is None else make(buffer, slots, type_, fit)


def bitmap(flags: Flags) -> Any:
    """An Arrow bitmap."""
    return pa.py_buffer(np.packbits(flags, bitorder="little"))


def validity(valid: Flags) -> Any:
    """An Arrow bitmap of what is valid; None where all is."""
    return None if valid.all() else bitmap(valid)


def _primitive(numbers: NDArray[Any], valid: Flags, kind: Any) -> Array:
    buffers = [validity(valid), pa.py_buffer(np.ascontiguousarray(numbers))]
    return pa.Array.from_buffers(kind, len(numbers), buffers)


def _texts(buffer: Buffer, slots: Slots, kind: Kind) -> Array | None:
    """An Arrow array of all that lies in the buffer, in and between the texts, of which every
    other is taken: no byte is touched here.
    """
    skipped = LENGTH_SIZE
    short = slots.valid & (slots.size < LENGTH_SIZE + (kind is Kind.JSONB))
    length = buffer.numbers(slots.start, "<u4")
    if short.any() or ((length != slots.size - LENGTH_SIZE) & slots.valid).any():
        return None
    if kind is Kind.JSONB:
        text_sign = buffer.data[slots.start + LENGTH_SIZE]
        if ((text_sign != JSONB_TEXT) & slots.valid).any():
            return None
        skipped += 1
    count = len(slots.start)
    offsets = np.empty(2 * count, np.int32)
    offsets[0::2] = slots.start + np.where(slots.valid, skipped, 0)
    offsets[1::2] = slots.start + slots.size
    data = [None, pa.py_buffer(offsets), pa.py_buffer(buffer.data)]
    every = pa.Array.from_buffers(pa.binary(), 2 * count - 1, data)
    taken = every.take(pa.array(np.arange(0, 2 * count, 2, dtype=np.int32)))
    if not slots.valid.all():
        _, positions, values = taken.buffers()
        data = [bitmap(slots.valid), positions, values]
        taken = pa.Array.from_buffers(pa.binary(), count, data)
    if kind is Kind.BYTEA:
        return taken
    try:
        return taken.cast(pa.string())
    except pa.ArrowInvalid:  # no UTF-8
        return None


def _booleans(buffer: Buffer, slots: Slots, type_: Type, fit: Fit) -> Array | None:
    values = buffer.data[slots.start]
    if ((values > 1) & slots.valid).any():
        return None
    data = [validity(slots.valid), bitmap(values == 1)]
    return pa.Array.from_buffers(fit.arrow_of(type_), len(values), data)


def _dates(buffer: Buffer, slots: Slots, type_: Type, fit: Fit) -> Array | None:
    days = buffer.numbers(slots.start, "<i4").astype(np.int64) - CE_DAYS
    short = days.astype(np.int32)
    if ((short != days) & slots.valid).any():
        return None
    return _primitive(short, slots.valid, fit.arrow_of(type_))


def _times(buffer: Buffer, slots: Slots, type_: Type, fit: Fit) -> Array | None:
    seconds = buffer.numbers(slots.start, "<u4").astype(np.int64)
    nanos = buffer.numbers(slots.start + 4, "<u4").astype(np.int64)
    wrong = (seconds >= DAY_S) | (nanos >= SECOND_NANOS)
    if fit.time == NANOS:
        found = seconds * SECOND_NANOS + nanos
    else:
        micros, rest = np.divmod(nanos, MICRO)
        wrong |= rest != 0
        found = seconds * SECOND_MICROS + micros
    if (wrong & slots.valid).any():
        return None
    return _primitive(found, slots.valid, fit.arrow_of(type_))


def _timestamps(buffer: Buffer, slots: Slots, type_: Type, fit: Fit) -> Array | None:
    seconds = buffer.numbers(slots.start, "<i8").astype(np.int64)
    nanos = buffer.numbers(slots.start + 8, "<u4").astype(np.int64)
    unit = SECOND_NANOS if fit.timestamp == NANOS else SECOND_MICROS
    limit = I64_MAX // unit - 1
    wrong = (nanos >= SECOND_NANOS) | (seconds > limit) | (seconds < -limit)
    part = nanos
    if fit.timestamp != NANOS:
        part, rest = np.divmod(nanos, MICRO)
        wrong |= rest != 0
    if (wrong & slots.valid).any():
        return None
    seconds = np.where(slots.valid, seconds, 0)
    return _primitive(seconds * unit + part, slots.valid, fit.arrow_of(type_))


def _decimals(buffer: Buffer, slots: Slots, type_: Type, fit: Fit) -> Array | None:
    """Those whose digits fit into 63 bits, before and behind the scale."""
    if fit.decimal_scale is None:
        return None
    first = buffer.numbers(slots.start, "<u8").astype(np.uint64)
    second = buffer.numbers(slots.start + 8, "<u8").astype(np.uint64)
    first = np.where(slots.valid, first, np.uint64(0))
    second = np.where(slots.valid, second, np.uint64(0))
    flags = first & np.uint64(0xFFFFFFFF)
    digits = (first >> np.uint64(32)) | (second << np.uint64(32))
    scale = ((flags >> np.uint64(16)) & np.uint64(0xFF)).astype(np.int64)
    if (flags & np.uint64(0x7F00FFFF)).any() or (second >> np.uint64(32)).any():
        return None
    if (scale > fit.decimal_scale).any() or fit.decimal_scale > len(_POWERS) - 1:
        return None
    power = _POWERS[fit.decimal_scale - scale]
    if (digits > _LIMITS[fit.decimal_scale - scale]).any():
        return None
    number = (digits * power).astype(np.int64)
    number = np.where(flags >> np.uint64(31), -number, number)
    wide: Numbers = np.empty(2 * len(number), np.int64)
    wide[0::2] = number
    wide[1::2] = number >> np.int64(63)
    data = [validity(slots.valid), pa.py_buffer(wide)]
    return pa.Array.from_buffers(fit.arrow_of(type_), len(number), data)


_POWERS = np.array([10**power for power in range(19)], np.uint64)
_LIMITS = np.array([I64_MAX // 10**power for power in range(19)], np.uint64)


def _intervals(buffer: Buffer, slots: Slots, type_: Type, fit: Fit) -> Array | None:
    parts = [
        _primitive(buffer.numbers(slots.start + at, kind), np.ones(1, bool), arrow)
        for at, kind, arrow in (
            (0, "<i4", pa.int32()),
            (4, "<i4", pa.int32()),
            (8, "<i8", pa.int64()),
        )
    ]
    fields = list(fit.arrow_of(type_))
    mask = None if slots.valid.all() else pa.array(~slots.valid)
    return pa.StructArray.from_arrays(parts, fields=fields, mask=mask)


def _vectors(buffer: Buffer, slots: Slots, type_: Type, fit: Fit) -> Array | None:
    if not type_.size:
        return None
    last = len(buffer.data) - type_.size * 4
    places = np.where(slots.valid, slots.start, 0)
    if (places > last).any():
        return None
    flat = buffer.at(places, type_.size * 4).view("<f4")
    numbers = _primitive(flat, np.ones(1, bool), pa.float32())
    mask = None if slots.valid.all() else pa.array(~slots.valid)
    return pa.FixedSizeListArray.from_arrays(numbers, type=fit.arrow_of(type_), mask=mask)


_MAKERS: dict[Kind, Maker] = {
    Kind.BOOLEAN: _booleans,
    Kind.DATE: _dates,
    Kind.TIME: _times,
    Kind.TIMESTAMP: _timestamps,
    Kind.DECIMAL: _decimals,
    Kind.INTERVAL: _intervals,
    Kind.VECTOR: _vectors,
}
