"""An object store by its URL: does it keep what backups rest on?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from metasnapshot.library.directory import DIRECTORY
from metasnapshot.store.context import PLAIN, Context

if TYPE_CHECKING:
    from metasnapshot.store.trial import Promise


@dataclass(frozen=True)
class StorageTrial:
    """What was tried.

    Attributes:
        url: of the store, without credentials.
        promises: what it should keep, and whether it did.
        is_reliable: whether backups can rest on it.
        is_leased: whether its conditional writes are made under a lease.
    """

    url: str
    promises: tuple[Promise, ...]
    is_reliable: bool
    is_leased: bool


def try_storage(url: str, directory: str = DIRECTORY, context: Context = PLAIN) -> StorageTrial:
    """Try what backups rest on, on an object of its own: create-only, swap, lists, ranged reads,
    delete.

    Args:
        url: of the store.
        directory: in it, where the object is made.
        context: how it is reached.

    Raises:
        UsageError: the URL is not valid.
        StorageError: the store cannot be reached.
    """
    from metasnapshot.store.lease import LeasedStore
    from metasnapshot.store.trial import is_reliable, needs_lease, try_store
    from metasnapshot.store.url import open_plain

    store = open_plain(url, context)
    found = try_store(store, directory)
    reliable = is_reliable(found)
    leased = isinstance(store, LeasedStore) or (reliable and needs_lease(found))
    return StorageTrial(store.url, tuple(found), reliable, leased)
