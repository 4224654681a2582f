"""What keeping house came to: plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from metasnapshot.catalogue.manifest import ManifestEntry

if TYPE_CHECKING:
    from metasnapshot.operations.expire import Judged
    from metasnapshot.operations.gc import Stray, Strays
    from metasnapshot.operations.gc_objects import UnneededObjects


@dataclass(frozen=True)
class Judgement:
    """What a retention policy says.

    Attributes:
        judged: every snapshot with the reasons why it stays, newest first.
        warnings: which snapshots are ahead of all clocks.
    """

    judged: tuple[Judged, ...]
    warnings: tuple[str, ...]

    @property
    def going(self) -> tuple[ManifestEntry, ...]:
        """The entries that no rule keeps."""
        return tuple(item.entry for item in self.judged if not item.reasons)


@dataclass(frozen=True)
class Collected:
    """What a look for files that do not belong came to.

    Attributes:
        strays: what was found.
        deleted: what of it was deleted.
        objects: copies of objects that no full backup needs; None if nobody asked for them.
    """

    strays: Strays
    deleted: tuple[Stray, ...]
    objects: UnneededObjects | None = None
