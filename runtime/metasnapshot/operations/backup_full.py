"""backup --with-objects: a snapshot, then a copy of every object that it needs and the area does
not have, then the side file that makes it complete. Beside a living cluster objects may vanish
meanwhile; then it is done again with a newer snapshot, in rounds.

The order is what a kill at any moment may leave: a snapshot that is listed as partial, and whole
objects that the next backup finds. What is in the area is what a listing shows, at the start and
again right before the side file is written.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from metasnapshot.catalogue.area import Area, find_area, look_for, make_area, require_own
from metasnapshot.catalogue.full import FullBackup, write_full
from metasnapshot.catalogue.full_header import FULL, Header
from metasnapshot.catalogue.marker import COPYING, drop_dead_markers, marked
from metasnapshot.catalogue.repository import Repository
from metasnapshot.catalogue.reservation import ids_among
from metasnapshot.contents.area_place import check_area_place
from metasnapshot.contents.findings import ERROR, Findings
from metasnapshot.contents.ownership import DATA_DIRECTORY, STATE_STORE, parameter
from metasnapshot.errors import ConflictError, DamageError, MetasnapshotError, StorageError
from metasnapshot.hummock.objects import NeededObjects
from metasnapshot.hummock.paths import DATA, GRAPH, SUFFIXES, is_prefixed
from metasnapshot.metastore.connect import MetaStore
from metasnapshot.metastore.read import find_layouts, read_rows, system_parameters
from metasnapshot.operations.backup import BackupResult, backup
from metasnapshot.operations.backup_options import NOT_PINNED, BackupOptions
from metasnapshot.operations.copy_objects import (
    VANISHED_HINT,
    ObjectWork,
    Side,
    area_side,
    some,
    state_side,
)
from metasnapshot.operations.crew import ROUNDS, Pace
from metasnapshot.operations.known_hashes import known_hashes
from metasnapshot.operations.rounds import (
    Round,
    drop,
    hasty_objects,
    in_haste,
    is_lost,
    why_no_more,
    written_between,
)
from metasnapshot.store.port import Store
from metasnapshot.store.url import open_store

LISTS_MAX = 3
"""How often what is gone again at the end is copied again."""
MOVE_AWAY = "the copy is damaged: move it away, and back up again, which copies it anew"
OTHER = "they are of another life of the cluster: back up into another directory"


@dataclass(frozen=True)
class FullResult:
    """What a full backup made, or would make.

    Attributes:
        backup: the snapshot.
        copied: objects that were copied, or would be.
        bytes_copied: bytes of those.
        reused: objects that the area had.
        findings: what vanished, and what is damaged.
        complete: whether the side file was written.
        problems: of earlier side files, and of snapshots of earlier rounds that stay.
        rounds: how many it took.
        stopped: why there was no further round, if one might have helped.
        ids_vanished: of objects that vanished.
    """

    backup: BackupResult
    copied: int
    bytes_copied: int
    reused: int
    findings: Findings
    complete: bool
    problems: tuple[str, ...] = ()
    rounds: int = 1
    stopped: MetasnapshotError | None = None
    ids_vanished: frozenset[int] = frozenset()

    @property
    def error(self) -> MetasnapshotError | None:
        """What kept it from being complete: ObjectMissing if all of it vanished."""
        if self.stopped is not None:
            return self.stopped
        return self.findings.error(f"snapshot {self.backup.entry.id}, which is partial")

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the operator should know: a complete one needs no pin."""
        found = self.backup.warnings
        kept = found if not self.complete else tuple(t for t in found if t != NOT_PINNED)
        return (*kept, *self.problems)


def backup_full(
    meta_store: MetaStore,
    repository: Repository,
    options: BackupOptions,
    pace: Pace,
    store: Store | None = None,
    rounds_max: int = ROUNDS,
) -> FullResult:
    """Back up a meta store and every object that the snapshot needs.

    Args:
        meta_store: where the metadata is.
        repository: where the snapshot and the objects go.
        options: how to back up.
        pace: how fast to copy.
        store: the state store; by default the one that the options or the parameters name.
        rounds_max: how often it is begun again when objects vanish; never while the meta node is
            stopped, for nobody collects then.

    Raises:
        UsageError: the directory lies below a data directory.
        ConflictError: it is another cluster's, or an object of another life has a name.
        UnknownFormat: a later release made the area.
        DamageError: an object in the area has another size than its name's.
        MetasnapshotError: as backup.
    """
    with meta_store.read_transaction(is_brief=True) as connection:
        layout = find_layouts(connection).layouts[0]
        parameters = system_parameters(connection)
        ids = [str(row.cluster_id) for row in read_rows(connection, layout, "cluster")]
    cluster_id = min(ids, default=None)
    url = options.hummock_storage_url or parameter(parameters, STATE_STORE)
    directory = options.hummock_storage_directory or parameter(parameters, DATA_DIRECTORY)
    check_area_place(repository, url, directory)
    area = find_area(repository.store, repository.directory)
    if area is not None:
        require_own(area, repository.directory, cluster_id)
    state = open_store(url, repository.context) if store is None else store
    if options.dry_run:
        return _foreseen(repository, backup(meta_store, repository, options, state))
    source = state_side(state, directory, prefixed=is_prefixed(url, parameters))

    def take() -> BackupResult:
        return backup(meta_store, repository, options, state)

    def complete(result: BackupResult) -> tuple[FullResult, int]:
        return _complete(repository, result, source, cluster_id, pace)

    return _in_rounds(repository, take, complete, 1 if options.meta_node_stopped else rounds_max)


def _in_rounds(
    repository: Repository,
    take: Callable[[], BackupResult],
    complete: Callable[[BackupResult], tuple[FullResult, int]],
    rounds_max: int,
) -> FullResult:
    """Take a snapshot and complete it; begin again while objects vanish and that helps."""
    rounds, problems = list[Round](), list[str]()
    done: FullResult | None = None
    began = time.monotonic()
    while True:
        started = time.monotonic()
        result, written = take(), 0
        if done is not None:
            written = written_between(done.backup.needed, result.needed)
            problems += drop(repository, done.backup.entry.id)
        done, size = complete(result)
        took, between_s = time.monotonic() - started, started - began
        rounds.append(Round(size, done.bytes_copied, took, written, between_s, done.ids_vanished))
        began = started
        total = replace(done, rounds=len(rounds), problems=(*problems, *done.problems))
        if done.complete or not done.ids_vanished or is_lost(rounds):
            return total
        if (why := why_no_more(rounds, rounds_max)) is not None:
            return total if rounds_max == 1 else replace(total, stopped=why)


def _complete(
    repository: Repository, result: BackupResult, source: Side, cluster_id: str | None, pace: Pace
) -> tuple[FullResult, int]:
    """Copy the objects of a snapshot; with how many bytes there were to copy."""
    try:
        completion = _Completion(repository, result, source, cluster_id, pace)
        return completion.run(), completion.size
    except MetasnapshotError as error:
        goes_on = f"snapshot {result.entry.id} is partial; the next backup goes on from there"
        error.hint = f"{error.hint}; {goes_on}" if error.hint else goes_on
        raise


def _foreseen(repository: Repository, result: BackupResult) -> FullResult:
    """What would be copied; nothing is written."""
    needed = result.needed
    seen = look_for(repository.store, repository.directory, needed).seen
    todo = [place for place, is_there in enumerate(seen) if not is_there]
    size = sum(needed.sizes[place] for place in todo)
    return FullResult(result, len(todo), size, len(needed) - len(todo), Findings(), complete=False)


class _Completion:
    """The objects of one snapshot into the area, and its side file."""

    def __init__(
        self,
        repository: Repository,
        result: BackupResult,
        source: Side,
        cluster_id: str | None,
        pace: Pace,
    ) -> None:
        self._store, self._directory = repository.store, repository.directory
        self._result, self._source, self._cluster_id = result, source, cluster_id
        self._target = area_side(self._store, self._directory)
        self._work = ObjectWork(result.needed, pace, VANISHED_HINT)
        self._pace = pace
        self._repository = repository
        self.size = 0

    @property
    def _needed(self) -> NeededObjects:
        return self._result.needed

    def run(self) -> FullResult:
        store, directory = self._store, self._directory
        there = store.names(directory)
        drop_dead_markers(store, directory, ids_among(there, COPYING))
        with marked(store, directory, self._result.entry.id):
            area = make_area(store, directory, self._cluster_id)
            seen = self._look()
            self._work.hashes, problems = known_hashes(
                store, directory, area, ids_among(there, FULL), self._needed, seen
            )
            self._look_again(seen)
            copied = self._copy(seen)
            count, size = len(copied), sum(self._needed.sizes[place] for place in copied)
            findings = self._work.findings
            complete = not findings.counts[ERROR]
            if complete:
                write_full(store, directory, self._side_file(area, count, size))
            return FullResult(
                self._result,
                count,
                size,
                len(self._needed) - count,
                findings,
                complete,
                tuple(problems),
                ids_vanished=self._vanished(),
            )

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

    def _look_again(self, seen: bytearray) -> None:
        """Compare by content what is there and no side file speaks of, and all graphs, of which
        the tag knows the size alone.
        """
        work, kinds = self._work, self._needed.kinds
        there = array("Q", (place for place, is_there in enumerate(seen) if is_there))
        unknown = array("Q", (place for place in there if work.hash_of(place) is None))
        work.read(unknown, self._target)
        alike = {place for place in there if kinds[place] == SUFFIXES.index(GRAPH)}
        alike.update(place for place in unknown if kinds[place] != SUFFIXES.index(DATA))
        before = {place: work.hash_of(place) for place in alike}
        work.read(sorted(alike), self._source, compare=False)
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
            with self._repository.open(self._result.entry.id) as reader:
                hasty = hasty_objects(reader)
        for _ in range(LISTS_MAX):
            missing = (place for place, is_there in enumerate(seen) if not is_there)
            todo = array("Q", in_haste(missing, self._needed, hasty))
            self.size = self.size or sum(self._needed.sizes[place] for place in todo)
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
        result, needed = self._result, self._needed
        header = Header(
            snapshot_id=result.entry.id,
            checksum=f"{result.checksum:016x}",
            size=result.size,
            hummock_version_id=result.entry.hummock_version_id,
            cluster_id=self._cluster_id,
            area_id=area.area_id,
            objects=len(needed),
            bytes=needed.size,
            objects_new=count,
            bytes_new=size,
            taken=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        return FullBackup(header, needed, bytes(self._work.hashes))
