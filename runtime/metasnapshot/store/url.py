"""Object store URLs -> stores."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from metasnapshot.errors import UsageError
from metasnapshot.store.context import PLAIN, Context
from metasnapshot.store.local import LocalStore
from metasnapshot.store.location import Location, parse_location
from metasnapshot.store.memory import MemoryStore
from metasnapshot.store.port import Store
from metasnapshot.store.services import find_service, known_forms, load

INSTALL = "pip install 'metasnapshot[objects]'"


def open_store(url: str, context: Context = PLAIN) -> Store:
    """The store that a URL means; `hummock+` in front is allowed.

    Args:
        url: where it is.
        context: how it is reached.

    Raises:
        UsageError: no backend takes this URL, or its driver is not installed.
    """
    place = parse_location(url)
    if place == Location("memory"):
        return _memory()
    row = find_service(place.service)
    store: Store = open_other(place, context) if row is None else load(row.opens)(place, context)
    return store


def open_plain(url: str, context: Context = PLAIN) -> Store:
    """The same store, with its own conditional writes where it says that it has them.

    Raises:
        UsageError: as `open_store`.
    """
    store = open_store(url, context)
    return getattr(store, "untried", store)


def open_files(place: Location, context: Context) -> Store:
    """A local directory."""
    return LocalStore(Path(place.root), context.retry.lock_wait_s, context.file_mode)


def open_bucket(place: Location, context: Context) -> Store:
    """A bucket that obstore reaches."""
    try:
        from metasnapshot.store.clients import connector  # noqa: PLC0415
        from metasnapshot.store.remote import RemoteStore  # noqa: PLC0415 - an extra
        from metasnapshot.store.trial import TriedStore  # noqa: PLC0415
    except ImportError as error:
        raise UsageError(f"{place.service}:// needs obstore: {error}", hint=INSTALL) from error
    connect = connector(place, context.ca_file)
    store = RemoteStore(connect, place.url, place.root, context.retry)
    return TriedStore(store, context.retry.lock_wait_s)


def open_other(place: Location, context: Context) -> Store:
    """Any protocol that fsspec has."""
    try:
        from metasnapshot.store.lease import LeasedStore  # noqa: PLC0415 - an extra
        from metasnapshot.store.other import OtherStore, protocols  # noqa: PLC0415
    except ImportError as error:
        raise UsageError(f"{place.service}:// needs fsspec: {error}", hint=INSTALL) from error
    if place.service not in protocols():
        raise UsageError(
            f"no object store for scheme {place.service!r}",
            hint=f"known forms: {known_forms()}",
        )
    store = OtherStore(place, context.retry, context.ca_file)
    return LeasedStore(store, context.retry.lock_wait_s)


@cache
def _memory() -> MemoryStore:
    """One store per process, as upstream since 2.5."""
    return MemoryStore()
