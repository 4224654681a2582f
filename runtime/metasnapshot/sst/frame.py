"""Is an object, as its bytes pass, what its writer wrote? Blocks are hashed, not unpacked.

The meta is read first, by `read_meta`: its hash fits, and its blocks cover the object from its
start to the meta. Then all bytes pass here, in pieces of any size: each block is compared with its
own hash, the meta with its hash once more, the last bytes with those that were read before. So
every byte is covered by a comparison, and what is copied is what was checked.
"""

from __future__ import annotations

import xxhash

from metasnapshot.sst.block import HASH, Bytes
from metasnapshot.sst.meta import TAIL, UNHASHED_SIZE, Meta, ReadableFile, read_meta
from metasnapshot.sst.place import Place

PIECE_SIZE = 1 << 20


class FrameCheck:
    """Compares the bytes of one object as they pass; it holds a few of them."""

    def __init__(self, meta: Meta, name: str = "") -> None:
        """Begin at the object's start.

        Args:
            meta: of the object, with all of its blocks.
            name: of the object, for errors.

        Raises:
            ValueError: the meta was read for one table only.
        """
        if len(meta.blocks) != meta.block_count:
            raise ValueError("a frame check needs the metas of all blocks")
        self.meta = meta
        self.name = name
        self.offset = 0
        """Bytes that have passed."""
        self._number = -1
        self._start = self._hashed_end = self._end = 0
        self._hash = xxhash.xxh64()
        self._trailer = b""
        self._next_part()

    def feed(self, data: Bytes) -> None:
        """Take the next bytes of the object.

        Raises:
            SstDamage: a block or the meta that ends in them is not as it was written, or the object
                has fewer.
        """
        if self.offset + len(data) > self.meta.size:
            raise Place(self.name, offset=self.meta.size).damaged("bytes follow the object's end")
        view = memoryview(data)
        while view:
            is_hashed = self.offset < self._hashed_end
            piece = view[: (self._hashed_end if is_hashed else self._end) - self.offset]
            if is_hashed:
                self._hash.update(piece)
            else:
                self._trailer += piece
            self.offset += len(piece)
            view = view[len(piece) :]
            if self.offset == self._end:
                self._compare()
                self._next_part()

    def finish(self) -> None:
        """See that all bytes have passed.

        Raises:
            SstTruncated: some are missing.
        """
        if missing := self.meta.size - self.offset:
            raise Place(self.name, offset=self.offset).truncated(f"{missing} bytes are missing")

    def _next_part(self) -> None:
        """Go on to the next block, or to the meta behind the last one."""
        self._number += 1
        self._start = self._end
        self._hash.reset()
        self._trailer = b""
        if self._number < self.meta.block_count:
            self._end += self.meta.blocks[self._number].size
            self._hashed_end = self._end - HASH.size
        else:
            self._end = self.meta.size
            self._hashed_end = self._end - UNHASHED_SIZE

    def _compare(self) -> None:
        """Compare the part that has passed with the hash behind it."""
        computed = self._hash.intdigest()
        (stored,) = HASH.unpack_from(self._trailer)
        if self._number < self.meta.block_count:
            Place(self.name, self._number, self._start).compare("a block", stored, computed)
            return
        place = Place(self.name, offset=self._start)
        place.compare("its meta", stored, computed)
        if self._trailer != TAIL.pack(*self.meta.tail)[-UNHASHED_SIZE:]:
            raise place.damaged("its end is not the one that was read before")


def check_frame(file: ReadableFile, size: int, name: str = "") -> Meta:
    """Check a whole object; returns its meta.

    Args:
        file: the object.
        size: how many bytes it has.
        name: of the object, for errors.

    Raises:
        SstDamage: it is not as it was written.
        UnknownFormat: it is an SST of a version that is not known.
    """
    meta = read_meta(file, size, name=name)
    check = FrameCheck(meta, name)
    file.seek(0)
    while check.offset < size and (data := file.read(min(PIECE_SIZE, size - check.offset))):
        check.feed(data)
    check.finish()
    return meta
