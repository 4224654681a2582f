"""Where the sections of a snapshot file stand, and their rows as bytes, each reading of which is
hashed and compared with the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec
import xxhash

from metasnapshot.errors import ChecksumMismatch
from metasnapshot.format.framing import LENGTH_SIZE, FrameReader, ReadableFile

ROWS, MESSAGES, MESSAGE = "rows", "messages", "message"
"""Frames: a count, then rows whose length may be a u64 (V2); a count, then messages with a u32
length (V1); one message without a count (V1).
"""


class SectionPlace(msgspec.Struct, frozen=True):
    """Where a section stands.

    Attributes:
        name: of the section.
        count: its rows.
        start: offset of its first byte.
        end: offset of what follows it.
        state: the hash of the file at its start.
        digest: the same at its end.
        frame: one of the frames above.
        values: of a V1 section of pairs, whose keys are all here, the place of the values.
    """

    name: str
    count: int
    start: int
    end: int
    state: xxhash.xxh64
    digest: int
    frame: str = ROWS
    values: SectionPlace | None = None

    @property
    def size(self) -> int:
        """Bytes of the section."""
        return self.end - self.start + (self.values.size if self.values else 0)


class Batch(NamedTuple):
    """Rows that follow each other: the number of the first, where it stands, and their bytes."""

    first: int
    offset: int
    rows: list[bytes]

    def placed(self) -> Iterator[tuple[int, bytes]]:
        """Offset and bytes of each row; one in the long form is alone in its batch."""
        offset = self.offset
        for row in self.rows:
            yield offset, row
            offset += LENGTH_SIZE + len(row)


def walk(
    frames: FrameReader, name: str, frame: str = ROWS, look: Callable[[Batch], None] | None = None
) -> SectionPlace:
    """Walk over one section; the reader stands behind it then.

    Args:
        frames: stands before the section.
        name: of the section.
        frame: its frame.
        look: takes the rows on the way, so that they are not read for it once more.

    Raises:
        Truncated: it does not fit into what is left.
    """
    start, state = frames.offset, frames.state
    count = _count(frames, name, frame)
    if look is None:
        frames.skip_rows(count, long_form=frame == ROWS)
    else:
        for batch in _batches(frames, count, frame):
            look(batch)
    return SectionPlace(name, count, start, frames.offset, state, frames.digest, frame)


def batches(file: ReadableFile, place: SectionPlace) -> Iterator[Batch]:
    """The rows of a section, some at a time.

    Raises:
        ChecksumMismatch: at the end, if its hash is not what it was.
    """
    frames = FrameReader(file, place.start, place.end, place.state)
    yield from _batches(frames, _count(frames, place.name, place.frame), place.frame)
    compare(f"section {place.name}", place.digest, frames.digest)


def _batches(frames: FrameReader, count: int, frame: str) -> Iterator[Batch]:
    first, offset = 0, frames.offset
    for rows in frames.batches(count, long_form=frame == ROWS):
        yield Batch(first, offset, rows)
        first, offset = first + len(rows), frames.offset


def raw_rows(file: ReadableFile, place: SectionPlace) -> Iterator[tuple[int, bytes]]:
    """Offset and bytes of each row of a section.

    Raises:
        ChecksumMismatch: at the end, if its hash is not what it was.
    """
    for batch in batches(file, place):
        yield from batch.placed()


def compare(what: str, first: int, second: int) -> None:
    """Compare the hash of a second reading with that of the first."""
    if first != second:
        raise ChecksumMismatch(f"{what}, read a second time", stored=first, computed=second)


def _count(frames: FrameReader, name: str, frame: str) -> int:
    if frame != MESSAGE:
        return frames.count(name)
    frames.section = name
    return 1
