"""The objects of one snapshot into the area, and the side file that makes it complete. The snapshot
is in the directory by then, partial.

What is in the area is what a listing shows, at the start and again right before the side file is
written; a marker that beats keeps gc away meanwhile.
"""

from __future__ import annotations

from array import array
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from io import SEEK_END
from typing import Protocol

from metasnapshot.catalogue.area import Area, look_for, make_area
from metasnapshot.catalogue.completeness import is_of_delta
from metasnapshot.catalogue.full import FullBackup, require_nameable, write_full
from metasnapshot.catalogue.full_header import FULL, Header, is_of_snapshot
from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.catalogue.marker import COPYING, drop_dead_markers, marked
from metasnapshot.catalogue.repository import Repository
from metasnapshot.catalogue.reservation import ids_among
from metasnapshot.contents.findings import ERROR, Findings
from metasnapshot.errors import (
    ConflictError,
    DamageError,
    MetasnapshotError,
    ObjectMissing,
    SnapshotNotFound,
    StorageError,
)
from metasnapshot.hummock.objects import NeededObjects
from metasnapshot.operations.copy_objects import (
    VANISHED_HINT,
    ObjectWork,
    some,
)
from metasnapshot.operations.crew import Pace
from metasnapshot.operations.known_hashes import known_hashes
from metasnapshot.operations.rounds import hasty_objects, in_haste
from metasnapshot.operations.spread.sides import Side, area_side

LISTS_MAX = 3
"""How often what is gone again at the end is copied again."""
MOVE_AWAY = "the copy is damaged: move it away, and back up again, which copies it anew"
OTHER = "they are of another life of the cluster: back up into another directory"


class Made(Protocol):
    """A snapshot that lies in the directory: its entry, bytes and XXH64 of its file, and the
    objects that it needs.
    """

    @property
    def entry(self) -> ManifestEntry:
        """See above."""
        ...

    @property
    def size(self) -> int:
        """See above."""
        ...

    @property
    def checksum(self) -> int:
        """See above."""
        ...

    @property
    def needed(self) -> NeededObjects:
        """See above."""
        ...


@dataclass(frozen=True)
class Completion:
    """What came of the objects of a snapshot.

    Attributes:
        size: bytes that there were to copy.
        copied: objects that were copied.
        bytes_copied: bytes of those.
        reused: objects that the area had.
        findings: what vanished, and what is damaged.
        complete: whether the side file was written.
        problems: of earlier side files.
        ids_vanished: of objects that vanished, if nothing else is wrong.
    """

    size: int
    copied: int
    bytes_copied: int
    reused: int
    findings: Findings
    complete: bool
    problems: tuple[str, ...]
    ids_vanished: frozenset[int]


def complete(
    repository: Repository,
    made: Made,
    source: Side,
    cluster_id: str | None,
    pace: Pace,
    missing_hint: str = VANISHED_HINT,
) -> Completion:
    """Copy the objects of a snapshot.

    Args:
        repository: the directory, which has the snapshot.
        made: the snapshot.
        source: where the objects are.
        cluster_id: of which cluster they are.
        pace: how fast.
        missing_hint: what to do about one that is not there.

    Raises:
        ConflictError: the area is another cluster's, an object of another life has a name, or
            objects are being collected.
        DamageError: an object in the area has another size than its name's.
    """
    try:
        return _Work(repository, made, source, cluster_id, pace, missing_hint).run()
    except MetasnapshotError as error:
        goes_on = f"snapshot {made.entry.id} is partial; the next backup goes on from there"
        error.hint = f"{error.hint}; {goes_on}" if error.hint else goes_on
        raise


class _Work:
    """The work on one snapshot."""

    def __init__(
        self,
        repository: Repository,
        made: Made,
        source: Side,
        cluster_id: str | None,
        pace: Pace,
        missing_hint: str,
    ) -> None:
        self._store, self._directory = repository.store, repository.directory
        self._made, self._source, self._cluster_id = made, source, cluster_id
        self._target = area_side(self._store, self._directory)
        self._work = ObjectWork(made.needed, pace, missing_hint, repository.context)
        self._repository = repository
        self._size = 0

    @property
    def _needed(self) -> NeededObjects:
        return self._made.needed

    def run(self) -> Completion:
        store, directory = self._store, self._directory
        require_nameable(len(self._needed))
        there = store.names(directory)
        drop_dead_markers(store, directory, ids_among(there, COPYING))
        with marked(store, directory, self._made.entry.id):
            area = make_area(store, directory, self._cluster_id)
            seen = self._look()
            known = known_hashes(
                *(store, directory, area, ids_among(there, FULL)),
                *(self._needed, seen, self._is_same_moment),
            )
            self._work.hashes = known.hashes
            self._look_again(seen, known.of_this_life)
            copied = self._copy(seen)
            count, size = len(copied), sum(self._needed.sizes[place] for place in copied)
            findings = self._work.findings
            is_complete = not findings.counts[ERROR]
            if is_complete:
                write_full(store, directory, self._side_file(area, count, size))
            return Completion(
                self._size,
                count,
                size,
                len(self._needed) - count,
                findings,
                is_complete,
                tuple(known.problems),
                self._vanished(),
            )

    def _is_same_moment(self, header: Header) -> bool:
        """Whether nothing was committed since the snapshot of a side file was taken: epochs are of
        the wall clock, and no other life of the cluster has them.
        """
        number, store, own = header.snapshot_id, self._store, _epochs(self._made.entry)
        try:
            if not own or own != _epochs(self._repository.entry(number)):
                return False
        except SnapshotNotFound:
            return False
        if (delta := self._repository.delta(number)) is not None:
            return is_of_delta(header, delta)
        with suppress(ObjectMissing), store.open_reader(self._repository.path(number)) as file:
            return is_of_snapshot(header, file, file.seek(0, SEEK_END))
        return False

    def _vanished(self) -> frozenset[int]:
        """Ids of what was not there, if nothing else is wrong."""
        findings = self._work.findings
        if findings.counts[ERROR] > findings.missing:
            return frozenset()
        return frozenset(self._work.missing)

    def _look(self) -> bytearray:
        """What is there; an object of a wrong size would never be overwritten."""
        found = look_for(self._store, self._directory, self._needed)
        if found.wrong:
            what = some(f"{head.path} ({head.size} bytes)" for head in found.wrong)
            raise DamageError(f"of another size than their names say: {what}", hint=MOVE_AWAY)
        return found.seen

    def _look_again(self, seen: bytearray, of_this_life: bytearray) -> None:
        """Compare by content what is there and no side file speaks of; and vector files and graphs
        that another life of the cluster may have given the id, and the tag, to.
        """
        work = self._work
        there = array("Q", (place for place, is_there in enumerate(seen) if is_there))
        unknown = array("Q", (place for place in there if work.hash_of(place) is None))
        work.read(unknown, self._target)
        alike = [place for place in there if not of_this_life[place]]
        before = {place: work.hash_of(place) for place in alike}
        work.read(alike, self._source, compare=False)
        others = [place for place, found in before.items() if work.hash_of(place) != found]
        if others:
            what = some(self._target.path_of(self._needed[place]) for place in others)
            raise ConflictError(
                f"other objects than the cluster's of this name: {what}", hint=OTHER
            )

    def _copy(self, seen: bytearray) -> set[int]:
        """Copy what is not there; and again what is gone when all is there."""
        copied, work, hasty = set[int](), self._work, set[int]()
        if not all(seen):
            with self._repository.open(self._made.entry.id) as reader:
                hasty = hasty_objects(reader)
        for _ in range(LISTS_MAX):
            missing = (place for place, is_there in enumerate(seen) if not is_there)
            todo = array("Q", in_haste(missing, self._needed, hasty))
            self._size = self._size or sum(self._needed.sizes[place] for place in todo)
            work.copy(todo, self._source, self._target)
            copied.update(place for place in todo if work.hash_of(place) is not None)
            if work.findings.counts[ERROR]:
                return copied
            seen = self._look()
            if all(seen):
                return copied
        raise StorageError(
            "objects go from the area as fast as they are copied",
            hint="let no gc run there meanwhile",
        )

    def _side_file(self, area: Area, count: int, size: int) -> FullBackup:
        made, needed = self._made, self._needed
        header = Header(
            snapshot_id=made.entry.id,
            checksum=f"{made.checksum:016x}",
            size=made.size,
            hummock_version_id=made.entry.hummock_version_id,
            cluster_id=self._cluster_id,
            area_id=area.area_id,
            objects=len(needed),
            bytes=needed.size,
            objects_new=count,
            bytes_new=size,
            taken=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        return FullBackup(header, needed, bytes(self._work.hashes))


def _epochs(entry: ManifestEntry) -> dict[int, int]:
    """Up to when each table is committed."""
    return {table: info.committed_epoch for table, info in entry.state_table_info.items()}
