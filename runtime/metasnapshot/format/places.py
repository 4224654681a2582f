"""Where the sections of a snapshot file stand, and their rows as bytes, each reading of which is
hashed and compared with the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import xxhash

from metasnapshot.errors import ChecksumMismatch
from metasnapshot.format.framing import FrameReader, ReadableFile

ROWS, MESSAGES, MESSAGE = "rows", "messages", "message"
"""Frames: a count, then rows whose length may be a u64 (V2); a count, then messages with a u32
length (V1); one message without a count (V1).
"""


@dataclass(frozen=True)
class SectionPlace:
    """Where a section stands.

    Attributes: name: of the section. count: its rows. start, end: offsets of its first byte and of
        what follows it. state: the hash of the file at its start. digest: the same at its end.
        frame: one of the frames above. values: of a V1 section of pairs, whose keys are all here,
        the place of the values.
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


def walk(frames: FrameReader, name: str, frame: str = ROWS) -> SectionPlace:
    """Walk over one section; the reader stands behind it then.

    Raises:
        Truncated: it does not fit into what is left.
    """
    start, state = frames.offset, frames.state
    count = _count(frames, name, frame)
    for number in range(count):
        frames.skip(_length(frames, number, frame))
    return SectionPlace(name, count, start, frames.offset, state, frames.digest, frame)


def raw_rows(file: ReadableFile, place: SectionPlace) -> Iterator[tuple[int, bytes]]:
    """Offset and bytes of each row of a section.

    Raises:
        ChecksumMismatch: at the end, if its hash is not what it was.
    """
    frames = FrameReader(file, place.start, place.end, place.state)
    for number in range(_count(frames, place.name, place.frame)):
        offset = frames.offset
        yield offset, frames.take(_length(frames, number, place.frame))
    compare(f"section {place.name}", place.digest, frames.digest)


def compare(what: str, first: int, second: int) -> None:
    """Compare the hash of a second reading with that of the first."""
    if first != second:
        raise ChecksumMismatch(f"{what}, read a second time", stored=first, computed=second)


def _count(frames: FrameReader, name: str, frame: str) -> int:
    if frame != MESSAGE:
        return frames.count(name)
    frames.section = name
    return 1


def _length(frames: FrameReader, row: int, frame: str) -> int:
    return frames.length(row) if frame == ROWS else frames.short_length(row)
