"""Version checkpoints in every form."""

from __future__ import annotations

import json
from pathlib import Path

import goldens
import pytest
import xxhash
import zstandard
from google.protobuf import json_format

import metasnapshot
from metasnapshot.errors import ChecksumMismatch, MetasnapshotError, ObjectMissing, VersionError
from metasnapshot.format.messages import message_class
from metasnapshot.hummock.checkpoint import (
    NONE,
    ZSTD,
    decode_checkpoint,
    encode_checkpoint,
    plain_checkpoint,
    read_checkpoint_bytes,
    write_checkpoint,
)
from metasnapshot.store.memory import MemoryStore
from metasnapshot_models.layouts import LAYOUTS

FORMS = goldens.SHIPPED / "checkpoint"
CHECKPOINTS = [
    path
    for tag in goldens.TAGS
    for path in (tag / "restored" / "checkpoint.2.bin", tag / "checkpoint.2.bin")
    if path.exists()
]


def version(number: int, era: str = "v3.0.3") -> object:
    return message_class("hummock.HummockVersion", era)(id=number)


@pytest.mark.parametrize("form", ["plain", "none", "zstd", "lz4"])
def test_every_form_gives_the_same_version(form: str) -> None:
    """Plain, and the envelope with each compression, as RisingWave's own code wrote them."""
    found = decode_checkpoint((FORMS / f"checkpoint.{form}").read_bytes(), "v3.0.3")
    expected = json.loads((FORMS / "expected.json").read_text(encoding="utf-8"))
    assert json_format.MessageToDict(found) == expected["version"]


@pytest.mark.parametrize("path", CHECKPOINTS, ids=goldens.name)
def test_golden_checkpoints_hold_the_snapshots_version(path: Path) -> None:
    """What upstream's restore wrote for snapshot 2 is the version in snapshot 2, and ours equals
    it."""
    tag = path.parent.parent if path.parent.name == "restored" else path.parent
    snapshot = metasnapshot.loads((tag / "backup" / "2.snapshot").read_bytes())
    layout = LAYOUTS[snapshot.layout]
    written = decode_checkpoint(path.read_bytes(), layout.era)
    assert written == snapshot.hummock_version.message
    ours = encode_checkpoint(snapshot.hummock_version.message, layout)
    assert decode_checkpoint(ours, layout.era) == written
    assert ours[:1] == path.read_bytes()[:1]


def test_the_plain_form_byte_by_byte() -> None:
    """Version 123, for a release before 3.0.0."""
    assert encode_checkpoint(version(123), LAYOUTS["2.8.0"]).hex() == "0a02087b"


def test_the_envelope_byte_by_byte() -> None:
    """Version 123, uncompressed: payload and its XXH64."""
    data = encode_checkpoint(version(123), LAYOUTS["3.0.0"], NONE)
    assert data.hex() == "12040a02087b18dbaee7fb9295d2b45b"
    assert decode_checkpoint(data, "v3.0.3") == version(123)


def test_an_old_version_keeps_the_fields_that_newer_ones_dropped() -> None:
    """safe_epoch of 1.10 goes through the checkpoint."""
    old = message_class("hummock.HummockVersion", "v1.10.0")(id=5, safe_epoch=77)
    assert decode_checkpoint(encode_checkpoint(old, LAYOUTS["1.10.0"]), "v1.10.0") == old


def test_a_damaged_envelope_is_a_checksum_mismatch() -> None:
    """Every byte of the payload is covered by the envelope's checksum."""
    data = (FORMS / "checkpoint.zstd").read_bytes()
    for place in range(10, len(data) - 12, 97):
        damaged = bytearray(data)
        damaged[place] ^= 4
        with pytest.raises(ChecksumMismatch, match="version checkpoint"):
            decode_checkpoint(bytes(damaged), "v3.0.3")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "missing required field `version`"),
        (b"\x12\x00", "missing required field `version`"),
        (b"\xff" * 10, "not a hummock.HummockVersionCheckpoint"),
        (b"\x0a\x02\x08", "not a hummock.HummockVersionCheckpoint"),
    ],
)
def test_what_is_no_checkpoint(data: bytes, reason: str) -> None:
    """An empty object, one without a version, and garbage: never an empty cluster."""
    with pytest.raises(VersionError, match=reason) as caught:
        decode_checkpoint(data, "v3.0.3")
    assert caught.value.exit_code == 4


def test_an_unknown_compression() -> None:
    """Upstream's words."""
    envelope = message_class("hummock.HummockVersionCheckpointEnvelope", "HEAD")()
    envelope.compression_algorithm, envelope.payload = 9, b"x"
    envelope.checksum = __import__("xxhash").xxh64_intdigest(b"x")
    with pytest.raises(VersionError, match="unknown checkpoint compression algorithm: 9"):
        decode_checkpoint(envelope.SerializeToString(), "v3.0.3")


def compressed(*payload: bytes) -> bytes:
    """An envelope around zstd bytes, whose checksum fits whatever they are."""
    envelope = message_class("hummock.HummockVersionCheckpointEnvelope", "HEAD")()
    envelope.compression_algorithm, envelope.payload = ZSTD, b"".join(payload)
    envelope.checksum = xxhash.xxh64_intdigest(envelope.payload)
    data: bytes = envelope.SerializeToString()
    return data


def test_a_cut_zstd_frame_is_no_end() -> None:
    """A frame that lacks any number of its last bytes is an error, also after a whole frame and
    where all that it says was said already: a version that ends early would be believed."""
    plain = plain_checkpoint(version(123))
    whole = zstandard.compress(plain)
    last = zstandard.ZstdCompressor(write_checksum=True).compress(b"")
    assert decode_checkpoint(compressed(whole, last), "v3.0.3") == version(123)
    halves = zstandard.compress(plain[:2]), zstandard.compress(plain[2:])
    assert decode_checkpoint(compressed(*halves), "v3.0.3") == version(123)
    for before, frame in ((b"", whole), (whole, last), halves):
        for size in range(1, len(frame)):
            with pytest.raises(VersionError, match="checkpoint does not decompress"):
                decode_checkpoint(compressed(before, frame[:size]), "v3.0.3")


def test_fields_of_no_known_release_are_an_error() -> None:
    """A version with a field that no era has would lose it; it is refused instead."""
    data = b"\x0a\x06\x08\x7b\xfa\x7f\x01\x00"
    with pytest.raises(VersionError, match="fields that no release"):
        decode_checkpoint(data, "v3.0.3")


def test_a_patch_releases_field_is_found_in_a_later_era() -> None:
    """compaction_group_version_id came in 2.2.4, between two described states."""
    newer = message_class("hummock.HummockVersion", "v2.3.0")(id=5)
    newer.levels[2].compaction_group_version_id = 9
    newer.levels[2].l0.SetInParent()
    data = encode_checkpoint(newer, LAYOUTS["2.2.0"])
    assert decode_checkpoint(data, "v2.2.0") == newer


def test_write_and_read_back() -> None:
    """The object is checkpoint/0 of the data directory, and is replaced when it is there."""
    store = MemoryStore()
    assert (
        write_checkpoint(store, "hummock_001", version(1), LAYOUTS["3.0.1"])
        == "hummock_001/checkpoint/0"
    )
    write_checkpoint(store, "hummock_001", version(2), LAYOUTS["3.0.1"])
    assert decode_checkpoint(read_checkpoint_bytes(store, "hummock_001"), "v3.0.3") == version(2)


def test_a_missing_checkpoint_says_where_to_look() -> None:
    """Exit 17 and the two system parameters to compare with."""
    with pytest.raises(
        ObjectMissing, match=r"no such object: hummock_001/checkpoint/0 in memory"
    ) as caught:
        read_checkpoint_bytes(MemoryStore(), "hummock_001")
    assert caught.value.exit_code == 17
    assert "state_store" in caught.value.hint
    assert isinstance(caught.value, MetasnapshotError)
