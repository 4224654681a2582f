"""Options that several verbs share. Each group of them is a dataclass, flattened into a verb's own
options with `Annotated[Group, FLAT]`: names, defaults and help stand there and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from cyclopts import Parameter

from metasnapshot import Backups, shown_url
from metasnapshot.cli.run import current
from metasnapshot.cli.settings import BACKUP_DIRECTORY
from metasnapshot.errors import UsageError

Json = Annotated[bool, Parameter("--json", help="Print JSON, as docs/contract.md describes it.")]
Yes = Annotated[bool, Parameter("--yes", help="Do not ask.")]
Commit = Annotated[
    bool, Parameter("--commit", help="Do it; without this, only show what would be done.")
]
DRY = "nothing was changed; --commit does it"
WithSecrets = Annotated[
    bool, Parameter("--with-secrets", help="Show passwords, keys and secret values.")
]
_ID = Parameter(help="Snapshot id, or latest, or oldest.")
SnapshotId = Annotated[str, _ID]
OptionalId = Annotated[str | None, _ID]
"""Of verbs that take a time instead."""


@dataclass(frozen=True, eq=False, repr=False)
class _Place:
    """A backup directory.

    Attributes:
        backup_storage_url: object store of the backups, as fs:///srv/backups.
        backup_storage_directory: directory in it that holds manifest.json.
    """

    backup_storage_url: str | None = None
    backup_storage_directory: str = BACKUP_DIRECTORY

    def backups(self, cluster: str | None = None) -> Backups:
        """The snapshots in it; nothing is read yet.

        Raises:
            UsageError: it is not given.
        """
        url = given(self.backup_storage_url, "--backup-storage-url")
        outcome = current().outcome
        outcome.directory = f"{shown_url(url)}/{self.backup_storage_directory}"
        outcome.found = backups_at(url, self.backup_storage_directory, cluster)
        return outcome.found

    def open(self) -> Backups:
        """The same, its manifest read.

        Raises:
            MetasnapshotError: it is not given, or cannot be read.
        """
        found = self.backups()
        found.manifest()
        return found


@dataclass(frozen=True, eq=False, repr=False)
class WholeDirectory(_Place):
    """The backup directory, whichever clusters its snapshots are of."""

    backup_storage_url: str = field()


@dataclass(frozen=True, eq=False, repr=False)
class OptionalDirectory(_Place):
    """The backup directory, where a meta node may do the verb's work instead.

    Attributes:
        cluster_id: only snapshots of the cluster with this id, if the directory holds several.
    """

    cluster_id: str | None = None

    def backups(self, cluster: str | None = None) -> Backups:
        """The snapshots in it. Raises as those of any place."""
        return super().backups(cluster or self.cluster_id)


@dataclass(frozen=True, eq=False, repr=False)
class Directory(OptionalDirectory):
    """The backup directory."""

    backup_storage_url: str = field()


ANYWHERE = OptionalDirectory()
"""No backup directory is given."""


@dataclass(frozen=True, eq=False, repr=False)
class StateStore:
    """The state store.

    Attributes:
        hummock_storage_url: state store; by default system parameter state_store.
        hummock_storage_directory: data directory in it; by default system parameter data_directory.
    """

    hummock_storage_url: str | None = None
    hummock_storage_directory: str | None = None

    def place(self) -> tuple[str, str | None] | None:
        """URL and directory, if the URL is given; of the directory the snapshot says the rest.

        Raises:
            UsageError: a directory of nowhere.
        """
        if self.hummock_storage_url is not None:
            return self.hummock_storage_url, self.hummock_storage_directory
        if self.hummock_storage_directory is None:
            return None
        raise UsageError(
            "--hummock-storage-directory is given, --hummock-storage-url is not",
            hint="give both, or none to take them from the snapshot",
        )


AS_SAID = StateStore()
"""The state store that the system parameters name."""


def backups_at(url: str, directory: str, cluster: str | None = None) -> Backups:
    """A backup directory, reached as the options say."""
    return Backups(url, directory, cluster=cluster, context=current().context)


def given(value: str | None, option: str) -> str:
    """An option that only --via-meta makes superfluous.

    Raises:
        UsageError: it is not given.
    """
    if value is None:
        raise UsageError(
            f"{option} is needed{current().configuration.or_elsewhere(option)}",
            hint=current().configuration.which_cluster()
            or f"give {option}, or --via-meta (risectl's own commands: RW_META_ADDR)",
        )
    return value
