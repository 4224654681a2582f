"""The frame of a snapshot: little-endian integers, counted rows, and the XXH64 of everything before
the last 8 bytes.

A reader hashes what it reads and never allocates by a claim: a length or count larger than what is
left of the body is an error first. docs/format.md has the offsets. Source:
src/storage/backup/src/meta_snapshot.rs, 0.1.17 to main.
"""

from __future__ import annotations

import struct
from typing import Protocol

import xxhash

from metasnapshot.errors import RowError, Truncated

HEADER_SIZE = 12
"""u32 format_version, u64 id."""
CHECKSUM_SIZE = 8
LENGTH_SIZE = 4
BUFFER_SIZE = 1 << 16
"""Of a file that is opened for reading; rows larger than it go around it."""
CHUNK_SIZE = 1 << 20
"""Bytes read at once where nobody needs the bytes themselves."""
U32_MAX = (1 << 32) - 1

_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
_HEADER = struct.Struct("<IQ")


class ReadableFile(Protocol):
    """What a reader needs of a file: a binary, seekable source."""

    def read(self, size: int = ..., /) -> bytes:
        """As io.RawIOBase.read."""
        ...

    def seek(self, offset: int, whence: int = ..., /) -> int:
        """As io.IOBase.seek."""
        ...


class WritableFile(Protocol):
    """What a writer needs of a file."""

    def write(self, data: bytes, /) -> object:
        """As io.BufferedIOBase.write: all of it, or an error."""
        ...


class FrameReader:
    """Reads frames from `start` to `end` of a file and hashes them. Offsets count from the start of
    the file.
    """

    def __init__(
        self, file: ReadableFile, start: int, end: int, state: xxhash.xxh64 | None = None
    ) -> None:
        """Start at an offset, with the state that the hash had there (none at the start of the
        file).
        """
        self._file = file
        self._hash = xxhash.xxh64() if state is None else state.copy()
        self.offset = start
        self.end = end
        self.section = "header"
        self.row: int | None = None

    @property
    def remaining(self) -> int:
        """Bytes between the offset and the end."""
        return self.end - self.offset

    @property
    def digest(self) -> int:
        """XXH64 of the file up to the offset."""
        return self._hash.intdigest()

    @property
    def state(self) -> xxhash.xxh64:
        """The state of the hash at the offset, from where another reader can go on."""
        return self._hash.copy()

    def take(self, size: int) -> bytes:
        """Read exactly `size` bytes.

        Raises:
            Truncated: fewer are left.
        """
        self._claim(size, "bytes")
        self._file.seek(self.offset)  # another reader may have moved on in the same file
        data = self._file.read(size)
        while len(data) < size:
            more = self._file.read(size - len(data))
            if not more:
                raise self._truncated(f"the file ends {size - len(data)} bytes early")
            data += more
        self._hash.update(data)
        self.offset += size
        return data

    def skip(self, size: int) -> None:
        """Hash `size` bytes without keeping them, in memory that does not grow with them."""
        self._claim(size, "bytes")
        while size:
            size -= len(self.take(min(size, CHUNK_SIZE)))

    def header(self) -> tuple[int, int]:
        """Read format_version and id."""
        version, snapshot_id = _HEADER.unpack(self.take(HEADER_SIZE))
        return version, snapshot_id

    def bare_header(self) -> int:
        """Read the id that stands alone in files of 0.1.15 and 0.1.16."""
        (snapshot_id,) = _U64.unpack(self.take(_U64.size))
        return snapshot_id

    def count(self, section: str) -> int:
        """Read the count of a section's rows."""
        self.section, self.row = section, None
        (count,) = _U32.unpack(self.take(LENGTH_SIZE))
        if count * LENGTH_SIZE > self.remaining:
            raise self._truncated(f"{count} rows claimed, {self.remaining} bytes left")
        return count

    def length(self, row: int) -> int:
        """Read the length of a row: a u32, or u32 0 and a u64 (3.0.2 and later, branch
        release-2.8).
        """
        self.row = row
        (length,) = _U32.unpack(self.take(LENGTH_SIZE))
        if not length:
            (length,) = _U64.unpack(self.take(_U64.size))
        self._claim(length, "bytes of a row")
        return length

    def short_length(self, row: int) -> int:
        """Read the length of a V1 message: a u32, and 0 is an empty one."""
        self.row = row
        (length,) = _U32.unpack(self.take(LENGTH_SIZE))
        self._claim(length, "bytes of a message")
        return length

    def finish(self) -> tuple[int, int]:
        """Hash what is left of the body and read the checksum behind it.

        Returns:
            The checksum as stored and as computed.
        """
        self.section, self.row = "checksum", None
        self.skip(self.remaining)
        computed = self.digest
        self.end += CHECKSUM_SIZE
        (stored,) = _U64.unpack(self.take(CHECKSUM_SIZE))
        return stored, computed

    def _claim(self, size: int, what: str) -> None:
        if size > self.remaining:
            raise self._truncated(f"{size} {what} claimed, {self.remaining} left")

    def _truncated(self, what: str) -> Truncated:
        return Truncated(what, section=self.section, row=self.row, offset=self.offset)


class FrameWriter:
    """Writes frames to a file and hashes them; `finish` appends the checksum."""

    def __init__(self, file: WritableFile) -> None:
        self._file = file
        self._hash = xxhash.xxh64()
        self.size = 0

    def write(self, data: bytes) -> None:
        """Write bytes as they are."""
        self._hash.update(data)
        self._file.write(data)
        self.size += len(data)

    def header(self, format_version: int, snapshot_id: int) -> None:
        """Write format_version and id.

        Raises:
            RowError: they are no u32 and u64.
        """
        self._pack(_HEADER, format_version, snapshot_id)

    def bare_header(self, snapshot_id: int) -> None:
        """Write the id alone, as 0.1.15 and 0.1.16."""
        self._pack(_U64, snapshot_id)

    def _pack(self, layout: struct.Struct, *numbers: int) -> None:
        try:
            self.write(layout.pack(*numbers))
        except struct.error as error:
            raise RowError(f"not a header: {error}", section="header") from error

    def count(self, count: int) -> None:
        """Write the count of a section's rows."""
        self.write(_U32.pack(count))

    def row(self, data: bytes) -> None:
        """Write a row with its length; empty rows and those over 4 GiB in the u64 form."""
        self.write(length_prefix(len(data)))
        self.write(data)

    def message(self, data: bytes) -> None:
        """Write a V1 message with its length.

        Raises:
            RowError: it is 4 GiB or more.
        """
        if len(data) > U32_MAX:
            raise RowError(f"{len(data)} bytes; a V1 message has {U32_MAX} at most")
        self.write(_U32.pack(len(data)))
        self.write(data)

    def finish(self) -> int:
        """Write the checksum; returns it."""
        digest = self._hash.intdigest()
        self._file.write(_U64.pack(digest))
        self.size += CHECKSUM_SIZE
        return digest


def length_prefix(length: int) -> bytes:
    """The bytes that announce a row of this length."""
    if 0 < length <= U32_MAX:
        return _U32.pack(length)
    return _U32.pack(0) + _U64.pack(length)
