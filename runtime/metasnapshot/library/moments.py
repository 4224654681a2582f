"""Which snapshot a time means: the newest one that was not taken after it. A restore to a time must
never pick silently: what it came to says by what the time of the snapshot is known, how far it lies
from the time that was asked for, and what comes next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from metasnapshot.catalogue.clusters import entries_of
from metasnapshot.catalogue.records import CLOCK, FILE, Records, Taken
from metasnapshot.catalogue.repository import Repository
from metasnapshot.catalogue.times import exact
from metasnapshot.errors import SnapshotNotFound, UsageError
from metasnapshot.spans import spelt

IDS_SHOWN = 5
SAYS = {CLOCK: "", FILE: " by the time of its file"}
"""What says when a snapshot was taken; of others it is only known that it was not before."""


class TooEarly(SnapshotNotFound):
    """No snapshot was taken by a time. `at` is that time, `earliest` the first snapshot that has a
    known time, or None.
    """

    def __init__(self, at: datetime, earliest: int | None, hint: str) -> None:
        super().__init__(f"of {at.isoformat()}", [] if earliest is None else [earliest], hint)
        self.args = (f"no snapshot was taken by {exact(at)}",)
        self.at = at
        self.earliest = earliest


@dataclass(frozen=True)
class Timed:
    """A snapshot, and when it was taken."""

    id: int
    taken: Taken

    @property
    def said(self) -> str:
        """In words: `taken 2026-11-30T02:59:41Z`, exact, so that it may be typed again."""
        time = exact(self.taken.time)
        if self.taken.is_least:
            return f"taken at {time} or later, as its newest epoch says"
        return f"taken {time}{SAYS.get(self.taken.by, '')}"


@dataclass(frozen=True)
class PickedSnapshot:
    """The newest snapshot that was not taken after a time.

    Attributes:
        at: the time.
        picked: the snapshot.
        following: the first one after the time, if there is one.
        newest_full: the newest full one not after the time, if there is one.
        untimed: ids of snapshots of which nobody knows the time; none of them is ever picked.
        warnings: why the times may mislead.
    """

    at: datetime
    picked: Timed
    following: Timed | None
    newest_full: Timed | None
    untimed: tuple[int, ...]
    warnings: tuple[str, ...]

    @property
    def id(self) -> int:
        """Of the snapshot."""
        return self.picked.id

    @property
    def distance(self) -> timedelta:
        """From when the snapshot was taken to the time."""
        return self.at - self.picked.taken.time

    @property
    def said(self) -> str:
        """What was picked, in words, and what comes next."""
        after = self.following
        next_ = "none is newer"
        if after is not None:
            next_ = f"the next, {after.id}, {_apart(after.taken.time - self.at)} after it"
        before = "right at" if not self.distance else f"{_apart(self.distance)} before"
        return f"snapshot {self.id}, {self.picked.said}, {before} {exact(self.at)}; {next_}"


def newest_by(repository: Repository, at: datetime, now: datetime | None = None) -> PickedSnapshot:
    """The newest snapshot that was not taken after a time; of several of one moment the one with
    the highest id.

    Args:
        repository: the directory.
        at: the time, with its zone.
        now: by default this host's clock.

    Raises:
        TooEarly: none is so old.
        UsageError: the time has no zone.
        SnapshotNotFound: there is none at all.
        ConflictError: they are of more than one cluster, and nobody said which.
    """
    if at.tzinfo is None:
        raise UsageError(f"a time without its zone: {at.isoformat()}", hint="datetime.UTC")
    at = at.astimezone(UTC)
    entries = entries_of(repository)
    if not entries:
        raise repository.not_found("latest", [])
    records = Records(repository)
    found = [(entry.id, records.taken(entry)) for entry in entries]
    timed = [Timed(number, taken) for number, taken in found if taken is not None]
    timed.sort(key=lambda item: (item.taken.time, item.id))
    untimed = tuple(sorted(number for number, taken in found if taken is None))
    upto = [item for item in timed if item.taken.time <= at]
    beyond = timed[len(upto) :]
    if not upto:
        raise _too_early(at, beyond, untimed)
    full = next((item for item in reversed(upto) if records.full(item.id) is not None), None)
    warnings = [*_untimed(untimed), *records.problems, *_future(at, now), *_disorder(upto, beyond)]
    following = beyond[0] if beyond else None
    return PickedSnapshot(at, upto[-1], following, full, untimed, tuple(warnings))


def _apart(span: timedelta) -> str:
    return spelt(span) if span >= timedelta(seconds=1) else "less than a second"


def _too_early(at: datetime, beyond: Sequence[Timed], untimed: tuple[int, ...]) -> TooEarly:
    more = "; ".join(_untimed(untimed))
    if not beyond:
        return TooEarly(at, None, hint=more)
    first = beyond[0]
    said = f"the earliest is snapshot {first.id}, {first.said}"
    return TooEarly(at, first.id, hint="; ".join(filter(None, [said, more])))


def _untimed(ids: tuple[int, ...]) -> list[str]:
    """That some are not considered."""
    if not ids:
        return []
    more = f" and {len(ids) - IDS_SHOWN} more" if len(ids) > IDS_SHOWN else ""
    shown = f"{', '.join(map(str, ids[:IDS_SHOWN]))}{more}"
    return [f"nobody knows when snapshot {shown} was taken: not considered"]


def _future(at: datetime, now: datetime | None) -> list[str]:
    ahead = at - (now or datetime.now(UTC))
    return [f"{exact(at)} is {spelt(ahead)} from now"] if ahead >= timedelta(seconds=1) else []


def _disorder(upto: Sequence[Timed], beyond: Sequence[Timed]) -> list[str]:
    """That ids, which only grow, and times say different things of what was before the time."""
    if not beyond:
        return []
    last, first = max(upto, key=lambda item: item.id), min(beyond, key=lambda item: item.id)
    if last.id < first.id:
        return []
    earlier, later = f"snapshot {first.id}, {first.said}", f"snapshot {last.id}, {last.said}"
    return [f"a clock was set back: {later}, came after {earlier}"]
