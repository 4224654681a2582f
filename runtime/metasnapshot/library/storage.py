"""An object store by its URL: does it keep what backups rest on?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from metasnapshot.library.directory import DIRECTORY
from metasnapshot.store.context import PLAIN, Context

if TYPE_CHECKING:
    from metasnapshot.store.bucket_facts import BucketFacts
    from metasnapshot.store.trial import Promise


@dataclass(frozen=True)
class StorageTrial:
    """What was tried.

    Attributes:
        url: of the store, without credentials.
        promises: what it should keep, and whether it did.
        is_reliable: whether backups can rest on it.
        is_leased: whether its conditional writes are made under a lease.
        versioned: whether the bucket keeps old versions of what is deleted or replaced.
        lock_mode: of the bucket's default retention; "" if it has none.
        locked_until: until when what is written now is locked (UTC, ISO 8601); "" if it is not.
        checksum_wanted: whether it takes no object without a checksum.
        unknown: what of the last four, where None, is not known, and why.
    """

    url: str
    promises: tuple[Promise, ...]
    is_reliable: bool
    is_leased: bool
    versioned: bool | None = None
    lock_mode: str | None = None
    locked_until: str | None = None
    checksum_wanted: bool | None = None
    unknown: tuple[str, ...] = ()


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
    from metasnapshot.store.trial import DELETE, is_reliable, needs_lease, try_store
    from metasnapshot.store.url import open_plain

    store = open_plain(url, context)
    found = try_store(store, directory)
    reliable = is_reliable(found)
    leased = isinstance(store, LeasedStore) or (reliable and needs_lease(found))
    facts = _facts(url, context)
    has_written = all(item.held for item in found if item.name == DELETE)
    checksums = getattr(store, "checksums", None) if has_written else None
    return StorageTrial(
        store.url,
        tuple(found),
        reliable,
        leased,
        facts.versioned,
        facts.lock_mode,
        facts.locked_until,
        None if checksums is None else checksums > 0,
        facts.unknown,
    )


def _facts(url: str, context: Context) -> BucketFacts:
    """What the bucket says of itself, where it speaks S3's protocol."""
    from metasnapshot.store.bucket_facts import BucketFacts, ask_bucket
    from metasnapshot.store.clients import connector
    from metasnapshot.store.location import parse_location
    from metasnapshot.store.retry import client_retries
    from metasnapshot.store.services import find_service

    place = parse_location(url)
    service = find_service(place.service)
    if service is None or not service.speaks_s3:
        return BucketFacts()
    connect = connector(place, context.ca_file)
    again = client_retries(context.retry, context.retry.retries)
    return ask_bucket(lambda query: connect.answer(query, context.retry.timeout_s, again))
