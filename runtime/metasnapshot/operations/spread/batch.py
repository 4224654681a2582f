"""A batch: some objects as columns, small enough to be sent; and what became of them."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from metasnapshot.catalogue.full import HASH_SIZE
from metasnapshot.hummock.objects import NeededObject, NeededObjects
from metasnapshot.hummock.paths import SUFFIXES
from metasnapshot.hummock.sst_facts import Said

BATCH_MAX = 500
"""Objects of a batch. One object at a time would cost a cluster 30 times as much."""
BATCH_BYTES_MAX = 1 << 30
"""Bytes after which a batch takes no more: one that is lost is done again."""
Claims = Callable[[int], tuple[Said, ...]]
"""What the version says of an object, by its id."""


@dataclass(frozen=True)
class Batch:
    """Some objects.

    Attributes:
        number: of the batch.
        ids: of the objects.
        kinds: places of their suffixes in SUFFIXES.
        sizes: in bytes.
        tags: what tells them from others of their ids.
        meta_offsets: where their metas start, as far as that is known.
        hashes: XXH3-128 of each that is to be compared, zeros where there is none.
        said: what the version says of each, where their data is looked at.
    """

    number: int
    ids: array[int]
    kinds: bytes
    sizes: array[int]
    tags: array[int]
    meta_offsets: array[int]
    hashes: bytes
    said: tuple[tuple[Said, ...], ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, at: int) -> NeededObject:
        return NeededObject(
            self.ids[at],
            SUFFIXES[self.kinds[at]],
            self.sizes[at],
            self.tags[at],
            self.meta_offsets[at],
        )

    def hash_of(self, at: int) -> bytes | None:
        """What the bytes of an object hash to; None if nobody knows, or it is not compared."""
        found = self.hashes[at * HASH_SIZE : (at + 1) * HASH_SIZE]
        return found if any(found) else None


class Damaged(NamedTuple):
    """An object that is not what it must be: its place in the batch, and what was said of it."""

    at: int
    what: str
    hint: str


@dataclass
class BatchResult:
    """What became of a batch.

    Attributes:
        number: of the batch.
        hashes: XXH3-128 of each object that is sound, by its place.
        vanished: places of those that were not there.
        damaged: those that are damaged.
    """

    number: int
    hashes: bytearray
    vanished: list[int] = field(default_factory=list[int])
    damaged: list[Damaged] = field(default_factory=list[Damaged])


def cut(needed: NeededObjects, places: Iterable[int]) -> Iterator[array[int]]:
    """Places in pieces, each for one batch."""
    todo = iter(places)
    while piece := array("Q", islice(todo, BATCH_MAX)):
        start, size = 0, 0
        for at, place in enumerate(piece):
            size += needed.sizes[place]
            if size >= BATCH_BYTES_MAX:
                yield piece[start : at + 1]
                start, size = at + 1, 0
        if start < len(piece):
            yield piece[start:]


def pack(
    number: int,
    needed: NeededObjects,
    places: array[int],
    hashes: bytearray | None,
    claims: Claims | None,
) -> Batch:
    """The batch of some places.

    Args:
        number: of the batch.
        needed: all objects.
        places: of those that are in it.
        hashes: of all objects, if they are compared.
        claims: what the version says, if data is looked at.
    """
    known = b""
    if hashes is not None:
        view = memoryview(hashes)
        known = b"".join(view[place * HASH_SIZE : (place + 1) * HASH_SIZE] for place in places)
    ids = array("Q", map(needed.ids.__getitem__, places))
    return Batch(
        number,
        ids,
        bytes(map(needed.kinds.__getitem__, places)),
        array("Q", map(needed.sizes.__getitem__, places)),
        array("Q", map(needed.tags.__getitem__, places)),
        array("Q", map(needed.meta_offsets.__getitem__, places)),
        known,
        () if claims is None else tuple(map(claims, ids)),
    )
