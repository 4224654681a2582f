"""What to restore and how, and what a restore would do: plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from metasnapshot.errors import MetasnapshotError
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
    """What to restore and how.

    Attributes:
        snapshot_id: which snapshot.
        hummock_storage_url: the state store of the restored cluster, without `hummock+`.
        hummock_storage_directory: the data directory in it.
        overwrite: given if state or backups moved; otherwise both must be where the snapshot says.
        clean: empty the target's tables first instead of refusing rows.
        bump_sequences: raise sequences above every id that any snapshot of the directory mentions,
            and above every object in the state store.
        cut_timestamps: cut them to what the target's engine holds, instead of refusing them.
        validate_integrity: first look for every object that the snapshot needs.
        create_schema: make the tables that the snapshot's release has, in an empty database.
    """

    snapshot_id: int
    hummock_storage_url: str
    hummock_storage_directory: str
    overwrite: Overwrite | None = None
    clean: bool = False
    bump_sequences: bool = False
    validate_integrity: bool = False
    cut_timestamps: bool = False
    create_schema: bool = False


class Warned(str):
    """The reason of a check that did not fail, but is worth a look."""

    __slots__ = ()


@dataclass(frozen=True)
class Check:
    """One check: ok, warning, failed or not checked (because an earlier one failed), and why."""

    name: str
    result: str
    reason: str


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

    def require(self) -> None:
        """Go on only if every check passed.

        Raises:
            MetasnapshotError: the error of the check that failed.
        """
        if self.error is not None:
            raise self.error
