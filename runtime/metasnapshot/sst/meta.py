"""The meta of an SST object: what its blocks are, read from the object's end.

An object is blocks, then the meta, which ends with its own offset, the XXH64 of all of it before,
a version and a magic number. The meta is read in pieces: the filter in it, 2.5 bytes a key, is
hashed and dropped. Version 2 is that of 1.3.0 and later; version 1 is older. Source:
src/storage/src/hummock/sstable/mod.rs at 0.18.0 to 3.0.3.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from metasnapshot.errors import MetasnapshotError, SstDamage, SstMismatch, UnknownFormat
from metasnapshot.sst.deletes import Event, read_deletes
from metasnapshot.sst.meta_bytes import MetaBytes
from metasnapshot.sst.place import Place

MAGIC = 0x5785AB73
V1, V2 = 1, 2
TAIL = struct.Struct("<QQII")
"""meta_offset u64, checksum u64, version u32, magic u32."""
UNHASHED_SIZE = 16
"""Of the tail: all but the offset."""
TRAILER_SIZE = 9
"""Of a block: its algorithm u8 and its hash u64."""
TABLE_ID_SIZE = 4
KEY_SIZE_MIN = TABLE_ID_SIZE + 8
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
_BLOCK_V2 = struct.Struct("<6I")
_BLOCK_V1 = struct.Struct("<4I")
_COLUMNS = 5


class ReadableFile(Protocol):
    """What is needed of an object: a binary, seekable source."""

    def read(self, size: int = ..., /) -> bytes:
        """As io.BufferedReader.read."""
        ...

    def seek(self, offset: int, whence: int = ..., /) -> int:
        """As io.IOBase.seek."""
        ...


class Tail(NamedTuple):
    """The last 24 bytes of an object."""

    meta_offset: int
    checksum: int
    version: int
    magic: int


class BlockMeta(NamedTuple):
    """What the meta says of a block. Counts are None before version 2; `size` is as stored, with
    the trailer. `number` is its place among all blocks of the object.
    """

    number: int
    offset: int
    size: int
    uncompressed_size: int
    total_key_count: int | None
    stale_key_count: int | None
    smallest_key: bytes

    @property
    def table_id(self) -> int:
        """The table of all keys in it."""
        return int.from_bytes(self.smallest_key[:TABLE_ID_SIZE], "big")


class Blocks:
    """Metas of blocks, held in some 20 bytes each and their keys."""

    def __init__(self, *, has_counts: bool) -> None:
        self._has_counts = has_counts
        self.numbers = array("I")
        self.figures = array("I")
        self.keys: list[bytes] = []

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, place: int) -> BlockMeta:
        start = range(len(self.keys))[place] * _COLUMNS
        offset, size, uncompressed_size, total, stale = self.figures[start : start + _COLUMNS]
        counts = (total, stale) if self._has_counts else (None, None)
        number = self.numbers[place]
        return BlockMeta(number, offset, size, uncompressed_size, *counts, self.keys[place])

    @property
    def uncompressed_sizes(self) -> array[int]:
        """Of each."""
        return self.figures[2::_COLUMNS]

    def __iter__(self) -> Iterator[BlockMeta]:
        return (self[place] for place in range(len(self)))

    def append(self, number: int, figures: tuple[int, ...], key: bytes) -> None:
        """Add one: offset, size, uncompressed size, and the counts of its keys, 0 if unknown."""
        self.numbers.append(number)
        self.figures.extend(figures)
        self.keys.append(key)


@dataclass(frozen=True)
class Meta:
    """What an object says of itself.

    Attributes:
        tail: its last 24 bytes.
        size: bytes of the object.
        blocks: metas of all blocks, or of those of one table if only it was asked for.
        block_count: how many blocks there are in all.
        uncompressed_size: of all blocks.
        filter_size: bytes of the filter.
        estimated_size: the size that its writer said it has.
        key_count: entries in all blocks, deletes and old versions too.
        smallest_key: of all entries, as an encoded full key.
        largest_key: the same.
        tombstone_count: events of range deletes; none since 1.8.
        deletes: those of one table, if only it was asked for.
    """

    tail: Tail
    size: int
    blocks: Blocks = field(repr=False)
    block_count: int = 0
    uncompressed_size: int = 0
    filter_size: int = 0
    estimated_size: int = 0
    key_count: int = 0
    smallest_key: bytes = b""
    largest_key: bytes = b""
    tombstone_count: int = 0
    deletes: tuple[Event, ...] = field(default=(), repr=False)

    @property
    def meta_size(self) -> int:
        """Bytes of the meta."""
        return self.size - self.tail.meta_offset


def read_tail(data: bytes, size: int, name: str = "") -> Tail:
    """Decode the last 24 bytes of an object.

    Args:
        data: the bytes.
        size: of the object.
        name: of the object, for errors.

    Raises:
        SstTruncated: the object is smaller than that.
        SstDamage: they are not the end of an SST.
    """
    place = Place(name, offset=max(0, size - TAIL.size))
    if size < TAIL.size or len(data) != TAIL.size:
        raise place.truncated(f"{size} bytes are no SST object: its tail alone has {TAIL.size}")
    tail = Tail(*TAIL.unpack(data))
    if tail.magic != MAGIC:
        raise place.damaged(
            f"no SST object, or cut: it ends with {tail.magic:08x}, not {MAGIC:08x}"
        )
    if tail.meta_offset + TAIL.size > size:
        raise place.truncated(f"meta at {tail.meta_offset} of {size} bytes")
    return tail


def read_meta(
    file: ReadableFile, size: int, *, name: str = "", table_id: int | None = None
) -> Meta:
    """Read and check the meta of an object: its hash, and that its blocks lie one behind the other
    from the object's start to the meta.

    Args:
        file: the object; it is read from the offset of its meta on.
        size: of the object, in bytes.
        name: of the object, for errors.
        table_id: keep the metas of this table's blocks only.

    Raises:
        SstDamage: it is no SST, or not as it was written.
        UnknownFormat: it is one of a version that is not known.
    """
    file.seek(max(0, size - TAIL.size))
    tail = read_tail(file.read(TAIL.size), size, name)
    if tail.version in (V1, V2):
        try:
            return _read_as(tail, file, size, name, table_id)
        except SstMismatch:
            raise
        except SstDamage:
            if tail.version == V2:
                raise
    raise _refusal(tail, file, size, name)


def _read_as(
    tail: Tail, file: ReadableFile, size: int, name: str, table_id: int | None = None
) -> Meta:
    """Read the meta as one of the version that the tail says."""
    file.seek(tail.meta_offset)
    source = MetaBytes(file, tail.meta_offset, size - UNHASHED_SIZE, name)
    try:
        meta = _decode(source, tail, size, table_id)
    except SstDamage:
        source.finish(tail.checksum)  # a hash that does not fit says more than what it led to
        raise
    source.finish(tail.checksum)
    return meta


def _refusal(tail: Tail, file: ReadableFile, size: int, name: str) -> MetasnapshotError:
    """Tell a meta of another release from one of version 2 whose version is damaged: that one
    decodes as version 2 to its last byte.
    """
    try:
        _read_as(tail._replace(version=V2), file, size, name)
    except SstMismatch as error:
        return error
    except SstDamage:
        return UnknownFormat(
            f"object {name}: an SST of version {tail.version} that no known release writes; "
            f"known are {V2}, and {V1} of 0.18 to 1.2"
        )
    reason = f"version {tail.version} stands at the end of a meta of version {V2}"
    return SstDamage(reason, name=name, offset=size - 2 * _U32.size)


def _decode(source: MetaBytes, tail: Tail, size: int, table_id: int | None) -> Meta:
    layout = _BLOCK_V2 if tail.version == V2 else _BLOCK_V1
    blocks = Blocks(has_counts=tail.version == V2)
    count = source.number(_U32)
    if count * (layout.size + KEY_SIZE_MIN) > source.left:
        raise source.place.truncated(f"{count} blocks claimed, {source.left} bytes left")
    end, uncompressed_size = 0, 0
    for number in range(count):
        here = source.place
        offset, stored_size, raw_size, *counts, key_size = layout.unpack(source.take(layout.size))
        if key_size < KEY_SIZE_MIN:
            raise here.damaged(f"the smallest key of block {number} has {key_size} bytes")
        key = source.take(key_size)
        if offset != end:
            kind = "a gap" if offset > end else "an overlap"
            raise here.damaged(
                f"{kind}: block {number} starts at {offset}, the one before ends at {end}"
            )
        if stored_size < TRAILER_SIZE:
            raise here.damaged(f"block {number} has {stored_size} bytes")
        end, uncompressed_size = end + stored_size, uncompressed_size + raw_size
        if table_id is None or int.from_bytes(key[:TABLE_ID_SIZE], "big") == table_id:
            figures = (offset, stored_size, raw_size, *(counts or (0, 0)))
            blocks.append(number, figures, key)
    if end != tail.meta_offset:
        raise source.place.damaged(
            f"the blocks end at {end}, the meta starts at {tail.meta_offset}"
        )
    filter_size = source.skip(source.number(_U32))
    estimated_size, key_count = source.number(_U32), source.number(_U32)
    smallest_key = source.take(source.number(_U32))
    largest_key = source.take(source.number(_U32))
    tombstone_count, deletes = read_deletes(source, table_id)
    here = source.place
    if source.number(_U64) != tail.meta_offset or source.left:
        raise here.damaged(f"the meta does not end with its offset: {source.left} bytes follow it")
    return Meta(
        tail=tail,
        size=size,
        blocks=blocks,
        block_count=count,
        uncompressed_size=uncompressed_size,
        filter_size=filter_size,
        estimated_size=estimated_size,
        key_count=key_count,
        smallest_key=smallest_key,
        largest_key=largest_key,
        tombstone_count=tombstone_count,
        deletes=deletes,
    )
