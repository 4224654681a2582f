"""What damaged bytes do: a typed error, whatever the damage, and no memory for what a length
claims."""

from __future__ import annotations

import resource
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO

import pytest
import xxhash

import metasnapshot
from metasnapshot.errors import (
    ChecksumMismatch,
    DamageError,
    MetasnapshotError,
    Truncated,
    UnknownFormat,
)
from metasnapshot.format.reader import SnapshotReader

GROWTH_KIB_MAX = 64 * 1024


def resealed(body: bytes) -> bytes:
    """A body with a right checksum, so that what is inside gets looked at."""
    return body + struct.pack("<Q", xxhash.xxh64_intdigest(body))


def counts(data: bytes) -> Iterator[int]:
    """Offsets of every count in a snapshot."""
    return (place.start for place in SnapshotReader(BytesIO(data)).places)


def lengths(data: bytes) -> Iterator[int]:
    """Offsets of every row's length."""
    reader = SnapshotReader(BytesIO(data))
    return (offset for name in reader.section_names for offset, _ in reader.raw_rows(name))


def test_cut_at_every_byte(tiny: bytes) -> None:
    """A snapshot that lacks any number of its last bytes is damage: truncation or a checksum."""
    for size in range(len(tiny)):
        with pytest.raises((Truncated, ChecksumMismatch)):
            metasnapshot.loads(tiny[:size])


def test_a_cut_file_with_a_right_checksum_is_truncated(small: bytes) -> None:
    """Sections that are missing at the end are missed, even if the checksum fits."""
    body = small[:-8]
    for size in [*range(12, 200), *range(len(body) - 400, len(body) - 1)]:
        with pytest.raises(MetasnapshotError) as caught:
            metasnapshot.loads(resealed(body[:size]))
        assert caught.value.exit_code in (4, 14)


def test_a_truncated_row_names_its_section(small: bytes) -> None:
    """Where the bytes ran out is told: section, row and offset."""
    reader = SnapshotReader(BytesIO(small))
    offset, row = next(iter(reader.raw_rows("users")))
    with pytest.raises(Truncated) as caught:
        metasnapshot.loads(resealed(small[: offset + 4 + len(row) - 1]))
    error = caught.value
    assert (error.section, error.row, error.offset) == ("users", 0, offset + 4)


def test_flip_any_bit(tiny: bytes) -> None:
    """A single flipped bit, wherever it is, is a checksum mismatch."""
    data = bytearray(tiny)
    for place in range(len(data)):
        for bit in range(8):
            data[place] ^= 1 << bit
            with pytest.raises(ChecksumMismatch):
                SnapshotReader(BytesIO(data))
            data[place] ^= 1 << bit


def test_flip_a_bit_under_a_right_checksum(small: bytes) -> None:
    """With the checksum made to fit, a flipped bit gives a typed error or a snapshot that encodes
    to itself."""
    body = bytearray(small[:-8])
    for place in range(0, len(body), 5):
        body[place] ^= 1 << (place % 8)
        data = resealed(bytes(body))
        with suppress(DamageError, UnknownFormat):
            assert metasnapshot.dumps(metasnapshot.loads(data)) == data
        body[place] ^= 1 << (place % 8)


@pytest.mark.parametrize(
    ("offsets", "claim"),
    [
        (counts, "ffffffff"),
        (lengths, "ffffffff"),
        (lengths, "000000000000000000000080"),
        (lengths, "00000000ffffffffffffffff"),
    ],
)
def test_claims_are_checked_before_memory_is_taken(
    small: bytes, offsets: Callable[[bytes], Iterator[int]], claim: str
) -> None:
    """Counts of 2^32-1, lengths of 2^32-1, 2^63 and 2^64-1: truncation, at once and without
    memory."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for offset in offsets(small):
        data = resealed(small[:offset] + bytes.fromhex(claim) + small[offset + 4 : -8])
        with pytest.raises(Truncated, match="claimed"):
            metasnapshot.loads(data)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < GROWTH_KIB_MAX


@pytest.mark.parametrize("size", [0, 1, 7, 8, 11, 12, 19])
def test_too_short_to_be_a_snapshot(size: int) -> None:
    """Fewer bytes than a header and a checksum take are truncation, an empty file too."""
    with pytest.raises(Truncated, match="a snapshot has 20 at least"):
        metasnapshot.loads(b"\x02" * size)


def test_bytes_that_change_between_two_readings_are_noticed(small: bytes) -> None:
    """A section is hashed whenever it is read, so another name that decodes well is a mismatch."""
    file = BytesIO(small)
    reader = SnapshotReader(file)
    offset, row = next(iter(reader.raw_rows("users")))
    file.seek(offset + 4)
    assert b'"name":"root"' in row
    file.write(row.replace(b'"name":"root"', b'"name":"toor"'))
    with pytest.raises(ChecksumMismatch, match="section users, read a second time"):
        list(reader.rows("users"))


def test_one_section_alone(small: bytes) -> None:
    """A section is read by name without parsing others; rows of two sections can be read in
    turns."""
    reader = SnapshotReader(BytesIO(small))
    users, schemas = reader.rows("users"), reader.rows("schemas")
    assert next(users).name == "root"
    assert next(schemas).name == "public"
    assert next(users).name == "postgres"
    assert reader.place("users").count == 3


def test_deep_nesting_and_bad_utf8_are_row_errors(small: bytes) -> None:
    """The two inputs on which JSON libraries fail with errors of other kinds."""
    reader = SnapshotReader(BytesIO(small))
    offset, row = next(iter(reader.raw_rows("users")))
    for bad in (b"[" * 200_000, b'{"user_id":1,"name":"\xff\xfe"}'):
        body = (
            small[:offset] + struct.pack("<I", len(bad)) + bad + small[offset + 4 + len(row) : -8]
        )
        with pytest.raises(DamageError, match="section users, row 0"):
            metasnapshot.loads(resealed(body))
