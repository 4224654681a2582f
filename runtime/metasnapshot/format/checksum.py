"""XXH64 as files hold it: eight bytes, little endian, behind what it is of; in words 16 digits."""

from __future__ import annotations

import struct
from typing import BinaryIO

import xxhash

from metasnapshot.errors import ChecksumMismatch
from metasnapshot.format.framing import ReadableFile

CHECKSUM = struct.Struct("<Q")


def compare_checksum(what: str, data: bytes | memoryview, stored: bytes, hint: str) -> None:
    """Compare an XXH64 with the one that is stored.

    Raises:
        ChecksumMismatch: they differ.
    """
    (expected,) = CHECKSUM.unpack(stored)
    computed = xxhash.xxh64_intdigest(data)
    if expected != computed:
        raise ChecksumMismatch(what, stored=expected, computed=computed, hint=hint)


def read_checksum(file: BinaryIO | ReadableFile, size: int) -> str:
    """What a file of this size says that its XXH64 is; empty where it is too short to say it."""
    if size < CHECKSUM.size:
        return ""
    file.seek(size - CHECKSUM.size)
    return f"{int.from_bytes(file.read(CHECKSUM.size), 'little'):016x}"
