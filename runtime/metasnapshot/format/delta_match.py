"""Finds what of a snapshot its base has: pieces of the one are looked up among those of the same
section of the other, and neighbours that stand beside each other in both are one run.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import xxhash

from metasnapshot.format.delta_pieces import Pieces, pieces_of
from metasnapshot.format.framing import ReadableFile
from metasnapshot.format.places import SectionPlace

STEPS_MAX = 1 << 20
"""More runs than this are no delta any more."""
NEW_BYTES_MAX = 1 << 25
"""Of one delta, unpacked: its readers hold them in memory."""
NOWHERE = -1
LOOK_GROWS = 8
"""By this each look at what is shared is longer than the one before."""


class Step(NamedTuple):
    """New bytes of the snapshot, from `start` up to where the step's copy starts, then the copy:
    `size` bytes from `source` on in the base.
    """

    start: int
    new: int
    source: int
    size: int


@dataclass
class Matched:
    """The steps that make a snapshot out of its base, and the hash of each section."""

    steps: list[Step] = field(default_factory=list[Step])
    new_bytes: int = 0
    sections: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def fits(self) -> bool:
        """Whether it is still small enough for a delta."""
        return len(self.steps) <= STEPS_MAX and self.new_bytes <= NEW_BYTES_MAX


class _Index:
    """The pieces of one section of the base, to be looked up by their hash."""

    def __init__(self, found: list[Pieces]) -> None:
        empty: Any = np.zeros(0, np.uint64)
        self.starts: Any = np.concatenate([empty, *(some.starts for some in found)])
        self.ends: Any = np.concatenate([empty, *(some.ends for some in found)])
        self.keys: Any = np.concatenate([empty.reshape(0, 2), *(some.keys for some in found)])
        self._order = np.argsort(self.keys[:, 0], kind="stable")
        self._sorted = self.keys[self._order, 0]
        self.next = 0
        """The piece of the base that is likely to come next."""

    def shared(self, pieces: Pieces, first: int, at: int) -> int:
        """How many pieces from `first` on are those of the base from `at` on."""
        most = min(len(pieces.starts) - first, len(self.starts) - at)
        shared, look = 0, 1
        while shared < most:
            count = min(look, most - shared)
            same: Any = self._same(pieces, first + shared, at + shared, count)
            if not same.all():
                return shared + int(np.argmin(same))
            shared, look = shared + count, look * LOOK_GROWS
        return shared

    def _same(self, pieces: Pieces, first: int, at: int, count: int) -> Any:
        mine, its = slice(first, first + count), slice(at, at + count)
        same = (self.keys[its] == pieces.keys[mine]).all(axis=1)
        size = pieces.ends[mine] - pieces.starts[mine]
        return same & (self.ends[its] - self.starts[its] == size)

    def find(self, pieces: Pieces, number: int) -> int:
        """The first place of a piece in the base, or NOWHERE."""
        key: Any = pieces.keys[number]
        size: Any = pieces.ends[number] - pieces.starts[number]
        at = bisect_left(self._sorted, key[0])
        while at < len(self._sorted) and self._sorted[at] == key[0]:
            place = int(self._order[at])
            is_same = self.keys[place, 1] == key[1]
            if is_same and self.ends[place] - self.starts[place] == size:
                return place
            at += 1
        return NOWHERE


def match(
    base: tuple[ReadableFile, tuple[SectionPlace, ...]],
    heir: tuple[ReadableFile, tuple[SectionPlace, ...]],
    size: int,
) -> Matched:
    """Find the steps; it ends early where they are too many (`fits`).

    Args:
        base: its file and sections.
        heir: the same of the snapshot.
        size: bytes of the snapshot's file.

    Raises:
        ChecksumMismatch: a file is not what it was when it was opened.
    """
    found = Matched()
    cursor = 0
    known = dict(_named(base[1]))
    for name, place in _named(heir[1]):
        its = known.get(name)
        index = _Index([] if its is None else list(pieces_of(base[0], its)))
        state = xxhash.xxh3_64()
        for pieces in pieces_of(heir[0], place):
            state.update(np.ascontiguousarray(pieces.keys).data)
            for start, end, source in _runs(index, pieces):
                cursor = _add(found, cursor, (start, end), source)
            if not found.fits:
                return found
        found.sections[name] = state.hexdigest()
    _add(found, cursor, (size, size), 0)
    return found


def _named(places: tuple[SectionPlace, ...]) -> Iterator[tuple[str, SectionPlace]]:
    """Sections by name; the values of a section of pairs by a name of their own."""
    for place in places:
        yield place.name, place
        if place.values is not None:
            yield f"{place.name} values", place.values


def _runs(index: _Index, pieces: Pieces) -> Iterator[tuple[int, int, int]]:
    """Runs of pieces that the base has: start and end in the snapshot, and the start there."""
    number = 0
    while number < len(pieces.starts):
        count = index.shared(pieces, number, index.next)
        if not count:
            place = index.find(pieces, number)
            if place == NOWHERE:
                number, index.next = number + 1, index.next + 1
                continue
            index.next, count = place, index.shared(pieces, number, place)
        start, end = int(pieces.starts[number]), int(pieces.ends[number + count - 1])
        yield start, end, int(index.starts[index.next])
        number, index.next = number + count, index.next + count


def _add(found: Matched, cursor: int, span: tuple[int, int], source: int) -> int:
    """Add a copy, and the new bytes between it and what came before."""
    start, end = span
    last = found.steps[-1] if found.steps else None
    if last is not None and start == cursor and last.source + last.size == source and end > start:
        found.steps[-1] = last._replace(size=last.size + end - start)
    elif end > start or start > cursor:
        found.steps.append(Step(cursor, start - cursor, source, end - start))
        found.new_bytes += start - cursor
    return end
