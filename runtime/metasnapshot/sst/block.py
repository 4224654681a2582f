"""A block as stored: `data | algorithm u8 | hash u64`, the XXH64 of data and algorithm.

Nothing is unpacked before its hash fits, and then no more than the meta says it holds: RisingWave's
own frames do not say how much they hold, and a few bytes can hold any amount of nothing. Source:
src/storage/src/hummock/sstable/block.rs at 0.18.0 to 3.0.3.
"""

from __future__ import annotations

import struct
from typing import Any

import lz4.frame  # pyright: ignore[reportMissingTypeStubs]
import xxhash
import zstandard

from metasnapshot.sst.meta import TRAILER_SIZE
from metasnapshot.sst.place import Place

NONE, LZ4, ZSTD = 0, 1, 2
HASH = struct.Struct("<Q")
SIZE_MIN = 16 << 20
"""What any block may hold, however small it is."""
RATIO_MAX = 100
"""How much a larger one may hold, in its own sizes."""
PIECE_SIZE = 4 << 20
FRAME_HEADER_SIZE_MAX = 18
"""Of zstd."""
CONTENT_SIZE_UNKNOWN = -1
ZSTD_RUN = 1
"""The kind of block that is one byte, repeated."""
_lz4: Any = lz4.frame  # it has no type stubs
Bytes = bytes | bytearray | memoryview


def check_block(stored: Bytes, place: Place) -> None:
    """Compare the hash of a block.

    Raises:
        SstTruncated: it is smaller than its trailer.
        SstMismatch: its hash is another.
    """
    if len(stored) < TRAILER_SIZE:
        raise place.truncated(f"a block of {len(stored)} bytes")
    view = memoryview(stored)
    (expected,) = HASH.unpack(view[-HASH.size :])
    place.compare("a block", expected, xxhash.xxh64_intdigest(view[: -HASH.size]))


def read_block(stored: Bytes, uncompressed_size: int, place: Place) -> Bytes:
    """Check a block and unpack it.

    Args:
        stored: all of its bytes.
        uncompressed_size: what the meta says that it holds.
        place: of the block, for errors.

    Raises:
        SstDamage: it is not as it was written, or does not hold just so much.
    """
    check_block(stored, place)
    view = memoryview(stored)
    data, algorithm = view[:-TRAILER_SIZE], view[-TRAILER_SIZE]
    if algorithm == NONE:
        body: Bytes = data
    else:
        require_plausible(len(data), uncompressed_size, place)
        body = _unpack(data, algorithm, uncompressed_size, place)
    if len(body) != uncompressed_size:
        more = "or more " if len(body) > uncompressed_size else ""
        raise place.damaged(
            f"the block holds {len(body)} bytes {more}where {uncompressed_size} are due"
        )
    return body


def require_plausible(stored: int, size: int, place: Place) -> None:
    """See that so many stored bytes may be so many unpacked ones.

    Raises:
        SstDamage: no block of RisingWave's holds so much.
    """
    size_max = max(SIZE_MIN, stored * RATIO_MAX)
    if size > size_max:
        raise place.damaged(
            f"{stored} bytes would hold {size}; no block of theirs has over {size_max}"
        )


def _unpack(data: Bytes, algorithm: int, size: int, place: Place) -> Bytes:
    try:
        if algorithm == LZ4:
            return _unpack_lz4(data, size, place)
        if algorithm == ZSTD:
            return _unpack_zstd(data, size, place)
    except (zstandard.ZstdError, RuntimeError, EOFError) as error:
        raise place.damaged(f"the block does not decompress: {error}") from error
    raise place.damaged(f"unknown compression algorithm {algorithm}")


def _unpack_lz4(data: Bytes, size: int, place: Place) -> bytes:
    """One frame to its end. The library allocates what it is allowed to give, so that it is allowed
    a piece at a time.
    """
    frame: Any = _lz4.LZ4FrameDecompressor()
    parts: list[bytes] = [frame.decompress(data, max_length=min(size + 1, PIECE_SIZE))]
    found = len(parts[0])
    while not frame.eof and not frame.needs_input and found <= size:
        parts.append(frame.decompress(b"", max_length=min(size + 1 - found, PIECE_SIZE)))
        found += len(parts[-1])
    if found <= size:
        if not frame.eof:
            raise place.damaged("the lz4 frame of the block is cut")
        if frame.unused_data:
            raise place.damaged(f"{len(frame.unused_data)} bytes follow the block's lz4 frame")
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _unpack_zstd(data: Bytes, size: int, place: Place) -> bytes:
    """One frame, to its end and that of the data. A size that the frame states would override the
    bound, so it has to be the right one.
    """
    stated = zstandard.frame_content_size(bytes(data[:FRAME_HEADER_SIZE_MAX]))
    if stated not in (size, CONTENT_SIZE_UNKNOWN):
        raise place.damaged(f"a zstd frame that states {stated} bytes where {size} are due")
    body = zstandard.ZstdDecompressor().decompress(data, max_output_size=size + 1)
    if len(body) <= size and (left := len(data) - _zstd_size(data)):  # the library passes over it
        raise place.damaged(f"{left} bytes follow the block's zstd frame")
    return body


def _zstd_size(data: Bytes) -> int:
    """Bytes of the first frame, which was unpacked before: header, blocks, and perhaps a hash (RFC
    8878, 3.1.1).
    """
    flags = data[4]
    is_single, has_hash = flags >> 5 & 1, flags >> 2 & 1
    at = 6 - is_single + (0, 1, 2, 4)[flags & 3] + (is_single, 2, 4, 8)[flags >> 6]
    is_last = 0
    while not is_last:
        header = int.from_bytes(data[at : at + 3], "little")
        is_last = header & 1
        at += 3 + (1 if header >> 1 & 3 == ZSTD_RUN else header >> 3)
    return at + 4 * has_hash
