"""One reference to an SST inside a version, with what the rules look at unpacked."""

from __future__ import annotations

from typing import Any

from metasnapshot.errors import VersionError
from metasnapshot.hummock.keys import FIRST, LAST, Bound, bound
from metasnapshot.hummock.replay.rules import Rules

_XOR16, _NO_FILTER = 3, 1
_PLAIN, _BLOCKED = 2, 3
_FILTERS = {0: (_NO_FILTER, 0), 1: (_XOR16, _PLAIN), 2: (_XOR16, _BLOCKED)}
"""SstableFilterType and SstableFilterLayout of an old bloom_filter_kind."""


class Sst:
    """An SstableInfo message that nobody changes any more; a changed one is a new Sst.

    Attributes:
        message: the message.
        id: sst_id, which names this reference; the file's name is object_id.
        size: what it counts in its level's total_file_size, in bytes.
        uncompressed: the same of uncompressed_file_size.
    """

    __slots__ = ("_key", "id", "message", "size", "uncompressed")

    def __init__(self, message: Any, rules: Rules) -> None:
        self.message = message
        self.id: int = message.sst_id
        self.size: int = message.sst_size if rules.sst_size else message.file_size
        self.uncompressed: int = message.uncompressed_file_size
        self._key: tuple[Bound, Bound] | None = None

    @property
    def key(self) -> tuple[Bound, Bound]:
        """Its place in the order of key ranges; most SSTs of L0 are never asked for it."""
        if self._key is None:
            key_range = self.message.key_range
            self._key = bound(key_range.left, FIRST), bound(key_range.right, LAST)
        return self._key


def read_sst(message: Any, rules: Rules) -> Sst:
    """An SST as a release has it in memory after it read it.

    Raises:
        VersionError: the release would not read it.
    """
    if rules.tables_sorted:
        tables = message.table_ids
        if len(tables) > 1 and list(tables) != sorted(tables):
            raise VersionError(f"table ids of SST {message.sst_id} are not ascending: {[*tables]}")
    if (rules.sst_size and not message.sst_size) or rules.filters_typed:
        message = changed(message)
        if not message.sst_size:
            message.sst_size = message.file_size
        if rules.filters_typed:
            _type_filter(message)
    return Sst(message, rules)


def changed(message: Any) -> Any:
    """A copy of a message, to change."""
    copy = type(message)()
    copy.CopyFrom(message)
    return copy


def _type_filter(message: Any) -> None:
    """Say the filter in the new fields (src/storage/hummock_sdk/src/sstable_info.rs of main)."""
    if not message.HasField("filter_type") and not message.HasField("filter_layout"):
        kind, layout = _FILTERS[message.bloom_filter_kind]
        message.filter_type = kind
        if layout:
            message.filter_layout = layout
    message.bloom_filter_kind = 0
