"""The version checkpoint `{data_directory}/checkpoint/0`: bytes <-> HummockVersion, and to and from
the store.

Plain is protobuf HummockVersionCheckpoint, written from 0.19 to 2.8 and read by every release
since; from 3.0.0 on it is wrapped in an envelope with compression and XXH64. Source:
src/meta/src/hummock/manager/checkpoint.rs at 3.0.3.
"""

from __future__ import annotations

from typing import Any

import lz4.frame  # pyright: ignore[reportMissingTypeStubs]
import xxhash
import zstandard
from google.protobuf.message import DecodeError

from metasnapshot.errors import ChecksumMismatch, ObjectMissing, VersionError
from metasnapshot.format import messages
from metasnapshot.format.hummock_version import decode
from metasnapshot.format.rules import is_any
from metasnapshot.store.document import read_document
from metasnapshot.store.port import Store, join
from metasnapshot_models.definitions import Layout

CHECKPOINT_NAME = "checkpoint/0"
CHECKPOINT = "hummock.HummockVersionCheckpoint"
ENVELOPE = "hummock.HummockVersionCheckpointEnvelope"
NONE, ZSTD, LZ4 = 0, 1, 2
_lz4: Any = lz4.frame  # it has no type stubs
ZSTD_LEVEL = 3
SIZE_MAX = (1 << 31) - 1
"""Of a checkpoint: a protobuf message has no more."""
SIZE_MIN = 64 << 20
"""What any payload may hold, however small it is."""
RATIO_MAX = 100
"""How much a larger one may hold, in its own sizes: keys and ids shrink to a tenth at best."""
CHUNK_SIZE = 1 << 20


def read_checkpoint_bytes(store: Store, directory: str) -> bytes:
    """Read a data directory's checkpoint, as stored.

    Args:
        store: the state store.
        directory: the data directory, such as hummock_001.

    Raises:
        ObjectMissing: there is none. A meta node would silently start as an empty cluster; we do
            not.
    """
    path = join(directory, CHECKPOINT_NAME)
    try:
        return read_document(store, path, SIZE_MAX).data
    except ObjectMissing as error:
        raise ObjectMissing(
            path,
            where=store.url,
            hint="check --hummock-storage-url and --hummock-storage-directory against system "
            "parameters state_store and data_directory",
        ) from error


def write_checkpoint(store: Store, directory: str, version: Any, layout: Layout) -> str:
    """Write the checkpoint that the releases of a layout read, over the one that is there.

    Returns:
        Its path.

    Raises:
        ConflictError: somebody else wrote it meanwhile.
    """
    path = join(directory, CHECKPOINT_NAME)
    data = encode_checkpoint(version, layout)
    if store.head(path) is None:
        store.put_if_absent(path, data)
    else:
        store.put_if_match(path, data, store.read(path).etag)
    return path


def decode_checkpoint(data: bytes, era: str) -> Any:
    """The HummockVersion message in a checkpoint of either form.

    Raises:
        ChecksumMismatch: the envelope's checksum does not fit.
        VersionError: the bytes are no checkpoint, or have no version.
    """
    checkpoint: Any = decode(_payload(data), CHECKPOINT, era)
    if not checkpoint.HasField("version"):
        raise VersionError("checkpoint missing required field `version`")
    return checkpoint.version


def holds_checkpoint(store: Store, directory: str, plain: bytes, layout: Layout) -> bool:
    """Whether the checkpoint is what `write_checkpoint` would leave, in whatever compression.

    Args:
        store: the state store.
        directory: the data directory.
        plain: the `plain_checkpoint` of the version.
        layout: whose releases have to read it.
    """
    try:
        data = store.read(join(directory, CHECKPOINT_NAME)).data
        payload = _payload(data)
        checkpoint: Any = decode(payload, CHECKPOINT, layout.era)
    except (ObjectMissing, ChecksumMismatch, VersionError):
        return False
    is_read = has_envelope(layout) or payload == data
    return is_read and checkpoint == decode(plain, CHECKPOINT, layout.era)


def encode_checkpoint(version: Any, layout: Layout, compression: int = ZSTD) -> bytes:
    """A checkpoint of a version, without stale objects as upstream's restore leaves them.

    Args:
        version: a HummockVersion message.
        layout: decides between plain (before 3.0.0) and envelope.
        compression: of the envelope: NONE or ZSTD.
    """
    payload = plain_checkpoint(version)
    if not has_envelope(layout):
        return payload
    if compression == ZSTD:
        payload = zstandard.compress(payload, ZSTD_LEVEL)
    envelope: Any = messages.message_class(ENVELOPE, messages.NEWEST)(
        compression_algorithm=compression, payload=payload, checksum=xxhash.xxh64_intdigest(payload)
    )
    return envelope.SerializeToString(deterministic=True)


def plain_checkpoint(version: Any) -> bytes:
    """A checkpoint of a version in the form that every release since 0.19 reads."""
    checkpoint: Any = messages.message_class(CHECKPOINT, messages.era_of(version))()
    checkpoint.version.CopyFrom(version)
    data: bytes = checkpoint.SerializeToString(deterministic=True)
    return data


def has_envelope(layout: Layout) -> bool:
    """Whether the releases of a layout write the envelope; those before cannot read it."""
    return is_any("checkpoint_envelope", layout.releases)


def _payload(data: bytes) -> bytes:
    """The plain checkpoint: out of an envelope if it decodes as one with a checksum."""
    envelope: Any = messages.message_class(ENVELOPE, messages.NEWEST)()
    try:
        envelope.ParseFromString(data)
    except DecodeError:
        return data
    if not envelope.HasField("checksum"):
        return data
    computed = xxhash.xxh64_intdigest(envelope.payload)
    if computed != envelope.checksum:
        raise ChecksumMismatch("version checkpoint", stored=envelope.checksum, computed=computed)
    return _decompress(envelope.payload, envelope.compression_algorithm)


def _require_within(size: int, payload: bytes) -> None:
    """What some bytes hold is bounded: RisingWave's own frames do not say how much it is, and a few
    of them can hold any amount of nothing.
    """
    size_max = min(max(SIZE_MIN, len(payload) * RATIO_MAX), SIZE_MAX)
    if size > size_max:
        raise VersionError(
            f"checkpoint does not decompress: {len(payload)} bytes hold {size} or more, and no "
            f"checkpoint of theirs has more than {size_max}"
        )


def _decompress_zstd(payload: bytes) -> bytes:
    """One frame after the other; a frame that is cut is an error, not an end."""
    _require_within(max(0, zstandard.frame_content_size(payload)), payload)
    size = 0
    with zstandard.ZstdDecompressor().stream_reader(payload, read_across_frames=True) as frames:
        while count := len(frames.read(CHUNK_SIZE)):
            size += count
            _require_within(size, payload)
    parts: list[bytes] = []
    while payload:
        frame = zstandard.ZstdDecompressor().decompressobj()
        parts.append(frame.decompress(payload))
        if not frame.eof:
            raise VersionError("checkpoint does not decompress: the last zstd frame is cut")
        payload = frame.unused_data
    return b"".join(parts)


def _decompress_lz4(payload: bytes) -> bytes:
    """One frame, in pieces."""
    _require_within(_lz4.get_frame_info(payload)["content_size"], payload)
    frame: Any = _lz4.LZ4FrameDecompressor()
    parts: list[bytes] = [frame.decompress(payload, max_length=CHUNK_SIZE)]
    size = len(parts[0])
    while not frame.eof and not frame.needs_input:
        parts.append(frame.decompress(b"", max_length=CHUNK_SIZE))
        size += len(parts[-1])
        _require_within(size, payload)
    if not frame.eof:
        raise VersionError("checkpoint does not decompress: the lz4 frame is cut")
    return b"".join(parts)


def _decompress(payload: bytes, algorithm: int) -> bytes:
    try:
        if algorithm == ZSTD:
            return _decompress_zstd(payload)
        if algorithm == LZ4:
            return _decompress_lz4(payload)
    except (zstandard.ZstdError, RuntimeError) as error:
        raise VersionError(f"checkpoint does not decompress: {error}") from error
    if algorithm != NONE:
        raise VersionError(f"unknown checkpoint compression algorithm: {algorithm}")
    return payload
