"""Deltas: what they rebuild is the snapshot's file, byte for byte, and whatever is wrong with one
is found.
"""

from __future__ import annotations

import io
import itertools
from pathlib import Path
from random import Random

import msgspec
import pytest
import xxhash
import zstandard
from exhaustive import WHOLE
from goldens import SHIPPED, SNAPSHOTS, V1_SNAPSHOTS, name
from hypothesis import given, settings
from hypothesis import strategies as st
from made_deltas import ENTRY, IDS, delta_of, opened, rebuilt, signed

import metasnapshot
from metasnapshot.errors import DamageError, UnknownFormat
from metasnapshot.format.checksum import CHECKSUM
from metasnapshot.format.delta import decode_delta, unpack_entry
from metasnapshot.format.delta_header import (
    FORMAT,
    decode_head,
    encode_head,
    head_size,
)
from metasnapshot.format.delta_pieces import cuts_of
from metasnapshot.format.hummock_version import HummockVersion
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.format.rebuilt import RebuiltFile
from metasnapshot.format.snapshot import dumps

PAIRS = [
    pair
    for pair in itertools.permutations([*SNAPSHOTS, *V1_SNAPSHOTS], 2)
    if pair[0].parents[1] == pair[1].parents[1]
]
BASE = (SHIPPED / "v3.0.3" / "backup" / "1.snapshot").read_bytes()
FULL = (SHIPPED / "v3.0.3" / "backup" / "2.snapshot").read_bytes()
NEXT = (SHIPPED / "v3.0.3" / "backup" / "7.snapshot").read_bytes()


def made(base: bytes, heir: bytes) -> bytes:
    """The delta, which there is."""
    found = delta_of(base, heir)
    assert found is not None
    return found


@pytest.mark.parametrize("tag", sorted({pair[0].parents[1] for pair in PAIRS}), ids=name)
def test_every_golden_pair_comes_back(tag: Path) -> None:
    """Of each two files that RisingWave wrote of one release the one comes back out of a delta of
    the other, or there is none, for their layouts differ.
    """
    for before, after in [pair for pair in PAIRS if pair[0].parents[1] == tag]:
        base, heir = before.read_bytes(), after.read_bytes()
        delta = delta_of(base, heir)
        same = opened(base).reader.layout == opened(heir).reader.layout
        assert same or delta is None
        if delta is not None:
            assert heir == rebuilt(delta, base)


def test_a_delta_is_small() -> None:
    """Where most rows are the same, a delta is a fraction of its snapshot: runs name them."""
    delta = made(FULL, NEXT)
    assert len(delta) < len(NEXT) // 25
    assert decode_delta("7.delta", delta).header.steps < 60


def test_the_same_snapshot_is_one_run_and_a_header() -> None:
    """Of a snapshot against itself nothing is new."""
    header = decode_delta("2.delta", made(FULL, FULL)).header
    assert header.new_bytes < 600  # counts and lengths stand between rows, nothing more
    assert header.steps < 45


def test_of_another_layout_there_is_none() -> None:
    """A snapshot of another release is kept whole: nothing of it can be relied on to be shared."""
    other = (SHIPPED / "v2.8.4" / "backup" / "2.snapshot").read_bytes()
    assert delta_of(other, FULL) is None


def test_the_entry_and_the_ids_come_back() -> None:
    """What stands for the entry in a manifest is kept beside the steps."""
    delta = made(FULL, NEXT)
    header = decode_head("7.delta", delta)
    start = head_size("7.delta", delta)
    text, ids = unpack_entry("7.delta", header, delta[start : start + header.entry.packed])
    assert (ENTRY, list(IDS)) == (text, ids.tolist())


def test_sections_are_told_apart_by_their_hashes() -> None:
    """The hash of a section differs iff a row of it does."""
    one = decode_head("2.delta", made(FULL, FULL)).sections
    other = decode_head("7.delta", made(FULL, NEXT)).sections
    before, after = opened(FULL).reader, opened(NEXT).reader
    for section in before.section_names:
        rows = [[data for _, data in side.raw_rows(section)] for side in (before, after)]
        assert (rows[0] == rows[1]) == (one[section] == other[section]), section


@pytest.fixture(scope="module")
def small() -> bytes:
    """A delta to be damaged everywhere."""
    changed = metasnapshot.loads(BASE)
    changed.sections["system_parameters"].pop()
    return made(BASE, dumps(changed))


def test_each_cut_is_found(small: bytes) -> None:
    """A delta that ends early, anywhere, is damage."""
    for size in range(len(small)):
        with pytest.raises(DamageError):
            decode_delta("7.delta", small[:size])


def test_each_flipped_byte_is_found(small: bytes) -> None:
    """A byte that changed, anywhere, is damage; in the format's number it may be a later one."""
    for at in range(len(small)):
        bad = small[:at] + bytes([small[at] ^ 0x20]) + small[at + 1 :]
        with pytest.raises((DamageError, UnknownFormat)):
            decode_delta("7.delta", bad)


def test_bytes_behind_a_delta_are_damage(small: bytes) -> None:
    """A delta ends where it says."""
    with pytest.raises(DamageError):
        decode_delta("7.delta", small + b"\0")


def test_another_format_is_refused(small: bytes) -> None:
    """What a later release writes is not read."""
    later = small[:8] + (FORMAT + 1).to_bytes(4, "little") + small[12:]
    with pytest.raises(UnknownFormat, match="format 2"):
        decode_delta("7.delta", later)


@pytest.mark.parametrize(
    "changed",
    [
        {"size": 1},
        {"size": 1 << 61},
        {"base_size": 10},
        {"snapshot_id": 1 << 64},
        {"steps": 1 << 40},
        {"steps": 0},
        {"new_bytes": 1 << 40},
        {"new_bytes": 0},
    ],
    ids=str,
)
def test_a_header_that_lies_is_found(small: bytes, changed: dict[str, object]) -> None:
    """Numbers that do not fit the body are damage, whatever the hashes say."""
    with pytest.raises(DamageError):
        decode_delta("7.delta", signed(small, **changed))


def test_a_step_beyond_the_base_is_found() -> None:
    """A copy that reaches further than the base has bytes is refused before it is read."""
    delta = made(FULL, framed(FULL, [b"%d" % number for number in range(3000)]))
    found = decode_delta("7.delta", delta)
    end = int((found.sources + found.sizes).max())
    assert end < found.header.size
    decode_delta("7.delta", signed(delta, base_size=end))
    with pytest.raises(DamageError, match="beyond the base"):
        decode_delta("7.delta", signed(delta, base_size=end - 1))


def test_a_bomb_is_not_unpacked(small: bytes) -> None:
    """A frame that unpacks to more than its header says is refused where it passes that."""
    header = decode_head("7.delta", small)
    bomb = zstandard.ZstdCompressor().compress(bytes(1 << 28))
    frame = msgspec.structs.replace(
        header.body, packed=len(bomb), checksum=xxhash.xxh64_hexdigest(bomb)
    )
    entry = small[head_size("7.delta", small) :][: header.entry.packed]
    whole = encode_head(msgspec.structs.replace(header, body=frame)) + entry + bomb
    whole += CHECKSUM.pack(xxhash.xxh64_intdigest(whole))
    with pytest.raises(DamageError, match="unpack"):
        decode_delta("7.delta", whole)


def test_another_base_is_refused_by_both_names() -> None:
    """A base of other bytes is damage; the error names base and delta."""
    delta = made(FULL, NEXT)
    with pytest.raises(DamageError, match=r"delta 7 was made of snapshot 2 .* XXH64"):
        rebuilt(delta, BASE)
    with pytest.raises(DamageError):
        rebuilt(delta, b"")


def test_a_flipped_byte_of_the_base_shows() -> None:
    """Whatever is wrong in the base between its ends is found by the hash of what is rebuilt."""
    delta = made(FULL, NEXT)
    bad = bytearray(FULL)
    bad[5000] ^= 1
    with pytest.raises(DamageError):
        SnapshotReader(io.BytesIO(rebuilt(delta, bytes(bad))))


@given(st.data())
@settings(max_examples=200 if WHOLE else 20)
def test_a_rebuilt_file_is_read_anywhere(data: st.DataObject) -> None:
    """Seeking and reading, in whatever pieces, gives what the file has there."""
    file = RebuiltFile(decode_delta("7.delta", made(FULL, NEXT)), io.BytesIO(FULL))
    plain = io.BytesIO(NEXT)
    for _ in range(20):
        at = data.draw(st.integers(0, len(NEXT) + 10))
        size = data.draw(st.integers(0, 5000))
        assert plain.seek(at) == file.seek(at)
        assert plain.read(size) == file.read(size)
        assert plain.tell() == file.tell()


ROWS = st.lists(st.binary(min_size=0, max_size=60), max_size=30)


def framed(snapshot: bytes, words: list[bytes]) -> bytes:
    """A snapshot with these as its rows of system parameters, and opaque bytes behind."""
    changed = metasnapshot.loads(snapshot)
    template = changed.sections["system_parameters"][0]
    changed.sections["system_parameters"] = [
        msgspec.structs.replace(template, name=word.hex()) for word in words
    ]
    return dumps(changed)


@given(ROWS, st.randoms(use_true_random=False), ROWS, st.integers(0, 4))
@settings(max_examples=300 if WHOLE else 20)
def test_made_up_pairs_come_back(
    rows: list[bytes], random: Random, more: list[bytes], copies: int
) -> None:
    """Rows added, removed, changed, in another order, twice, and sections without any."""
    heir = [*rows[: len(rows) // 2], *more, *rows * copies]
    random.shuffle(heir)
    base = framed(BASE, rows)
    after = framed(BASE, heir)
    delta = delta_of(base, after)
    assert delta is None or after == rebuilt(delta, base)


@given(st.binary(max_size=3000))
@settings(max_examples=1000 if WHOLE else 50)
def test_cuts_are_within_their_row(row: bytes) -> None:
    """Whatever a row of hummock_version holds, the cuts lie within it, in order."""
    cuts = cuts_of(row)
    assert cuts == sorted(set(cuts))
    assert all(0 < cut < len(row) for cut in cuts)


def test_messages_are_cut_before_their_fields() -> None:
    """The protobuf form is cut before each field that holds bytes, and within large ones: each
    object of a level is a piece.
    """
    reader = opened(FULL).reader
    message = reader.hummock_version.message
    level = next(
        level
        for levels in message.levels.values()
        for level in (*levels.levels, *levels.l0.sub_levels)
        if level.table_infos
    )
    for number in range(40):
        level.table_infos.add().CopyFrom(level.table_infos[0])
        level.table_infos[-1].sst_id = 10_000 + number
    row = HummockVersion.from_message(message, "message", reader.era).rows[0]
    cuts = {0, *cuts_of(row)}
    for sst in level.table_infos:
        at = row.index(sst.SerializeToString())
        assert any(at - 4 < cut < at for cut in cuts)
