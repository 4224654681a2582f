"""What a Hummock version says of an SST object, against what the object holds.

A version may refer to one object several times, each time for other tables; what it says of sizes,
counts and epochs is of the object. Zero is what releases without a field left.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

from metasnapshot.errors import SstDamage
from metasnapshot.hummock.keys import FIRST, LAST, bound
from metasnapshot.hummock.objects import sst_ids
from metasnapshot.sst.content import Content

FIELDS = (
    "file_size",
    "meta_offset",
    "uncompressed_file_size",
    "total_key_count",
    "stale_key_count",
    "min_epoch",
    "max_epoch",
)


class Said(NamedTuple):
    """What a SstableInfo message says of an object, for another process.

    Attributes:
        numbers: by FIELDS.
        left: where its keys begin.
        right: where they end.
        is_exclusive: whether no key is where they end.
        table_ids: tables that have keys in it.
    """

    numbers: tuple[int, ...]
    left: bytes
    right: bytes
    is_exclusive: bool
    table_ids: tuple[int, ...]


def said_of(info: Any) -> Said:
    """What a SstableInfo message says."""
    keys = info.key_range
    return Said(
        tuple(getattr(info, name, 0) for name in FIELDS),
        keys.left,
        keys.right,
        getattr(keys, "right_exclusive", False),
        tuple(info.table_ids),
    )


def references(version: Any) -> dict[int, list[Any]]:
    """The SstableInfo messages of all levels of a version, by the id of their object."""
    found = defaultdict[int, list[Any]](list)
    for levels in version.levels.values():
        for level in (*levels.l0.sub_levels, *levels.levels):
            for sst in level.table_infos:
                found[sst_ids(sst)[0]].append(sst)
    return dict(found)


def compare_reference(content: Content, said: Said, name: str) -> None:
    """Compare an object with what a version says of it.

    Raises:
        SstDamage: they differ.
    """
    meta = content.meta
    true = (
        meta.size,
        meta.tail.meta_offset,
        meta.uncompressed_size + meta.meta_size,
        meta.key_count,
        content.stale_count,
        content.epoch_min,
        content.epoch_max,
    )
    for field, value, number in zip(FIELDS, true, said.numbers, strict=True):
        if number and number != value:
            raise SstDamage(f"{field} is {value}, the Hummock version says {number}", name=name)
    left, right = bound(said.left, FIRST), bound(said.right, LAST)
    for table_id in said.table_ids:
        if table_id not in content.keys:
            raise SstDamage(f"no key of table {table_id}, which the version says", name=name)
        first, last = (bound(key, FIRST) for key in content.keys[table_id])
        if first < left or last > right or (said.is_exclusive and last == right):
            raise SstDamage(
                f"keys of table {table_id} lie outside of the range that the version says",
                name=name,
            )
