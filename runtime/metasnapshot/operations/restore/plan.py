"""What to restore and how, and what a restore would do: plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from metasnapshot.contents.outside import Outside
from metasnapshot.errors import MetasnapshotError, UsageError
from metasnapshot.operations.restore_objects import ObjectPlan
from metasnapshot.store.location import HUMMOCK_PREFIX
from metasnapshot_models.models import HummockSequence


@dataclass(frozen=True)
class Overwrite:
    """Where the restored cluster's state and backups are, if not where the snapshot says.

    Nothing is copied: the objects must be at the new place already, under the same relative paths.
    """

    backup_storage_url: str
    backup_storage_directory: str


@dataclass(frozen=True)
class RestoreOptions:
    """How to restore.

    Attributes:
        hummock_storage_url: state store of the restored cluster; a plan can do without it: then the
            snapshot says it.
        hummock_storage_directory: data directory in it; by default the one that the snapshot says.
        overwrite_hummock_storage_endpoint: the objects were moved: write the new places into the
            system parameters; otherwise both must be where the snapshot says.
        overwrite_backup_storage_url: backup store of the restored cluster; with
            --overwrite-hummock-storage-endpoint.
        overwrite_backup_storage_directory: directory in it; with the two others.
        clean: empty the target's tables first, after asking, instead of refusing rows.
        bump_sequences: raise sequences above every id that any snapshot of the directory mentions,
            and above every object in the state store.
        create_schema: first make the tables that the snapshot's release has, in an empty database.
        validate_integrity: look for every object that the snapshot needs first of all, with
            upstream's words.
        no_object_check: do not look for objects; by default this is the last check.
        cut_timestamps: cut timestamps to what the target's engine holds, instead of refusing them.
        with_objects: copy the objects of a full backup into the data directory first.
        compare: with --with-objects: compare objects that are there by size, by their last bytes
            (tail), or by all of them (data).
        clone: make a second cluster beside the living one: another cluster id, no workers, another
            data directory, which --hummock-storage-url and --hummock-storage-directory say; it
            backs up below that one, unless the options for it name another place.

    Raises:
        UsageError: the three places to overwrite are not given together, objects are to be looked
            for and not, or nobody says where the clone's data is.
    """

    hummock_storage_url: str | None = None
    hummock_storage_directory: str | None = None
    overwrite_hummock_storage_endpoint: bool = False
    overwrite_backup_storage_url: str | None = None
    overwrite_backup_storage_directory: str | None = None
    clean: bool = False
    bump_sequences: bool = False
    create_schema: bool = False
    validate_integrity: bool = False
    no_object_check: bool = False
    cut_timestamps: bool = False
    with_objects: bool = False
    compare: Literal["size", "tail", "data"] = "size"
    clone: bool = False

    def __post_init__(self) -> None:
        url, directory = self.overwrite_backup_storage_url, self.overwrite_backup_storage_directory
        given = (self.overwrite_hummock_storage_endpoint, url is not None, directory is not None)
        if self.clone:
            given = given[1:]
            self._require_own_place()
        if any(given) and not all(given):
            raise UsageError(
                "overwrite_hummock_storage_endpoint, overwrite_backup_storage_url, "
                "overwrite_backup_storage_directory must be set simultaneously",
                hint="give --overwrite-hummock-storage-endpoint, --overwrite-backup-storage-url "
                "and --overwrite-backup-storage-directory, or none of them",
            )
        if self.compare != "size" and not self.with_objects:
            raise UsageError("--compare means nothing without --with-objects")
        if self.with_objects and self.no_object_check:
            raise UsageError("--with-objects and --no-object-check say the opposite")
        if self.validate_integrity and self.no_object_check:
            raise UsageError("--validate-integrity and --no-object-check say the opposite")
        if "" in (url, directory):
            raise UsageError(
                "the overwritten backup place is empty", hint="give a URL and a directory"
            )

    @property
    def overwrite(self) -> Overwrite | None:
        """Where state and backups are now, if they moved or are a clone's."""
        url, directory = self.overwrite_backup_storage_url, self.overwrite_backup_storage_directory
        if url is not None and directory is not None:
            return Overwrite(url, directory)
        return self._below_data if self.clone else None

    @property
    def _below_data(self) -> Overwrite:
        """Where a cluster backs up by itself."""
        url = (self.hummock_storage_url or "").removeprefix(HUMMOCK_PREFIX)
        return Overwrite(url, f"{self.hummock_storage_directory}/backup")

    def _require_own_place(self) -> None:
        if not self.hummock_storage_url or not self.hummock_storage_directory:
            raise UsageError(
                "--clone needs --hummock-storage-url and --hummock-storage-directory",
                hint="a data directory of its own for the clone, in the same bucket or another",
            )


@dataclass(frozen=True)
class StatePlace:
    """The state store of the restored cluster.

    Attributes:
        url: without what marks it as a state store.
        directory: the data directory in it.
    """

    url: str
    directory: str


class Warned(str):
    """The reason of a check that did not fail, but is worth a look."""

    __slots__ = ()
    result = "warning"


class NotChecked(Warned):
    """Why a check was not made, without an earlier one having failed."""

    __slots__ = ()
    result = "not checked"


OBJECTS_CHECK = "hummock objects"
"""Name of the check that looks for them."""


@dataclass(frozen=True)
class Check:
    """One check: ok, warning, failed or not checked, and why."""

    name: str
    result: str
    reason: str


@dataclass(frozen=True)
class ClonePlan:
    """What a clone has other than the cluster that it is made of, and what it has in common.

    Attributes:
        cluster_ids: its own id.
        of: that of the first cluster.
        left_out: rows of the snapshot that are not loaded, by table.
        outside: what both clusters use.
        secrets: how many there are, encrypted with the first cluster's key.
    """

    cluster_ids: tuple[str, ...]
    of: tuple[str, ...]
    left_out: dict[str, int]
    outside: tuple[Outside, ...]
    secrets: int


@dataclass
class RestorePlan:
    """What a restore would do.

    Attributes:
        checks: in their order.
        error: of the check that failed, or None.
        layout: name of the snapshot's layout.
        rows: rows to load, by table.
        sequences: hummock_sequence as it will be.
        sequences_from: id of the snapshot that they come from.
        parameters: rows of system_parameter as they will be.
        creates: tables that will be made first.
        empties: rows that are deleted first, by table: with --clean, or a new schema's list of
            migrations.
        loaded: the rows are in the target already, just as they would be loaded.
        done: and so is the version in the checkpoint: there is nothing to write.
        replaces_checkpoint: whether the data directory has a checkpoint.
        objects: what is done about objects, with --with-objects.
        clone: what is other than in the snapshot, with --clone.
    """

    checks: list[Check] = field(default_factory=list[Check])
    error: MetasnapshotError | None = None
    layout: str = ""
    rows: dict[str, int] = field(default_factory=dict[str, int])
    sequences: list[HummockSequence] = field(default_factory=list[HummockSequence])
    sequences_from: int = 0
    parameters: list[Any] = field(default_factory=list[Any])
    creates: tuple[str, ...] = ()
    empties: dict[str, int] = field(default_factory=dict[str, int])
    loaded: bool = False
    done: bool = False
    replaces_checkpoint: bool = False
    objects: ObjectPlan | None = None
    clone: ClonePlan | None = None

    @property
    def fullest(self) -> str:
        """The tables that are emptied, in words: the fullest few with their rows."""
        from metasnapshot.metastore.load import some_tables  # noqa: PLC0415 - for a question only

        return some_tables(self.empties)

    def require(self) -> None:
        """Go on only if every check passed.

        Raises:
            MetasnapshotError: the error of the check that failed.
        """
        if self.error is not None:
            raise self.error
