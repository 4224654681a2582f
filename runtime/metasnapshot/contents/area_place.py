"""May objects lie here? Nowhere below a data directory: RisingWave lists its own with all that lies
below, looks at every name in it, and deletes what it takes for garbage.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

from metasnapshot.catalogue.full_header import AREA
from metasnapshot.catalogue.repository import Repository
from metasnapshot.contents.ownership import CLUSTER_ID_NAME
from metasnapshot.errors import AuthenticationError, UsageError
from metasnapshot.store.location import is_below
from metasnapshot.store.port import Store, clean, join
from metasnapshot.store.through import ReadableStore

logger = logging.getLogger(__name__)


def check_area_place(repository: Repository, state_url: str, data_directory: str) -> None:
    """Keep copies of objects out of data directories.

    Args:
        repository: the backup directory.
        state_url: of the cluster's state store.
        data_directory: in it.

    Raises:
        UsageError: it lies below this cluster's, or below one of another cluster.
    """
    area = join(repository.directory, AREA)
    if is_below(repository.store.url, area, state_url, data_directory):
        raise _refused(repository, f"this cluster's data directory {data_directory}")
    owned = next(owned_above(repository.store, area), None)
    if owned is not None:
        raise _refused(repository, f"a cluster's data directory: {owned} is there")


def owned_above(store: Store, directory: str) -> Iterator[str]:
    """Where a cluster has put its id: in a directory or above it, above the store's root too."""
    for path in _id_paths(directory):
        if store.head(path) is not None:
            yield path
    scheme, _, root = store.url.partition("://")
    if scheme == "fs":
        for parent in Path(root).resolve().parents:
            if (parent / CLUSTER_ID_NAME).is_file():
                yield str(parent / CLUSTER_ID_NAME)
        return
    top: Callable[[], tuple[ReadableStore, str]] | None = getattr(store, "top", None)
    whole, above = (store, "") if top is None else top()
    for path in _id_paths(above)[1:] if above else ():
        try:
            found = whole.head(path)
        except AuthenticationError as error:  # a key for this directory alone may not look there
            logger.info("nobody knows whether a cluster has %s: %s", path, error)
            return
        if found is not None:
            yield f"{path} above {store.url}"


def _id_paths(directory: str) -> list[str]:
    """Where the id of a cluster would lie, in a directory and in each above it."""
    parts = clean(directory).split("/")
    return [join("/".join(parts[:count]), CLUSTER_ID_NAME) for count in range(len(parts), -1, -1)]


def _refused(repository: Repository, what: str) -> UsageError:
    """The way out is a directory beside the data directory, not below it."""
    name = clean(repository.directory).rpartition("/")[2] or "backup"
    return UsageError(
        f"objects cannot be kept in {repository.url}: it lies in {what}, where RisingWave collects "
        "garbage",
        hint="take a directory beside the data directory, not below it, such as "
        f"--backup-storage-directory {name}_full at the top of the bucket",
    )
