"""The order of Hummock's keys.

An encoded full key is table id (u32, big-endian), table key, and epoch (u64, big-endian). Full keys
are ordered by what comes before the epoch, then by falling epoch; an empty left end of a range is
before, an empty right end after all keys. Source: src/storage/hummock_sdk/src/key_cmp.rs and
key_range.rs at v3.0.3.
"""

from __future__ import annotations

from typing import Any

from metasnapshot.format.scalars import U64_MAX

EPOCH_SIZE = 8
TABLE_ID_SIZE = 4

Bound = tuple[int, bytes, int]
"""A place in the order of full keys."""
FIRST: Bound = (0, b"", 0)
LAST: Bound = (2, b"", 0)


def bound(full_key: bytes, empty: Bound) -> Bound:
    """The place of an encoded full key; of an empty one, what the end of a range means by it."""
    if not full_key:
        return empty
    epoch = int.from_bytes(full_key[-EPOCH_SIZE:], "big")
    return (1, full_key[:-EPOCH_SIZE], U64_MAX - epoch)


def user_key(full_key: bytes) -> bytes:
    """Table id and table key, without the epoch."""
    return full_key[:-EPOCH_SIZE]


def table_id(full_key: bytes) -> int:
    """The table that a full key is of."""
    return int.from_bytes(full_key[:TABLE_ID_SIZE], "big")


def ends_before(key_range: Any, other: Any) -> bool:
    """Whether a range of keys ends before another starts, by user key.

    Two SSTs in one non-overlapping level must: upstream's can_concat.
    """
    if not key_range.right or not other.left:
        return False
    right, left = user_key(key_range.right), user_key(other.left)
    return right < left or (right == left and key_range.right_exclusive)
