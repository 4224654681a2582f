"""The frame of a snapshot: little-endian integers, counted rows, and the XXH64 of everything before
the last 8 bytes.

A reader hashes what it reads and never allocates by a claim: a length or count larger than what is
left of the body is an error first. docs/format.md has the offsets. Source:
src/storage/backup/src/meta_snapshot.rs, 0.1.17 to main.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Protocol

import xxhash

from metasnapshot.errors import RowError, Truncated

V1, V2 = 1, 2
"""format_version; files of V1 may also say 0, or nothing."""
HEADER_SIZE = 12
"""u32 format_version, u64 id."""
CHECKSUM_SIZE = 8
LENGTH_SIZE = 4
BUFFER_SIZE = 1 << 16
"""Of a file that is opened for reading; rows larger than it go around it."""
CHUNK_SIZE = 1 << 20
"""Bytes read at once where nobody needs the bytes themselves."""
BATCH_SIZE = 1 << 18
"""Bytes read at once where rows are read by the many."""
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
    """Reads frames from `start` to `end` of a file and hashes them. Offsets are the file's."""

    def __init__(
        self, file: ReadableFile, start: int, end: int, state: xxhash.xxh64 | None = None
    ) -> None:
        """Start at an offset, with the state that the hash had there; none at the file's start."""
        self._file = file
        self._hash = xxhash.xxh64() if state is None else state.copy()
        self._ahead = b""
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
        data = self._look_ahead(size)[:size]
        if len(data) < size:
            raise self._truncated(f"the file ends {size - len(data)} bytes early")
        self._pass(size)
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

    def length(self, row: int, *, long_form: bool = True) -> int:
        """Read the length of a row: a u32, or u32 0 and a u64 (3.0.2 and later, branch
        release-2.8); without the long form, as in V1, 0 is an empty row.
        """
        self.row = row
        (length,) = _U32.unpack(self.take(LENGTH_SIZE))
        if not length and long_form:
            (length,) = _U64.unpack(self.take(_U64.size))
        self._claim(length, "bytes of a row")
        return length

    def batches(self, count: int, *, long_form: bool = True) -> Iterator[list[bytes]]:
        """Read so many rows, some at a time: as many as a chunk of the file holds whole."""
        for number, rows in self._whole_rows(count, long_form=long_form):
            yield rows or [self.take(self.length(number, long_form=long_form))]

    def skip_rows(self, count: int, *, long_form: bool = True) -> None:
        """Hash so many rows without keeping them."""
        number = 0
        while number < count:
            ahead = self._look_ahead(min(BATCH_SIZE, self.remaining))
            found, used = _walk(ahead, count - number, length_min=1 if long_form else 0)
            self._pass(used)
            if not found:
                self.skip(self.length(number, long_form=long_form))
            number += found or 1

    def _whole_rows(self, count: int, *, long_form: bool) -> Iterator[tuple[int, list[bytes]]]:
        """The number of the next row, and rows from there on. None are the caller's cue to read
        that one alone: it is larger than a chunk, or its length is none of the plain kind.
        """
        number = 0
        while number < count:
            ahead = self._look_ahead(min(BATCH_SIZE, self.remaining))
            rows, used = _split(ahead, count - number, length_min=1 if long_form else 0)
            self._pass(used)
            yield number, rows
            number += len(rows) or 1

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

    def _look_ahead(self, size: int) -> bytes:
        """The next bytes: so many or more, or as many as the file has."""
        while len(self._ahead) < size:
            at = self.offset + len(self._ahead)
            self._file.seek(at)  # another reader may have moved on in the same file
            data = self._file.read(size - len(self._ahead))
            if not data:
                break
            self._ahead += data
        return self._ahead

    def _pass(self, size: int) -> None:
        """Hash bytes that were looked at, and go on behind them."""
        self._hash.update(memoryview(self._ahead)[:size])
        self._ahead = self._ahead[size:]
        self.offset += size

    def _claim(self, size: int, what: str) -> None:
        if size > self.remaining:
            raise self._truncated(f"{size} {what} claimed, {self.remaining} left")

    def _truncated(self, what: str) -> Truncated:
        return Truncated(what, section=self.section, row=self.row, offset=self.offset)


def _split(data: bytes, count: int, length_min: int) -> tuple[list[bytes], int]:
    """Up to `count` rows that stand whole at the start of the data, and the bytes that they and
    their lengths take.
    """
    rows: list[bytes] = []
    position, start, size = 0, LENGTH_SIZE, len(data)
    unpack = _U32.unpack_from
    while start <= size and len(rows) < count:
        (length,) = unpack(data, position)
        end = start + length
        if length < length_min or end > size:
            break
        rows.append(data[start:end])
        position, start = end, end + LENGTH_SIZE
    return rows, position


def _walk(data: bytes, count: int, length_min: int) -> tuple[int, int]:
    """The same without the rows themselves: how many they are, and the bytes."""
    number, position, last = 0, 0, len(data) - LENGTH_SIZE
    unpack = _U32.unpack_from
    while position <= last and number < count:
        (length,) = unpack(data, position)
        end = position + LENGTH_SIZE + length
        if length < length_min or end > last + LENGTH_SIZE:
            break
        position = end
        number += 1
    return number, position


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
        if len(data) < BUFFER_SIZE:
            self.write(length_prefix(len(data)) + data)
            return
        self.write(length_prefix(len(data)))
        self.write(data)

    def rows(self, rows: Sequence[bytes]) -> None:
        """Write many short rows at once."""
        lengths = list(map(len, rows))
        if not all(lengths):
            for row in rows:
                self.row(row)
            return
        packed = struct.pack(f"<{len(rows)}I", *lengths)
        prefixes = [packed[at : at + LENGTH_SIZE] for at in range(0, len(packed), LENGTH_SIZE)]
        self.write(b"".join(chain.from_iterable(zip(prefixes, rows, strict=True))))

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
