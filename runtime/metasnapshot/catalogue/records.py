"""What is known of the snapshots of a directory: what was recorded, and where nothing was, what
their files and entries say.

Notes that cannot be read are told and stop nothing: they are taken as empty.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import TypeVar

import msgspec

from metasnapshot.catalogue.completeness import header_of
from metasnapshot.catalogue.delta_entry import DeltaEntry
from metasnapshot.catalogue.facts import (
    CLOCK,
    EPOCH,
    FILE,
    DrillNote,
    Facts,
    cluster_in,
    is_of,
    read_facts,
)
from metasnapshot.catalogue.full_header import Header
from metasnapshot.catalogue.ledger import Ledger, read_ledger
from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.catalogue.repository import Repository
from metasnapshot.catalogue.times import Clocks, newest_first, shown, taken_at
from metasnapshot.errors import (
    DamageError,
    MetasnapshotError,
    NoObject,
    ObjectMissing,
    UnknownFormat,
)
from metasnapshot.store.port import ObjectHead

T = TypeVar("T")


@dataclass(frozen=True)
class Taken:
    """When a snapshot was taken, and what says so: the clock of the host that took it (`clock`),
    the time of a file that was made here (`file`), or its newest epoch (`epoch`), after which it
    was taken.
    """

    time: datetime
    by: str

    @property
    def is_least(self) -> bool:
        """Whether it may have been later: an idle cluster commits no epochs."""
        return self.by == EPOCH


class Records:
    """What is known of the snapshots of a directory, as it was when it was first asked for."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._problems: list[str] = []
        store, directory = repository.store, repository.directory
        self._recorded = self._tolerate(lambda: read_facts(store, directory), {})
        self._bound: dict[int, Facts | None] = {}
        self._clusters: dict[int, str | None] = {}
        self._full: dict[int, Header | None] = {}

    @cached_property
    def ledger(self) -> Ledger:
        """The notes; empty if there are none or they cannot be read."""
        store, directory = self._repository.store, self._repository.directory
        return self._tolerate(lambda: read_ledger(store, directory), Ledger())

    @property
    def kept(self) -> set[int]:
        """Those that the operator marked; not what stands there for its deltas alone."""
        ours = {number for number, facts in self._recorded.items() if facts.kept_as_base}
        return set(self.ledger.kept) - ours

    @property
    def problems(self) -> list[str]:
        """Which notes cannot be read, and why; those of the ledger are read for it."""
        _ = self.ledger
        return self._problems

    def facts(self, entry: ManifestEntry) -> Facts | None:
        """What is recorded of this very snapshot; None if nothing is, or only of another one of
        its id.
        """
        if entry.id not in self._bound:
            self._bound[entry.id] = self._find(entry)
        return self._bound[entry.id]

    def full(self, snapshot_id: int) -> Header | None:
        """The header of a full snapshot's side file; None for a partial one, and for one whose side
        file cannot be read, which is a problem.
        """
        if snapshot_id not in self._full:
            find = partial(header_of, self._repository, self.heads, snapshot_id)
            self._full[snapshot_id] = self._tolerate(find, None, "taken as partial")
        return self._full[snapshot_id]

    def taken(self, entry: ManifestEntry) -> Taken | None:
        """When a snapshot was taken; None if nothing says so."""
        facts = self.facts(entry)
        if facts is not None and facts.taken is not None:
            return Taken(facts.taken, facts.taken_by)
        least = taken_at(entry)
        head = self.heads.get(self._repository.path(entry.id))
        if facts is None and head is not None and head.modified is not None:
            is_made_here = self.ledger.versions.get(entry.id) == entry.hummock_version_id
            if is_made_here and entry.id in self.ledger.made:
                return Taken(head.modified, FILE)
        return None if least is None else Taken(least, EPOCH)

    def cluster_id(self, entry: ManifestEntry) -> str | None:
        """The cluster that a snapshot is of: as recorded, or as its file says, which is verified
        then; None if it does not say.

        Raises:
            MetasnapshotError: nothing is recorded, and the file cannot be read or is damaged.
        """
        if (facts := self.facts(entry)) is not None:
            return facts.cluster_id
        if entry.id not in self._clusters:
            with self._repository.open(entry.id) as reader:
                self._clusters[entry.id] = cluster_in(reader)
        return self._clusters[entry.id]

    def cluster_ids(self) -> dict[int, str]:
        """The cluster of each snapshot that says so, by snapshot id, newest first; files that are
        damaged or lost are passed over.
        """
        found = {entry.id: self._sound_cluster(entry) for entry in self._newest_first()}
        return {number: cluster for number, cluster in found.items() if cluster is not None}

    def newest_cluster_id(self) -> str | None:
        """The cluster of the newest sound snapshot that says so; None if none does."""
        found = (self._sound_cluster(entry) for entry in self._newest_first())
        return next((cluster for cluster in found if cluster is not None), None)

    def newest_recorded_cluster_id(self) -> str | None:
        """The cluster of the newest snapshot of which it is recorded; no file is opened for it."""
        found = (self.facts(entry) for entry in self._newest_first())
        return next((item.cluster_id for item in found if item and item.cluster_id), None)

    def last_drill(self) -> DrillNote | None:
        """The newest rehearsal of a restore, of all snapshots."""
        drilled = [
            (recorded.drill, entry)
            for entry in self._repository.manifest().entries
            if (recorded := self._recorded.get(entry.id)) and recorded.drill
        ]
        drilled.sort(key=lambda pair: pair[0].at, reverse=True)
        return next((drill for drill, entry in drilled if self.facts(entry) is not None), None)

    def clocks(self, now: datetime | None = None) -> Clocks:
        """This host's clock, or the one that is given, and what is known of the store's."""
        times = [head.modified for head in self.heads.values() if head.modified is not None]
        return Clocks(now or datetime.now(UTC), max(times, default=None))

    def ahead(self, clocks: Clocks) -> list[str]:
        """Which snapshots were taken in the future of all clocks, in words, newest first."""
        found = [(entry.id, self.taken(entry)) for entry in self._newest_first()]
        return [
            f"snapshot {number} was taken at {shown(taken.time)}, but it is {clocks}: a clock is "
            "wrong, and ages mean nothing"
            for number, taken in found
            if taken is not None and clocks.is_behind(taken.time)
        ]

    @cached_property
    def heads(self) -> dict[str, ObjectHead]:
        """Size and time of each object right in the directory, by path."""
        found = self._repository.store.names(self._repository.directory)
        return {head.path: head for head in found.objects}

    def _newest_first(self) -> list[ManifestEntry]:
        return newest_first(self._repository.entries)

    def _sound_cluster(self, entry: ManifestEntry) -> str | None:
        try:
            return self.cluster_id(entry)
        except MetasnapshotError:
            return None

    def _find(self, entry: ManifestEntry) -> Facts | None:
        facts = self._recorded.get(entry.id)
        if isinstance(entry, DeltaEntry):
            return _of_delta(entry, facts)
        if facts is None:
            return None
        try:  # opening it tells its size, which saves a listing
            with self._repository.store.open_reader(self._repository.path(entry.id)) as file:
                return facts if is_of(facts, file, file.seek(0, os.SEEK_END)) else None
        except (ObjectMissing, NoObject):
            return None

    def _tolerate(self, read: Callable[[], T], otherwise: T, words: str = "taken as empty") -> T:
        try:
            return read()
        except (DamageError, UnknownFormat) as error:
            self._problems.append(f"{error}: {words}")
            return otherwise


def _of_delta(entry: DeltaEntry, noted: Facts | None) -> Facts | None:
    """What a delta says itself, with what was noted of the very snapshot since."""
    own = entry.file.facts
    if own is None or noted is None or (own.checksum, own.size) != (noted.checksum, noted.size):
        return own
    return msgspec.structs.replace(own, drill=noted.drill)


__all__ = ["CLOCK", "EPOCH", "FILE", "Records", "Taken"]
