"""The head of a delta, which is readable alone: which snapshot it rebuilds, out of which bytes.

A delta is a snapshot told by another one, its base: what the two share is named by place and size,
the rest stands in it. It is ours alone. The rest of it is in delta.py; lists need the head only.
docs/format.md has every byte.
"""

from __future__ import annotations

import struct
from datetime import datetime
from typing import Annotated, Literal

import msgspec
import xxhash

from metasnapshot.errors import DamageError, UnknownFormat
from metasnapshot.format.checksum import CHECKSUM, compare_checksum

MAGIC = b"MSNPDELT"
FORMAT = 1
HEAD = struct.Struct("<8sII")
"""Magic, format, bytes of the header."""
HEADER_SIZE_MAX = 1 << 18
HEADER_READ = 1 << 13
"""Bytes of a delta that hold most heads; a larger one is read by a second look."""
ID_MAX = (1 << 64) - 1
SIZE_MAX = 1 << 60
"""Of a snapshot: so sums of its parts are no wonders."""
HINT = "the snapshot is lost, unless a copy of this file lies elsewhere; others are as good as ever"

Count = Annotated[int, msgspec.Meta(ge=0)]
Hex64 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$")]
Time = Annotated[datetime, msgspec.Meta(tz=True)]


class Frame(msgspec.Struct, frozen=True):
    """One zstd frame of a delta.

    Attributes:
        packed: bytes in the file.
        size: bytes that it unpacks to.
        checksum: XXH64 of the packed ones.
    """

    packed: Count
    size: Count
    checksum: Hex64


class DeltaHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What a delta says of its snapshot.

    Attributes:
        snapshot_id: which one it rebuilds.
        size: bytes of that file.
        checksum: XXH64 in that file.
        base_id: the snapshot out of whose file it is rebuilt.
        base_size: bytes of that file.
        base_checksum: XXH64 in that file.
        format_version: of both files.
        layout: of both files.
        releases: that may have written them.
        cluster_id: the cluster that it is of; None if it does not say.
        hummock_version_id: of its Hummock version.
        newest_epoch: the largest that a table of it has committed; 0 for none.
        state_tables: how many its entry names.
        objects: how many it needs.
        remarks: a note.
        rw_version: the release that wrote it, if that is certain.
        taken: when its rows were read from the meta store; None where nobody knows.
        taken_by: what says so.
        sections: XXH3-64 of each section's rows, by which two of one layout are compared without
            rebuilding them.
        entry: the frame with its manifest entry and the ids of its objects.
        body: the frame with the steps and the new bytes.
        steps: how many.
        new_bytes: bytes that the base does not have.
    """

    snapshot_id: Count
    size: Count
    checksum: Hex64
    base_id: Count
    base_size: Count
    base_checksum: Hex64
    format_version: Count
    layout: str
    releases: tuple[str, ...]
    cluster_id: str | None
    hummock_version_id: Count
    newest_epoch: Count
    state_tables: Count
    objects: Count
    remarks: str | None
    rw_version: str | None
    taken: Time | None
    taken_by: Literal["clock", "file"]
    sections: dict[str, Hex64]
    entry: Frame
    body: Frame
    steps: Count
    new_bytes: Count


_decoder = msgspec.json.Decoder(DeltaHeader)


def encode_head(header: DeltaHeader) -> bytes:
    """The bytes of a head.

    Raises:
        DamageError: they are more than a head may have.
    """
    text = msgspec.json.encode(header)
    if len(text) > HEADER_SIZE_MAX:
        raise DamageError(f"a delta's header of {len(text)} bytes, {HEADER_SIZE_MAX} at most")
    head = HEAD.pack(MAGIC, FORMAT, len(text)) + text
    return head + CHECKSUM.pack(xxhash.xxh64_intdigest(head))


def head_size(path: str, data: bytes) -> int:
    """Bytes of the head of a delta, by its first HEAD.size bytes or more.

    Raises:
        DamageError: it is no delta.
        UnknownFormat: a later release wrote it.
    """
    if len(data) < HEAD.size or not data.startswith(MAGIC):
        raise damaged(path, "it is no delta, or cut")
    _, form, size = HEAD.unpack_from(data)
    if form != FORMAT:
        raise UnknownFormat(
            f"{path} has format {form}, this release knows {FORMAT}",
            hint="a later release of metasnapshot wrote it: use that one",
        )
    if size > HEADER_SIZE_MAX:
        raise damaged(path, f"its header would have {size} bytes")
    return HEAD.size + size + CHECKSUM.size


def decode_head(path: str, data: bytes) -> DeltaHeader:
    """The header.

    Args:
        path: where it lies, for errors.
        data: the delta's first bytes: its head, or more.

    Raises:
        DamageError: it is not as it was written.
        UnknownFormat: a later release wrote it.
    """
    size = head_size(path, data)
    if len(data) < size:
        raise damaged(path, f"{len(data)} bytes, its head alone has {size}")
    end = size - CHECKSUM.size
    compare_checksum(path, memoryview(data)[:end], data[end:size], HINT)
    try:
        header = _decoder.decode(data[HEAD.size : end])
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise damaged(path, f"its header does not decode: {error}") from error
    ids, sizes = (header.snapshot_id, header.base_id), (header.size, header.base_size)
    if max(ids) > ID_MAX or max(sizes) > SIZE_MAX:
        raise damaged(path, "its header names an id or a size that no snapshot has")
    return header


def damaged(path: str, reason: str) -> DamageError:
    """The error of a delta that is not as it was written."""
    return DamageError(f"{path} is damaged: {reason}", hint=HINT)
