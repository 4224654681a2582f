"""The head of a side file, which is readable alone: what it says of its snapshot, and whether that
is the snapshot that is there. The rest of it is in full.py; lists need the head only.
"""

from __future__ import annotations

import struct
from typing import Annotated, BinaryIO

import msgspec

from metasnapshot.catalogue.ids import id_in
from metasnapshot.errors import DamageError, ObjectMissing, UnknownFormat
from metasnapshot.format.checksum import CHECKSUM, compare_checksum, read_checksum
from metasnapshot.store.document import decode_document
from metasnapshot.store.port import Store, join

AREA = "objects"
"""The directory of the objects, in a backup directory."""
FULL = "full"
MAGIC = b"MSNPFULL"
VOID = b"MSNPVOID given up: gc found its backup dead, and it must never become complete\n"
"""All of a side file that says that there is none, and keeps one from being written."""
FORMAT = 1
HEAD = struct.Struct("<8sII")
"""Magic, format, bytes of the header."""
HEADER_SIZE_MAX = 1 << 16
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


_decoder = msgspec.json.Decoder(Header)


def full_path(directory: str, snapshot_id: int) -> str:
    """Where the side file of a snapshot lies."""
    return join(directory, f"{snapshot_id}.{FULL}")


def full_id(name: str) -> int | None:
    """The snapshot whose side file has this name; None if it is not such a name."""
    return id_in(name, FULL)


def read_header(store: Store, directory: str, snapshot_id: int) -> Header | None:
    """The header of a side file alone, None if the snapshot has none. Raises as read_full."""
    path = full_path(directory, snapshot_id)
    try:
        with store.open_reader(path) as file:
            head = file.read(HEAD.size + HEADER_SIZE_MAX + CHECKSUM.size)
    except ObjectMissing:
        return None
    if head == VOID:
        return None
    header, _ = decode_head(path, head)
    require_id(path, header, snapshot_id)
    return header


def is_of_snapshot(header: Header, file: BinaryIO, size: int) -> bool:
    """Whether a side file is of the snapshot in this file, by its size and the XXH64 in it."""
    return size == header.size and read_checksum(file, size) == header.checksum


def decode_head(path: str, data: bytes) -> tuple[Header, int]:
    """The header, and where the columns start."""
    if len(data) < HEAD.size or not data.startswith(MAGIC):
        raise damaged(path, "it is no side file of a full backup, or cut")
    _, form, size = HEAD.unpack_from(data)
    if form != FORMAT:
        raise UnknownFormat(
            f"{path} has format {form}, this release knows {FORMAT}",
            hint="a later release of metasnapshot wrote it: use that one",
        )
    end = HEAD.size + size
    if size > HEADER_SIZE_MAX or len(data) < end + CHECKSUM.size:
        raise damaged(path, f"its header would have {size} bytes")
    compare_checksum(path, data[:end], data[end : end + CHECKSUM.size], HINT)
    header = decode_document(path, data[HEAD.size : end], _decoder, HINT)
    if header.base is not None:
        raise UnknownFormat(
            f"{path} adds to the side file of snapshot {header.base}, which this release cannot",
            hint="a later release of metasnapshot wrote it: use that one",
        )
    return header, end + CHECKSUM.size


def require_id(path: str, header: Header, snapshot_id: int) -> None:
    """Hold a side file to the id in its name.

    Raises:
        DamageError: it is of another snapshot.
    """
    if header.snapshot_id != snapshot_id:
        raise damaged(path, f"it is of snapshot {header.snapshot_id}")


def damaged(path: str, reason: str) -> DamageError:
    """The error of a side file that is not as it was written."""
    return DamageError(f"{path} is damaged: {reason}", hint=HINT)
