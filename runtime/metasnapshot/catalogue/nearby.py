"""Where a manifest is, if it is not where it was looked for: a part of the path given twice, or the
wrong directory of the right bucket.
"""

from __future__ import annotations

from collections.abc import Iterator

from metasnapshot.catalogue.manifest import MANIFEST_NAME
from metasnapshot.errors import MetasnapshotError
from metasnapshot.store.port import Store, join

DIRECTORIES_MAX = 20
"""So many directories of a bucket are looked into."""


def nearby(store: Store, directory: str) -> str:
    """What to type instead; empty if no manifest is found.

    Args:
        store: where one was looked for.
        directory: in which directory.
    """
    try:
        return next(_found(store, directory), "")
    except MetasnapshotError:  # who may not look around is not told
        return ""


def _found(store: Store, directory: str) -> Iterator[str]:
    if store.head(MANIFEST_NAME) is not None:
        above, _, last = store.url.rpartition("/")
        options = f"--backup-storage-url {above} --backup-storage-directory {last}"
        yield f"there is one in {store.url}: {options}"
    names = store.names("").directories[:DIRECTORIES_MAX]
    for name in (*names, *(join(name, "backup") for name in names)):
        if name != directory and store.head(join(name, MANIFEST_NAME)) is not None:
            yield f"there is one with --backup-storage-directory {name}"
