"""The same check as frame's of an object that is in memory, in a few steps an object: a full backup
of many small ones spends its time here. The hash of the whole is made on the way, while a block's
bytes are at hand.

What it takes, it has proved: every hash, and that blocks and meta cover every byte once. It takes
version 2 without range deletes, which is all that RisingWave has written since 1.8; what it does
not take is looked at again by check_frame, which takes the rest and has the words for damage.
"""

from __future__ import annotations

import struct
from io import BytesIO
from typing import NamedTuple

import xxhash

from metasnapshot.sst.block import HASH, Bytes
from metasnapshot.sst.frame import check_frame
from metasnapshot.sst.meta import KEY_SIZE_MIN, MAGIC, TAIL, TRAILER_SIZE, UNHASHED_SIZE, V2

_U32 = struct.Struct("<I")
_BLOCK = struct.Struct("<II12xI")
"""Of a block: offset, size, and the size of its smallest key."""
_FIGURES_SIZE = 8
"""Estimated size and count of keys."""


class Whole(NamedTuple):
    """What a sound object turned out to be.

    Attributes:
        meta_offset: where its meta starts.
        hash: XXH3-128 of its bytes.
    """

    meta_offset: int
    hash: bytes


def check_whole(data: Bytes, name: str = "") -> Whole:
    """Check a whole object.

    Args:
        data: the object.
        name: of the object, for errors.

    Raises:
        SstDamage: it is not as it was written.
        UnknownFormat: it is an SST of a version that is not known.
    """
    proved = _proved(memoryview(data))
    if proved is not None:
        return proved
    meta = check_frame(BytesIO(data), len(data), name)
    return Whole(meta.tail.meta_offset, xxhash.xxh3_128_digest(data))


def _proved(data: memoryview) -> Whole | None:
    """What an object is that is sound; None if that is not sure."""
    if len(data) < TAIL.size:
        return None
    meta_offset, checksum, version, magic = TAIL.unpack_from(data, len(data) - TAIL.size)
    end = len(data) - UNHASHED_SIZE
    if magic != MAGIC or version != V2 or meta_offset > len(data) - TAIL.size:
        return None
    meta = data[meta_offset:end]
    if xxhash.xxh64_intdigest(meta) != checksum:
        return None
    found = xxhash.xxh3_128()
    try:
        at = _blocks_end(data, meta, found)
        is_sound = at is not None and _ends_well(meta, at)
    except struct.error:
        return None
    found.update(data[meta_offset:])
    return Whole(meta_offset, found.digest()) if is_sound else None


def _blocks_end(data: memoryview, meta: memoryview, found: xxhash.xxh3_128) -> int | None:
    """Where the metas of blocks end, in a meta whose blocks are sound and lie one behind the other
    up to it; each goes into a hash too.
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
        found.update(data[start:last])
    return at if last == meta_offset else None


def _ends_well(meta: memoryview, at: int) -> bool:
    """Whether filter, figures and keys fill the meta up to its offset, without range deletes."""
    at += _U32.size + _U32.unpack_from(meta, at)[0] + _FIGURES_SIZE
    for _ in ("smallest key", "largest key"):
        at += _U32.size + _U32.unpack_from(meta, at)[0]
    (tombstones,) = _U32.unpack_from(meta, at)
    at += _U32.size
    return tombstones == 0 and at + HASH.size == len(meta)
