"""A backup that a running meta node makes. It writes where its own settings say, which may be
another cluster's directory, and looks at no cluster id: so its directory is looked at here, before
it is asked, and after it where the cluster is not known before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from metasnapshot.catalogue.clusters import clusters_in, require_room
from metasnapshot.catalogue.records import Records
from metasnapshot.catalogue.repository import Repository
from metasnapshot.contents.ownership import own_directory
from metasnapshot.errors import ConflictError, MetasnapshotError
from metasnapshot.store.location import same_place

JOB_WAIT_S = 3600.0
Open = Callable[[str, str], Repository]
"""Opens the backup directory at a URL."""


class Node(Protocol):
    """What is asked of a meta node."""

    def cluster_id(self) -> str | None:
        """Its cluster, if it says so."""
        ...

    def parameters(self) -> Mapping[str, str] | None:
        """Its system parameters, if it says them."""
        ...

    def backup(self, remarks: str | None, wait_s: float) -> int:
        """Have a snapshot made."""
        ...


class LiveBackup(NamedTuple):
    """What was made, and what was not looked at."""

    snapshot_id: int
    warnings: tuple[str, ...]


class Known(NamedTuple):
    """What the operator's own options say: where backups lie, and of which cluster."""

    repository: Repository | None
    cluster: str | None


def backup_live(node: Node, known: Known, open_directory: Open, remarks: str | None) -> LiveBackup:
    """Have a meta node make a snapshot in a directory of its own cluster.

    Raises:
        ConflictError: the directory is another cluster's, or another job runs. Where the cluster is
            known only by the snapshot, that is there by then, and named.
        MetaNodeError: the node made none.
    """
    warnings: list[str] = []
    cluster = node.cluster_id() or known.cluster
    repository = _directory(node, known, open_directory, warnings)
    if repository is not None and cluster is not None:
        require_room(repository, [cluster])
    number = node.backup(remarks, JOB_WAIT_S)
    if repository is not None and cluster is None:
        _require_own(repository, number, warnings)
    return LiveBackup(number, tuple(warnings))


def _directory(
    node: Node, known: Known, open_directory: Open, warnings: list[str]
) -> Repository | None:
    """Where the node writes, if it says so and we can read there; else where its operator says."""
    place = own_directory(node.parameters() or {})
    given = known.repository
    if place is not None and given is not None:
        if same_place(given.store.url, given.directory, *place):
            return given
        warnings.append(f"the meta node backs up into {'/'.join(place)}, not into {given.url}")
    if place is not None:
        try:
            found = open_directory(*place)
            found.manifest()
        except MetasnapshotError as error:
            warnings.append(f"its backup directory cannot be read from here: {error}")
        else:
            return found
    if given is None:
        warnings.append(
            "whose snapshots lie in the meta node's backup directory was not looked at: "
            "--backup-storage-url says where it is"
        )
    return given


def _require_own(repository: Repository, number: int, warnings: list[str]) -> None:
    """Look of which cluster the new snapshot is, and of which the others are."""
    repository.reread()
    entries = {entry.id: entry for entry in repository.manifest().entries}
    try:
        cluster = Records(repository).cluster_id(entries[number]) if number in entries else None
    except MetasnapshotError as error:
        warnings.append(f"snapshot {number} was not looked at: {error}")
        return
    if cluster is None:
        warnings.append(f"of which cluster snapshot {number} is was not seen in {repository.url}")
        return
    others = set(clusters_in(repository, ids=entries.keys() - {number}).values())
    if others and cluster not in others:
        raise ConflictError(
            f"the meta node made snapshot {number} of cluster {cluster} in {repository.url}, which "
            f"is of cluster {', '.join(sorted(others))}",
            hint=f"`metasnapshot delete {number} --via-meta …` takes it away again; give the node "
            "a backup_storage_directory of its own (alter system set)",
        )
