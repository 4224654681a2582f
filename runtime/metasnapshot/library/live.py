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
