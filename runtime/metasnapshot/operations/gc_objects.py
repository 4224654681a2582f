"""gc --objects: the objects of a backup directory that no full backup names.

An object goes if no side file names it, if it is older than a grace, and if no backup with objects
is at work. A side file whose snapshot's file is gone names nothing once it is older than the grace.
Of a backup at work its marker beats, which is watched by the clock of this process alone; one that
is dead, or stands still, is given up first: its side file's name is taken, so that it can never
become complete over objects that are gone.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice

import numpy as np

from metasnapshot.catalogue.area import find_area, parse_name
from metasnapshot.catalogue.delta_files import stored_ids
from metasnapshot.catalogue.full import FullBackup, give_up, read_full
from metasnapshot.catalogue.full_header import AREA, FULL, full_path
from metasnapshot.catalogue.marker import COPYING, collecting, marker_path, read_marker_at
from metasnapshot.catalogue.repository import Repository
from metasnapshot.catalogue.reservation import ids_among
from metasnapshot.errors import ConflictError
from metasnapshot.operations.delete import require_may_delete
from metasnapshot.store.deletes import delete_unless_retained
from metasnapshot.store.lease import CLAIM_LIFE_S
from metasnapshot.store.port import Names, Store, join

WATCHED_S = 2 * CLAIM_LIFE_S
"""How long a marker is watched whose beat does not move."""
POLL_S = 1.0
BATCH = 1000
"""Objects that are deleted between two looks for backups."""
_MIX = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1
Keys = np.ndarray[tuple[int], np.dtype[np.uint64]]


@dataclass(frozen=True)
class UnneededObjects:
    """Copies of objects in a backup directory that no full backup needs.

    Attributes:
        due: paths of those that are old enough to go.
        bytes: their size together.
        young: how many are too young to go.
        named: how many objects a full backup needs.
        foreign: how many other files lie among them; they stay.
        deleted: how many were deleted.
    """

    due: tuple[str, ...] = ()
    bytes: int = 0
    young: int = 0
    named: int = 0
    foreign: int = 0
    deleted: int = 0


def find_unneeded(
    repository: Repository, grace: timedelta, now: datetime | None = None
) -> UnneededObjects:
    """Look for objects that no side file names; nothing is changed.

    Args:
        repository: the directory.
        grace: how old an object must be to go; one without a time never is.
        now: by default the clock's.

    Raises:
        DamageError, UnknownFormat: of a side file nobody knows what it names; or of the area what
            its names mean.
    """
    before = (now or datetime.now(UTC)) - grace
    found = repository.store.names(repository.directory)
    orphans = set(_orphans(found, repository.directory, before))
    kept = [number for number in ids_among(found, FULL) if number not in orphans]
    return _find(repository, kept, before)


def _find(repository: Repository, kept: list[int], before: datetime) -> UnneededObjects:
    """What the side files of these ids do not name."""
    store = repository.store
    find_area(store, repository.directory)
    due, size, young, needed, foreign = list[str](), 0, 0, 0, 0
    named = _named(store, repository.directory, kept)
    prefix = join(repository.directory, f"{AREA}/x")[:-1]
    for head in store.list(prefix):
        item = parse_name(head.path[len(prefix) :])
        if item is None:
            foreign += 1
        elif _is_in(named, _key(item.id, item.tag, item.kind)):
            needed += 1
        elif head.modified is None or head.modified > before:
            young += 1
        else:
            due.append(head.path)
            size += head.size
    return UnneededObjects(tuple(due), size, young, needed, foreign)


def collect_objects(
    repository: Repository, grace: timedelta, now: datetime | None = None
) -> UnneededObjects:
    """Delete objects that no side file names, while no backup with objects is at work. What the
    service retains stays (`repository.stays`). Orphans among the side files go first: where the
    snapshot of one came back, as a copy does it, that would be called full without its objects.

    Raises:
        ConflictError: one is, or somebody else collects; what was deleted before is gone.
        Denied: the key may not delete; nothing is deleted.
        DamageError, UnknownFormat: as find_unneeded; nothing is deleted.
    """
    store, directory = repository.store, repository.directory
    if not repository.store.names(join(directory, AREA)).directories:
        return UnneededObjects()
    find_area(store, directory)
    require_may_delete(repository)
    with collecting(store, directory):
        require_no_backups(store, directory)
        before = (now or datetime.now(UTC)) - grace
        there = store.names(directory)
        went = {
            number
            for number in _orphans(there, directory, before)
            if delete_unless_retained(store, full_path(directory, number), repository.stays)
        }
        kept = [number for number in ids_among(there, FULL) if number not in went]
        found = _find(repository, kept, before)
        paths, gone = iter(found.due), 0
        while batch := list(islice(paths, BATCH)):
            require_no_backups(store, directory)
            for path in batch:
                gone += delete_unless_retained(store, path, repository.stays)
    return replace(found, deleted=gone)


def require_no_backups(store: Store, directory: str) -> None:
    """See that no backup with objects is at work; markers of dead ones go, and they are given up.

    Raises:
        ConflictError: one is.
    """
    for number in ids_among(store.names(directory), COPYING):
        if is_alive(store, marker_path(directory, number)):
            raise ConflictError(
                f"a backup copies the objects of snapshot {number}: none are collected now",
                hint="run gc again when it has ended",
            )
        give_up(store, directory, number)
        store.delete(marker_path(directory, number))


def is_alive(store: Store, path: str) -> bool:
    """Whether the holder of the marker at a path lives."""
    return bool(living(store, [path]))


def living(store: Store, paths: Iterable[str]) -> set[str]:
    """Those of some markers whose holders live: their beats move while we watch them together."""
    first = {path: read_marker_at(store, path) for path in paths}
    watched = [path for path, found in first.items() if found is None or not found.holder.is_gone]
    alive = set[str]()
    ends = time.monotonic() + WATCHED_S
    while watched and time.monotonic() < ends:
        time.sleep(POLL_S)
        for path in tuple(watched):
            marker, known = read_marker_at(store, path), first[path]
            if marker is not None and known is not None and marker.beat != known.beat:
                alive.add(path)
                watched.remove(path)
            elif marker is None and store.head(path) is None:
                watched.remove(path)
            first[path] = known or marker
    return alive


def _orphans(found: Names, directory: str, before: datetime) -> list[int]:
    """Ids of the side files whose snapshot has neither file nor delta, and that are old."""
    files = stored_ids(found)
    return [
        number
        for number in ids_among(found, FULL)
        if number not in files and _is_old(found, full_path(directory, number), before)
    ]


def _named(store: Store, directory: str, kept: Iterable[int]) -> Keys:
    """Keys of all objects that the side files of these ids name, ascending."""
    keys = [np.empty(0, np.uint64)]
    for number in kept:
        full = read_full(store, directory, number)
        if full is not None:
            keys.append(object_keys(full))
    return np.unique(np.concatenate(keys))


def _is_old(found: Names, path: str, before: datetime) -> bool:
    times: Iterator[datetime | None] = (
        head.modified for head in found.objects if head.path == path
    )
    modified = next(times, None)
    return modified is not None and modified <= before


def object_keys(full: FullBackup) -> Keys:
    """A number for each object. Two of one number would both count as named, and none would go."""
    kinds = np.frombuffer(bytes(full.objects.kinds), np.uint8).astype(np.uint64)
    ids, tags = (np.frombuffer(item, np.uint64) for item in (full.objects.ids, full.objects.tags))
    return (ids + kinds) * np.uint64(_MIX) ^ tags


def _key(object_id: int, tag: int, kind: int) -> int:
    """The same of one."""
    return ((object_id + kind) * _MIX & _MASK) ^ tag


def _is_in(keys: Keys, key: int) -> bool:
    place = int(np.searchsorted(keys, np.uint64(key)))
    return place < len(keys) and int(keys[place]) == key
