"""Table watermarks: new ones are appended, old ones cleared up to an epoch.

Source: src/storage/hummock_sdk/src/table_watermark.rs at v1.10.0 to v3.0.3.
"""

from __future__ import annotations

from typing import Any

from metasnapshot.errors import VersionError
from metasnapshot.hummock.replay.rules import Rules
from metasnapshot.hummock.replay.sst import changed

VNODES_FIXED = 256
PK_PREFIX, NON_PK_PREFIX = 1, 2
"""WatermarkSerdeType."""
BUFFER_NONE = 1
"""CompressionType of a bitmap's buffer."""


class Bitmap:
    """A set of vnodes out of so many. A stored one is a byte, its count modulo 8, then the bits."""

    def __init__(self, count: int, bits: int) -> None:
        self.count = count
        self.bits = bits

    @classmethod
    def parse(cls, body: bytes) -> Bitmap:
        """Out of a buffer's body."""
        count = 8 * (len(body) - 1) - (8 - body[0]) % 8
        return cls(count, int.from_bytes(body[1:], "little") & ((1 << count) - 1))

    def render(self) -> bytes:
        """The buffer's body."""
        size = (self.count + 7) // 8
        return bytes([self.count % 8]) + self.bits.to_bytes(size, "little")


def read_watermarks(message: Any, rules: Rules) -> Any:
    """A table's watermarks as a release has them in memory after it read them.

    Raises:
        VersionError: the release would not read them.
    """
    for epoch in message.epoch_watermarks:
        for watermark in epoch.watermarks:
            if not watermark.HasField("vnode_bitmap") or not watermark.vnode_bitmap.body:
                raise VersionError("a watermark without vnode_bitmap")
    if not rules.watermarks_typed:
        return message
    kind = message.raw_watermark_serde_type
    typed = kind or (NON_PK_PREFIX if message.is_non_pk_prefix else PK_PREFIX)
    if (kind, message.is_non_pk_prefix) == (typed, typed == NON_PK_PREFIX):
        return message
    message = changed(message)
    message.raw_watermark_serde_type = typed
    message.is_non_pk_prefix = typed == NON_PK_PREFIX
    return message


def check_watermarks(message: Any) -> None:
    """New watermarks must be ordered by epoch, whatever comes of them.

    Raises:
        VersionError: they are not.
    """
    epochs = [item.epoch for item in message.epoch_watermarks]
    if epochs != sorted(epochs):
        raise VersionError(f"epochs of watermarks are not ascending: {epochs}")


def append_watermarks(message: Any, new: Any) -> Any:
    """Watermarks with newer ones after them.

    Raises:
        VersionError: the direction differs, or the new ones are not newer.
    """
    if message.is_ascending != new.is_ascending:
        raise VersionError("watermarks of another direction")
    check_watermarks(new)
    if message.epoch_watermarks and new.epoch_watermarks:
        last, first = message.epoch_watermarks[-1].epoch, new.epoch_watermarks[0].epoch
        if last >= first:
            raise VersionError(f"watermarks of epoch {first} after those of {last}")
    message = changed(message)
    message.epoch_watermarks.extend(new.epoch_watermarks)
    return message


def first_epoch(message: Any) -> int | None:
    """The oldest epoch with watermarks."""
    return message.epoch_watermarks[0].epoch if message.epoch_watermarks else None


def clear_watermarks(message: Any, safe_epoch: int, rules: Rules) -> Any:
    """Watermarks from an epoch on, with the last word of each vnode before it re-stamped to it."""
    if not message.epoch_watermarks or message.epoch_watermarks[0].epoch >= safe_epoch:
        return message
    kept = [item for item in message.epoch_watermarks if item.epoch >= safe_epoch]
    older = [item for item in message.epoch_watermarks if item.epoch < safe_epoch]
    seen, count = _vnodes(kept, older, rules)
    result = type(message)()
    result.CopyFrom(message)
    del result.epoch_watermarks[:]
    stamped = type(message.epoch_watermarks[0])(epoch=safe_epoch)
    if kept and kept[0].epoch == safe_epoch:
        stamped.CopyFrom(kept.pop(0))
    for epoch in reversed(older):
        if seen.bit_count() >= count:
            break
        for watermark in epoch.watermarks:
            bitmap = Bitmap.parse(watermark.vnode_bitmap.body)
            fresh = bitmap.bits & ~seen
            if not fresh:
                continue
            seen |= fresh
            copy = stamped.watermarks.add()
            copy.CopyFrom(watermark)
            if fresh != bitmap.bits:
                copy.vnode_bitmap.body = Bitmap(count, fresh).render()
    if stamped.watermarks:
        result.epoch_watermarks.append(stamped)
    result.epoch_watermarks.extend(kept)
    return result


def _vnodes(kept: list[Any], older: list[Any], rules: Rules) -> tuple[int, int]:
    """The vnodes that newer watermarks speak of, and how many there are."""
    seen = 0
    count = VNODES_FIXED if rules.watermarks_256 else None
    for epoch in (*kept, *older):
        for watermark in epoch.watermarks:
            bitmap = Bitmap.parse(watermark.vnode_bitmap.body)
            count = bitmap.count if count is None else count
            if epoch in kept:
                seen |= bitmap.bits
    return seen, count or VNODES_FIXED
