"""The entries of many blocks at once, by arrays: the fast way to read them.

Between two restarts lies a lane, of 16 entries at most in files of RisingWave. All lanes go one
entry forward at a time, so that a step costs a few operations on arrays, however many lanes there
are. Finished lanes stand still. This code never says what is wrong: where anything is not as it
should be it gives nothing, and `scalar.walk` goes over the same bytes and says it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metasnapshot.sst.block import Bytes
from metasnapshot.sst.buffer import HEAD, WORD, Buffer, Entries, Flags, Numbers, Words, ascend
from metasnapshot.sst.scalar import EPOCH_SIZE, KEY_SIZE_MIN

KEY_SIZE_MAX = 248
STEPS_MAX = 64
_U32_PAIR = struct.Struct("<II")
_U32 = struct.Struct("<I")
_KEY_BITS = {1: 8, 2: 16}
_VALUE_BITS = {1: 8, 2: 16, 3: 32}


@dataclass
class _Lanes:
    """Where lanes start and end, and the widths of their headers."""

    start: Numbers
    end: Numbers
    key_bits: Numbers
    value_bits: Numbers
    first_of_block: Numbers


def walk_lanes(
    buffer: Buffer, bodies: Sequence[Bytes], table_id: int, counts: Sequence[int | None]
) -> Entries | None:
    """The entries of blocks; None if `scalar.walk` has to look at them.

    Args:
        buffer: the blocks.
        bodies: the same, one by one.
        table_id: of the table that they must be of.
        counts: how many entries each must have, None where nobody says.
    """
    lanes = _lanes_of(bodies, buffer.bases, table_id)
    if lanes is None:
        return None
    steps = _Steps(buffer, lanes)
    if not steps.run():
        return None
    entries, sizes = steps.entries()
    found = np.add.reduceat(sizes, lanes.first_of_block)
    if any(n is not None and n != m for n, m in zip(counts, found.tolist(), strict=True)):
        return None
    starts = np.zeros(len(entries.epoch), bool)
    starts[np.cumsum(found)[:-1]] = True
    return entries if bool((ascend(entries) | starts)[1:].all()) else None


def _lanes_of(bodies: Sequence[Bytes], bases: Numbers, table_id: int) -> _Lanes | None:
    starts, ends, codes, firsts = list[Numbers](), list[Numbers](), list[Numbers](), list[int]()
    total = 0
    for body, base in zip(bodies, bases.tolist(), strict=True):
        found = _layout(body, table_id)
        if found is None:
            return None
        restarts, end, code = found
        starts.append(restarts + base)
        ends.append(np.append(restarts[1:], end) + base)
        codes.append(code)
        firsts.append(total)
        total += len(restarts)
    code = np.concatenate(codes)
    key_bits = np.zeros(len(code), np.int64)
    value_bits = np.zeros(len(code), np.int64)
    for number in np.unique(code).tolist():
        if number >> 4 not in _KEY_BITS or number & 15 not in _VALUE_BITS:
            return None
        key_bits[code == number] = _KEY_BITS[number >> 4]
        value_bits[code == number] = _VALUE_BITS[number & 15]
    first = np.array(firsts, np.int64)
    return _Lanes(np.concatenate(starts), np.concatenate(ends), key_bits, value_bits, first)


def _layout(body: Bytes, table_id: int) -> tuple[Numbers, int, Numbers] | None:
    """Restarts of a block, the end of its entries, and the codes of widths at each restart."""
    at = len(body) - _U32_PAIR.size
    if at < 0:
        return None
    type_count, stored = _U32_PAIR.unpack_from(body, at)
    at -= 5 * type_count + _U32.size
    if stored != table_id or type_count < 1 or at < 0:
        return None
    types = body[at + _U32.size : at + _U32.size + 5 * type_count]
    (count,) = _U32.unpack_from(body, at)
    at -= _U32.size * count
    if count < 1 or at < 0:
        return None
    restarts = np.frombuffer(body, "<u4", count, at).astype(np.int64)
    if restarts[0] or restarts[-1] >= at or not (restarts[1:] > restarts[:-1]).all():
        return None
    codes = _codes(types, restarts)
    return None if codes is None else (restarts, at, codes)


def _codes(types: Bytes, restarts: Numbers) -> Numbers | None:
    """The codes of widths at each restart."""
    table = np.frombuffer(types, np.dtype([("offset", "<u4"), ("code", "u1")]))
    offsets, codes = table["offset"].astype(np.int64), table["code"].astype(np.int64)
    if offsets[0]:
        return None
    if len(offsets) == 1:
        return np.repeat(codes, len(restarts))
    if not (offsets[1:] > offsets[:-1]).all() or not np.isin(offsets, restarts).all():
        return None
    return codes[np.searchsorted(offsets, restarts, "right") - 1]


class _Steps:
    """All lanes, going forward."""

    def __init__(self, buffer: Buffer, lanes: _Lanes) -> None:
        self._buffer = buffer
        self._lanes = lanes
        self._header = 2 * (lanes.key_bits >> 3) + (lanes.value_bits >> 3)
        bits, value_bits = _one(lanes.key_bits), _one(lanes.value_bits)
        self._shifts = tuple(
            (np.uint64(64) - np.asarray(shift).astype(np.uint64))
            for shift in (bits, 2 * bits, 2 * bits + value_bits)
        )
        self._key_mask = _ones(bits)
        self._value_mask = _ones(value_bits)
        self._active: list[Flags] = []
        self._sizes: list[Numbers] = []
        self._starts: list[Numbers] = []
        self._lengths: list[Numbers] = []
        self._words: list[list[Words]] = []

    def run(self) -> bool:
        """Go to the end of all lanes; false if one is not as it should be."""
        lanes = self._lanes
        cursor, previous = lanes.start, np.zeros(len(lanes.start), np.int64)
        words: list[Words] = []
        while True:
            active = cursor < lanes.end
            if not active.any():
                return True
            if len(self._active) == STEPS_MAX:
                return False
            header = self._buffer.words(cursor)
            shared = ((header >> self._shifts[0]) & self._key_mask).astype(np.int64)
            rest = ((header >> self._shifts[1]) & self._key_mask).astype(np.int64)
            length = ((header >> self._shifts[2]) & self._value_mask).astype(np.int64)
            size = shared + rest
            value = cursor + self._header + rest
            after = value + length
            wrong = (after > lanes.end) | (shared > previous)
            wrong |= (size > KEY_SIZE_MAX) | (size < KEY_SIZE_MIN)
            if (wrong & active).any():
                return False
            shared = np.where(active, shared, 0)
            size = np.where(active, size, previous)
            words = self._key_words(words, cursor + self._header - shared, shared, size)
            self._active.append(active)
            self._sizes.append(size)
            self._starts.append(value)
            self._lengths.append(length)
            self._words.append(words)
            cursor, previous = np.where(active, after, cursor), size

    def _key_words(
        self, before: list[Words], places: Numbers, shared: Numbers, size: Numbers
    ) -> list[Words]:
        """The words of keys: what they share with those before stays. Bytes behind the end of a key
        are anything.
        """
        words: list[Words] = []
        for number in range(-(-int(size.max()) // WORD)):
            found = self._buffer.words(places + number * WORD)
            if number < len(before):
                kept = HEAD[np.clip(shared - number * WORD, 0, WORD)]
                found ^= (before[number] ^ found) & kept
            words.append(found)
        return words

    def entries(self) -> tuple[Entries, Numbers]:
        """All entries in the order of the blocks, and how many each lane has."""
        active = np.stack(self._active, 1)
        size = np.stack(self._sizes, 1)[active]
        count = max(len(words) for words in self._words)
        none = np.zeros(len(self._lanes.start), np.uint64)
        words = [
            np.stack([step[n] if n < len(step) else none for step in self._words], 1)[active]
            for n in range(count)
        ]
        user_size = size - EPOCH_SIZE
        epoch = _epochs(words, user_size)
        words = [
            word & HEAD[np.clip(user_size - number * WORD, 0, WORD)]
            for number, word in enumerate(words)
        ]
        used = max(1, -(-int(user_size.max()) // WORD))
        entries = Entries(
            words[:used],
            user_size,
            epoch,
            np.stack(self._starts, 1)[active],
            np.stack(self._lengths, 1)[active],
        )
        return entries, active.sum(1)


def _one(bits: Numbers) -> Numbers:
    """One number where all are the same: cheaper than an array of it."""
    return bits[:1] if (bits == bits[0]).all() else bits


def _ones(bits: Numbers) -> Words:
    return (np.uint64(1) << bits.astype(np.uint64)) - np.uint64(1)


def _epochs(words: list[Words], user_size: Numbers) -> Words:
    """The eight bytes behind each user key."""
    first = int(user_size[0])
    if (user_size == first).all():
        number, shift = first // WORD, np.uint64(8 * (first % WORD))
        if not shift:
            return words[number].copy()
        return (words[number] << shift) | (words[number + 1] >> (np.uint64(64) - shift))
    matrix = np.stack(words, 1).astype(">u8")
    rows = np.arange(len(user_size), dtype=np.int64) * matrix.shape[1] * WORD
    view = np.ndarray((matrix.nbytes - WORD + 1,), "S8", matrix.data, strides=(1,))
    return view[rows + user_size].view(">u8").astype(np.uint64)
