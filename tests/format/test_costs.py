"""What encoding a snapshot costs in memory, beside the file that comes out."""

from __future__ import annotations

import tracemalloc

import msgspec
from goldens import SHIPPED

import metasnapshot
from metasnapshot import Blob, MetaSnapshot

GOLDEN = SHIPPED / "v3.0.3" / "backup" / "2.snapshot"
SHARE_MAX = 1.3
"""Of the file's bytes."""


def with_fragments(count: int, blob_size: int) -> MetaSnapshot:
    """The golden snapshot with more fragments, whose blobs are alike."""
    snapshot = metasnapshot.loads(GOLDEN.read_bytes())
    known = snapshot.sections["fragments"]
    blob = Blob(bytes(range(256)) * (blob_size // 256))
    known += [
        msgspec.structs.replace(known[0], fragment_id=1_000_000 + number, stream_node=blob)
        for number in range(count)
    ]
    return snapshot


def test_dumps_holds_the_file_once() -> None:
    """Encoding takes 1.3 times the file's bytes at most, the file itself among them."""
    snapshot = with_fragments(200, 20_480)
    metasnapshot.dumps(snapshot)  # loads what it needs
    tracemalloc.start()
    try:
        data = metasnapshot.dumps(snapshot)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(data) > 200 * 20_480 * 3
    assert peak < SHARE_MAX * len(data)
