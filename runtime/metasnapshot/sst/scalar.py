"""The entries of a block, one after the other: the plain way to read it, which judges the fast one.

Body, from its end: table id u32, the number of type entries u32, those (offset u32, widths u8), the
number of restarts u32, those (u32); all little-endian. Before them entries: `overlap, diff, length`
big-endian, as wide as the last type entry says, then the rest of the key and the value. A key is
what it shares with the one before and the rest; at a restart, all of it. Source:
src/storage/src/hummock/sstable/block.rs at 0.18.0 to 3.0.3.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from metasnapshot.sst.block import Bytes
from metasnapshot.sst.place import Place

EPOCH_SIZE = 8
VNODE_SIZE = 2
KEY_SIZE_MIN = VNODE_SIZE + EPOCH_SIZE
PUT, DELETE = 0, 1
WIDTHS = {1: 1, 2: 2, 3: 4}
"""Bytes of a number by the code of its type."""
_U32 = struct.Struct("<I")
_TYPE = struct.Struct("<IB")


class Entry(NamedTuple):
    """An entry: its key, which ends with the epoch, and where its value lies in the body."""

    key: bytes
    start: int
    end: int


@dataclass(frozen=True)
class Layout:
    """How a body is laid out.

    Attributes:
        table_id: of its keys.
        end: where its entries end.
        restarts: offsets of entries that have their whole key.
        widths: bytes of `overlap` and `diff`, and of `length`, by the restart where they begin.
    """

    table_id: int
    end: int
    restarts: tuple[int, ...]
    widths: dict[int, tuple[int, int]]


def read_layout(body: Bytes, place: Place) -> Layout:
    """Read a body's end.

    Raises:
        SstDamage: it has none that a writer makes.
    """
    at = len(body)

    def number() -> int:
        nonlocal at
        at -= _U32.size
        if at < 0:
            raise place.truncated(f"a block of {len(body)} bytes has no room for its own layout")
        (found,) = _U32.unpack_from(body, at)
        return int(found)

    table_id, type_count = number(), number()
    at -= type_count * _TYPE.size
    if at < 0:
        raise place.truncated(f"a block of {len(body)} bytes with {type_count} type entries")
    types = list(_TYPE.iter_unpack(body[at : at + type_count * _TYPE.size]))
    restart_count = number()
    at -= restart_count * _U32.size
    if at < 0:
        raise place.truncated(f"a block of {len(body)} bytes with {restart_count} restarts")
    restarts = struct.unpack_from(f"<{restart_count}I", body, at)
    if not restarts or restarts[0] or restarts[-1] >= at:
        raise place.damaged("the restarts of a block are not within its entries")
    if any(one >= other for one, other in pairwise(restarts)):
        raise place.damaged("the restarts of a block do not ascend")
    return Layout(table_id, at, restarts, _widths(types, restarts, place))


def _widths(
    types: list[tuple[int, int]], restarts: tuple[int, ...], place: Place
) -> dict[int, tuple[int, int]]:
    found: dict[int, tuple[int, int]] = {}
    for offset, codes in types:
        key, value = codes >> 4, codes & 15
        if key not in WIDTHS or value not in WIDTHS:
            raise place.damaged(f"unknown widths {codes:#04x} in a block")
        found[offset] = WIDTHS[key], WIDTHS[value]
    offsets = [offset for offset, _ in types]
    if not offsets or offsets[0] or any(one >= other for one, other in pairwise(offsets)):
        raise place.damaged("the type entries of a block do not ascend from 0")
    if not found.keys() <= set(restarts):
        raise place.damaged("a type entry of a block stands at no restart")
    return found


def walk(
    body: Bytes, place: Place, table_id: int | None = None, count: int | None = None
) -> Iterator[Entry]:
    """The entries of a body, in its order.

    Args:
        body: an unpacked block.
        place: of the block, for errors.
        table_id: of the table that its keys must be of.
        count: how many entries it must have.

    Raises:
        SstDamage: it is none that a writer makes, or another than is said; its keys do not ascend,
            or epochs of one key do not fall.
    """
    layout = read_layout(body, place)
    if table_id is not None and layout.table_id != table_id:
        raise place.damaged(f"a block of table {layout.table_id} where one of {table_id} is due")
    found = 0
    last, widths = b"", (0, 0)
    for start, end in pairwise((*layout.restarts, layout.end)):
        is_first = True
        key_width, value_width = widths = layout.widths.get(start, widths)
        at = start
        while at < end:
            header = at + 2 * key_width + value_width
            overlap = int.from_bytes(body[at : at + key_width], "big")
            diff = int.from_bytes(body[at + key_width : at + 2 * key_width], "big")
            length = int.from_bytes(body[at + 2 * key_width : header], "big")
            value = header + diff
            after = value + length
            if found == count:
                raise place.damaged(f"more than {count} entries in a block")
            if after > end:
                raise place.truncated(f"the entry at {at} of a block ends behind {end}")
            if overlap > (0 if is_first else len(last)):
                raise place.damaged(f"the entry at {at} of a block shares {overlap} bytes of a key")
            key = last[:overlap] + body[header:value] if overlap else bytes(body[header:value])
            if len(key) < KEY_SIZE_MIN:
                raise place.damaged(f"the entry at {at} of a block has a key of {len(key)} bytes")
            if last and not is_before(last, key):
                raise place.damaged(f"the keys of a block do not ascend at {at}")
            yield Entry(key, value, after)
            last, at, is_first, found = key, after, False, found + 1
    if count is not None and count != found:
        raise place.damaged(f"{found} entries in a block where {count} are due")


def is_before(one: bytes, other: bytes) -> bool:
    """Whether a key stands before another: by what precedes the epoch, then the newer first."""
    left, right = one[:-EPOCH_SIZE], other[:-EPOCH_SIZE]
    return left < right or (left == right and one[-EPOCH_SIZE:] > other[-EPOCH_SIZE:])
