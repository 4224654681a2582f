from __future__ import annotations

import resource
import struct

import lz4.frame  # pyright: ignore[reportMissingTypeStubs]
import pytest
import zstandard
from golden_ssts import IDS, OBJECTS, facts, path
from sst_writer import LZ4, NONE, ZSTD, compress, seal

from metasnapshot.errors import SstDamage, SstMismatch, SstTruncated
from metasnapshot.sst.block import read_block
from metasnapshot.sst.place import Place

HERE = Place("x.data", 3, 100)
TEXT = b"The quick brown fox. " * 4000
MEMORY_MAX = 64 << 20


@pytest.mark.parametrize(("tag", "number"), OBJECTS, ids=IDS)
def test_golden_blocks_hold_what_is_said(tag: str, number: int) -> None:
    """Every block of a golden object, in each of the three algorithms, unpacks to its size."""
    data = path(tag, number).read_bytes()
    for block in facts(tag)[number]["blocks"]:
        stored = memoryview(data)[block["offset"] : block["offset"] + block["len"]]
        body = read_block(stored, block["uncompressed_size"], HERE)
        assert len(body) == block["uncompressed_size"]
        assert bytes(body[-4:]) == struct.pack("<I", block["table_id"])


@pytest.mark.parametrize("algorithm", [NONE, LZ4, ZSTD])
@pytest.mark.parametrize("text", [b"", b"x", TEXT, bytes(9 << 20)], ids=len)
def test_a_block_comes_back(algorithm: int, text: bytes) -> None:
    """What was packed is unpacked."""
    if algorithm == NONE or text:
        assert (
            bytes(read_block(seal(compress(text, algorithm), algorithm), len(text), HERE)) == text
        )


@pytest.mark.parametrize("algorithm", [NONE, LZ4, ZSTD])
@pytest.mark.parametrize("difference", [-len(TEXT), -5000, -1, 1, 5000, 300_000, 1 << 31])
def test_a_size_that_lies(algorithm: int, difference: int) -> None:
    """A block that holds more or less than the meta says is damage, whichever way."""
    stored = seal(compress(TEXT, algorithm), algorithm)
    with pytest.raises(SstDamage) as caught:
        read_block(stored, len(TEXT) + difference, HERE)
    assert (caught.value.name, caught.value.block, caught.value.offset) == ("x.data", 3, 100)


def _stated(size: int) -> bytes:
    """A zstd frame that states its size."""
    return zstandard.ZstdCompressor(level=1, write_content_size=True).compress(bytes(size))


BOMBS = {
    "lz4": (LZ4, lz4.frame.compress(bytes(512 << 20), store_size=False)),
    "lz4 that states its size": (LZ4, lz4.frame.compress(bytes(512 << 20), store_size=True)),
    "zstd": (ZSTD, compress(bytes(512 << 20), ZSTD)),
    "zstd that states its size": (ZSTD, _stated(512 << 20)),
}


@pytest.mark.parametrize("size", [0, 100, 1 << 16, 15 << 20, 512 << 20, (1 << 32) - 1])
@pytest.mark.parametrize("name", BOMBS)
def test_bombs_do_not_burst(name: str, size: int) -> None:
    """A few bytes that hold half a gigabyte of nothing are refused within 64 MiB."""
    algorithm, data = BOMBS[name]
    stored = seal(data, algorithm)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(SstDamage):
        read_block(stored, size, HERE)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
    assert grown < MEMORY_MAX


@pytest.mark.parametrize("algorithm", [LZ4, ZSTD])
def test_frames_that_are_cut_or_followed(algorithm: int) -> None:
    """A frame with a right hash around it that is cut anywhere, or followed by bytes, is damage."""
    data = compress(TEXT, algorithm)
    for at in range(len(data)):
        with pytest.raises(SstDamage):
            read_block(seal(data[:at], algorithm), len(TEXT), HERE)
    for more in (b"\x00", data):
        with pytest.raises(SstDamage):
            read_block(seal(data + more, algorithm), len(TEXT), HERE)


@pytest.mark.parametrize("algorithm", [3, 7, 255])
def test_an_algorithm_that_nobody_knows(algorithm: int) -> None:
    """An algorithm that RisingWave does not have is damage."""
    with pytest.raises(SstDamage, match=f"algorithm {algorithm}"):
        read_block(seal(TEXT, algorithm), len(TEXT), HERE)


@pytest.mark.parametrize("algorithm", [LZ4, ZSTD])
def test_bytes_that_are_no_frame(algorithm: int) -> None:
    """What does not decompress is damage, even where its hash fits."""
    data = bytearray(compress(TEXT, algorithm))
    for at in range(0, len(data), 7):
        data[at] ^= 0x55
        try:
            body = read_block(seal(bytes(data), algorithm), len(TEXT), HERE)
        except SstDamage:
            pass
        else:
            assert len(body) == len(TEXT)
        data[at] ^= 0x55


def test_a_block_is_compared_before_it_is_unpacked() -> None:
    """A changed block is a mismatch, and one without room for its trailer is cut."""
    stored = bytearray(seal(compress(TEXT, LZ4), LZ4))
    for at in (0, len(stored) - 9, len(stored) - 1):
        stored[at] ^= 1
        with pytest.raises(SstMismatch):
            read_block(bytes(stored), len(TEXT), HERE)
        stored[at] ^= 1
    for size in range(9):
        with pytest.raises(SstTruncated):
            read_block(bytes(stored[:size]), len(TEXT), HERE)
