"""What a check found, as data: how bad, where, what, and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from metasnapshot.errors import DamageError, MetasnapshotError, ObjectMissing, UnknownFormat

ERROR, WARNING = "error", "warning"
KEPT_MAX = 1000
"""Findings of a severity that are kept; all are counted."""


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        severity: error (a restored cluster would break) or warning (worth a look).
        section: of the snapshot; "" for the state store.
        row: what identifies the row or object.
        what: what is wrong.
        hint: what to do, or "".
        missing: whether an object is not where it must be.
        unknown: whether it is no damage, but of a release that the registry lacks.
    """

    severity: str
    section: str
    row: str
    what: str
    hint: str = ""
    missing: bool = False
    unknown: bool = False

    def __str__(self) -> str:
        place = ", ".join(part for part in (self.section, self.row) if part)
        return f"{place}: {self.what}"


@dataclass
class Findings:
    """What a check found, one after the other; and how many there are of each severity.

    Attributes:
        kept: the findings, at most 1,000 of each severity.
        counts: of all findings, by severity.
        missing: how many say that an object is not where it must be.
        unknown: how many are no damage, but of a release that the registry lacks.
    """

    kept: list[Finding] = field(default_factory=list[Finding])
    counts: Counter[str] = field(default_factory=Counter[str])
    missing: int = 0
    unknown: int = 0

    def __iter__(self) -> Iterator[Finding]:
        """Those that are kept."""
        return iter(self.kept)

    def add(self, findings: Iterable[Finding]) -> None:
        """Count findings in; the first of each severity are kept."""
        for finding in findings:
            if self.counts[finding.severity] < KEPT_MAX:
                self.kept.append(finding)
            self.counts[finding.severity] += 1
            self.missing += finding.missing
            self.unknown += finding.unknown

    def error(self, what: str) -> MetasnapshotError | None:
        """The error that they come to, if one of them is an error: ObjectMissing if nothing but
        objects is missing, UnknownFormat if the registry lacks it all, else DamageError.
        """
        count = self.counts[ERROR]
        if not count:
            return None
        first = next(item for item in self.kept if item.severity == ERROR)
        more = f", and {count - 1} more" if count > 1 else ""
        if self.missing == count:
            return ObjectMissing(
                first.row, where=f"the state store, for {what}{more}", hint=first.hint
            )
        kind = UnknownFormat if self.unknown == count else DamageError
        return kind(f"{what}: {first}{more}", hint=first.hint)
