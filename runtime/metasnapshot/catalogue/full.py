"""The side file of a full backup: `{id}.full` names every object of a snapshot, with the hash of
its bytes. It is written last and only ever created.

A snapshot is complete if its side file is there, and so is the file `{id}.snapshot` whose XXH64 the
side file names: RisingWave and 0.1.0, which know no side files, may delete a snapshot and give its
id again. The head is readable alone, for lists; docs/format.md has every byte.
"""

from __future__ import annotations

import sys
from array import array
from contextlib import suppress
from dataclasses import dataclass

import msgspec
import xxhash
import zstandard

from metasnapshot.catalogue.full_header import (
    FORMAT,
    HEAD,
    HEADER_SIZE_MAX,
    HINT,
    MAGIC,
    VOID,
    Header,
    damaged,
    decode_head,
    full_path,
    require_id,
)
from metasnapshot.errors import ConflictError, ObjectMissing, UsageError
from metasnapshot.format.checksum import CHECKSUM, compare_checksum
from metasnapshot.hummock.identity import KINDS
from metasnapshot.hummock.objects import NeededObjects
from metasnapshot.store.document import read_document
from metasnapshot.store.port import Store

HASH_SIZE = 16
OBJECT_SIZE = 8 + 1 + 8 + 8 + HASH_SIZE
"""Of the columns, for each object."""
PACKED_SIZE_MIN = 8 + HASH_SIZE
"""What of it no compression makes smaller: its tag and hash are random."""
FULL_SIZE_MAX = 1 << 30
"""Of a side file: some 26 million objects, if nothing of it could be packed."""
LEVEL = 3
PIECE_SIZE = 1 << 20


@dataclass(frozen=True)
class FullBackup:
    """A side file: its header, the objects by id, and 16 bytes of hash for each (XXH3-128)."""

    header: Header
    objects: NeededObjects
    hashes: bytes

    def hash_of(self, place: int) -> bytes:
        """The hash of the object at a place."""
        return self.hashes[place * HASH_SIZE : (place + 1) * HASH_SIZE]


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
    header, start = decode_head(path, data[: HEAD.size + HEADER_SIZE_MAX + CHECKSUM.size])
    if len(data) < start + CHECKSUM.size:
        raise damaged(path, "it is cut")
    end = len(data) - CHECKSUM.size
    compare_checksum(path, memoryview(data)[:end], data[end:], HINT)
    columns = _unpack(path, memoryview(data)[start:end], header.objects)
    view, count = memoryview(columns), header.objects
    ids, kinds = _array(view[: 8 * count]), view[8 * count : 9 * count]
    sizes, tags = (_array(view[at * count : (at + 8) * count]) for at in (9, 17))
    hashes = bytes(view[25 * count :])
    if any(kind >= len(KINDS) for kind in set(kinds)):
        raise damaged(path, "it names an object of no kind")
    if any(ids[place] >= ids[place + 1] for place in range(count - 1)):
        raise damaged(path, "its objects are not in the order of their ids")
    if sum(sizes) != header.bytes:
        raise damaged(path, f"its objects have {sum(sizes)} bytes, its header says {header.bytes}")
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
        data = read_document(store, path, FULL_SIZE_MAX).data
    except ObjectMissing:
        return None
    if data == VOID:
        return None
    full = decode_full(path, data)
    require_id(path, full.header, snapshot_id)
    return full


def require_same(path: str, named: NeededObjects, needed: NeededObjects) -> None:
    """Hold a side file to what the snapshot needs.

    Raises:
        DamageError: it names other objects.
    """
    mine = named.ids, named.kinds, named.sizes, named.tags
    its = needed.ids, needed.kinds, needed.sizes, needed.tags
    if mine != its:
        raise damaged(path, "it names other objects than the snapshot needs")


def require_nameable(count: int, size: int = 0) -> None:
    """Refuse objects that are more than a side file may name: nobody would read it.

    Args:
        count: how many there are.
        size: of the side file, once that is known.

    Raises:
        UsageError: they are.
    """
    if max(count * PACKED_SIZE_MIN, size) > FULL_SIZE_MAX:
        raise UsageError(
            f"{count} objects are more than one full backup may have: a file that names them would "
            f"have more than {FULL_SIZE_MAX} bytes",
            hint="back up the metadata alone, and let the bucket's provider replicate the objects",
        )


def write_full(store: Store, directory: str, full: FullBackup) -> None:
    """Write a side file: what it names must be there by now.

    Raises:
        UsageError: it would be too large to be read.
        ConflictError: the snapshot has one, or gc gave it up.
    """
    data = encode_full(full)
    require_nameable(len(full.objects), len(data))
    with store.open_writer(full_path(directory, full.header.snapshot_id)) as file:
        file.write(data)


def give_up(store: Store, directory: str, snapshot_id: int) -> None:
    """See that a snapshot never becomes complete, if it is not. A backup that stood still may go on
    after its objects were collected; then it finds its side file's name taken.
    """
    with suppress(ConflictError):
        store.put_if_absent(full_path(directory, snapshot_id), VOID)


def _unpack(path: str, data: memoryview, count: int) -> bytes:
    """The columns of so many objects; no more is unpacked than they have."""
    size = count * OBJECT_SIZE
    if count * PACKED_SIZE_MIN > len(data):
        raise damaged(path, f"{len(data)} bytes do not hold {count} objects")
    columns = bytearray()
    try:
        with zstandard.ZstdDecompressor().stream_reader(data) as reader:
            while len(columns) <= size:
                piece = reader.read(min(PIECE_SIZE, size + 1 - len(columns)))
                if not piece:
                    break
                columns += piece
    except zstandard.ZstdError as error:
        raise damaged(path, f"it does not decompress: {error}") from error
    if len(columns) != size:
        raise damaged(path, f"its columns are not those of {count} objects")
    return bytes(columns)


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
