"""What a timeline says, as plain data: no markup, no secret value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from metasnapshot.catalogue.records import Taken
from metasnapshot.errors import SOME_FAILED, DamageError, MetasnapshotError
from metasnapshot.operations.report.model import Gap


@dataclass(frozen=True)
class Stop:
    """A snapshot that can be restored to.

    Attributes:
        id: of the snapshot.
        taken: when, if anything says so.
        is_full: whether its objects are in the backup.
        is_verified: whether it was ever found sound.
        is_kept: whether it is marked.
    """

    id: int
    taken: Taken | None
    is_full: bool
    is_verified: bool
    is_kept: bool


@dataclass(frozen=True)
class Event:
    """What became of a named object, or of a parameter.

    Attributes:
        kind: tables, sources, users, …, system parameters or session parameters.
        change: added, removed or changed.
        name: its name, the new one of something renamed.
        id: of the object; None of a parameter.
        columns: what differs, of something changed; `name` and `owner` among them.
        owner: the user who owns it, or owned it when it was removed; None where nobody does.
        before: the earlier name, owner or value, where one of these changed.
        after: the later one.
    """

    kind: str
    change: str
    name: str
    id: int | None = None
    columns: tuple[str, ...] = ()
    owner: str | None = None
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True)
class Step:
    """What changed from one snapshot to the next that can be read: some time between the two."""

    earlier: Stop
    later: Stop
    events: tuple[Event, ...]


@dataclass(frozen=True)
class Unread:
    """A snapshot that cannot be read, and why."""

    stop: Stop
    error: MetasnapshotError


@dataclass(frozen=True)
class Timeline:
    """To what a directory can be restored, and what changed when.

    Attributes:
        made_at: this host's clock.
        place: URL and directory, without credentials.
        since: from when on; None for the first snapshot.
        until: up to when; None for now.
        stops: the snapshots of that time, and one before and one after it, by id.
        steps: what changed, in their order; where nothing did there is none.
        expected: how long a time without a snapshot may be; None where nobody knows.
        gaps: longer ones.
        unread: snapshots that cannot be read; what changed is told across them.
        warnings: what an operator should know.
    """

    made_at: datetime
    place: str
    since: datetime | None
    until: datetime | None
    stops: tuple[Stop, ...]
    steps: tuple[Step, ...]
    expected: timedelta | None
    gaps: tuple[Gap, ...]
    unread: tuple[Unread, ...]
    warnings: tuple[str, ...]

    @property
    def points(self) -> tuple[Stop, ...]:
        """Those that can be read, oldest first; those without a time come last."""
        gone = {item.stop.id for item in self.unread}
        timed = [stop for stop in self.stops if stop.taken is not None and stop.id not in gone]
        others = [stop for stop in self.stops if stop.taken is None and stop.id not in gone]
        timed.sort(key=lambda stop: (stop.taken.time if stop.taken else self.made_at, stop.id))
        return (*timed, *others)

    @property
    def untimed(self) -> tuple[int, ...]:
        """Ids of those of which nobody knows the time."""
        return tuple(stop.id for stop in self.stops if stop.taken is None)

    @property
    def full_count(self) -> int:
        """How many can be restored without the cluster's own objects."""
        return sum(stop.is_full for stop in self.points)

    @property
    def verified_count(self) -> int:
        """How many were found sound."""
        return sum(stop.is_verified for stop in self.points)

    @property
    def event_count(self) -> int:
        """How many changes there are."""
        return sum(len(step.events) for step in self.steps)

    @property
    def code(self) -> int:
        """The exit code: 3 if some cannot be read, that of the damage if none can."""
        codes = [item.error.exit_code for item in self.unread]
        if not codes:
            return 0
        if len(codes) < len(self.stops):
            return SOME_FAILED
        return DamageError.exit_code if DamageError.exit_code in codes else max(codes)
