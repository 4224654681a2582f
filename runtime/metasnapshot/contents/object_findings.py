"""Does every object that a snapshot needs exist, under its name, with its size?

By one listing of the data directory, whatever else lies there; or, where few are needed, by a
request for each.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from metasnapshot.contents.cluster import catalog_of
from metasnapshot.contents.findings import ERROR, WARNING, Finding
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.hummock.objects import NeededObject, NeededObjects
from metasnapshot.hummock.paths import is_prefixed, object_path, object_prefix, parse_path
from metasnapshot.store.port import ObjectHead, Store, normalise

REQUESTS_AT_ONCE = 8
LOST_HINT = (
    "the snapshot cannot be restored without it: bring it back from a copy of the state store"
)


def check_objects(
    store: Store, directory: str, needed: NeededObjects, *, prefixed: bool
) -> Iterator[Finding]:
    """Compare what is needed with what is there.

    Args:
        store: the state store.
        directory: the data directory in it.
        needed: by the snapshot.
        prefixed: whether objects lie in directories named after a hash of their id.

    Raises:
        UsageError: directory is no path in an object store.
        StorageError: the store cannot be listed.
    """
    directory = normalise(directory)
    seen = bytearray(len(needed))
    for head in store.list(f"{directory}/"):
        found = parse_path(directory, head.path)
        place = None if found is None else needed.place(found.id)
        if found is None or place is None:
            continue
        wanted = needed[place]
        if found.suffix != wanted.suffix:
            continue  # another kind of object: the needed one is still to come, or missing
        if found.prefix != object_prefix(found.id, prefixed=prefixed):
            yield Finding(
                WARNING,
                "",
                head.path,
                f"object {found.id} lies where no release looks for it",
                "its path is made of state_store and use_new_object_prefix_strategy",
            )
            continue
        seen[place] = 1
        if head.size != wanted.size:
            yield _cut(wanted, head)
    for place, was_seen in enumerate(seen):
        if not was_seen:
            wanted = needed[place]
            yield _lost(wanted, _path(directory, wanted, prefixed=prefixed))


def look_for(
    store: Store, url: str, directory: str, reader: SnapshotReader, needed: NeededObjects
) -> Iterator[Finding]:
    """Look for the objects of a snapshot where its own system parameters put them.

    Args:
        store: the state store.
        url: its URL, whose scheme decides about prefixes.
        directory: the data directory.
        reader: the snapshot, opened.
        needed: by it.

    Raises:
        StorageError: the store cannot be listed.
    """
    parameters = catalog_of(reader).parameters()
    return check_objects(store, directory, needed, prefixed=is_prefixed(url, parameters))


def find_by_name(
    store: Store, url: str, directory: str, reader: SnapshotReader, needed: NeededObjects
) -> Iterator[Finding]:
    """Ask for each object of a snapshot by its name; arguments as look_for.

    Raises:
        StorageError: the store does not answer.
    """
    directory = normalise(directory)
    prefixed = is_prefixed(url, catalog_of(reader).parameters())
    paths = [_path(directory, wanted, prefixed=prefixed) for wanted in needed]
    with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
        for wanted, path, head in zip(needed, paths, pool.map(store.head, paths), strict=True):
            if head is None:
                yield _lost(wanted, path)
            elif head.size != wanted.size:
                yield _cut(wanted, head)


def _path(directory: str, wanted: NeededObject, *, prefixed: bool) -> str:
    return object_path(directory, wanted.id, wanted.suffix, prefixed=prefixed)


def _lost(wanted: NeededObject, path: str) -> Finding:
    return Finding(ERROR, "", path, f"object {wanted.id} is missing", LOST_HINT, missing=True)


def _cut(wanted: NeededObject, head: ObjectHead) -> Finding:
    text = f"object {wanted.id} has {head.size} bytes, the snapshot says {wanted.size}"
    return Finding(ERROR, "", head.path, text, LOST_HINT)


def largest_object(store: Store, directory: str) -> int:
    """The largest id of any object in a data directory, 0 if there is none."""
    directory = normalise(directory)
    found = (parse_path(directory, head.path) for head in store.list(f"{directory}/"))
    return max((item.id for item in found if item is not None), default=0)
