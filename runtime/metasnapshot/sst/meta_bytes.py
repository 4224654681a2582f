"""The bytes of a meta as they are read: hashed on their way, a piece at a time.

A length that claims more than is left is an error before anything is allocated for it.
"""

from __future__ import annotations

import struct
from typing import Protocol

import xxhash

from metasnapshot.sst.place import Place

CHECKSUM_SIZE = 8
PIECE_SIZE = 1 << 18


class Readable(Protocol):
    """What is needed of a file."""

    def read(self, size: int = ..., /) -> bytes:
        """As io.BufferedReader.read."""
        ...


class MetaBytes:
    """Reads what is hashed of a meta: from its start to its checksum."""

    def __init__(self, file: Readable, start: int, end: int, name: str) -> None:
        """Start at the place where the file is.

        Args:
            file: the object.
            start: offset of the meta.
            end: offset of the checksum.
            name: of the object.
        """
        self._file = file
        self._hash = xxhash.xxh64()
        self._ahead = b""
        self._at = 0
        self._unread = end - start
        self._start = start
        self._end = end
        self.name = name

    @property
    def left(self) -> int:
        """Bytes that were not yet taken."""
        return self._unread + len(self._ahead) - self._at

    @property
    def place(self) -> Place:
        """Where the next byte is."""
        return Place(self.name, offset=self._end - self.left)

    def take(self, size: int) -> bytes:
        """So many bytes.

        Raises:
            SstTruncated: fewer are left.
        """
        self._claim(size)
        if len(self._ahead) - self._at < size:
            parts = [self._ahead[self._at :]]
            found = len(parts[0])
            while found < size:
                parts.append(self._next())
                found += len(parts[-1])
            self._ahead, self._at = b"".join(parts), 0
        data = self._ahead[self._at : self._at + size]
        self._at += size
        return data

    def number(self, layout: struct.Struct) -> int:
        """A number.

        Raises:
            SstTruncated: the meta ends before it.
        """
        (number,) = layout.unpack(self.take(layout.size))
        return int(number)

    def skip(self, size: int) -> int:
        """Pass over so many bytes; returns how many.

        Raises:
            SstTruncated: fewer are left.
        """
        self._claim(size)
        left = size
        while left > len(self._ahead) - self._at:
            left -= len(self._ahead) - self._at
            self._ahead, self._at = self._next(), 0
        self._at += left
        return size

    def finish(self, stored: int) -> None:
        """Hash what is left and compare.

        Raises:
            SstMismatch: the hash is another.
        """
        self.skip(self.left)
        Place(self.name, offset=self._start).compare("its meta", stored, self._hash.intdigest())

    def _next(self) -> bytes:
        data = self._file.read(min(PIECE_SIZE, self._unread))
        if not data:
            raise Place(self.name, offset=self._end - self._unread).truncated(
                f"the object ends {self._unread} bytes early"
            )
        self._hash.update(data)
        self._unread -= len(data)
        return data

    def _claim(self, size: int) -> None:
        if size > self.left:
            raise self.place.truncated(f"the meta claims {size} bytes, {self.left} are left")
