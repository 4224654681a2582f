"""Whose are the places that a backup uses? The meta store's own parameters say it."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from metasnapshot.catalogue.clusters import require_room
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import ConflictError, ObjectMissing, UsageError
from metasnapshot.metastore.read import find_layouts, read_rows
from metasnapshot.store.document import read_document
from metasnapshot.store.location import HUMMOCK_PREFIX, same_place
from metasnapshot.store.port import Store, join

CLUSTER_ID_NAME = "cluster_id/0"
"""In the data directory: the id of the cluster that it belongs to."""
STATE_STORE = "state_store"
DATA_DIRECTORY = "data_directory"


def own_directory(parameters: Mapping[str, str]) -> tuple[str, str] | None:
    """Where a cluster's own backups lie: store and directory; None if its parameters do not say."""
    data_directory = parameters.get(DATA_DIRECTORY, "")
    url = parameters.get("backup_storage_url") or parameters.get(STATE_STORE, "")
    directory = parameters.get("backup_storage_directory") or f"{data_directory}/backup"
    return (url, directory) if url else None


def check_directory(repository: Repository, parameters: dict[str, str]) -> None:
    """Keep out of the cluster's own backup directory.

    The meta node holds that manifest in memory and overwrites it with its next change.
    """
    place = own_directory(parameters)
    if place is not None and same_place(repository.store.url, repository.directory, *place):
        raise UsageError(
            f"{repository.url} is the cluster's own backup directory: its meta node keeps the "
            "manifest in memory and would overwrite this entry",
            hint="take another directory; or --into-cluster-directory with the meta node stopped, "
            "or restarted right after",
        )


def owner_of(state: Store, directory: str) -> str | None:
    """The cluster that a data directory belongs to; None if to none yet.

    Raises:
        DamageError: what says so is larger than an id is.
    """
    try:
        found = read_document(state, join(directory, CLUSTER_ID_NAME))
    except ObjectMissing:
        return None
    return found.data.decode("utf-8", "replace").strip()


def check_cluster(connection: sa.Connection, state: Store, directory: str) -> None:
    """The data directory is this cluster's, as far as it says whose it is."""
    owner = owner_of(state, directory)
    ids = _cluster_ids(connection)
    if owner is not None and owner not in ids:
        raise UsageError(
            f"data directory {directory} in {state.url} is of cluster {owner}, the meta store of "
            f"{', '.join(ids) or 'none'}",
            hint="check --hummock-storage-url and --hummock-storage-directory",
        )


def check_room(connection: sa.Connection, repository: Repository) -> None:
    """Keep out of the backup directory of another cluster.

    Raises:
        ConflictError: it has snapshots, and none of this cluster.
    """
    ids = _cluster_ids(connection)
    if repository.cluster is not None and repository.cluster not in ids:
        raise ConflictError(
            f"the meta store is of cluster {', '.join(ids) or 'none'}, not of {repository.cluster}",
            hint="check --meta-store and --cluster-id",
        )
    if ids:
        require_room(repository, [min(ids)])


def cluster_of(connection: sa.Connection) -> str | None:
    """The cluster of a meta store; None if it has none yet."""
    return min(_cluster_ids(connection), default=None)


def _cluster_ids(connection: sa.Connection) -> list[str]:
    layout = find_layouts(connection).layouts[0]
    return [str(row.cluster_id) for row in read_rows(connection, layout, "cluster")]


def parameter(parameters: dict[str, str], name: str) -> str:
    """A system parameter that says where the cluster's state is."""
    value = parameters.get(name)
    if not value:
        raise UsageError(
            f"no system parameter {name} says where the state is",
            hint="give --hummock-storage-url and --hummock-storage-directory",
        )
    return value.removeprefix(HUMMOCK_PREFIX)
