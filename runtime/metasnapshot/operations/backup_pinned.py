"""backup --with-objects --via-meta: the meta node makes the snapshot, which pins its objects; its
file is copied from the node's own backup directory, then every object that it needs and the area
does not have, then comes the side file, and the node's snapshot goes.

One round is enough: nothing that is pinned is collected. Ids are the node's, so they must be above
all that the directory has: two ways of backing up, each with ids of its own, want two directories.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from metasnapshot.catalogue.area import find_area, require_own
from metasnapshot.catalogue.changes import taken_ids
from metasnapshot.catalogue.clusters import require_room
from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.catalogue.repository import Repository
from metasnapshot.contents.area_place import check_area_place
from metasnapshot.contents.findings import Findings
from metasnapshot.contents.ownership import (
    DATA_DIRECTORY,
    STATE_STORE,
    own_directory,
    parameter,
)
from metasnapshot.errors import (
    ConflictError,
    MetasnapshotError,
    UsageError,
)
from metasnapshot.hummock.objects import NeededObjects
from metasnapshot.hummock.paths import is_prefixed
from metasnapshot.operations.backup_live import JOB_WAIT_S, Open
from metasnapshot.operations.completion import Completion, complete
from metasnapshot.operations.copy import copy
from metasnapshot.operations.crew import Pace
from metasnapshot.operations.node_snapshot import NodeSnapshot, read_snapshot
from metasnapshot.operations.pinning import LeftPins, Pinning, PinningNode, pinning
from metasnapshot.operations.spread.by import require_scheduler
from metasnapshot.operations.spread.sides import state_side
from metasnapshot.store.location import same_place
from metasnapshot.store.port import Store
from metasnapshot.store.url import open_store

LOST_HINT = (
    "the meta node lost its snapshot while the objects were copied: was it deleted, or did "
    "backup_storage_url or backup_storage_directory change? Back up again; what was copied stays "
    "and is not copied twice"
)
APART_HINT = (
    "a directory for each way of backing up: the meta node's ids and those of other backups count "
    "for themselves (--backup-storage-directory)"
)


class TellingNode(PinningNode, Protocol):
    """A meta node that also says what it is."""

    def cluster_id(self) -> str | None:
        """Its cluster, if it says so."""
        ...

    def parameters(self) -> Mapping[str, str] | None:
        """Its system parameters, if it says them."""
        ...


@dataclass(frozen=True)
class PinOptions:
    """How to back up by way of a meta node.

    Attributes:
        remarks: a note for the manifest.
        hummock_storage_url: the state store; by default system parameter state_store.
        hummock_storage_directory: the data directory; by default system parameter data_directory.
        keep_pin: the meta node keeps its snapshot once the backup is complete.
    """

    remarks: str | None = None
    hummock_storage_url: str | None = None
    hummock_storage_directory: str | None = None
    keep_pin: bool = False


class Told(NamedTuple):
    """What the meta store says, where the node does not: its cluster, and system parameters."""

    cluster: str | None = None
    parameters: Mapping[str, str] | None = None


NOTHING = Told()


@dataclass(frozen=True)
class PinnedResult:
    """What a full backup by way of a meta node made.

    Attributes:
        entry: the snapshot's entry in the manifest.
        needed: the objects that it needs.
        copied: objects that were copied.
        bytes_copied: bytes of those.
        reused: objects that the area had.
        findings: what vanished, and what is damaged.
        complete: whether the side file was written.
        pinned: whether the meta node has its snapshot still, or may have it.
        warnings: what the operator should know.
    """

    entry: ManifestEntry
    needed: NeededObjects
    copied: int
    bytes_copied: int
    reused: int
    findings: Findings
    complete: bool
    pinned: bool
    warnings: tuple[str, ...] = ()

    @property
    def error(self) -> MetasnapshotError | None:
        """What kept it from being complete: ObjectMissing if all of it vanished."""
        return self.findings.error(f"snapshot {self.entry.id}, which is partial")


def backup_pinned(
    node: TellingNode,
    repository: Repository,
    open_directory: Open,
    options: PinOptions,
    pace: Pace,
    told: Told = NOTHING,
    store: Store | None = None,
) -> PinnedResult:
    """Have a meta node make a snapshot, copy it and every object that it needs, and release it.

    Args:
        node: the meta node.
        repository: where the snapshot and the objects go.
        open_directory: opens the node's own backup directory.
        options: how to back up.
        pace: how fast to copy.
        told: what the meta store says, for a node that says nothing.
        store: the state store; by default the one that the options or the snapshot name.

    Raises:
        UsageError: the directory lies below a data directory, or is the node's own, or nobody says
            where that is.
        ConflictError: the directory is another cluster's, has an id that is not below the new one,
            or another job runs.
        MetaNodeError: the node made none.
        MetasnapshotError: as copy.
    """
    return _PinnedBackup(node, repository, options, pace, told, store).run(open_directory)


class _PinnedBackup:
    """One backup."""

    def __init__(
        self,
        node: TellingNode,
        repository: Repository,
        options: PinOptions,
        pace: Pace,
        told: Told,
        store: Store | None,
    ) -> None:
        self._node, self._repository, self._pace = node, repository, pace
        self._options, self._state = options, store
        self._cluster = node.cluster_id() or told.cluster
        self._parameters = dict(node.parameters() or told.parameters or {})

    def run(self, open_directory: Open) -> PinnedResult:
        require_scheduler(self._pace.dask)
        place = own_directory(self._parameters)
        if place is None:
            raise UsageError(
                "the meta node does not say where its backups lie",
                hint="--meta-store says it",
            )
        repository = self._repository
        is_own = same_place(repository.store.url, repository.directory, *place)
        if is_own and not self._options.keep_pin:
            raise UsageError(
                f"{repository.url} is the meta node's own backup directory: what is released there "
                "is gone from the backup",
                hint="take another --backup-storage-directory, or --keep-pin",
            )
        check_area_place(repository, *self._state_place(self._parameters))
        self._require_own(self._cluster)
        source = repository if is_own else open_directory(*place)
        left = LeftPins(self._node, repository)
        left.release()
        with pinning(self._node, repository, is_kept=self._options.keep_pin) as pin:
            number = pin.make(self._options.remarks)
            left.settle()
            self._node.wait(number, JOB_WAIT_S)
            made = self._take(source, number, is_own=is_own)
            done = self._complete(made)
            pin.is_kept = done.complete and self._options.keep_pin
            problems = [*left.problems, *done.problems, *_of_pin(pin, done)]
        return self._result(made, done, pin, problems)

    def _take(self, source: Repository, number: int, *, is_own: bool) -> NodeSnapshot:
        """Look at the node's snapshot, and have it in the directory, as a partial one."""
        made = read_snapshot(source, number)
        self._require_above(number, is_own=is_own)
        if self._cluster is not None and made.cluster != self._cluster:
            raise ConflictError(
                f"snapshot {number} is of cluster {made.cluster}, and the meta node said that it "
                f"is of {self._cluster}",
                hint="does --via-meta always lead to the same cluster?",
            )
        self._require_own(made.cluster)
        if not is_own:
            (copied,) = copy(source, self._repository, [number])
            if copied.error is not None:
                raise copied.error
        return made

    def _complete(self, made: NodeSnapshot) -> Completion:
        url, directory = self._state_place(made.parameters)
        prefixed = is_prefixed(url, made.parameters)
        state = open_store(url, self._repository.context) if self._state is None else self._state
        source = state_side(state, directory, prefixed=prefixed)
        return complete(self._repository, made, source, made.cluster, self._pace, LOST_HINT)

    def _state_place(self, parameters: Mapping[str, str]) -> tuple[str, str]:
        """The state store and the data directory in it."""
        found = dict(parameters)
        url, directory = (
            self._options.hummock_storage_url,
            self._options.hummock_storage_directory,
        )
        return url or parameter(found, STATE_STORE), directory or parameter(found, DATA_DIRECTORY)

    def _require_own(self, cluster: str | None) -> None:
        """Keep out of the directory, and of the area, of another cluster."""
        repository = self._repository
        if cluster is None:
            return
        if repository.cluster is not None and repository.cluster != cluster:
            raise ConflictError(
                f"the meta node is of cluster {cluster}, not of {repository.cluster}",
                hint="check --via-meta and --cluster-id",
            )
        require_room(repository, [cluster])
        area = find_area(repository.store, repository.directory)
        if area is not None:
            require_own(area, repository.directory, cluster)

    def _require_above(self, number: int, *, is_own: bool) -> None:
        """The node's id comes after all that the directory has or had.

        Raises:
            ConflictError: it does not.
        """
        self._repository.refresh_manifest()
        for where, ids in taken_ids(self._repository).items():
            largest = max((n for n in ids if not (is_own and n == number)), default=-1)
            if largest >= number:
                raise ConflictError(
                    f"the meta node made snapshot {number}, and {where} of {self._repository.url} "
                    f"has {largest}: an id must be above all others",
                    hint=APART_HINT,
                )

    @staticmethod
    def _result(
        made: NodeSnapshot, done: Completion, pin: Pinning, problems: list[str]
    ) -> PinnedResult:
        if pin.stays is not None:
            problems.append(str(pin.stays))
        return PinnedResult(
            made.entry,
            made.needed,
            done.copied,
            done.bytes_copied,
            done.reused,
            done.findings,
            done.complete,
            pin.is_kept or pin.stays is not None,
            tuple(problems),
        )


def _of_pin(pin: Pinning, done: Completion) -> list[str]:
    """Whether objects vanished because the pin was lost."""
    try:
        if not done.findings.missing or pin.is_there:
            return []
    except MetasnapshotError as error:
        return [f"whether the meta node still pins the snapshot is not known: {error}"]
    return ["the meta node does not have its snapshot any more, so that nothing was pinned"]
