"""The rows of a table, one at a time: sources are merged by key, and of each key one version is
taken, or none. The plain way to read a table; it judges the fast one.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from metasnapshot.hummock.range_deletes import RangeDeletes
from metasnapshot.hummock.scan import EPOCH_MAX, Scan, SstRef
from metasnapshot.hummock.table_blocks import ObjectStore, read_bodies, table_meta
from metasnapshot.sst.block import Bytes
from metasnapshot.sst.meta import Meta
from metasnapshot.sst.place import Place
from metasnapshot.sst.scalar import DELETE, EPOCH_SIZE, PUT, walk


class Version(NamedTuple):
    """A version of a key. The newest of a key is the smallest."""

    table_key: bytes
    age: int
    value: Bytes
    place: Place

    @property
    def epoch(self) -> int:
        """With the spill offset in its low bits."""
        return EPOCH_MAX - self.age


def table_versions(objects: ObjectStore, scan: Scan) -> Iterator[Version]:
    """The versions that are the rows of a table, by key. Their values are without a tag.

    Raises:
        SstDamage: an object is not as it was written.
        ObjectMissing: one is gone.
    """
    metas = {ref: table_meta(objects, ref, scan.table_id) for ref in scan.refs}
    deletes = RangeDeletes((meta.deletes for meta in metas.values()), scan.epoch)
    scan = replace(scan, deletes=deletes)
    sources = [_source(objects, source, scan, metas) for source in scan.sources]
    merged = heapq.merge(*sources, key=lambda version: version[:2])
    last = None
    for version in merged:
        if version.table_key == last:
            continue
        last = version.table_key
        tag = version.value[0] if len(version.value) else None
        if tag not in (PUT, DELETE) or (tag == DELETE and len(version.value) > 1):
            raise version.place.damaged(f"the value of a key has tag {tag}")
        if tag == PUT and not scan.hides(version.table_key, version.epoch):
            yield version._replace(value=version.value[1:])


def _source(
    objects: ObjectStore, refs: tuple[SstRef, ...], scan: Scan, metas: dict[SstRef, Meta]
) -> Iterator[Version]:
    """Versions that count, out of a sorted run."""
    for ref in refs:
        for body in read_bodies(objects, ref, list(metas[ref].blocks)):
            for entry in walk(body.data, body.place, scan.table_id, body.meta.total_key_count):
                epoch = int.from_bytes(entry.key[-EPOCH_SIZE:], "big")
                if scan.sees(epoch):
                    yield Version(
                        entry.key[:-EPOCH_SIZE],
                        EPOCH_MAX - epoch,
                        body.data[entry.start : entry.end],
                        body.place,
                    )
