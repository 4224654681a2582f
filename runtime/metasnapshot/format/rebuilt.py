"""The file of a snapshot that is kept as a delta: read as if it lay there, out of its base and the
delta's new bytes. Nothing of it is written anywhere, and memory holds the delta alone.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from metasnapshot.errors import DamageError
from metasnapshot.format.checksum import read_checksum
from metasnapshot.format.delta import Delta
from metasnapshot.format.framing import ReadableFile

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class RebuiltFile(io.RawIOBase):
    """A seekable file over a delta and its base, which is the caller's to close."""

    def __init__(self, delta: Delta, base: ReadableFile) -> None:
        """Put the two together.

        Raises:
            DamageError: the base is not the one that the delta was made of.
        """
        super().__init__()
        require_base(delta, base)
        self._base = base
        self._new = delta.data
        # Each step is two spans, of new bytes and of the base's; empty ones are left out.
        sizes = np.stack((delta.new, delta.sizes), axis=1).reshape(-1)
        places = np.cumsum(delta.new, dtype=np.uint64) - delta.new
        sources = np.stack((places, delta.sources), axis=1).reshape(-1)
        is_new = np.arange(len(sizes)) % 2 == 0
        some = sizes > 0
        self._ends: Any = np.cumsum(sizes[some], dtype=np.uint64)
        self._sizes, self._sources, self._is_new = sizes[some], sources[some], is_new[some]
        self._size, self._at = delta.header.size, 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """As io.IOBase.seek."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError(f"negative seek position {start + offset}")
        self._at = start + offset
        return self._at

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """As io.RawIOBase.readinto; it fills the buffer, but at the end.

        Raises:
            DamageError: the base is shorter than it was.
        """
        view = memoryview(buffer).cast("B")
        wanted = max(0, min(len(view), self._size - self._at))
        done = 0
        span = int(np.searchsorted(self._ends, self._at, side="right"))
        while done < wanted:
            inside = self._at - (int(self._ends[span]) - int(self._sizes[span]))
            count = min(wanted - done, int(self._sizes[span]) - inside)
            start = int(self._sources[span]) + inside
            view[done : done + count] = self._bytes(bool(self._is_new[span]), start, count)
            done, self._at, span = done + count, self._at + count, span + 1
        return done

    def _bytes(self, is_new: bool, start: int, count: int) -> bytes:  # noqa: FBT001
        if is_new:
            return self._new[start : start + count]
        self._base.seek(start)
        data = self._base.read(count)
        while len(data) < count:
            more = self._base.read(count - len(data))
            if not more:
                raise DamageError(f"the base of a delta ends at byte {start + len(data)}")
            data += more
        return data


def require_base(delta: Delta, base: ReadableFile) -> None:
    """Hold a base to what the delta says of it: its size, and the XXH64 at its end.

    Raises:
        DamageError: it is another one.
    """
    header = delta.header
    size = base.seek(0, os.SEEK_END)
    found = read_checksum(base, size) or "no checksum"
    if (size, found) != (header.base_size, header.base_checksum):
        raise DamageError(
            f"delta {header.snapshot_id} was made of snapshot {header.base_id} with "
            f"{header.base_size} bytes, XXH64 {header.base_checksum}; the one that is there has "
            f"{size} bytes, {found}",
            hint=f"put back the snapshot {header.base_id} that was there, from another copy",
        )
