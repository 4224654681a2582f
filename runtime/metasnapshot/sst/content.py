"""Is all of an object as a writer makes it? Every block is unpacked and walked, without a catalog.

What is compared: hashes, sizes and counts of the meta with the blocks, the order of all keys, one
table in a block, and the first key of each block with the one that the meta says. What the object
holds in the end is given to the caller, who knows what it should hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from metasnapshot.sst.block import Bytes, read_block
from metasnapshot.sst.buffer import Buffer, ascend
from metasnapshot.sst.lanes import walk_lanes
from metasnapshot.sst.meta import BlockMeta, Meta, ReadableFile, read_meta
from metasnapshot.sst.place import Place
from metasnapshot.sst.scalar import DELETE, EPOCH_SIZE, is_before, walk

RUN_SIZE = 4 << 20
"""Bytes of unpacked blocks that are walked at once."""
GAP_MASK = 0xFFFF
TABLE_ID_SIZE = 4


@dataclass
class Content:
    """What an object holds.

    Attributes:
        meta: of it.
        keys: the first and the last key of each table, as encoded full keys.
        entry_count: entries in all blocks.
        epoch_min: the smallest epoch, without spill offset.
        epoch_max: the largest.
    """

    meta: Meta
    keys: dict[int, tuple[bytes, bytes]] = field(default_factory=dict[int, tuple[bytes, bytes]])
    entry_count: int = 0
    epoch_min: int = (1 << 64) - 1
    epoch_max: int = 0

    @property
    def stale_count(self) -> int:
        """Entries that the metas of blocks call stale."""
        return sum(block.stale_key_count or 0 for block in self.meta.blocks)


@dataclass(frozen=True)
class _Walked:
    """Blocks of one table that were walked: the first and last key of each, counts and epochs."""

    ends: list[tuple[bytes, bytes]]
    count: int
    epochs: tuple[int, int]


def read_content(file: ReadableFile, size: int, name: str = "") -> Content:
    """Walk all of an object.

    Args:
        file: the object.
        size: of it, in bytes.
        name: of it, for errors.

    Raises:
        SstDamage: it is not as a writer makes it.
        UnknownFormat: it is an SST of a version that is not known.
    """
    meta = read_meta(file, size, name=name)
    found = Content(meta)
    last = b""
    for run in _runs(meta):
        file.seek(run[0].offset)
        data = memoryview(file.read(run[-1].offset + run[-1].size - run[0].offset))
        bodies, places = list[Bytes](), list[Place]()
        for block in run:
            place = Place(name, block.number, block.offset)
            at = block.offset - run[0].offset
            stored = data[at : at + block.size]
            if len(stored) < block.size:
                raise place.truncated(f"{block.size - len(stored)} bytes are missing")
            bodies.append(read_block(stored, block.uncompressed_size, place))
            places.append(place)
        walked = _walk(bodies, run, places)
        last = _note(found, walked, run, places, last)
    _compare(found, last, Place(name, offset=meta.tail.meta_offset))
    return found


def _runs(meta: Meta) -> Iterator[list[BlockMeta]]:
    """Neighbouring blocks of one table, as many as are walked at once."""
    run, size = list[BlockMeta](), 0
    for block in meta.blocks:
        is_other = bool(run) and block.table_id != run[0].table_id
        if run and (is_other or size + block.uncompressed_size > RUN_SIZE):
            yield run
            run, size = [], 0
        run.append(block)
        size += block.uncompressed_size
    if run:
        yield run


def _walk(bodies: Sequence[Bytes], run: Sequence[BlockMeta], places: Sequence[Place]) -> _Walked:
    return _by_lanes(bodies, run) or _one_by_one(bodies, run, places)


def _by_lanes(bodies: Sequence[Bytes], run: Sequence[BlockMeta]) -> _Walked | None:
    """None where something is not as it should be, or rare."""
    buffer = Buffer(bodies)
    counts = [block.total_key_count for block in run]
    entries = walk_lanes(buffer, bodies, run[0].table_id, counts)
    if entries is None or not entries.size.all():
        return None
    tags = buffer.data[entries.start]
    if ((tags > DELETE) | ((tags == DELETE) & (entries.size > 1))).any():
        return None
    if not ascend(entries).all():
        return None
    firsts = np.searchsorted(entries.start, buffer.bases).tolist()
    lasts = [*(first - 1 for first in firsts[1:]), len(entries.epoch) - 1]
    prefix = run[0].smallest_key[:TABLE_ID_SIZE]

    def key(place: int) -> bytes:
        return prefix + entries.key(place) + int(entries.epoch[place]).to_bytes(EPOCH_SIZE, "big")

    pure = entries.epoch & ~np.uint64(GAP_MASK)
    ends = [(key(first), key(last)) for first, last in zip(firsts, lasts, strict=True)]
    return _Walked(ends, len(entries.epoch), (int(pure.min()), int(pure.max())))


def _one_by_one(
    bodies: Sequence[Bytes], run: Sequence[BlockMeta], places: Sequence[Place]
) -> _Walked:
    ends, count = list[tuple[bytes, bytes]](), 0
    least, most = (1 << 64) - 1, 0
    for body, block, place in zip(bodies, run, places, strict=True):
        first = last = b""
        for entry in walk(body, place, block.table_id, block.total_key_count):
            tag = body[entry.start] if entry.start < entry.end else None
            if tag not in (0, DELETE) or (tag == DELETE and entry.end - entry.start > 1):
                raise place.damaged(f"the value of a key has tag {tag}")
            first, last, count = first or entry.key, entry.key, count + 1
            pure = int.from_bytes(entry.key[-EPOCH_SIZE:], "big") & ~GAP_MASK
            least, most = min(least, pure), max(most, pure)
        prefix = block.smallest_key[:TABLE_ID_SIZE]
        ends.append((prefix + first, prefix + last))
    return _Walked(ends, count, (least, most))


def _note(
    found: Content,
    walked: _Walked,
    run: Sequence[BlockMeta],
    places: Sequence[Place],
    last: bytes,
) -> bytes:
    """Compare the ends of blocks with those before and with the meta; returns the last key."""
    for (first, end), block, place in zip(walked.ends, run, places, strict=True):
        said = block.smallest_key
        if said != first and not is_before(said, first):
            raise place.damaged("the meta says a smallest key that stands behind the first")
        if last and not is_before(last, said):
            raise place.damaged("the meta says a smallest key that the block before reaches")
        known = found.keys.get(block.table_id)
        found.keys[block.table_id] = (known[0] if known else first, end)
        last = end
    found.entry_count += walked.count
    found.epoch_min = min(found.epoch_min, walked.epochs[0])
    found.epoch_max = max(found.epoch_max, walked.epochs[1])
    return last


def _compare(found: Content, last: bytes, place: Place) -> None:
    """Compare what the meta says of all with what there is."""
    meta = found.meta
    if meta.key_count != found.entry_count:
        raise place.damaged(f"{found.entry_count} entries where the meta says {meta.key_count}")
    if meta.tombstone_count or not meta.block_count:
        return
    first = next(iter(found.keys.values()))[0]
    if (meta.smallest_key, meta.largest_key) != (first, last):
        raise place.damaged("the meta says other first and last keys than there are")
    if meta.estimated_size != meta.size:
        raise place.damaged(f"{meta.size} bytes where the meta says {meta.estimated_size}")
