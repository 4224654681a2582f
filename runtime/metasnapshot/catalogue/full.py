"""The side file of a full backup: `{id}.full` names every object of a snapshot, with the hash of
its bytes. It is written last and only ever created.

A snapshot is complete if its side file is there, and so is the file `{id}.snapshot` whose XXH64 the
side file names: RisingWave and 0.1.0, which know no side files, may delete a snapshot and give its
id again. The head is readable alone, for lists; docs/format.md has every byte.
"""

from __future__ import annotations

import struct
import sys
from array import array
from dataclasses import dataclass
from typing import Annotated, BinaryIO

import msgspec
import xxhash
import zstandard

from metasnapshot.catalogue.ids import id_in
from metasnapshot.errors import ChecksumMismatch, DamageError, ObjectMissing, UnknownFormat
from metasnapshot.hummock.identity import KINDS
from metasnapshot.hummock.objects import NeededObjects
from metasnapshot.store.document import decode_document
from metasnapshot.store.port import Store, join

FULL = "full"
MAGIC = b"MSNPFULL"
FORMAT = 1
HEAD = struct.Struct("<8sII")
"""Magic, format, bytes of the header."""
CHECKSUM = struct.Struct("<Q")
HEADER_SIZE_MAX = 1 << 16
HASH_SIZE = 16
OBJECT_SIZE = 8 + 1 + 8 + 8 + HASH_SIZE
"""Of the columns, for each object."""
PACKED_SIZE_MIN = 8 + HASH_SIZE
"""What of it no compression makes smaller: its tag and hash are random."""
LEVEL = 3
PIECE_SIZE = 1 << 20
HINT = "the snapshot is as good as ever; back up with --with-objects again for its objects"

Count = Annotated[int, msgspec.Meta(ge=0)]
Hex64 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$")]


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a side file says of its snapshot.

    Attributes:
        snapshot_id: which one.
        checksum: XXH64 in the snapshot's file.
        size: bytes of that file.
        hummock_version_id: of its Hummock version.
        cluster_id: the cluster that it is of.
        area_id: the area that holds its objects.
        base: the snapshot whose side file this one adds to; none in this release.
        objects: how many it needs.
        bytes: of all of them.
        objects_new: how many of them this backup copied.
        bytes_new: bytes of those.
        taken: when the side file was written (UTC, ISO 8601).
    """

    snapshot_id: Count
    checksum: Hex64
    size: Count
    hummock_version_id: Count
    cluster_id: str | None
    area_id: str
    base: int | None = None
    objects: Count
    bytes: Count
    objects_new: Count
    bytes_new: Count
    taken: str


@dataclass(frozen=True)
class FullBackup:
    """A side file: its header, the objects by id, and 16 bytes of hash for each (XXH3-128)."""

    header: Header
    objects: NeededObjects
    hashes: bytes

    def hash_of(self, place: int) -> bytes:
        """The hash of the object at a place."""
        return self.hashes[place * HASH_SIZE : (place + 1) * HASH_SIZE]


_decoder = msgspec.json.Decoder(Header)


def full_path(directory: str, snapshot_id: int) -> str:
    """Where the side file of a snapshot lies."""
    return join(directory, f"{snapshot_id}.{FULL}")


def full_id(name: str) -> int | None:
    """The snapshot whose side file has this name; None if it is none's."""
    return id_in(name, FULL)


def encode_full(full: FullBackup) -> bytes:
    """The bytes of a side file."""
    header = msgspec.json.encode(full.header)
    head = HEAD.pack(MAGIC, FORMAT, len(header)) + header
    head += CHECKSUM.pack(xxhash.xxh64_intdigest(head))
    found = full.objects
    columns = (_le(found.ids), bytes(found.kinds), _le(found.sizes), _le(found.tags), full.hashes)
    body = head + zstandard.ZstdCompressor(level=LEVEL).compress(b"".join(columns))
    return body + CHECKSUM.pack(xxhash.xxh64_intdigest(body))


def decode_full(path: str, data: bytes) -> FullBackup:
    """Read a side file, all of it checked.

    Args:
        path: where it lies, for errors.
        data: its bytes.

    Raises:
        DamageError: it is not as it was written.
        UnknownFormat: a later release wrote it.
    """
    header, start = _decode_head(path, data[: HEAD.size + HEADER_SIZE_MAX + CHECKSUM.size])
    if len(data) < start + CHECKSUM.size:
        raise _damaged(path, "it is cut")
    end = len(data) - CHECKSUM.size
    _compare(path, memoryview(data)[:end], data[end:])
    columns = _unpack(path, memoryview(data)[start:end], header.objects)
    view, count = memoryview(columns), header.objects
    ids, kinds = _array(view[: 8 * count]), view[8 * count : 9 * count]
    sizes, tags = (_array(view[at * count : (at + 8) * count]) for at in (9, 17))
    hashes = bytes(view[25 * count :])
    if any(kind >= len(KINDS) for kind in set(kinds)):
        raise _damaged(path, "it names an object of no kind")
    if any(ids[place] >= ids[place + 1] for place in range(count - 1)):
        raise _damaged(path, "its objects are not in the order of their ids")
    if sum(sizes) != header.bytes:
        raise _damaged(path, f"its objects have {sum(sizes)} bytes, its header says {header.bytes}")
    objects = NeededObjects.from_columns(ids, sizes, bytearray(kinds), tags)
    return FullBackup(header, objects, hashes)


def read_full(store: Store, directory: str, snapshot_id: int) -> FullBackup | None:
    """The side file of a snapshot, None if it has none.

    Raises:
        DamageError: it is not as it was written, or of another snapshot.
        UnknownFormat: a later release wrote it.
    """
    path = full_path(directory, snapshot_id)
    try:
        data = store.read(path).data
    except ObjectMissing:
        return None
    full = decode_full(path, data)
    _require_id(path, full.header, snapshot_id)
    return full


def read_header(store: Store, directory: str, snapshot_id: int) -> Header | None:
    """The header of a side file alone, None if the snapshot has none. Raises as read_full."""
    path = full_path(directory, snapshot_id)
    try:
        with store.open_reader(path) as file:
            head = file.read(HEAD.size + HEADER_SIZE_MAX + CHECKSUM.size)
    except ObjectMissing:
        return None
    header, _ = _decode_head(path, head)
    _require_id(path, header, snapshot_id)
    return header


def write_full(store: Store, directory: str, full: FullBackup) -> None:
    """Write a side file: what it names must be there by now.

    Raises:
        ConflictError: the snapshot has one.
    """
    with store.open_writer(full_path(directory, full.header.snapshot_id)) as file:
        file.write(encode_full(full))


def is_of_snapshot(header: Header, file: BinaryIO, size: int) -> bool:
    """Whether a side file is of the snapshot in this file, by its size and the XXH64 in it."""
    if size != header.size or size < CHECKSUM.size:
        return False
    file.seek(size - CHECKSUM.size)
    return f"{int.from_bytes(file.read(CHECKSUM.size), 'little'):016x}" == header.checksum


def _decode_head(path: str, data: bytes) -> tuple[Header, int]:
    """The header, and where the columns start."""
    if len(data) < HEAD.size or not data.startswith(MAGIC):
        raise _damaged(path, "it is no side file of a full backup, or cut")
    _, form, size = HEAD.unpack_from(data)
    if form != FORMAT:
        raise UnknownFormat(
            f"{path} has format {form}, this release knows {FORMAT}",
            hint="a later release of metasnapshot wrote it: use that one",
        )
    end = HEAD.size + size
    if size > HEADER_SIZE_MAX or len(data) < end + CHECKSUM.size:
        raise _damaged(path, f"its header would have {size} bytes")
    _compare(path, data[:end], data[end : end + CHECKSUM.size])
    header = decode_document(path, data[HEAD.size : end], _decoder, HINT)
    if header.base is not None:
        raise UnknownFormat(
            f"{path} adds to the side file of snapshot {header.base}, which this release cannot",
            hint="a later release of metasnapshot wrote it: use that one",
        )
    return header, end + CHECKSUM.size


def _unpack(path: str, data: memoryview, count: int) -> bytes:
    """The columns of so many objects; no more is unpacked than they have."""
    size = count * OBJECT_SIZE
    if count * PACKED_SIZE_MIN > len(data):
        raise _damaged(path, f"{len(data)} bytes do not hold {count} objects")
    columns = bytearray()
    try:
        with zstandard.ZstdDecompressor().stream_reader(data) as reader:
            while len(columns) <= size:
                piece = reader.read(min(PIECE_SIZE, size + 1 - len(columns)))
                if not piece:
                    break
                columns += piece
    except zstandard.ZstdError as error:
        raise _damaged(path, f"it does not decompress: {error}") from error
    if len(columns) != size:
        raise _damaged(path, f"its columns are not those of {count} objects")
    return bytes(columns)


def _compare(path: str, data: bytes | memoryview, stored: bytes) -> None:
    (expected,) = CHECKSUM.unpack(stored)
    computed = xxhash.xxh64_intdigest(data)
    if expected != computed:
        raise ChecksumMismatch(path, stored=expected, computed=computed, hint=HINT)


def _require_id(path: str, header: Header, snapshot_id: int) -> None:
    if header.snapshot_id != snapshot_id:
        raise _damaged(path, f"it is of snapshot {header.snapshot_id}")


def _damaged(path: str, reason: str) -> DamageError:
    return DamageError(f"{path} is damaged: {reason}", hint=HINT)


def _le(numbers: array[int]) -> bytes:
    """Numbers of 64 bits, little endian."""
    if sys.byteorder == "little":
        return numbers.tobytes()
    turned = array("Q", numbers)
    turned.byteswap()
    return turned.tobytes()


def _array(data: memoryview) -> array[int]:
    """The same back."""
    numbers = array("Q")
    numbers.frombytes(data)
    if sys.byteorder != "little":
        numbers.byteswap()
    return numbers
