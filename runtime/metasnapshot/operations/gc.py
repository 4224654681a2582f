"""gc: what lies in a backup directory and does not belong there.

Orphans are snapshot files that no manifest entry names: of a backup that died, or of a delete that
did. Leftovers are small objects of ours whose makers died. Both may be somebody's who is at work,
so only what is older than a grace goes, nothing that a process of this host is writing, and the
manifest is read again before each snapshot file. Foreign files are named and left alone; so are
entries whose file is lost, for an entry is the last that is known of a snapshot.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from metasnapshot.catalogue.bases import let_go_of_childless
from metasnapshot.catalogue.delta_files import DELTA, delta_files, delta_path, stored_ids
from metasnapshot.catalogue.facts import FACTS_NAME, is_of
from metasnapshot.catalogue.full_header import AREA, full_id
from metasnapshot.catalogue.ids import id_in
from metasnapshot.catalogue.ledger import LEDGER_NAME
from metasnapshot.catalogue.manifest import MANIFEST_NAME
from metasnapshot.catalogue.manifest_file import PREVIOUS_NAME
from metasnapshot.catalogue.marker import (
    COPYING,
    GC_NAME,
    marker_id,
    read_marker,
    read_marker_at,
)
from metasnapshot.catalogue.pin import PIN_NAME
from metasnapshot.catalogue.repository import SNAPSHOT, Repository
from metasnapshot.catalogue.reservation import RESERVED, is_held
from metasnapshot.catalogue.watcher import WATCHER_NAME
from metasnapshot.errors import DamageError, ObjectMissing, UnknownFormat
from metasnapshot.store.deletes import TRIAL_PREFIX, delete_unless_retained
from metasnapshot.store.lease import LEASE_NAME
from metasnapshot.store.port import Names, ObjectHead, join

ORPHAN, LEFTOVER, FOREIGN = "orphan", "leftover", "foreign"
OURS = re.compile(
    rf"{re.escape(MANIFEST_NAME)}|{re.escape(PREVIOUS_NAME)}|{re.escape(LEDGER_NAME)}"
    rf"|{re.escape(FACTS_NAME)}|{re.escape(WATCHER_NAME)}|checkpoint\.[0-9a-f]{{16}}\.replaced"
)
LEFTOVERS = re.compile(rf"{re.escape(TRIAL_PREFIX)}.*|{LEASE_NAME}/.*")


@dataclass(frozen=True)
class Stray:
    """An object that does not belong, and whether it is old enough to go."""

    kind: str
    path: str
    size: int
    modified: datetime | None
    is_due: bool


@dataclass(frozen=True)
class Strays:
    """What was found.

    Attributes:
        found: objects that do not belong, by path.
        lost: ids of entries whose file is not there.
    """

    found: tuple[Stray, ...]
    lost: tuple[int, ...]


def look(
    repository: Repository,
    grace: timedelta,
    now: datetime | None = None,
    *,
    objects: bool = False,
) -> Strays:
    """Look through a backup directory.

    Args:
        repository: the directory.
        grace: how old an object must be to go; one without a time never is.
        now: by default the clock's.
        objects: look also for what died among the objects: processes of this machine, and workers
            of others.
    """
    before = (now or datetime.now(UTC)) - grace
    repository.refresh_manifest()
    names = repository.store.names(repository.directory)
    leases = join(repository.directory, LEASE_NAME)
    claims = repository.store.names(leases) if leases in names.directories else Names()
    prefix = join(repository.directory, "x")[:-1]
    files, kept = set[int](), stored_ids(names)
    named = repository.manifest().ids
    found = list(_foreign(names, prefix)) + list(_foreign(claims, prefix))
    for head in (*names.objects, *claims.objects):
        name = head.path.removeprefix(prefix)
        if (number := id_in(name, SNAPSHOT)) is not None:
            files.add(number)
        if kind := _kind(name, named, kept) or _outdated(repository, name):
            found.append(_stray(kind, head, None if _is_held(repository, name) else before))
    for place in (repository.directory, *(_shards(repository) if objects else ())):
        leftovers = repository.store.leftovers(place)
        found += [_stray(LEFTOVER, head, before) for head in leftovers]
    found.sort(key=lambda stray: stray.path)
    lost = sorted(set(repository.manifest().ids) - files)
    return Strays(tuple(found), tuple(lost))


def _shards(repository: Repository) -> tuple[str, ...]:
    """The directories that objects lie in, and that of them all."""
    area = join(repository.directory, AREA)
    return area, *repository.store.names(area).directories


def collect(repository: Repository, strays: Strays) -> list[Stray]:
    """Delete what is due; returns what was deleted. What the service retains stays
    (`repository.stays`).
    """
    gone: list[Stray] = []
    for stray in strays.found:
        if not stray.is_due or stray.kind == FOREIGN:
            continue
        name = stray.path.rpartition("/")[2]
        if _is_held(repository, name):  # since we looked
            continue
        number = id_in(name, SNAPSHOT)
        if number is not None and number in repository.refresh_manifest().ids:
            continue  # its maker has entered it meanwhile
        if (of := full_id(name)) is not None and _is_kept(repository, of):
            continue  # its snapshot is there after all
        if delete_unless_retained(repository.store, stray.path, repository.stays):
            gone.append(stray)
    with suppress(DamageError, UnknownFormat):  # without notes no mark is ours
        let_go_of_childless(repository)
    return gone


def _is_kept(repository: Repository, number: int) -> bool:
    """Whether a snapshot has a file, or a delta."""
    paths = repository.path(number), delta_path(repository.directory, number)
    return any(repository.store.head(path) is not None for path in paths)


def _outdated(repository: Repository, name: str) -> str | None:
    """Of a delta whose snapshot is there as a plain file, by the same hash, that it is no use any
    more: its base was deleted, and it was to go last.
    """
    number = id_in(name, DELTA)
    if number is None or number not in repository.manifest().ids:
        return None
    file = delta_files(repository.store, repository.directory).get(number)
    if file is None or (facts := file.facts) is None:
        return None
    try:
        with repository.store.open_reader(repository.path(number)) as snapshot:
            is_same = is_of(facts, snapshot, snapshot.seek(0, os.SEEK_END))
    except ObjectMissing:
        return None
    return LEFTOVER if is_same else None


def _foreign(names: Names, prefix: str) -> Iterator[Stray]:
    """Directories that are not ours, each as one, and keys that no path means."""
    ours = {f"{prefix}{LEASE_NAME}", f"{prefix}{AREA}"}
    below = [f"{path}/" for path in names.directories if path not in ours]
    for key in (*below, *names.odd):
        yield Stray(FOREIGN, key, 0, None, is_due=False)


def _is_held(repository: Repository, name: str) -> bool:
    """Whether an object is a snapshot, or the reservation of one, that is being written here."""
    store, directory = repository.store, repository.directory
    number = marker_id(name)
    if number is not None or name == GC_NAME:
        path = join(directory, GC_NAME)
        marker = (
            read_marker_at(store, path) if number is None else read_marker(store, directory, number)
        )
        return marker is not None and marker.holder.is_here and not marker.holder.is_gone
    found = (id_in(name, suffix) for suffix in (SNAPSHOT, DELTA, RESERVED))
    number = next((number for number in found if number is not None), None)
    return number is not None and is_held(store, directory, number)


def _kind(name: str, ids: tuple[int, ...], files: set[int]) -> str | None:
    """What an object is; None if it belongs. A side file belongs to the snapshot's file, or its
    delta, whether the manifest has an entry or not.
    """
    if (number := full_id(name)) is not None:
        return None if number in files else ORPHAN
    if (number := id_in(name, SNAPSHOT)) is not None:
        return None if number in ids else ORPHAN
    if id_in(name, DELTA) is not None:  # no entry ever names it: it says itself what it is
        return None
    if OURS.fullmatch(name) or PIN_NAME.fullmatch(name):  # of a pin its snapshot must go first
        return None
    is_ours = (
        name == GC_NAME
        or LEFTOVERS.fullmatch(name)
        or any(id_in(name, suffix) is not None for suffix in (RESERVED, COPYING))
    )
    return LEFTOVER if is_ours else FOREIGN


def _stray(kind: str, head: ObjectHead, before: datetime | None) -> Stray:
    """An object, which may go if it is from before then; None keeps it."""
    is_due = (
        before is not None
        and kind != FOREIGN
        and head.modified is not None
        and head.modified <= before
    )
    return Stray(kind, head.path, head.size, head.modified, is_due)
