"""What a page says of a comparison: the differences, as many as a page holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from metasnapshot.operations.diff.compare import ADDED, CHANGED, REMOVED, Change, Objects
from metasnapshot.operations.report.inventory import clipped
from metasnapshot.version import VERSION

LISTED_MAX = 2000
"""Changes by name that a page lists."""


@dataclass(frozen=True)
class Differences:
    """A comparison.

    Attributes:
        made_at: when.
        made_by: this release of metasnapshot.
        place: URL and directory of the snapshots, without credentials.
        before, after: what was compared, in words.
        listed: changes by name, as many as a page holds.
        names: by kind how many were added, removed and changed.
        rows: the same by section.
        objects_added, objects_removed: of Hummock's, or None where one side has no version.
        omitted: what was not compared.
    """

    made_at: datetime
    made_by: str
    place: str
    before: str
    after: str
    listed: tuple[Change, ...]
    names: tuple[tuple[str, int, int, int], ...]
    rows: tuple[tuple[str, int, int, int], ...]
    objects_added: int | None
    objects_removed: int | None
    omitted: tuple[str, ...]

    @property
    def total(self) -> int:
        """Changes by name, listed or not."""
        return sum(sum(numbers) for _, *numbers in self.names)


def summed(
    sides: tuple[str, str, str],
    names: Iterable[Change],
    rows: Iterable[Change],
    objects: Objects | None,
    omitted: tuple[str, ...],
) -> Differences:
    """Read a comparison to its end.

    Args:
        sides: the place, and both sides in words.
        names: changes by name.
        rows: changes by row.
        objects: ids of objects that were added and removed.
        omitted: what was not compared.

    Raises:
        DamageError: a section is damaged.
    """
    listed: list[Change] = []
    by_name, by_section = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for change in names:
        by_name[change.kind, change.change] += 1
        if len(listed) < LISTED_MAX:
            listed.append(replace(change, key=tuple(clipped(str(part)) for part in change.key)))
    for change in rows:
        by_section[change.kind, change.change] += 1
    added, removed = (None, None) if objects is None else map(len, objects)
    return Differences(
        made_at=datetime.now(UTC),
        made_by=VERSION,
        place=sides[0],
        before=sides[1],
        after=sides[2],
        listed=tuple(listed),
        names=_by_kind(by_name),
        rows=_by_kind(by_section),
        objects_added=added,
        objects_removed=removed,
        omitted=omitted,
    )


def _by_kind(counts: Counter[tuple[str, str]]) -> tuple[tuple[str, int, int, int], ...]:
    kinds = dict.fromkeys(kind for kind, _ in counts)
    return tuple(
        (kind, counts[kind, ADDED], counts[kind, REMOVED], counts[kind, CHANGED]) for kind in kinds
    )
