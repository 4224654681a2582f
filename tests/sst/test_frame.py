from __future__ import annotations

import io
import struct
from collections.abc import Callable
from itertools import pairwise

import pytest
import xxhash
from exhaustive import WHOLE
from golden_ssts import IDS, OBJECTS, facts, path
from hypothesis import given
from hypothesis import strategies as st
from sst_checks import check, pair
from sst_writer import Sst, put, reseal

from metasnapshot.errors import (
    DamageError,
    SstDamage,
    SstMismatch,
    SstTruncated,
    UnknownFormat,
)
from metasnapshot.sst.frame import FrameCheck, check_frame
from metasnapshot.sst.meta import read_meta

FLIPS = 2000 if WHOLE else 60
"""Of each object, where not all are tried: all of them together are hours."""
SMALL = [("v1.10.0", 9008), ("v1.10.0", 9003), ("v3.0.3", 108), ("v3.0.3", 103)]


def places(size: int, count: int = FLIPS) -> range:
    if size <= count:
        return range(size)
    return range(size % 7, size, size // count)


@pytest.mark.parametrize(("tag", "number"), OBJECTS, ids=IDS)
def test_golden_objects_are_as_known(tag: str, number: int) -> None:
    """The meta of every golden object says what RisingWave's own reader said of it."""
    known = facts(tag)[number]
    data = path(tag, number).read_bytes()
    meta = check_frame(io.BytesIO(data), len(data))
    assert known["meta_offset"] == meta.tail.meta_offset
    assert int(known["meta_checksum"], 16) == meta.tail.checksum
    assert known["version"] == meta.tail.version
    assert (known["key_count"], known["estimated_size"], known["filter_len"], 0) == (
        meta.key_count,
        meta.estimated_size,
        meta.filter_size,
        meta.tombstone_count,
    )
    names = ("offset", "len", "uncompressed_size", "total_key_count", "stale_key_count")
    assert [tuple(block[name] for name in names) for block in known["blocks"]] == [
        block[1:6] for block in meta.blocks
    ]
    assert [block["table_id"] for block in known["blocks"]] == [b.table_id for b in meta.blocks]


@pytest.mark.parametrize(("tag", "number"), OBJECTS, ids=IDS)
def test_a_flipped_bit_is_damage(tag: str, number: int) -> None:
    """A bit that is flipped anywhere in a golden object is noticed."""
    data = bytearray(path(tag, number).read_bytes())
    for at in places(len(data)):
        bit = 1 << (at * 7 + number) % 8
        data[at] ^= bit
        with pytest.raises(SstDamage):
            check(bytes(data))
        data[at] ^= bit


@pytest.mark.parametrize(("tag", "number"), SMALL)
def test_every_byte_of_an_object_counts(tag: str, number: int) -> None:
    """Each byte of a small object, changed to another, is damage that names the object."""
    data = bytearray(path(tag, number).read_bytes())
    for at in range(len(data)):
        for change in (0x01, 0x03, 0x80, 0xFF):
            data[at] ^= change
            with pytest.raises(SstDamage) as caught:
                check(bytes(data))
            assert caught.value.name == "x.data"
            data[at] ^= change
    check(bytes(data))


@pytest.mark.parametrize(("tag", "number"), OBJECTS, ids=IDS)
def test_a_cut_is_damage(tag: str, number: int) -> None:
    """An object that is cut anywhere, at its front too, is noticed."""
    data = path(tag, number).read_bytes()
    for at in places(len(data)):
        with pytest.raises(SstDamage):
            check(data[:at])
        with pytest.raises(SstDamage):
            check(data[at + 1 :])


def test_a_block_names_itself() -> None:
    """A hash that does not fit says of which block, where it starts, and both values."""
    sst = pair()
    data = bytearray(sst.data())
    start = len(sst.blocks[0].stored)
    data[start + 3] ^= 4
    with pytest.raises(SstMismatch) as caught:
        check(bytes(data))
    assert (caught.value.name, caught.value.block, caught.value.offset) == ("x.data", 1, start)
    stored = sst.blocks[1].stored
    assert caught.value.stored == struct.unpack("<Q", stored[-8:])[0]
    hashed = bytes(data[start : start + len(stored) - 8])
    assert caught.value.computed == xxhash.xxh64_intdigest(hashed)


def _gap(sst: Sst) -> None:
    sst.blocks[1].offset = len(sst.blocks[0].stored) + 1


def _overlap(sst: Sst) -> None:
    sst.blocks[1].offset = len(sst.blocks[0].stored) - 1


def _late_start(sst: Sst) -> None:
    sst.blocks[0].offset = 1


def _short_last(sst: Sst) -> None:
    sst.blocks[2].size = len(sst.blocks[2].stored) - 1


def _long_last(sst: Sst) -> None:
    sst.blocks[2].size = len(sst.blocks[2].stored) + 1


def _moved_border(sst: Sst) -> None:
    sst.blocks[0].size = len(sst.blocks[0].stored) - 1
    sst.blocks[1].offset = len(sst.blocks[0].stored) - 1
    sst.blocks[1].size = len(sst.blocks[1].stored) + 1


def _all_in_one(sst: Sst) -> None:
    sst.blocks[0].size = sum(len(block.stored) for block in sst.blocks)
    sst.blocks[1].offset = sst.blocks[2].offset = sst.blocks[0].size
    sst.blocks[1].size = sst.blocks[2].size = 0


def _huge(sst: Sst) -> None:
    sst.blocks[1].size = (1 << 32) - 1


def _no_key(sst: Sst) -> None:
    sst.blocks[1].smallest_key = b"\x00\x00\x00\x07"


LIES = [
    _gap,
    _overlap,
    _late_start,
    _short_last,
    _long_last,
    _moved_border,
    _all_in_one,
    _huge,
    _no_key,
]


@pytest.mark.parametrize("lie", LIES, ids=[lie.__name__ for lie in LIES])
def test_blocks_that_do_not_cover_the_object(lie: Callable[[Sst], None]) -> None:
    """A meta with a right hash whose blocks leave a gap, overlap or end elsewhere is damage."""
    sst = pair()
    check(sst.data())
    lie(sst)
    with pytest.raises(SstDamage):
        check(sst.data())


@pytest.mark.parametrize("value", [0, 1, 2, 0x7F, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_meta_whose_numbers_lie(value: int) -> None:
    """Any u32 of a meta may be set to any value and its hash made right: what does not fit is
    damage, and nothing else goes wrong."""
    data = pair().data()
    offset = read_meta(io.BytesIO(data), len(data)).tail.meta_offset
    refused = 0
    for at in range(offset, len(data) - 20):
        lying = reseal(data[:at] + struct.pack("<I", value) + data[at + 4 :], offset)
        try:
            check(lying)
        except DamageError:
            refused += 1
    assert refused


def test_an_object_with_more_bytes_than_it_has() -> None:
    """Bytes that follow the end, and an end that stays away, are noticed as they pass."""
    data = pair().data()
    meta = read_meta(io.BytesIO(data), len(data))
    frame = FrameCheck(meta, "x")
    frame.feed(data)
    with pytest.raises(SstDamage, match="follow the object's end"):
        frame.feed(b"\x00")
    frame = FrameCheck(meta, "x")
    frame.feed(data[:-1])
    with pytest.raises(SstTruncated, match="1 bytes are missing"):
        frame.finish()


def test_an_object_that_changes_behind_its_meta() -> None:
    """What passes must end with the bytes that were read first, though its own hashes fit."""
    first, second = pair(), pair()
    second.filter = b"\x01\x03\xff"
    data = first.data()
    meta = read_meta(io.BytesIO(data), len(data))
    with pytest.raises(SstDamage, match="its end is not the one"):
        frame = FrameCheck(meta, "x")
        frame.feed(second.data())
    changed = data[:-1] + bytes([data[-1] ^ 1])
    with pytest.raises(SstDamage, match="its end is not the one"):
        FrameCheck(meta, "x").feed(changed)


@given(st.data())
def test_pieces_of_any_size(data: st.DataObject) -> None:
    """However the bytes come, a sound object passes and a changed one does not."""
    found = bytearray(pair().data())
    meta = read_meta(io.BytesIO(bytes(found)), len(found))
    cuts = data.draw(st.lists(st.integers(0, len(found)), max_size=20))
    pieces = [0, *sorted(cuts), len(found)]
    frame = FrameCheck(meta)
    for start, end in pairwise(pieces):
        frame.feed(bytes(found[start:end]))
    frame.finish()
    at = data.draw(st.integers(0, len(found) - 1))
    found[at] ^= data.draw(st.integers(1, 255))
    frame = FrameCheck(meta)
    with pytest.raises(SstDamage):
        for start, end in pairwise(pieces):
            frame.feed(bytes(found[start:end]))


def test_versions_that_nobody_knows() -> None:
    """A meta of a later version is unknown; version 2 with a wrong number at its end is damage."""
    data = pair().data()
    later = Sst(version=3)
    later.add(7, [put(b"\x00\x01k", 1 << 16, b"")])
    later.tombstones = b""
    with pytest.raises(UnknownFormat, match="version 3"):
        check(later.data())
    with pytest.raises(SstDamage, match="version 3"):
        check(data[:-8] + struct.pack("<I", 3) + data[-4:])
    with pytest.raises(SstDamage, match="version 1"):
        check(data[:-8] + struct.pack("<I", 1) + data[-4:])


def test_version_1_has_no_counts() -> None:
    """A meta of version 1, as 0.19 to 1.2 write it, is read; one of an older form is unknown."""
    sst = pair()
    sst.version = 1
    data = sst.data()
    meta = check_frame(io.BytesIO(data), len(data))
    assert [block.total_key_count for block in meta.blocks] == [None, None, None]
    sst.tombstones = b""  # 0.1.15 has its tombstones behind the offset
    with pytest.raises(UnknownFormat, match="version 1"):
        check(sst.data())


def test_blocks_of_one_table() -> None:
    """Only the metas of a table's blocks are kept, with their numbers, where it is asked for."""
    data = pair().data()
    meta = read_meta(io.BytesIO(data), len(data), table_id=9)
    assert [(block.number, block.table_id) for block in meta.blocks] == [(2, 9)]
    assert (meta.block_count, meta.key_count) == (3, 61)
    with pytest.raises(ValueError, match="all blocks"):
        FrameCheck(meta)


def test_a_large_filter_is_not_kept() -> None:
    """A filter larger than what is read at once is passed over."""
    sst = pair()
    sst.filter = bytes(range(256)) * 4096
    data = sst.data()
    assert check_frame(io.BytesIO(data), len(data)).filter_size == 1 << 20


def test_a_claim_beyond_the_meta_is_told_as_such() -> None:
    """A filter that says to be larger than the meta is named with both sizes."""
    sst = pair()
    data = bytearray(sst.data())
    meta = read_meta(io.BytesIO(bytes(data)), len(data))
    at = bytes(data).index(struct.pack("<I", 3) + sst.filter, meta.tail.meta_offset)
    data[at : at + 4] = struct.pack("<I", 1 << 30)
    with pytest.raises(SstTruncated, match=r"claims 1073741824 bytes, \d+ are left"):
        check(reseal(bytes(data), meta.tail.meta_offset))
