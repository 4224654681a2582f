"""A seekable file over an object that is read by ranges, a few of them ahead of the reader."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from metasnapshot.errors import StorageError

BLOCK_SIZE = 4 << 20
AHEAD = 3
"""Blocks that are fetched at once while a file is read on; with the one being read they are what
memory holds."""
Fetch = Callable[[int, int], bytes]


class _Blocks(io.RawIOBase):
    """Blocks of an object by number, dropped once the reader is past them."""

    def __init__(self, fetch: Fetch, size: int) -> None:
        super().__init__()
        self._fetch = fetch
        self._size = size
        self._at = 0
        self._pool = ThreadPoolExecutor(AHEAD)
        self._coming: dict[int, Future[bytes]] = {}
        self._last = -1

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        if self._at >= self._size:
            return 0
        number, offset = divmod(self._at, BLOCK_SIZE)
        block = self._block(number)
        found = memoryview(block)[offset : offset + len(buffer)]
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)

    def close(self) -> None:
        if not self.closed:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._coming.clear()
        super().close()

    def _block(self, number: int) -> bytes:
        """A block; the next ones are asked for if the one before it was read too."""
        is_read_on = number in (self._last, self._last + 1)
        self._last = number
        wanted = range(number, number + (AHEAD if is_read_on else 1))
        for old in [key for key in self._coming if key not in wanted]:
            self._coming.pop(old).cancel()
        for key in wanted:
            if key not in self._coming and key * BLOCK_SIZE < self._size:
                self._coming[key] = self._pool.submit(self._get, key)
        return self._coming[number].result()

    def _get(self, number: int) -> bytes:
        start = number * BLOCK_SIZE
        end = min(start + BLOCK_SIZE, self._size)
        data = self._fetch(start, end)
        if len(data) != end - start:
            raise StorageError(f"{end - start} bytes were asked for, {len(data)} came")
        return data


class RangedFile(io.BufferedReader):
    """A file over an object.

    Args:
        fetch: gives the bytes from one offset to another.
        size: the object's, in bytes.
    """

    def __init__(self, fetch: Fetch, size: int) -> None:
        super().__init__(_Blocks(fetch, size), buffer_size=1 << 16)
