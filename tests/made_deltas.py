"""Deltas for tests, made of two snapshot files as bytes."""

from __future__ import annotations

import io

import msgspec
import xxhash

from metasnapshot.format.checksum import CHECKSUM
from metasnapshot.format.delta import Opened, decode_delta, make_delta
from metasnapshot.format.delta_header import (
    DeltaHeader,
    Frame,
    decode_head,
    encode_head,
    head_size,
)
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.format.rebuilt import RebuiltFile

ENTRY = b'{"id":7}'
IDS = (3, 5, 2**40)


def opened(data: bytes) -> Opened:
    """A snapshot file in memory."""
    file = io.BytesIO(data)
    return Opened(SnapshotReader(file), file)


def header_for(base: Opened, heir: Opened) -> DeltaHeader:
    """A header of such a delta."""
    none = Frame(0, 0, "0" * 16)
    return DeltaHeader(
        snapshot_id=heir.reader.id,
        size=heir.reader.size,
        checksum=f"{heir.reader.checksum:016x}",
        base_id=base.reader.id,
        base_size=base.reader.size,
        base_checksum=f"{base.reader.checksum:016x}",
        format_version=heir.reader.format_version,
        layout=heir.reader.layout,
        releases=heir.reader.releases,
        cluster_id=None,
        hummock_version_id=1,
        newest_epoch=0,
        state_tables=0,
        objects=len(IDS),
        remarks=None,
        rw_version=None,
        taken=None,
        taken_by="clock",
        sections={},
        entry=none,
        body=none,
        steps=0,
        new_bytes=0,
    )


def delta_of(base: bytes, heir: bytes) -> bytes | None:
    """The delta that makes the one out of the other; None if it would not be small."""
    one, other = opened(base), opened(heir)
    return make_delta(header_for(one, other), (ENTRY, IDS), one, other)


def rebuilt(delta: bytes, base: bytes) -> bytes:
    """The file that a delta stands for."""
    return RebuiltFile(decode_delta("7.delta", delta), io.BytesIO(base)).read()


def signed(delta: bytes, **changed: object) -> bytes:
    """The same with another header, every hash of the file right."""
    header = decode_head("7.delta", delta)
    rest = delta[head_size("7.delta", delta) : -CHECKSUM.size]
    head = encode_head(msgspec.structs.replace(header, **changed))
    return head + rest + CHECKSUM.pack(xxhash.xxh64_intdigest(head + rest))
