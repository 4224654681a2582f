"""What is known of every snapshot of a directory, without opening its file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from metasnapshot.catalogue.delta_entry import DeltaEntry
from metasnapshot.catalogue.delta_files import DELTA
from metasnapshot.catalogue.facts import DrillNote
from metasnapshot.catalogue.full_header import Header
from metasnapshot.catalogue.ledger import Verified
from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.catalogue.records import Records, Taken
from metasnapshot.catalogue.repository import SNAPSHOT, Repository


@dataclass(frozen=True)
class ListedSnapshot:
    """A snapshot as a list shows it.

    Attributes:
        entry: as the manifest has it, or would.
        is_kept: whether it is marked, so that nothing here deletes it.
        verified: when it was found sound last, and how deep that looked; None for never.
        taken: when it was taken, and what says so; None if nothing does.
        size: bytes of its file; None if the file is lost.
        cluster_id: the cluster that it is recorded to be of.
        releases: the releases that may have written it, as recorded.
        full: of a full backup what its side file says of its objects; None for a partial one.
        drill: when a restore of it was rehearsed last, and what came of it; None for never.
        kind: `snapshot`, or `delta`: kept as what differs from its base.
        base: of a delta the snapshot that it is kept against; None if that cannot be read.
    """

    entry: ManifestEntry
    is_kept: bool
    verified: Verified | None
    taken: Taken | None
    size: int | None
    cluster_id: str | None
    releases: tuple[str, ...]
    full: Header | None
    drill: DrillNote | None = None
    kind: Literal["snapshot", "delta"] = SNAPSHOT
    base: int | None = None


@dataclass(frozen=True)
class Listing:
    """The snapshots of a directory.

    Attributes:
        manifest_id: of the manifest that was read.
        snapshots: in the manifest's order; where there are deltas, by id.
        warnings: what an operator should know: notes that cannot be read, clocks that are wrong.
        now: this host's clock, for ages.
    """

    manifest_id: int
    snapshots: tuple[ListedSnapshot, ...]
    warnings: tuple[str, ...]
    now: datetime

    def __iter__(self) -> Iterator[ListedSnapshot]:
        return iter(self.snapshots)

    def __len__(self) -> int:
        return len(self.snapshots)


def listing(repository: Repository, entries: Sequence[ManifestEntry]) -> Listing:
    """Look at the notes and at the directory.

    Args:
        repository: the directory.
        entries: those to list.
    """
    records = Records(repository)
    clocks = records.clocks()
    snapshots = tuple(_listed(repository, records, entry) for entry in entries)
    told = (repository.why_empty(), *records.problems, *records.ahead(clocks))
    told = (*told, *(f"{item.file.error}" for item in _unreadable(entries)))
    warnings = tuple(text for text in told if text)
    return Listing(repository.manifest().manifest_id, snapshots, warnings, clocks.host)


def listed(repository: Repository, entry: ManifestEntry) -> ListedSnapshot:
    """The same of one snapshot.

    Args:
        repository: the directory.
        entry: which one.
    """
    return _listed(repository, Records(repository), entry)


def _listed(repository: Repository, records: Records, entry: ManifestEntry) -> ListedSnapshot:
    facts, head = records.facts(entry), records.heads.get(repository.stored_path(entry.id))
    is_delta = isinstance(entry, DeltaEntry)
    return ListedSnapshot(
        entry=entry,
        is_kept=entry.id in records.kept,
        verified=records.ledger.verified.get(entry.id),
        taken=records.taken(entry),
        size=head.size if head else None,
        cluster_id=facts.cluster_id if facts else None,
        releases=tuple(facts.releases) if facts else (),
        full=records.full(entry.id),
        drill=facts.drill if facts else None,
        kind=DELTA if is_delta else SNAPSHOT,
        base=entry.base_id if is_delta else None,
    )


def _unreadable(entries: Sequence[ManifestEntry]) -> list[DeltaEntry]:
    """Deltas that say nothing."""
    return [entry for entry in entries if isinstance(entry, DeltaEntry) and entry.file.error]
