"""Does every object that a snapshot needs exist, under its name, with its size?

One listing of the data directory, never a request an object.
"""

from __future__ import annotations

from collections.abc import Iterator

from metasnapshot.contents.cluster import catalog_of
from metasnapshot.contents.findings import ERROR, WARNING, Finding
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.hummock.objects import NeededObjects
from metasnapshot.hummock.paths import is_prefixed, object_path, object_prefix, parse_path
from metasnapshot.store.port import Store, normalise

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
            yield Finding(
                ERROR,
                "",
                head.path,
                f"object {found.id} has {head.size} bytes, the snapshot says {wanted.size}",
                LOST_HINT,
            )
    for place, was_seen in enumerate(seen):
        if not was_seen:
            wanted = needed[place]
            path = object_path(directory, wanted.id, wanted.suffix, prefixed=prefixed)
            yield Finding(
                ERROR, "", path, f"object {wanted.id} is missing", LOST_HINT, missing=True
            )


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


def largest_object(store: Store, directory: str) -> int:
    """The largest id of any object in a data directory, 0 if there is none."""
    directory = normalise(directory)
    found = (parse_path(directory, head.path) for head in store.list(f"{directory}/"))
    return max((item.id for item in found if item is not None), default=0)
