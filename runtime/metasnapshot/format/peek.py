"""The cluster that a V2 file names, read without the rest of the file: lengths are passed over. The
checksum is not looked at, so it is a hint where to look, never a fact.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

import msgspec

from metasnapshot.errors import UnknownFormat
from metasnapshot.format.framing import (
    CHECKSUM_SIZE,
    HEADER_SIZE,
    LENGTH_SIZE,
    V2,
    ReadableFile,
)
from metasnapshot.format.layout import CLUSTERS_SECTION, candidates, section_names

ROWS_MAX = 10_000
"""Of a section that stands before the clusters; they have one to some hundred."""
ROW_SIZE_MAX = 1 << 16


class _Row(msgspec.Struct):
    """What is read of a row of the first section, or of the clusters."""

    version: str = ""
    cluster_id: str = ""


class _Unreadable(Exception):
    """It is not what a V2 file looks like."""


def peek_cluster(file: ReadableFile) -> str | None:
    """The smallest cluster id in a V2 file; None if it is none, or does not look like one."""
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
