"""The cluster that a file names, read without the rest of the file: lengths are passed over. The
checksum is not looked at, so it is a hint where to look, never a fact.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from metasnapshot.errors import UnknownFormat
from metasnapshot.format.framing import (
    CHECKSUM_SIZE,
    HEADER_SIZE,
    LENGTH_SIZE,
    V1,
    V2,
    ReadableFile,
)
from metasnapshot.format.layout import CLUSTERS_SECTION, candidates, section_names

if TYPE_CHECKING:
    from metasnapshot_models.v1 import V1Layout

ROWS_MAX = 10_000
"""Of a section that stands before the clusters; they have one to some hundred."""
ROW_SIZE_MAX = 1 << 16
V1_CLUSTER, V1_BARE = "cluster_id", "id"
V1_SINGLE = ("message", "text")
"""Forms of members that have no count."""
TEXT_TAG = b"\n"
"""What a protobuf text in field 1 begins with; its length is one byte if it is short."""


class _Row(msgspec.Struct):
    """What is read of a row of the first section, or of the clusters."""

    version: str = ""
    cluster_id: str = ""


class _Unreadable(Exception):
    """It is not what a V2 file looks like."""


def peek_cluster(file: ReadableFile) -> str | None:
    """The smallest cluster id in a file; None if it has none (V1 has none before 0.19), or does not
    look like a snapshot.
    """
    return _peek_v2(file) or _peek_v1(file)


def _peek_v1(file: ReadableFile) -> str | None:
    """That of a V1 file: of the layouts whose members end where the body does, if all agree."""
    found = set[str | None]()
    try:
        end = file.seek(0, os.SEEK_END) - CHECKSUM_SIZE
    except OSError:
        return None
    from metasnapshot_models.v1 import V1_LAYOUTS  # noqa: PLC0415 - old files alone need them

    for layout in V1_LAYOUTS.values():
        try:
            found.add(_cluster_of_layout(file, layout, end))
        except (_Unreadable, UnicodeError):
            continue
    return found.pop() if len(found) == 1 else None


def _cluster_of_layout(file: ReadableFile, layout: V1Layout, end: int) -> str | None:
    """The cluster in a file of a layout, which ends exactly there.

    Raises:
        _Unreadable: it is not of that layout.
    """
    bare = layout.header == V1_BARE
    file.seek(0)
    if not bare and _u32(file) > V1:
        raise _Unreadable
    _take(file, HEADER_SIZE - LENGTH_SIZE)
    cluster: str | None = None
    for member in layout.members:
        if member.name == V1_CLUSTER:
            text = _take(file, _fitting(file, end))
            if text[:1] == TEXT_TAG and text[1:2] == bytes([len(text) - 2]):
                cluster = text[2:].decode()
            continue
        for _ in range(2 if member.form == "pairs" else 1):
            count = 1 if member.form in V1_SINGLE else _u32(file)
            for _ in range(count):
                file.seek(_fitting(file, end), os.SEEK_CUR)
    if file.seek(0, os.SEEK_CUR) != end:
        raise _Unreadable
    return cluster


def _fitting(file: ReadableFile, end: int) -> int:
    """The length of what comes next, which is there."""
    size = _u32(file)
    if file.seek(0, os.SEEK_CUR) + size > end:
        raise _Unreadable
    return size


def _peek_v2(file: ReadableFile) -> str | None:
    try:
        end = file.seek(0, os.SEEK_END) - CHECKSUM_SIZE
        file.seek(0)
        if end < HEADER_SIZE or struct.unpack("<IQ", _take(file, HEADER_SIZE))[0] != V2:
            return None
        names = [row.version for row in _decoded(file, end)]
        for section in section_names(candidates(names).layouts[0])[1:]:
            if section == CLUSTERS_SECTION:
                return min((row.cluster_id for row in _decoded(file, end)), default=None)
            for size in _sizes(file, end):
                file.seek(size, os.SEEK_CUR)
    except (_Unreadable, UnknownFormat, msgspec.MsgspecError, UnicodeError):
        return None
    return None


def _decoded(file: ReadableFile, end: int) -> Iterator[_Row]:
    for size in _sizes(file, end):
        if size > ROW_SIZE_MAX:
            raise _Unreadable
        yield msgspec.json.decode(_take(file, size), type=_Row)


def _sizes(file: ReadableFile, end: int) -> Iterator[int]:
    """The size of each row of a section, whose bytes come next in the file."""
    count = _u32(file)
    if count > ROWS_MAX:
        raise _Unreadable
    for _ in range(count):
        size = _u32(file) or struct.unpack("<Q", _take(file, 8))[0]
        if file.seek(0, os.SEEK_CUR) + size > end:
            raise _Unreadable
        yield size


def _u32(file: ReadableFile) -> int:
    return int(struct.unpack("<I", _take(file, LENGTH_SIZE))[0])


def _take(file: ReadableFile, size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise _Unreadable
    return data
