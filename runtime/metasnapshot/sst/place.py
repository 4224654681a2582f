"""Where in an SST object something is, for errors; worded only when something is wrong."""

from __future__ import annotations

from typing import NamedTuple

from metasnapshot.errors import SstDamage, SstMismatch, SstTruncated


class Place(NamedTuple):
    """A place in an object: its name, the number of a block (None outside any), an offset."""

    name: str = ""
    block: int | None = None
    offset: int | None = None

    def damaged(self, reason: str) -> SstDamage:
        """The error that RisingWave writes no such bytes here."""
        return SstDamage(reason, name=self.name, block=self.block, offset=self.offset)

    def truncated(self, reason: str) -> SstTruncated:
        """The error that bytes are missing here."""
        return SstTruncated(reason, name=self.name, block=self.block, offset=self.offset)

    def compare(self, what: str, stored: int, computed: int) -> None:
        """Compare a hash.

        Raises:
            SstMismatch: they differ.
        """
        if stored != computed:
            raise SstMismatch(
                what,
                stored=stored,
                computed=computed,
                name=self.name,
                block=self.block,
                offset=self.offset,
            )
