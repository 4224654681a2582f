"""The same check as frame's of an object that is in memory, in a few steps an object: a full backup
of many small ones spends its time here.

What it takes, it has proved: every hash, and that blocks and meta cover every byte once. It takes
version 2 without range deletes, which is all that RisingWave has written since 1.8; what it does
not take is looked at again by check_frame, which takes the rest and has the words for damage.
"""

from __future__ import annotations

import struct
from io import BytesIO

import xxhash

from metasnapshot.sst.block import HASH, Bytes
from metasnapshot.sst.frame import check_frame
from metasnapshot.sst.meta import KEY_SIZE_MIN, MAGIC, TAIL, TRAILER_SIZE, UNHASHED_SIZE, V2

_U32 = struct.Struct("<I")
_BLOCK = struct.Struct("<II12xI")
"""Of a block: offset, size, and the size of its smallest key."""
_FIGURES_SIZE = 8
"""Estimated size and count of keys."""


def check_whole(data: Bytes, name: str = "") -> int:
    """Check a whole object; returns where its meta starts.

    Args:
        data: the object.
        name: of the object, for errors.

    Raises:
        SstDamage: it is not as it was written.
        UnknownFormat: it is an SST of a version that is not known.
    """
    offset = _proved(memoryview(data))
    if offset is not None:
        return offset
    return check_frame(BytesIO(data), len(data), name).tail.meta_offset


def _proved(data: memoryview) -> int | None:
    """Where the meta starts of an object that is sound; None if that is not sure."""
    if len(data) < TAIL.size:
        return None
    meta_offset, checksum, version, magic = TAIL.unpack_from(data, len(data) - TAIL.size)
    end = len(data) - UNHASHED_SIZE
    if magic != MAGIC or version != V2 or meta_offset > len(data) - TAIL.size:
        return None
    if xxhash.xxh64_intdigest(data[meta_offset:end]) != checksum:
        return None
    meta = data[meta_offset:end]
    try:
        at = _blocks_end(data, meta)
        return meta_offset if at is not None and _ends_well(meta, at) else None
    except struct.error:
        return None


def _blocks_end(data: memoryview, meta: memoryview) -> int | None:
    """Where the metas of blocks end, in a meta whose blocks are sound and lie one behind the other
    up to it.
    """
    (count,), at, last = _U32.unpack_from(meta), _U32.size, 0
    meta_offset = len(data) - UNHASHED_SIZE - len(meta)
    for _ in range(count):
        offset, size, key_size = _BLOCK.unpack_from(meta, at)
        at += _BLOCK.size + key_size
        start, last = last, last + size
        if offset != start or size < TRAILER_SIZE or key_size < KEY_SIZE_MIN or last > meta_offset:
            return None
        hashed_end = last - HASH.size
        (stored,) = HASH.unpack_from(data, hashed_end)
        if xxhash.xxh64_intdigest(data[start:hashed_end]) != stored:
            return None
    return at if last == meta_offset else None


def _ends_well(meta: memoryview, at: int) -> bool:
    """Whether filter, figures and keys fill the meta up to its offset, without range deletes."""
    at += _U32.size + _U32.unpack_from(meta, at)[0] + _FIGURES_SIZE
    for _ in ("smallest key", "largest key"):
        at += _U32.size + _U32.unpack_from(meta, at)[0]
    (tombstones,) = _U32.unpack_from(meta, at)
    at += _U32.size
    return tombstones == 0 and at + HASH.size == len(meta)
