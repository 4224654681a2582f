"""Side files: what is written comes back, and nothing that is damaged does."""

from __future__ import annotations

from io import BytesIO

import pytest
import xxhash
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from metasnapshot.catalogue.full import (
    HASH_SIZE,
    FullBackup,
    decode_full,
    encode_full,
    read_full,
    require_nameable,
    write_full,
)
from metasnapshot.catalogue.full_header import (
    HEAD,
    MAGIC,
    Header,
    full_id,
    full_path,
    is_of_snapshot,
    read_header,
)
from metasnapshot.errors import (
    ChecksumMismatch,
    ConflictError,
    DamageError,
    MetasnapshotError,
    UnknownFormat,
    UsageError,
)
from metasnapshot.format.checksum import CHECKSUM
from metasnapshot.hummock.objects import NeededObject, NeededObjects
from metasnapshot.hummock.paths import SUFFIXES
from metasnapshot.store.memory import MemoryStore

U64 = st.integers(0, (1 << 64) - 1)
SIZES = st.integers(0, 1 << 40)
OBJECTS = st.builds(NeededObject, U64, st.sampled_from(SUFFIXES), SIZES, U64, st.just(0))


def full_of(items: list[NeededObject], number: int = 7) -> FullBackup:
    objects = NeededObjects(items)
    header = Header(
        snapshot_id=number,
        checksum="00000000000000ff",
        size=1234,
        hummock_version_id=99,
        cluster_id="cluster",
        area_id="area",
        objects=len(objects),
        bytes=objects.size,
        objects_new=1,
        bytes_new=10,
        taken="2026-03-04T12:30:00+00:00",
    )
    hashes = b"".join(xxhash.xxh3_128_digest(str(item.id).encode()) for item in objects)
    return FullBackup(header, objects, hashes)


SMALL = full_of([NeededObject(n, SUFFIXES[n % 3], 100 + n, n * 12345) for n in (3, 4, 500)])
BYTES = encode_full(SMALL)


def seen(full: FullBackup) -> tuple[Header, list[NeededObject], bytes]:
    return full.header, list(full.objects), full.hashes


def sealed(body: bytes) -> bytes:
    """Bytes with the checksum of a side file."""
    return body + CHECKSUM.pack(xxhash.xxh64_intdigest(body))


def made(header: bytes, columns: bytes, form: int = 1) -> bytes:
    """A side file whose checksums fit, whatever it says."""
    head = sealed(HEAD.pack(MAGIC, form, len(header)) + header)
    return sealed(head + columns)


@given(st.lists(OBJECTS, max_size=20))
def test_what_is_written_comes_back(items: list[NeededObject]) -> None:
    """Header, objects and hashes of any list; the empty one too."""
    full = full_of(items)
    found = decode_full("7.full", encode_full(full))
    assert seen(found) == seen(full)
    assert [found.hash_of(place) for place in range(len(found.objects))] == [
        full.hashes[at : at + HASH_SIZE] for at in range(0, len(full.hashes), HASH_SIZE)
    ]


def test_every_flipped_byte_is_found() -> None:
    """Each byte of a side file is covered by a check."""
    for place in range(len(BYTES)):
        for flip in (0x01, 0x80, 0xFF):
            damaged = bytearray(BYTES)
            damaged[place] ^= flip
            with pytest.raises((DamageError, UnknownFormat)):
                decode_full("7.full", bytes(damaged))


def test_every_cut_is_found() -> None:
    """No part of a side file is one, and neither is one with a byte behind it."""
    for size in range(len(BYTES)):
        with pytest.raises(DamageError):
            decode_full("7.full", BYTES[:size])
    with pytest.raises(DamageError):
        decode_full("7.full", BYTES + b"\0")


def header(**changes: object) -> bytes:
    import msgspec  # noqa: PLC0415 - of this function

    return msgspec.json.encode(msgspec.to_builtins(SMALL.header) | changes)


COLUMNS = zstandard.ZstdDecompressor().decompress(
    BYTES[len(sealed(HEAD.pack(MAGIC, 1, 0) + header())) : -CHECKSUM.size], max_output_size=4096
)


def packed(columns: bytes = COLUMNS) -> bytes:
    return zstandard.compress(columns)


def test_the_lies_below_are_lies() -> None:
    """Made in the same way, but true, a side file is read."""
    assert seen(decode_full("7.full", made(header(), packed()))) == seen(SMALL)


@pytest.mark.parametrize(
    ("data", "error", "word"),
    [
        (made(header(), packed(), form=2), UnknownFormat, "format 2"),
        (made(header(base=3), packed()), UnknownFormat, "snapshot 3"),
        (made(header(objects=4), packed()), DamageError, "4 objects"),
        (made(header(objects=2), packed()), DamageError, "2 objects"),
        (made(header(objects=1 << 40), packed()), DamageError, "do not hold"),
        (made(header(objects=-1), packed()), DamageError, "damaged"),
        (made(header(bytes=1), packed()), DamageError, "header says 1"),
        (made(header(checksum="ff"), packed()), DamageError, "damaged"),
        (made(b"{}", packed()), DamageError, "damaged"),
        (made(b"[" * 1000, packed()), DamageError, "damaged"),
        (made(header(), b"not zstd" * 20), DamageError, "decompress"),
        (made(header(), packed(COLUMNS + b"x")), DamageError, "columns"),
        (made(header(), packed(bytes(1 << 24))), DamageError, ""),
        (made(header(), packed(COLUMNS[:24] + b"\3" + COLUMNS[25:])), DamageError, "no kind"),
        (made(header(), packed(COLUMNS[:8] * 2 + COLUMNS[16:])), DamageError, "order"),
        (b"", DamageError, "no side file"),
        (MAGIC, DamageError, "no side file"),
    ],
)
def test_a_side_file_that_lies_is_refused(data: bytes, error: type[Exception], word: str) -> None:
    """With checksums that fit, what contradicts itself is still told, and with bounds."""
    with pytest.raises(error) as caught:
        decode_full("7.full", data)
    assert word in str(caught.value)


def test_a_header_is_read_alone() -> None:
    """A list reads the head; damage behind it does not hide what the head says."""
    store = MemoryStore()
    assert (read_header(store, "b", 7), read_full(store, "b", 7)) == (None, None)
    store.put_if_absent("b/7.full", BYTES[:-3] + b"xyz")
    assert read_header(store, "b", 7) == SMALL.header
    with pytest.raises(ChecksumMismatch):
        read_full(store, "b", 7)


def test_a_side_file_is_of_the_snapshot_in_its_name() -> None:
    """One that was renamed is damage, not the side file of another snapshot."""
    store = MemoryStore()
    store.put_if_absent("b/8.full", BYTES)
    for read in (read_header, read_full):
        with pytest.raises(MetasnapshotError) as caught:
            read(store, "b", 8)
        assert (caught.value.exit_code, "of snapshot 7" in str(caught.value)) == (4, True)


def test_a_side_file_is_never_overwritten() -> None:
    """It is only ever created."""
    store = MemoryStore()
    write_full(store, "b", SMALL)
    with pytest.raises(ConflictError):
        write_full(store, "b", SMALL)
    found = read_full(store, "b", 7)
    assert found is not None
    assert seen(found) == seen(SMALL)


def test_names() -> None:
    """`{id}.full`, and nothing else."""
    assert full_path("b", 7) == "b/7.full"
    names = ("7.full", "07.full", "7.full.bak", "x.full", "7.snapshot", ".full")
    assert [full_id(name) for name in names] == [7, None, None, None, None, None]


@pytest.mark.parametrize(
    ("tail", "size", "is_same"), [(255, 1234, True), (254, 1234, False), (255, 1235, False)]
)
def test_complete_is_said_of_these_bytes(tail: int, size: int, *, is_same: bool) -> None:
    """A snapshot of the same id with other bytes is not the one of the side file."""
    file = BytesIO(bytes(size - 8) + tail.to_bytes(8, "little"))
    assert is_of_snapshot(SMALL.header, file, size) is is_same


def test_no_side_file_is_written_that_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """More objects than one may name are refused: at the start by their number, where that is
    sure, and before anything is written by the size.
    """
    made = full_of([NeededObject(number, SUFFIXES[0], 5, number) for number in range(5)])
    store, size = MemoryStore(), len(encode_full(made))
    monkeypatch.setattr("metasnapshot.catalogue.full.FULL_SIZE_MAX", size - 1)
    with pytest.raises(UsageError, match="5 objects are more than one full backup may have"):
        write_full(store, "backup", made)
    assert store.head(full_path("backup", 7)) is None
    require_nameable((size - 1) // 24)
    with pytest.raises(UsageError, match="more than one full backup"):
        require_nameable(size // 24 + 1)
    monkeypatch.setattr("metasnapshot.catalogue.full.FULL_SIZE_MAX", size)
    write_full(store, "backup", made)
    found = read_full(store, "backup", 7)
    assert found is not None
    assert found.hashes == made.hashes
