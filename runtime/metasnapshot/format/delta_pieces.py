"""What a delta compares: the rows of a section; of hummock_version, whose few rows change with each
checkpoint, the pieces of a row, cut before each object. The cuts decide how small a delta is, and
nothing else: what it names are places of bytes.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import xxhash

from metasnapshot.format.framing import LENGTH_SIZE, ReadableFile
from metasnapshot.format.layout import HUMMOCK_VERSION
from metasnapshot.format.places import SectionPlace, batches

OBJECT = re.compile(rb'\{"objectId"')
JSON_START = b"{"
NESTED_MIN = 512
"""Bytes of a field from which on it is looked into, as a message in a message."""
DEPTH_MAX = 8
VARINT_MAX = 10
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
FIXED_SIZES = {FIXED64: 8, FIXED32: 4}


class Pieces(NamedTuple):
    """Pieces of a file that follow each other: where each starts and ends (u64), and the two halves
    of its XXH3-128 (u64, one row of two columns each).
    """

    starts: Any
    ends: Any
    keys: Any


def pieces_of(file: ReadableFile, place: SectionPlace) -> Iterator[Pieces]:
    """The pieces of a section, some at a time; each with the length before its row, but for those
    of hummock_version.

    Raises:
        ChecksumMismatch: at the end, if the section's hash is not what it was.
    """
    cut = place.name == HUMMOCK_VERSION
    for offset, end, rows in _placed(file, place):
        if cut:
            for stop, row in _stops(end, rows):
                yield _cut(stop - len(row), row)
            continue
        sizes = np.fromiter(map(len, rows), np.uint64, len(rows)) + LENGTH_SIZE
        ends = np.cumsum(sizes, dtype=np.uint64) + np.uint64(offset)
        ends[-1] = end  # a row with a length of the long form is alone
        starts = np.concatenate((np.array([offset], np.uint64), ends[:-1]))
        yield Pieces(starts, ends, _keys(rows))


def cuts_of(row: bytes) -> list[int]:
    """Where a row of hummock_version is cut, its start and end not among them."""
    if row.startswith(JSON_START):
        return [found.start() for found in OBJECT.finditer(row) if found.start()]
    cuts: list[int] = []
    _walk_message(row, 0, len(row), cuts, 0)
    return [cut for cut in cuts if cut]


def _placed(file: ReadableFile, place: SectionPlace) -> Iterator[tuple[int, int, list[bytes]]]:
    """Where rows that follow each other start and end, and the rows."""
    before = None
    for batch in batches(file, place):
        if before is not None:
            yield before.offset, batch.offset, before.rows
        before = batch
    if before is not None:
        yield before.offset, place.end, before.rows


def _stops(end: int, rows: list[bytes]) -> Iterator[tuple[int, bytes]]:
    """Where each row ends: only a row that is alone may have a length of the long form."""
    stop = end - sum(LENGTH_SIZE + len(row) for row in rows[1:])
    for number, row in enumerate(rows):
        stop += LENGTH_SIZE + len(row) if number else 0
        yield stop, row


def _cut(start: int, row: bytes) -> Pieces:
    bounds = [0, *cuts_of(row), len(row)]
    view = memoryview(row)
    parts = [view[a:b] for a, b in itertools.pairwise(bounds)]
    places = np.array(bounds, np.uint64) + np.uint64(start)
    return Pieces(places[:-1], places[1:], _keys(parts))


def _keys(parts: list[bytes] | list[memoryview]) -> Any:
    digests = b"".join(map(xxhash.xxh3_128_digest, parts))
    return np.frombuffer(digests, "<u8").reshape(-1, 2)


def _walk_message(data: bytes, start: int, end: int, cuts: list[int], depth: int) -> bool:
    """Cut before each field of a message that holds bytes, and within the large ones; whether it is
    a message at all. Other bytes are left in one piece.
    """
    at = start
    while at < end:
        field = at
        tag, at = _varint(data, at, end)
        kind = tag & 7
        if kind == VARINT:
            _, at = _varint(data, at, end)
        elif kind in FIXED_SIZES:
            at += FIXED_SIZES[kind]
        elif kind == BYTES:
            size, at = _varint(data, at, end)
            cuts.append(field)
            inner: list[int] = []
            if NESTED_MIN <= size <= end - at and depth < DEPTH_MAX:
                is_message = _walk_message(data, at, at + size, inner, depth + 1)
                cuts += inner if is_message else ()
            at += size
        else:
            return False
        if not 0 <= at <= end or tag >> 3 == 0:
            return False
    return True


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A varint and what follows it; a place beyond the end if there is none."""
    value = 0
    for number in range(VARINT_MAX):
        if at + number >= end:
            break
        byte = data[at + number]
        value |= (byte & 0x7F) << (7 * number)
        if byte < 0x80:  # noqa: PLR2004 - the last byte of a varint
            return value, at + number + 1
    return 0, end + 1
