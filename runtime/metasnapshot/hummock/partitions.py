"""The rows of a table in ranges of its keys, each small enough for memory.

Ranges are cut at user keys of block metas, of all sources together, so that no key's versions are
torn apart; within one, all sources are merged by one sort. Where the lanes of sst.lanes give
nothing, the same blocks are walked one by one, which says what is wrong if something is.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from metasnapshot.errors import UsageError
from metasnapshot.hummock.scan import EPOCH_MAX, GAP_MASK, Scan, SstRef
from metasnapshot.hummock.table_blocks import Body, ObjectStore, read_bodies, table_meta
from metasnapshot.sst.block import Bytes
from metasnapshot.sst.buffer import Buffer, Entries, Flags, Numbers, Words, ascend
from metasnapshot.sst.lanes import walk_lanes
from metasnapshot.sst.meta import BlockMeta
from metasnapshot.sst.place import Place
from metasnapshot.sst.scalar import DELETE, EPOCH_SIZE, PUT, walk

TARGET = 4 << 20
"""Bytes of blocks in a range: more make columns slower, for caches are small."""
MEMORY = 1 << 30
"""Bytes of blocks that a range may take where it cannot be cut any more."""
TABLE_ID_SIZE = 4


class Range(NamedTuple):
    """User keys from one to another; b"" for the first, None for no end."""

    start: bytes
    end: bytes | None


class _Block(NamedTuple):
    ref: SstRef
    meta: BlockMeta


@dataclass(frozen=True)
class Rows:
    """Versions that are the rows of a range, by key.

    Attributes:
        buffer: the blocks that hold them.
        keys: of each: vnode and key.
        epoch: of each, with the spill offset.
        start: where in the buffer its value is, without a tag.
        size: of its value.
        places: of the blocks, for errors.
    """

    buffer: Buffer
    keys: Entries | list[bytes]
    epoch: Words
    start: Numbers
    size: Numbers
    places: list[Place]

    def __len__(self) -> int:
        return len(self.start)

    def key(self, number: int) -> bytes:
        """The key of a row."""
        if isinstance(self.keys, list):
            return self.keys[number]
        return self.keys.key(number)

    def value(self, number: int) -> bytes:
        """The value of a row."""
        start = int(self.start[number])
        return self.buffer.data[start : start + int(self.size[number])].tobytes()

    def place(self, number: int) -> Place:
        """The place of the block that has a row."""
        bases: list[int] = self.buffer.bases.tolist()
        block = bisect_right(bases, int(self.start[number])) - 1
        return self.places[block]

    def part(self, start: int, end: int) -> Rows:
        """Some of the rows."""
        some = np.arange(start, min(end, len(self)))
        keys = self.keys[start:end] if isinstance(self.keys, list) else self.keys.pick(some)
        return Rows(
            self.buffer, keys, self.epoch[some], self.start[some], self.size[some], self.places
        )

    def pick(self, wanted: Sequence[int]) -> Rows:
        """Some of the rows."""
        some = np.array(wanted, np.int64)
        keys = self.keys
        found = [keys[n] for n in wanted] if isinstance(keys, list) else keys.pick(some)
        return Rows(
            self.buffer, found, self.epoch[some], self.start[some], self.size[some], self.places
        )


class Partitions:
    """A table, cut into ranges."""

    def __init__(self, objects: ObjectStore, scan: Scan, target: int = TARGET) -> None:
        """Read the metas of all of its objects.

        Raises:
            SstDamage: an object is not as it was written.
            ObjectMissing: one is gone.
        """
        self._objects = objects
        self._scan = scan
        every = [
            [
                _Block(ref, meta)
                for ref in source
                for meta in table_meta(objects, ref, scan.table_id).blocks
            ]
            for source in scan.sources
        ]
        self._blocks = [blocks for blocks in every if blocks]
        self._keys = [[user_key(block.meta) for block in blocks] for blocks in self._blocks]
        self.ranges = self._cut(target)

    def _cut(self, target: int) -> list[Range]:
        events = sorted(
            (key, block.meta.uncompressed_size)
            for blocks, keys in zip(self._blocks, self._keys, strict=True)
            for key, block in zip(keys, blocks, strict=True)
        )
        if not events:
            return []
        size_mean = sum(size for _, size in events) // len(events)
        target = max(target, size_mean * len(self._blocks))
        cuts, total = [b""], 0
        for key, size in events:
            if total >= target and key > cuts[-1]:
                cuts.append(key)
                total = 0
            total += size
        return [Range(*pair) for pair in zip(cuts, [*cuts[1:], None], strict=True)]

    def rows(self, found: Range) -> Rows | None:
        """The rows of a range; None if it has no blocks.

        Raises:
            SstDamage: a block is not as it was written.
            UsageError: a key has more versions than memory holds.
        """
        chosen = [self._of(number, found) for number in range(len(self._blocks))]
        size = sum(block.meta.uncompressed_size for blocks in chosen for block in blocks)
        if size > MEMORY:
            raise UsageError(
                f"table {self._scan.table_id}: {size} bytes of blocks have to be read at once at "
                f"key {found.start[:64].hex()}: it has very large rows, or too many versions",
                hint=f"no more than {MEMORY} are held",
            )
        bodies = [body for blocks in chosen for body in self._read(blocks)]
        if not bodies:
            return None
        is_one_run = sum(map(bool, chosen)) == 1
        return visible_rows(bodies, self._scan, found, is_one_run=is_one_run)

    def _of(self, number: int, found: Range) -> list[_Block]:
        """The blocks of a source that may have keys of a range: from one before, for the versions
        of a key may end in the block before that of the next key.
        """
        keys = self._keys[number]
        first = max(0, bisect_left(keys, found.start) - 1)
        last = len(keys) if found.end is None else bisect_left(keys, found.end)
        return self._blocks[number][first:last]

    def _read(self, blocks: Sequence[_Block]) -> Iterator[Body]:
        at = 0
        while at < len(blocks):
            ref = blocks[at].ref
            end = at
            while end < len(blocks) and blocks[end].ref == ref:
                end += 1
            yield from read_bodies(self._objects, ref, [block.meta for block in blocks[at:end]])
            at = end


def user_key(meta: BlockMeta) -> bytes:
    """The table key at which a block starts, without table and epoch."""
    return meta.smallest_key[TABLE_ID_SIZE:-EPOCH_SIZE]


def visible_rows(
    bodies: Sequence[Body], scan: Scan, found: Range, *, is_one_run: bool, lanes: bool = True
) -> Rows:
    """The rows of a range, out of all blocks that may have some.

    Args:
        bodies: the blocks; those of a run one behind the other.
        scan: of the table.
        found: the range.
        is_one_run: whether all are of one run, so that their keys ascend.
        lanes: whether to try lanes.

    Raises:
        SstDamage: a block is not as it was written.
    """
    data: list[Bytes] = [body.data for body in bodies]
    buffer = Buffer(data)
    counts = [body.meta.total_key_count for body in bodies]
    entries = walk_lanes(buffer, data, scan.table_id, counts) if lanes else None
    if entries is not None:
        places = [body.place for body in bodies]
        rows = _by_lanes(buffer, entries, scan, found, places, is_one_run=is_one_run)
        if rows is not None:
            return rows
    return _one_by_one(buffer, bodies, scan, found)


def _by_lanes(
    buffer: Buffer,
    entries: Entries,
    scan: Scan,
    found: Range,
    places: list[Place],
    *,
    is_one_run: bool,
) -> Rows | None:
    """None if the tag of a value is none."""
    entries = _newest(entries, scan, found, is_one_run=is_one_run)
    if not entries.size.all():
        return None
    tag = buffer.data[entries.start]
    if ((tag > DELETE) | ((tag == DELETE) & (entries.size > 1))).any():
        return None
    if tag.any():
        entries = entries.pick(np.flatnonzero(tag == PUT))
    if scan.watermarks:
        hidden = [scan.hides(entries.key(n)) for n in range(len(entries.epoch))]
        entries = entries.pick(np.flatnonzero(~np.array(hidden, bool)))
    return Rows(buffer, entries, entries.epoch, entries.start + 1, entries.size - 1, places)


def _newest(entries: Entries, scan: Scan, found: Range, *, is_one_run: bool) -> Entries:
    """Of each key of a range the newest version that counts, by key."""
    wanted = _sees(entries, scan)
    if found.start:
        wanted &= ~entries.is_before(found.start)
    if found.end is not None:
        wanted &= entries.is_before(found.end)
    if not wanted.all():
        entries = entries.pick(np.flatnonzero(wanted))
    if not is_one_run or not ascend(entries).all():
        order = np.lexsort((~entries.epoch, entries.key_size, *reversed(entries.words)))
        entries = entries.pick(order)
    first = _first_of_key(entries)
    return entries if first.all() else entries.pick(np.flatnonzero(first))


def _sees(entries: Entries, scan: Scan) -> Flags:
    """As Scan.sees."""
    pure = entries.epoch
    if not scan.epoch & GAP_MASK:
        pure = np.where(pure == np.uint64(EPOCH_MAX), pure, pure & ~np.uint64(GAP_MASK))
    return (pure >= np.uint64(scan.epoch_min)) & (pure <= np.uint64(scan.epoch))


def _first_of_key(entries: Entries) -> Flags:
    first = np.ones(len(entries.epoch), bool)
    same = entries.key_size[1:] == entries.key_size[:-1]
    for word in entries.words:
        same &= word[1:] == word[:-1]
    first[1:] = ~same
    return first


def _one_by_one(buffer: Buffer, bodies: Sequence[Body], scan: Scan, found: Range) -> Rows:
    versions: list[tuple[bytes, int, int, int, Place]] = []
    for body, base in zip(bodies, buffer.bases.tolist(), strict=True):
        for entry in walk(body.data, body.place, scan.table_id, body.meta.total_key_count):
            key = entry.key[:-EPOCH_SIZE]
            epoch = int.from_bytes(entry.key[-EPOCH_SIZE:], "big")
            is_in = key >= found.start and (found.end is None or key < found.end)
            if is_in and scan.sees(epoch):
                age = EPOCH_MAX - epoch
                versions.append((key, age, base + entry.start, base + entry.end, body.place))
    versions.sort(key=lambda version: version[:2])
    keys, epochs, starts, sizes = list[bytes](), list[int](), list[int](), list[int]()
    last = None
    for key, age, start, end, place in versions:
        if key == last:
            continue
        last = key
        tag = int(buffer.data[start]) if start < end else None
        if tag not in (PUT, DELETE) or (tag == DELETE and end - start > 1):
            raise place.damaged(f"the value of a key has tag {tag}")
        if tag == PUT and not scan.hides(key):
            keys.append(key)
            epochs.append(EPOCH_MAX - age)
            starts.append(start + 1)
            sizes.append(end - start - 1)
    return Rows(
        buffer,
        keys,
        np.array(epochs, np.uint64),
        np.array(starts, np.int64),
        np.array(sizes, np.int64),
        [body.place for body in bodies],
    )
