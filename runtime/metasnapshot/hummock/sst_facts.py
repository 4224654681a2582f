"""What a Hummock version says of an SST object, against what the object holds.

A version may refer to one object several times, each time for other tables; what it says of sizes,
counts and epochs is of the object. Zero is what releases without a field left.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from metasnapshot.errors import SstDamage
from metasnapshot.hummock.keys import FIRST, LAST, bound
from metasnapshot.hummock.objects import sst_ids
from metasnapshot.sst.content import Content


def references(version: Any) -> dict[int, list[Any]]:
    """The SstableInfo messages of all levels of a version, by the id of their object."""
    found = defaultdict[int, list[Any]](list)
    for levels in version.levels.values():
        for level in (*levels.l0.sub_levels, *levels.levels):
            for sst in level.table_infos:
                found[sst_ids(sst)[0]].append(sst)
    return dict(found)


def compare_reference(content: Content, info: Any, name: str) -> None:
    """Compare an object with a SstableInfo message.

    Raises:
        SstDamage: they differ.
    """
    meta = content.meta
    true = {
        "file_size": meta.size,
        "meta_offset": meta.tail.meta_offset,
        "uncompressed_file_size": meta.uncompressed_size + meta.meta_size,
        "total_key_count": meta.key_count,
        "stale_key_count": content.stale_count,
        "min_epoch": content.epoch_min,
        "max_epoch": content.epoch_max,
    }
    for field, value in true.items():
        said = getattr(info, field, 0)
        if said and said != value:
            raise SstDamage(f"{field} is {value}, the Hummock version says {said}", name=name)
    left, right = bound(info.key_range.left, FIRST), bound(info.key_range.right, LAST)
    for table_id in info.table_ids:
        if table_id not in content.keys:
            raise SstDamage(f"no key of table {table_id}, which the version says", name=name)
        first, last = (bound(key, FIRST) for key in content.keys[table_id])
        is_exclusive = getattr(info.key_range, "right_exclusive", False)
        if first < left or last > right or (is_exclusive and last == right):
            raise SstDamage(
                f"keys of table {table_id} lie outside of the range that the version says",
                name=name,
            )
