"""restore: a snapshot -> a meta store and the version checkpoint, all or nothing.

The snapshot is opened once: the plan is made and checked (planner.py), shown, and carried out;
what concerns the target is checked again inside the transaction that loads (load.py). The
checkpoint comes last: without it the meta node has nothing. A restore that dies between the two is
recognised by the next, which writes the checkpoint; one that ended well is recognised too, and
nothing is written.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import xxhash

from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import ConflictError, MetasnapshotError
from metasnapshot.hummock.checkpoint import (
    CHECKPOINT_NAME,
    holds_checkpoint,
    plain_checkpoint,
    read_checkpoint_bytes,
    write_checkpoint,
)
from metasnapshot.metastore.connect import MetaStore
from metasnapshot.operations.crew import Pace
from metasnapshot.operations.cycles import rare_collections
from metasnapshot.operations.restore.clone import checklist
from metasnapshot.operations.restore.load import load
from metasnapshot.operations.restore.plan import (
    OBJECTS_CHECK,
    RestoreOptions,
    RestorePlan,
    StatePlace,
)
from metasnapshot.operations.restore.planner import RestorePlanner
from metasnapshot.operations.restore.sound import opened
from metasnapshot.operations.restore.source import Source
from metasnapshot.operations.restore.state import UNSEEN, require_said, state_place
from metasnapshot.operations.restore_objects import ObjectRestore, Target
from metasnapshot.store.port import Store, join
from metasnapshot.store.url import open_store
from metasnapshot.store.watched import watched

CHECKLIST = (
    "the old cluster must never start again: two clusters on one data directory destroy its data",
    "give the meta node the old cluster's RW_SECRET_STORE_PRIVATE_KEY_HEX: it is in no backup",
    "clear every node's disk caches (storage.meta_file_cache.dir, storage.data_file_cache.dir)",
    "check backup_storage_url and backup_storage_directory: snapshots elsewhere pin no objects",
    "CDC sources resume at their saved offsets, sinks may write again what they wrote since",
)
"""What the operator does next."""


@dataclass(frozen=True)
class RestoreResult:
    """What a restore wrote, or found written already (`plan.done`).

    Attributes:
        plan: what was planned and checked.
        rows: rows loaded, by table.
        sequences: AUTOINCREMENT values that were set, by table.
        checkpoint: path of the version checkpoint in the state store.
        replaced_checkpoint: where the checkpoint that it replaced is kept, or None.
        checklist: what the operator does next.
    """

    plan: RestorePlan
    rows: dict[str, int]
    sequences: dict[str, int]
    checkpoint: str
    replaced_checkpoint: str | None
    checklist: tuple[str, ...]


class Restoring:
    """A restore of a snapshot that is open: its plan, and what carries it out."""

    def __init__(
        self,
        repository: Repository,
        meta_store: MetaStore,
        options: RestoreOptions,
        store: Store,
        place: StatePlace,
        source: Source,
        pace: Pace,
    ) -> None:
        self._repository = repository
        self._meta_store = meta_store
        self._options = options
        self._store = store
        self._place = place
        self._source = source
        self._objects: ObjectRestore | None = None
        if options.with_objects:
            target = Target(place.url, store, place.directory)
            self._objects = ObjectRestore(repository, source.reader, target, pace, options.compare)
        self._planner = RestorePlanner(repository, store, place, source, options, self._objects)
        self._shown: RestorePlan | None = None

    def plan(self, *, is_load: bool = False) -> RestorePlan:
        """Work out and check what would be done, and write nothing.

        Args:
            is_load: it follows at once, and looks at each value itself.

        Raises:
            UsageError: a load is to follow, and nobody said into which state store.
        """
        if is_load:
            require_said(self._options, self._place)
        self._planner.look()
        with self._meta_store.read_transaction() as connection:
            plan = self._planner.check_target(connection, is_load=is_load).plan
        self._planner.check_state(plan)
        self._shown = plan
        return plan

    def load(self) -> RestoreResult:
        """Check the target once more, and restore.

        Raises:
            DamageError: the snapshot is damaged.
            UsageError: the state store is not the snapshot's, or nobody said which.
            InconsistentStore: the newest snapshot's sequences do not cover this one's, or the
                database does not give back what was sent.
            UnknownFormat: the target's tables are not those of the snapshot's release.
            TargetNotEmpty: tables of the target have rows.
            ConflictError: the data directory is another cluster's, or what was to be emptied has
                changed since it was shown.
        """
        require_said(self._options, self._place)
        shown = self._shown
        if shown is None or shown.error is not None:
            shown = self.plan(is_load=True)
        shown.require()
        if self._objects is not None:  # first: a meta store without them would be none
            self._objects.copy()
        rows, sequences = shown.rows, dict[str, int]()
        kept = None  # it stays where the load fails: another restore may count on it by then
        if shown.replaces_checkpoint:
            kept = _keep_checkpoint(self._repository, self._store, self._place.directory)
        with self._meta_store.write_transaction() as connection:  # no store is asked in it
            checks = self._planner.check_target(connection, is_load=True)
            plan = checks.plan
            plan.require()
            _require_as_shown(plan, shown)
            self._planner.check_state(plan)
            if not plan.loaded:
                rows, sequences = load(connection, self._source, checks)
        if not plan.done:
            self._write_checkpoint()
        path = join(self._place.directory, CHECKPOINT_NAME)
        return RestoreResult(plan, rows, sequences, path, kept, _checklist(plan))

    def _write_checkpoint(self) -> None:
        """Write it, and see that it is there."""
        store, directory = self._store, self._place.directory
        layout, version = self._source.layout, self._source.version.message
        plain = plain_checkpoint(version)
        try:
            write_checkpoint(store, directory, version, layout)
        except MetasnapshotError as error:
            error.hint = (
                "the rows are loaded, the checkpoint is not written: do not start the meta node; "
                "mend this and run the same restore again, it goes on from here"
            )
            raise
        if not holds_checkpoint(store, directory, plain, layout):
            raise ConflictError(
                f"{join(directory, CHECKPOINT_NAME)} does not hold the snapshot's version",
                hint="did another process write it? restore again with every node stopped",
            )


def _require_as_shown(plan: RestorePlan, shown: RestorePlan) -> None:
    """The target is as it was when the plan was made and the operator asked.

    Raises:
        ConflictError: it is not.
    """
    if (shown.empties, shown.loaded) != (plan.empties, plan.loaded):
        what = "to be emptied" if shown.loaded == plan.loaded else "of the target"
        raise ConflictError(
            f"the rows {what} have changed since the plan was made: somebody writes into the meta "
            "store",
            hint="stop every node of the cluster, and restore again",
        )


@contextmanager
def restoring(
    repository: Repository,
    meta_store: MetaStore,
    snapshot_id: int,
    options: RestoreOptions,
    store: Store | None = None,
    pace: Pace | None = None,
) -> Generator[Restoring]:
    """Open a snapshot to restore it.

    Args:
        repository: where the snapshot is.
        meta_store: where its rows go.
        snapshot_id: which one.
        options: how.
        store: the state store; by default the one that the options name.
        pace: how fast objects are copied.

    Raises:
        SnapshotNotFound: there is no such snapshot.
        DamageError: it is damaged, so that there is nothing to plan with.
        UnknownFormat: it is in the V1 format.
    """
    with rare_collections(), opened(repository, snapshot_id) as reader:
        source = Source(snapshot_id, reader)
        place = state_place(options, source)
        if store is None:
            store = watched(open_store(place.url, repository.context), repository.context)
        yield Restoring(repository, meta_store, options, store, place, source, pace or Pace())


def plan_restore(
    repository: Repository, meta_store: MetaStore, snapshot_id: int, options: RestoreOptions
) -> RestorePlan:
    """Work out and check what a restore would do, and write nothing. Raises as restoring."""
    with restoring(repository, meta_store, snapshot_id, options) as run:
        return run.plan()


def restore(
    repository: Repository,
    meta_store: MetaStore,
    snapshot_id: int,
    options: RestoreOptions,
    store: Store | None = None,
    pace: Pace | None = None,
) -> RestoreResult:
    """Restore a snapshot. Raises as restoring and Restoring.load."""
    with restoring(repository, meta_store, snapshot_id, options, store, pace) as run:
        return run.load()


def _checklist(plan: RestorePlan) -> tuple[str, ...]:
    unseen = any(check.name == OBJECTS_CHECK and check.result != "ok" for check in plan.checks)
    steps = CHECKLIST if plan.clone is None else (*checklist(plan.clone), *CHECKLIST[1:])
    return (UNSEEN, *steps) if unseen else steps


def _keep_checkpoint(repository: Repository, store: Store, directory: str) -> str:
    """Copy the checkpoint that will be replaced beside the backups; returns its path there."""
    data = read_checkpoint_bytes(store, directory)
    path = join(repository.directory, f"checkpoint.{xxhash.xxh64_hexdigest(data)}.replaced")
    with suppress(ConflictError):  # named after its bytes: it is kept already
        repository.store.put_if_absent(path, data)
    return path
