"""Checkpoints that hold more than any cluster has: refused before there is no memory left."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lz4.frame  # pyright: ignore[reportMissingTypeStubs]
import pytest
import xxhash
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from metasnapshot.errors import DamageError, VersionError
from metasnapshot.format.messages import message_class
from metasnapshot.hummock.checkpoint import (
    LZ4,
    NONE,
    SIZE_MAX,
    SIZE_MIN,
    ZSTD,
    decode_checkpoint,
    read_checkpoint_bytes,
)
from metasnapshot.store.local import LocalStore

MIB = 1 << 20
MEMORY_MAX = SIZE_MIN + 48 * MIB
_lz4: Any = lz4.frame


def envelope(payload: bytes, algorithm: int) -> bytes:
    made: Any = message_class("hummock.HummockVersionCheckpointEnvelope", "HEAD")()
    made.compression_algorithm, made.payload = algorithm, payload
    made.checksum = xxhash.xxh64_intdigest(payload)
    data: bytes = made.SerializeToString()
    return data


def zstd(size: int, *, claims: bool, level: int = 3) -> bytes:
    """Zeros, compressed in pieces."""
    writer = zstandard.ZstdCompressor(level=level, write_content_size=claims)
    made = writer.compressobj(size=size if claims else -1)
    parts = [made.compress(bytes(MIB)) for _ in range(size // MIB)]
    return b"".join([*parts, made.flush()])


def lz4_frame(size: int, *, claims: bool) -> bytes:
    with _lz4.LZ4FrameCompressor() as made:
        parts = [made.begin(source_size=size if claims else 0)]
        parts += [made.compress(bytes(MIB)) for _ in range(size // MIB)]
        return b"".join([*parts, made.flush()])


def claiming(size: int) -> bytes:
    """A zstd frame that claims a size and holds a byte."""
    return b"\x28\xb5\x2f\xfd" + b"\xe0" + size.to_bytes(8, "little") + b"\x09\x00\x00x"


BOMBS: dict[str, tuple[int, Callable[[], bytes]]] = {
    "zstd, 4 GiB": (ZSTD, lambda: zstd(4096 * MIB, claims=False)),
    "zstd, 1 GiB that it claims": (ZSTD, lambda: zstd(1024 * MIB, claims=True)),
    "zstd, just too much": (ZSTD, lambda: zstd(SIZE_MIN + MIB, claims=False)),
    "zstd, two frames": (ZSTD, lambda: zstd(SIZE_MIN, claims=False) + zstd(2 * MIB, claims=False)),
    "zstd, a claim alone": (ZSTD, lambda: claiming(1 << 62)),
    "zstd, a claim at the end": (ZSTD, lambda: claiming((1 << 64) - 3)),
    "lz4, 512 MiB": (LZ4, lambda: lz4_frame(512 * MIB, claims=False)),
    "lz4, 512 MiB that it claims": (LZ4, lambda: lz4_frame(512 * MIB, claims=True)),
    "lz4, just too much": (LZ4, lambda: lz4_frame(2 * SIZE_MIN, claims=False)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused(name: str) -> None:
    """By name, exit 4, and without the memory that it would take."""
    algorithm, make = BOMBS[name]
    data = envelope(make(), algorithm)
    tracemalloc.start()
    try:
        with pytest.raises(VersionError, match="does not decompress") as caught:
            decode_checkpoint(data, "v3.0.3")
        assert tracemalloc.get_traced_memory()[1] < MEMORY_MAX * 3
    finally:
        tracemalloc.stop()
    assert caught.value.exit_code == 4


@settings(max_examples=20)
@given(st.integers(1, 60), st.sampled_from([ZSTD, LZ4]), st.booleans())
def test_what_is_within_the_limit_is_read(
    names: int,
    algorithm: int,
    claims: bool,  # noqa: FBT001 - drawn
) -> None:
    """However well it compresses, with a claim or without."""
    checkpoint: Any = message_class("hummock.HummockVersionCheckpoint", "v3.0.3")()
    checkpoint.version.id = names
    for number in range(names * 1000):
        checkpoint.version.state_table_info[number].committed_epoch = 7
    plain = checkpoint.SerializeToString()
    if algorithm == ZSTD:
        payload = zstandard.ZstdCompressor(write_content_size=claims).compress(plain)
    else:
        payload = _lz4.compress(plain, store_size=claims)
    assert decode_checkpoint(envelope(payload, algorithm), "v3.0.3") == checkpoint.version


@pytest.mark.parametrize("algorithm", [ZSTD, LZ4])
@pytest.mark.parametrize("claims", [True, False])
def test_a_frame_that_is_cut_is_damage(algorithm: int, *, claims: bool) -> None:
    """At every place."""
    plain = b"\x0a\x02\x08\x7b" + bytes(range(256))
    if algorithm == ZSTD:
        payload = zstandard.ZstdCompressor(write_content_size=claims).compress(plain)
    else:
        payload = _lz4.compress(plain, store_size=claims)
    for end in range(1, len(payload) - 1, 7):
        with pytest.raises(VersionError):
            decode_checkpoint(envelope(payload[:end], algorithm), "v3.0.3")


def test_a_checkpoint_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    """Its size is looked at before."""
    path = tmp_path / "hummock_001/checkpoint/0"
    path.parent.mkdir(parents=True)
    path.touch()
    os.truncate(path, SIZE_MAX + 1)
    with pytest.raises(DamageError, match=r"checkpoint/0 is damaged: it has 2147483648 bytes"):
        read_checkpoint_bytes(LocalStore(tmp_path), "hummock_001")


def test_nothing_compressed_is_as_large_as_it_is() -> None:
    """A payload that is not compressed needs no bound of its own."""
    checkpoint: Any = message_class("hummock.HummockVersionCheckpoint", "v3.0.3")()
    checkpoint.version.id = 5
    data = envelope(checkpoint.SerializeToString(), NONE)
    assert decode_checkpoint(data, "v3.0.3").id == 5
