"""Deltas: a snapshot as the steps that make it out of another one, its base, and the bytes that the
base does not have. What comes back is the snapshot's file, byte for byte, which its own XXH64
proves.

A delta is small: a snapshot that would make a large one is kept as a plain file. So it is held in
memory, while the base, however large, is read where it lies (rebuilt.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import numpy as np
import xxhash
import zstandard

from metasnapshot.errors import DamageError
from metasnapshot.format.checksum import CHECKSUM, compare_checksum
from metasnapshot.format.delta_header import (
    HINT,
    DeltaHeader,
    Frame,
    damaged,
    decode_head,
    encode_head,
    head_size,
)
from metasnapshot.format.delta_match import NEW_BYTES_MAX, STEPS_MAX, Matched, match
from metasnapshot.format.framing import ReadableFile
from metasnapshot.format.reader import SnapshotReader

DELTA_SIZE_MAX = 1 << 26
"""Of a delta; it is read as a whole."""
ENTRY_SIZE_MAX = 1 << 28
"""Of a manifest entry and the ids of its objects, unpacked."""
LEVEL = 3
PIECE_SIZE = 1 << 20
WINDOW_MAX = 1 << 23
WORD = 8
STEP_SIZE = 3 * WORD
"""Of a step: bytes that are new, where the copy starts in the base, its size."""
LENGTH = 4


@dataclass(frozen=True)
class Delta:
    """A delta that was read and checked: for each step how many bytes are new, where its copy
    starts in the base, and its size (u64), and all new bytes.
    """

    header: DeltaHeader
    new: Any
    sources: Any
    sizes: Any
    data: bytes


class Opened(NamedTuple):
    """A verified snapshot, and the file that it is read from."""

    reader: SnapshotReader
    file: ReadableFile


def pack_entry(entry: bytes, ids: Sequence[int]) -> tuple[bytes, Frame]:
    """The frame with an entry of the manifest, as JSON without its objects, and their ids."""
    numbers = np.array(ids, np.uint64)
    gaps = np.diff(numbers, prepend=np.zeros(1, np.uint64))
    return _pack(len(entry).to_bytes(LENGTH, "little") + entry + _planes(gaps))


def unpack_entry(path: str, header: DeltaHeader, packed: bytes) -> tuple[bytes, Any]:
    """The entry, and an array of the ids.

    Raises:
        DamageError: it is not as it was written.
    """
    data = _unpack(path, header.entry, packed, ENTRY_SIZE_MAX)
    size = int.from_bytes(data[:LENGTH], "little")
    if len(data) != LENGTH + size + WORD * header.objects:
        raise damaged(path, f"its entry is not that of {header.objects} objects")
    gaps = _numbers(data[LENGTH + size :])
    return data[LENGTH : LENGTH + size], np.cumsum(gaps, dtype=np.uint64)


def make_delta(
    header: DeltaHeader,
    entry: tuple[bytes, Sequence[int]],
    base: Opened,
    heir: Opened,
) -> bytes | None:
    """The bytes of a delta; None where it would not be a small one, or the layout is another.

    Args:
        header: what it says of its snapshot; what this finds out is set here.
        entry: of the manifest, as JSON without its objects, and the ids of these.
        base: out of which the snapshot is to be rebuilt.
        heir: the snapshot.

    Raises:
        ChecksumMismatch: a file is not what it was when it was opened.
    """
    mine, its = heir.reader, base.reader
    if (mine.layout, mine.format_version) != (its.layout, its.format_version):
        return None
    matched = match((base.file, its.places), (heir.file, mine.places), mine.size)
    if not matched.fits:
        return None
    data = encode_delta(header, pack_entry(*entry), matched, heir.file)
    return data if len(data) < min(mine.size, DELTA_SIZE_MAX) else None


def encode_delta(
    header: DeltaHeader, entry: tuple[bytes, Frame], matched: Matched, file: ReadableFile
) -> bytes:
    """The bytes of a delta.

    Args:
        header: what it says of its snapshot; body, steps, new bytes and sections are set here.
        entry: the packed entry.
        matched: the steps.
        file: the snapshot, to take the new bytes from.
    """
    steps = np.array([step[1:] for step in matched.steps], np.uint64).reshape(-1, 3)
    new = bytearray()
    for start, size, _, _ in matched.steps:
        if size:
            file.seek(start)
            new += _exactly(file, size)
    body, frame = _pack(_planes(steps.T.reshape(-1)) + bytes(new))
    changed = {
        "entry": entry[1],
        "body": frame,
        "steps": len(matched.steps),
        "new_bytes": len(new),
        "sections": matched.sections,
    }
    whole = encode_head(msgspec.structs.replace(header, **changed)) + entry[0] + body
    return whole + CHECKSUM.pack(xxhash.xxh64_intdigest(whole))


def decode_delta(path: str, data: bytes) -> Delta:
    """Read a delta, all of it checked.

    Args:
        path: where it lies, for errors.
        data: its bytes.

    Raises:
        DamageError: it is not as it was written.
        UnknownFormat: a later release wrote it.
    """
    header = decode_head(path, data)
    start = head_size(path, data)
    middle = start + header.entry.packed
    end = middle + header.body.packed
    if len(data) != end + CHECKSUM.size:
        raise damaged(path, f"it has {len(data)} bytes, its header says {end + CHECKSUM.size}")
    compare_checksum(path, memoryview(data)[:end], data[end:], HINT)
    if header.steps > STEPS_MAX or header.new_bytes > NEW_BYTES_MAX:
        raise damaged(path, "it has more steps or new bytes than a delta may have")
    body = _unpack(path, header.body, data[middle:end], STEPS_MAX * STEP_SIZE + NEW_BYTES_MAX)
    split = header.steps * STEP_SIZE
    if len(body) != split + header.new_bytes:
        raise damaged(path, f"its body is not that of {header.steps} steps")
    columns = _numbers(body[:split]).reshape(3, -1)
    delta = Delta(header, *columns, data=body[split:])
    _require_whole(path, delta)
    return delta


def _require_whole(path: str, delta: Delta) -> None:
    """Steps take all new bytes, stay within the base, and make as many bytes as they should."""
    header = delta.header
    largest = max(header.size, header.base_size)
    for column in (delta.new, delta.sources, delta.sizes):
        if column.size and int(column.max()) > largest:
            raise damaged(path, "a step reaches beyond its files")
    if int((delta.sources + delta.sizes).max(initial=0)) > header.base_size:
        raise damaged(path, "a step reaches beyond the base")
    made = [int(column.sum(dtype=object)) for column in (delta.new, delta.sizes)]
    if made[0] != header.new_bytes or sum(made) != header.size:
        raise damaged(path, f"its steps make {sum(made)} bytes, not {header.size}")


def _pack(data: bytes) -> tuple[bytes, Frame]:
    packed = zstandard.ZstdCompressor(level=LEVEL).compress(data)
    return packed, Frame(len(packed), len(data), xxhash.xxh64_hexdigest(packed))


def _unpack(path: str, frame: Frame, packed: bytes, size_max: int) -> bytes:
    """What a frame holds; no more is unpacked than it says, and may."""
    if frame.size > size_max:
        raise damaged(path, f"a frame would unpack to {frame.size} bytes")
    if len(packed) != frame.packed or xxhash.xxh64_hexdigest(packed) != frame.checksum:
        raise damaged(path, "a frame is not what its header says")
    data = bytearray()
    try:
        unpacker = zstandard.ZstdDecompressor(max_window_size=WINDOW_MAX)
        with unpacker.stream_reader(packed) as reader:
            while len(data) <= frame.size:
                piece = reader.read(min(PIECE_SIZE, frame.size + 1 - len(data)))
                if not piece:
                    break
                data += piece
    except zstandard.ZstdError as error:
        raise damaged(path, f"it does not decompress: {error}") from error
    if len(data) != frame.size:
        raise damaged(path, f"a frame does not unpack to {frame.size} bytes")
    return bytes(data)


def _planes(numbers: Any) -> bytes:
    """Numbers of 64 bits as their lowest bytes, then their next ones, and so on: small ones pack
    well so.
    """
    return np.ascontiguousarray(numbers, "<u8").view(np.uint8).reshape(-1, WORD).T.tobytes()


def _numbers(data: bytes) -> Any:
    """The same back."""
    planes = np.frombuffer(data, np.uint8).reshape(WORD, -1)
    return np.ascontiguousarray(planes.T).view("<u8").reshape(-1).astype(np.uint64)


def _exactly(file: ReadableFile, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = file.read(size - len(data))
        if not piece:
            raise DamageError("the snapshot's file ends early, while a delta is made of it")
        data += piece
    return data
