"""backup --with-objects: a snapshot, then a copy of every object that it needs and the area does
not have, then the side file that makes it complete. Beside a living cluster objects may vanish
meanwhile; then it is done again with a newer snapshot, in rounds.

The order is what a kill at any moment may leave: a snapshot that is listed as partial, and whole
objects that the next backup finds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from metasnapshot.catalogue.area import find_area, look_for, require_own
from metasnapshot.catalogue.repository import Repository
from metasnapshot.contents.area_place import check_area_place
from metasnapshot.contents.findings import Findings
from metasnapshot.contents.ownership import DATA_DIRECTORY, STATE_STORE, parameter
from metasnapshot.errors import MetasnapshotError
from metasnapshot.hummock.paths import is_prefixed
from metasnapshot.metastore.connect import MetaStore
from metasnapshot.metastore.read import find_layouts, read_rows, system_parameters
from metasnapshot.operations.backup import BackupResult, backup
from metasnapshot.operations.backup_options import NOT_PINNED, BackupOptions
from metasnapshot.operations.completion import Completion, complete
from metasnapshot.operations.crew import ROUNDS, Pace
from metasnapshot.operations.rounds import Round, drop, is_lost, why_no_more, written_between
from metasnapshot.operations.spread.by import require_scheduler
from metasnapshot.operations.spread.sides import state_side
from metasnapshot.store.port import Store
from metasnapshot.store.url import open_store


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
    require_scheduler(pace.dask)
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

    def fill(result: BackupResult) -> Completion:
        return complete(repository, result, source, cluster_id, pace)

    return _in_rounds(repository, take, fill, 1 if options.meta_node_stopped else rounds_max)


def _in_rounds(
    repository: Repository,
    take: Callable[[], BackupResult],
    fill: Callable[[BackupResult], Completion],
    rounds_max: int,
) -> FullResult:
    """Take a snapshot and complete it; begin again while objects vanish and that helps."""
    rounds, problems = list[Round](), list[str]()
    before: BackupResult | None = None
    began = time.monotonic()
    while True:
        started = time.monotonic()
        result, written = take(), 0
        if before is not None:
            written = written_between(before.needed, result.needed)
            problems += drop(repository, before.entry.id)
            if result.base == before.entry.id and repository.delta(result.entry.id) is None:
                result = replace(result, base=None, stored=result.size)  # it is plain by now
        done = fill(result)
        took, between_s = time.monotonic() - started, started - began
        rounds.append(
            Round(done.size, done.bytes_copied, took, written, between_s, done.ids_vanished)
        )
        began, before = started, result
        total = _total(result, done, problems, len(rounds))
        if done.complete or not done.ids_vanished or is_lost(rounds):
            return total
        if (why := why_no_more(rounds, rounds_max)) is not None:
            return total if rounds_max == 1 else replace(total, stopped=why)


def _total(
    result: BackupResult, done: Completion, problems: Sequence[str], rounds: int
) -> FullResult:
    """What all rounds so far came to."""
    return FullResult(
        result,
        done.copied,
        done.bytes_copied,
        done.reused,
        done.findings,
        done.complete,
        (*problems, *done.problems),
        rounds,
        ids_vanished=done.ids_vanished,
    )


def _foreseen(repository: Repository, result: BackupResult) -> FullResult:
    """What would be copied; nothing is written."""
    needed = result.needed
    seen = look_for(repository.store, repository.directory, needed).seen
    todo = [place for place, is_there in enumerate(seen) if not is_there]
    size = sum(needed.sizes[place] for place in todo)
    return FullResult(result, len(todo), size, len(needed) - len(todo), Findings(), complete=False)
