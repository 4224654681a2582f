"""Rows of sections that were read and checked, kept in memory as the bytes that they are, so that
a second reader reads and hashes nothing. What they take is bounded.
"""

from __future__ import annotations

from collections.abc import Iterator

from metasnapshot.format.framing import ReadableFile
from metasnapshot.format.places import Batch, SectionPlace, batches

ROW_OVERHEAD = 64
"""Bytes that a row in memory takes beside its own."""


class KeptRows:
    """The rows of whole sections, the first that come, as long as there is room."""

    def __init__(self, size_max: int) -> None:
        self._room = size_max
        self._kept: dict[str, list[Batch]] = {}

    def batches(self, file: ReadableFile, place: SectionPlace) -> Iterator[Batch]:
        """The rows of a section: from memory, else from the file.

        Raises:
            ChecksumMismatch: at the end, if the file's hash is not what it was; then none is kept.
        """
        if (kept := self._kept.get(place.name)) is not None:
            yield from kept
            return
        size = place.size + ROW_OVERHEAD * place.count
        if size > self._room:
            yield from batches(file, place)
            return
        found: list[Batch] = []
        for batch in batches(file, place):
            found.append(batch)
            yield batch
        self._kept[place.name] = found
        self._room -= size
