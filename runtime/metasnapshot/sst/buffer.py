"""Blocks in one buffer, looked into at many places at once; and the entries found there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from metasnapshot.sst.block import Bytes

Numbers = NDArray[np.int64]
Words = NDArray[np.uint64]
Flags = NDArray[np.bool_]
PAD = 256
"""Bytes before the blocks: a key may be gathered from before its rest."""
PAD_BEHIND = 1 << 13
"""Bytes behind them: what is looked at may be as long as the header of a row."""
WORD = 8


def _head_mask(size: int) -> int:
    """Ones in the first bytes of a word."""
    return ((1 << 64) - 1) ^ ((1 << (64 - 8 * size)) - 1)


HEAD = np.array([_head_mask(size) for size in range(WORD + 1)], np.uint64)
"""By how many bytes of a word are kept, from its front."""


class Buffer:
    """Blocks, one behind the other, padded; and how they are looked into."""

    def __init__(self, bodies: Sequence[Bytes]) -> None:
        parts = [bytes(PAD), *bodies, bytes(PAD_BEHIND)]
        self.data = np.frombuffer(b"".join(parts), np.uint8)
        sizes = np.array([len(body) for body in bodies], np.int64)
        self.bases: Numbers = np.concatenate(([PAD], PAD + np.cumsum(sizes)[:-1]))

    def at(self, places: Numbers, size: int) -> NDArray[np.bytes_]:
        """So many bytes at each place; unlike other types, S does not ask for alignment."""
        count = len(self.data) - size + 1
        view = np.ndarray((count,), f"S{size}", self.data.data, strides=(1,))
        return view[places]

    def words(self, places: Numbers) -> Words:
        """A word at each place, its first byte the most significant."""
        return self.at(places, WORD).view(">u8").astype(np.uint64)

    def numbers(self, places: Numbers, kind: str) -> NDArray[Any]:
        """A little-endian number at each place."""
        dtype = np.dtype(kind)
        return self.at(places, dtype.itemsize).view(dtype)


class Entries(NamedTuple):
    """Entries of blocks in their order.

    Attributes:
        words: of their user keys, eight bytes each, zeros behind the end.
        key_size: bytes of their user keys.
        epoch: with the spill offset.
        start: where in the buffer the value is, its tag first.
        size: of the value, with its tag.
    """

    words: list[Words]
    key_size: Numbers
    epoch: Words
    start: Numbers
    size: Numbers

    def pick(self, places: Numbers) -> Entries:
        """Some of them."""
        return Entries(
            [word[places] for word in self.words],
            self.key_size[places],
            self.epoch[places],
            self.start[places],
            self.size[places],
        )

    def key(self, place: int) -> bytes:
        """A user key."""
        data = b"".join(int(word[place]).to_bytes(WORD, "big") for word in self.words)
        return data[: int(self.key_size[place])]

    def is_before(self, bound: bytes) -> Flags:
        """Which user keys stand before some bytes."""
        size = max(len(self.words) * WORD, len(bound))
        padded = bound.ljust(-(-size // WORD) * WORD, b"\0")
        before = np.zeros(len(self.epoch), bool)
        same = np.ones(len(self.epoch), bool)
        for at in range(0, len(padded), WORD):
            wanted = np.uint64(int.from_bytes(padded[at : at + WORD], "big"))
            index = at // WORD
            word = self.words[index] if index < len(self.words) else np.zeros_like(self.epoch)
            before |= same & (word < wanted)
            same &= word == wanted
        return before | (same & (self.key_size < len(bound)))


def ascend(entries: Entries) -> Flags:
    """Of each entry, whether it stands behind the one before; of the first, that it does."""
    less = np.zeros(len(entries.epoch), bool)
    same = np.ones(len(entries.epoch), bool)
    for word in entries.words:
        less[1:] |= same[1:] & (word[:-1] < word[1:])
        same[1:] &= word[:-1] == word[1:]
    less[1:] |= same[1:] & (entries.key_size[:-1] < entries.key_size[1:])
    same[1:] &= entries.key_size[:-1] == entries.key_size[1:]
    less[1:] |= same[1:] & (entries.epoch[:-1] > entries.epoch[1:])
    less[:1] = True
    return less
