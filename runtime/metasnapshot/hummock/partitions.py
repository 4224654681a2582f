"""The rows of a table in ranges of its keys, each small enough for memory.

Ranges are cut at user keys of block metas, of all sources together, so that no key's versions are
torn apart. What is held of a block that is not read is its meta and its first key, some 150 bytes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from heapq import merge
from itertools import accumulate

from metasnapshot.errors import UsageError
from metasnapshot.hummock.range_deletes import RangeDeletes
from metasnapshot.hummock.scan import Scan, SstRef
from metasnapshot.hummock.table_blocks import (
    MEMORY,
    Body,
    ObjectStore,
    read_bodies,
    table_meta,
)
from metasnapshot.hummock.visible import Range, Rows, visible_rows
from metasnapshot.sst.block import require_plausible
from metasnapshot.sst.deletes import Event
from metasnapshot.sst.meta import BlockMeta, Blocks
from metasnapshot.sst.place import Place
from metasnapshot.sst.scalar import EPOCH_SIZE

TARGET = 4 << 20
"""Bytes of blocks in a range: more make columns slower, for caches are small."""
TABLE_ID_SIZE = 4
KEY_SHOWN = 64
SHARE = 20
"""Of the memory, that a range of blocks is: what is made of them takes more."""
BLOCK_COST, ENTRY_COST, ENTRY_SIZE = 6, 300, 40
"""What a range takes: for each byte of its blocks, for each entry; and bytes of an entry where no
meta counts them. Measured; tests/rows/test_memory.py holds it.
"""


class Source:
    """A sorted run: the blocks of its SSTs, one behind the other."""

    def __init__(self, ssts: Sequence[tuple[SstRef, Blocks]]) -> None:
        self._ssts = ssts
        self._ends = list(accumulate(len(blocks) for _, blocks in ssts))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def block(self, number: int) -> tuple[SstRef, BlockMeta]:
        """A block, and the object that has it."""
        sst = bisect_right(self._ends, number)
        ref, blocks = self._ssts[sst]
        return ref, blocks[number - self._ends[sst]]  # counted from the end of the SST

    def key(self, number: int) -> bytes:
        """The user key at which a block starts."""
        sst = bisect_right(self._ends, number)
        return user_key(self._ssts[sst][1].keys[number - self._ends[sst]])

    def events(self) -> Iterator[tuple[bytes, int]]:
        """User keys at which blocks start, and the sizes of those blocks."""
        for _, blocks in self._ssts:
            for key, size in zip(blocks.keys, blocks.uncompressed_sizes, strict=True):
                yield user_key(key), size

    def within(self, found: Range) -> range:
        """The blocks that may have keys of a range: from one before, for the versions of a key may
        end in the block before that of the next key.
        """
        every = range(len(self))
        first = max(0, bisect_left(every, found.start, key=self.key) - 1)
        last = len(self) if found.end is None else bisect_left(every, found.end, key=self.key)
        return every[first:last]


class Partitions:
    """A table, cut into ranges."""

    def __init__(
        self, objects: ObjectStore, scan: Scan, target: int = TARGET, memory: int = MEMORY
    ) -> None:
        """Read the metas of all of its objects.

        Args:
            objects: where they lie.
            scan: of the table.
            target: bytes of blocks in a range, unless more sources have a block there.
            memory: bytes that reading a range may take.

        Raises:
            SstDamage: an object is not as it was written.
            ObjectMissing: one is gone.
        """
        self._objects = objects
        self._memory = memory
        deletes: list[tuple[Event, ...]] = []

        def blocks_of(ref: SstRef) -> Blocks:
            meta = table_meta(objects, ref, scan.table_id)
            deletes.append(meta.deletes)
            return meta.blocks

        every = [Source([(ref, blocks_of(ref)) for ref in source]) for source in scan.sources]
        self._sources = [source for source in every if len(source)]
        self._scan = replace(scan, deletes=RangeDeletes(deletes, scan.epoch))
        self._kept: dict[int, tuple[int, Body]] = {}
        """Of each source the last block that was unpacked: the next range may begin in it."""
        self.ranges = self._cut(target)

    def _cut(self, target: int) -> list[Range]:
        events = [source.events() for source in self._sources]
        count = sum(map(len, self._sources))
        if not count:
            return []
        size_all = sum(size for source in self._sources for _, size in source.events())
        target = max(min(target, self._memory // SHARE), size_all // count * len(self._sources))
        cuts, total = [b""], 0
        for key, size in merge(*events):
            if total >= target and key > cuts[-1]:
                cuts.append(key)
                total = 0
            total += size
        return [Range(*pair) for pair in zip(cuts, [*cuts[1:], None], strict=True)]

    def cost(self, found: Range) -> int:
        """Bytes of memory that reading a range takes, about."""
        metas = [
            source.block(number)[1] for source in self._sources for number in source.within(found)
        ]
        size = sum(meta.uncompressed_size for meta in metas)
        counts = (
            meta.uncompressed_size // ENTRY_SIZE
            if meta.total_key_count is None
            else meta.total_key_count
            for meta in metas
        )
        return size * BLOCK_COST + sum(counts) * ENTRY_COST

    def require_room(self, found: Range, name: str) -> None:
        """See that a range fits into memory.

        Args:
            found: the range.
            name: of the table.

        Raises:
            UsageError: it does not, and cannot be cut: it is one key, or so many SSTs overlap.
        """
        cost = self.cost(found)
        if cost > self._memory:
            self._require_plausible(found)
            raise UsageError(
                f"table {name}: the rows from key {found.start[:KEY_SHOWN].hex() or 'one'} on take "
                f"{cost} bytes of memory, and cannot be cut: a very large row, very many versions "
                "of a key, or very many SSTs that overlap",
                hint=f"--memory says how much there is; now {self._memory} bytes",
            )

    def _require_plausible(self, found: Range) -> None:
        """What claims to be large may be damage."""
        for source in self._sources:
            for number in source.within(found):
                ref, meta = source.block(number)
                place = Place(self._objects.path(ref), meta.number, meta.offset)
                require_plausible(meta.size, meta.uncompressed_size, place)

    def rows(self, found: Range) -> Rows | None:
        """The rows of a range; None if it has no blocks.

        Raises:
            SstDamage: a block is not as it was written.
        """
        return self.visible(found, self.load(found))

    def load(self, found: Range) -> list[list[Body]]:
        """Read and unpack the blocks of a range, those of each source by themselves. One thread at
        a time may.

        Raises:
            SstDamage: a block is not as it was written.
        """
        return [self._load(number, found) for number in range(len(self._sources))]

    def visible(self, found: Range, loaded: Sequence[Sequence[Body]]) -> Rows | None:
        """The rows of a range in its blocks; None if it has none.

        Raises:
            SstDamage: a block is not as it was written.
        """
        bodies = [body for source in loaded for body in source]
        if not bodies:
            return None
        is_one_run = sum(map(bool, loaded)) == 1
        return visible_rows(bodies, self._scan, found, is_one_run=is_one_run)

    def _load(self, place: int, found: Range) -> list[Body]:
        source = self._sources[place]
        numbers = source.within(found)
        kept, body = self._kept.pop(place, (-1, None))
        bodies: list[Body] = []
        if body is not None and numbers and numbers[0] == kept:
            bodies, numbers = [body], numbers[1:]
        bodies += self._read([source.block(number) for number in numbers])
        if bodies:
            last = bodies[-1]
            if isinstance(last.data, memoryview):  # of all that was read with it
                last = bodies[-1] = last._replace(data=bytes(last.data))
            self._kept[place] = (numbers[-1] if numbers else kept, last)
        return bodies

    def _read(self, blocks: Sequence[tuple[SstRef, BlockMeta]]) -> Iterator[Body]:
        at = 0
        while at < len(blocks):
            ref = blocks[at][0]
            end = at
            while end < len(blocks) and blocks[end][0] == ref:
                end += 1
            yield from read_bodies(self._objects, ref, [meta for _, meta in blocks[at:end]])
            at = end


def user_key(smallest_key: bytes) -> bytes:
    """The table key at which a block starts, without table and epoch."""
    return smallest_key[TABLE_ID_SIZE:-EPOCH_SIZE]
