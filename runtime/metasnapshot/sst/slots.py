"""Where in many rows their columns lie, by arrays. A slot is the bytes of one value, without tag.

As sst.lanes, this never says what is wrong: where rows are not as they should be, or of a kind that
is rare, it gives nothing, and `row.decode_row` decodes them one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from metasnapshot.sst.buffer import PAD_BEHIND, Buffer, Flags, Numbers
from metasnapshot.sst.schema import TableSchema
from metasnapshot.sst.types import TEXTS, Type
from metasnapshot.sst.values import OFFSET_WIDTHS, ROW_FLAG

HEADERS_MAX = 64
"""Different headers of rows, at most: after so many changes of a table its rows are read singly."""
FLAG_SIZE = 1
COUNT_SIZE = ID_SIZE = 4
LENGTH_SIZE = 4
TEMPLATE_MAX = PAD_BEHIND


class Slots(NamedTuple):
    """Slots of one column, a row each; those that are not valid are NULL."""

    start: Numbers
    size: Numbers
    valid: Flags


def locate(
    buffer: Buffer, start: Numbers, size: Numbers, schema: TableSchema, wanted: Sequence[int]
) -> dict[int, Slots] | None:
    """The slots of columns.

    Args:
        buffer: the blocks.
        start: of each row's value, without its tag.
        size: of it.
        schema: of the table.
        wanted: places of columns.
    """
    if schema.is_raw or any(place in schema.key_only for place in wanted):
        return None
    if not schema.value_indices or not len(start):
        return None
    if schema.is_versioned:
        return _locate_versioned(buffer, start, size, schema, wanted)
    return _locate_basic(buffer, start, size, schema, wanted)


def _locate_versioned(
    buffer: Buffer, start: Numbers, size: Numbers, schema: TableSchema, wanted: Sequence[int]
) -> dict[int, Slots] | None:
    """Rows of one header at a time: mostly all have the same."""
    whole = np.arange(len(start))
    found: dict[int, Slots] | None = None
    for number, (rows, group) in enumerate(_groups(buffer, start, size)):
        if group is None or number == HEADERS_MAX:
            return None
        slots = _group_slots(buffer, start[rows], size[rows], group, schema, wanted)
        if slots is None:
            return None
        if len(rows) == len(whole):
            return slots
        if found is None:
            found = {place: _empty(len(start)) for place in wanted}
        for place, item in slots.items():
            for target, values in zip(found[place], item, strict=True):
                target[rows] = values
    return found


def _empty(count: int) -> Slots:
    return Slots(np.zeros(count, np.int64), np.zeros(count, np.int64), np.zeros(count, bool))


class _Header(NamedTuple):
    """A header without its offsets: bytes, the width of offsets, the ids."""

    size: int
    width: int
    ids: tuple[int, ...]


def _groups(
    buffer: Buffer, start: Numbers, size: Numbers
) -> Iterator[tuple[Numbers, _Header | None]]:
    """Rows that have the header of the first of them, until none is left; no header where that is
    none.
    """
    rows = np.arange(len(start))
    while len(rows):
        at, length = int(start[rows[0]]), int(size[rows[0]])
        header = _read_header(buffer.data[at : at + length].tobytes())
        if header is None:
            yield rows, None
            return
        template = buffer.data[at : at + header.size].tobytes()
        same = buffer.at(start[rows], header.size) == template
        least = header.size + header.width * len(header.ids)
        same &= size[rows] >= least
        if not same[0]:
            yield rows, None
            return
        if same.all():
            yield rows, header
            return
        yield rows[same], header
        rows = rows[~same]


def _read_header(value: bytes) -> _Header | None:
    if len(value) < FLAG_SIZE + COUNT_SIZE:
        return None
    width = OFFSET_WIDTHS.get(value[0] ^ ROW_FLAG)
    count = int.from_bytes(value[FLAG_SIZE : FLAG_SIZE + COUNT_SIZE], "little")
    size = FLAG_SIZE + COUNT_SIZE + ID_SIZE * count
    if width is None or not count or size > min(len(value), TEMPLATE_MAX):
        return None
    ids = tuple(np.frombuffer(value, "<i4", count, FLAG_SIZE + COUNT_SIZE).tolist())
    if len(set(ids)) != count or count * width > TEMPLATE_MAX:
        return None
    return _Header(size, width, ids)


def _group_slots(
    buffer: Buffer,
    start: Numbers,
    size: Numbers,
    header: _Header,
    schema: TableSchema,
    wanted: Sequence[int],
) -> dict[int, Slots] | None:
    count = len(header.ids)
    table = buffer.at(start + header.size, count * header.width)
    offsets = table.view(f"<u{header.width}").reshape(len(start), count)
    base = start + header.size + count * header.width
    left = start + size - base
    if offsets[:, 0].any() or (offsets[:, 1:] < offsets[:, :-1]).any():
        return None
    if (offsets[:, -1] > left).any():
        return None
    found: dict[int, Slots] = {}
    for place in wanted:
        column = schema.columns[place]
        if column.id not in header.ids:
            if column.default or column.unknown_default:
                return None
            found[place] = Slots(base, np.zeros_like(base), np.zeros(len(base), bool))
            continue
        at = header.ids.index(column.id)
        first = offsets[:, at].astype(np.int64)
        last = left if at + 1 == count else offsets[:, at + 1].astype(np.int64)
        found[place] = Slots(base + first, last - first, last != first)
    return found


def _locate_basic(
    buffer: Buffer, start: Numbers, size: Numbers, schema: TableSchema, wanted: Sequence[int]
) -> dict[int, Slots] | None:
    """A cursor a row, column after column, up to the last that is wanted."""
    end = start + size
    cursor = start
    left = set(wanted)
    found: dict[int, Slots] = {}
    for index in schema.value_indices:
        slots = _basic_slot(buffer, cursor, schema.columns[index].type)
        if slots is None or (slots.start + slots.size > end).any():
            return None
        cursor = slots.start + slots.size
        found[index] = slots
        left.discard(index)
        if not left and index != schema.value_indices[-1]:
            return {place: found[place] for place in wanted}
    if (cursor != end).any() or left:
        return None
    return {place: found[place] for place in wanted}


def _basic_slot(buffer: Buffer, cursor: Numbers, type_: Type) -> Slots | None:
    """The slots whose tags are at cursors; None for nested types, whose ends nothing says."""
    tag, at = buffer.data[cursor], cursor + 1
    if (tag > 1).any():
        return None
    valid = tag == 1
    if type_.kind in TEXTS:
        size = buffer.numbers(at, "<u4").astype(np.int64) + LENGTH_SIZE
    elif type_.width is not None:
        size = np.int64(type_.width)
    else:
        return None
    return Slots(at, np.where(valid, size, 0), valid)
