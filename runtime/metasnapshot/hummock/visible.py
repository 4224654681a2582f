"""The rows of a range of keys, out of all blocks that may have some: merged by one sort.

Where the lanes of sst.lanes give nothing, the same blocks are walked one by one, which says what is
wrong if something is.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from metasnapshot.hummock.scan import EPOCH_MAX, GAP_MASK, Scan
from metasnapshot.hummock.table_blocks import Body
from metasnapshot.sst.block import Bytes
from metasnapshot.sst.buffer import Buffer, Entries, Flags, Numbers, Words, ascend
from metasnapshot.sst.lanes import walk_lanes
from metasnapshot.sst.place import Place
from metasnapshot.sst.scalar import DELETE, EPOCH_SIZE, PUT, walk


class Range(NamedTuple):
    """User keys from one to another; b"" for the first, None for no end."""

    start: bytes
    end: bytes | None


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
    if scan.hides_some:
        epochs: list[int] = entries.epoch.tolist()
        hidden = [scan.hides(entries.key(n), epoch) for n, epoch in enumerate(epochs)]
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
        if tag == PUT and not scan.hides(key, EPOCH_MAX - age):
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
