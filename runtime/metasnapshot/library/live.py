"""A running meta node, which makes, lists and deletes its own snapshots."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import UsageError
from metasnapshot.library.backups import Backups
from metasnapshot.library.meta_stores import MetaStore
from metasnapshot.store.context import PLAIN, Context

if TYPE_CHECKING:
    from metasnapshot.live.meta_node import MetaNode
    from metasnapshot.operations.backup_live import LiveBackup
    from metasnapshot.operations.backup_pinned import PinnedResult, PinOptions
    from metasnapshot.operations.crew import Pace


def open_meta_node(url: str) -> AbstractContextManager[MetaNode]:
    """A meta node, for the block.

    Args:
        url: `http://host:5690`.

    Raises:
        UsageError: it is no such URL, or the extra `live` is not installed.
    """
    try:
        from metasnapshot.live import meta_node
    except ImportError as error:
        raise UsageError(
            f"--via-meta needs grpcio: {error}", hint="pip install 'metasnapshot[live]'"
        ) from error
    return meta_node.open_meta_node(url)


def backup_live(
    url: str,
    remarks: str | None = None,
    *,
    backups: Backups | None = None,
    meta_store: MetaStore | None = None,
    context: Context = PLAIN,
) -> LiveBackup:
    """Have a running meta node make a snapshot in a directory of its own cluster.

    Args:
        url: of the meta node, `http://host:5690`.
        remarks: a note for the manifest.
        backups: where its backups lie, if that is known.
        meta_store: its meta store, if that is known; it says of which cluster the node is.
        context: how the directory that the node names is reached.

    Raises:
        ConflictError: the directory is another cluster's, or another job runs.
        MetaNodeError: the node made none, or cannot be reached.
        UsageError: the extra `live` is not installed.
    """
    with open_meta_node(url) as node:
        from metasnapshot.contents.ownership import cluster_of
        from metasnapshot.operations import backup_live as operation

        def opened(place: str, directory: str) -> Repository:
            return Backups(place, directory, context=context).repository

        found = None if backups is None else backups.repository
        cluster = None
        if meta_store is not None:
            with meta_store.connect() as store, store.read_transaction() as connection:
                cluster = cluster_of(connection)
        return operation.backup_live(node, operation.Known(found, cluster), opened, remarks)


def backup_pinned(
    url: str,
    backups: Backups,
    options: PinOptions | None = None,
    pace: Pace | None = None,
    *,
    meta_store: MetaStore | None = None,
) -> PinnedResult:
    """Have a running meta node make a snapshot, which pins its objects; copy it and every object
    that it needs and that is not there yet; then have the node delete its own.

    Args:
        url: of the meta node, `http://host:5690`.
        backups: where the snapshot and the objects go.
        options: how to back up.
        pace: how fast to copy.
        meta_store: the node's meta store, for a node that does not say where its backups lie.

    Raises:
        UsageError: the directory lies below a data directory, or is the node's own; or the extra
            `live` is not installed.
        ConflictError: the directory is another cluster's, has an id that is not below the new one,
            or another job runs.
        MetaNodeError: the node made none, or cannot be reached.
        MetasnapshotError: as backup_full.
    """
    with open_meta_node(url) as node:
        from metasnapshot.contents.ownership import cluster_of
        from metasnapshot.metastore.read import system_parameters
        from metasnapshot.operations import backup_pinned as operation
        from metasnapshot.operations.crew import Pace

        def opened(place: str, directory: str) -> Repository:
            return Backups(place, directory, context=backups.repository.context).repository

        told = operation.NOTHING
        if meta_store is not None:
            with meta_store.connect() as store, store.read_transaction() as connection:
                told = operation.Told(cluster_of(connection), system_parameters(connection))
        return operation.backup_pinned(
            node,
            backups.repository,
            opened,
            options or operation.PinOptions(),
            pace or Pace(),
            told,
        )
