"""What changes the snapshots of a backup directory: an id is taken, a snapshot is written and
entered, others are deleted.

A snapshot's file comes first, and is read back before the manifest names it; on the way out the
manifest goes first. While a backup is at work, `{id}.reserved` keeps its id and says who it is.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import BinaryIO

from metasnapshot.catalogue.delta_changes import delete_deltas
from metasnapshot.catalogue.delta_files import DELTA
from metasnapshot.catalogue.entry import describe
from metasnapshot.catalogue.facts import CLOCK, Facts, drop_facts, facts_in
from metasnapshot.catalogue.full_header import FULL, full_path
from metasnapshot.catalogue.ids import following_id
from metasnapshot.catalogue.ledger import LEDGER_NAME, announce_delete, forget, read_ledger
from metasnapshot.catalogue.manifest import MANIFEST_NAME, Manifest, ManifestEntry
from metasnapshot.catalogue.marker import COPYING
from metasnapshot.catalogue.notes import note_entered
from metasnapshot.catalogue.repository import SNAPSHOT, Repository
from metasnapshot.catalogue.reservation import (
    RESERVED,
    drop_stale,
    ids_among,
    is_reserved,
    reservation,
)
from metasnapshot.errors import ConflictError, DamageError, MetasnapshotError, UnknownFormat
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.format.snapshot import MetaSnapshot, dumps
from metasnapshot.hummock.objects import CHANGE_LOGS_SECTION, object_ids
from metasnapshot.store.deletes import delete_unless_retained
from metasnapshot.store.port import Names, join
from metasnapshot.store.tidying import tidied

RESERVE_ATTEMPTS_MAX = 1000


def next_id(repository: Repository, sequence: int, found: Names | None = None) -> int:
    """The id of a new snapshot: the sequence meta_backup, or one more than the largest id that
    is or was taken: by the manifest, a file, a backup at work, or a snapshot deleted here.

    Args:
        repository: the directory.
        sequence: meta_backup of the meta store.
        found: what lies in the directory, if that is known.
    """
    return following_id(sequence, taken_ids(repository, found))


def taken_ids(repository: Repository, found: Names | None = None) -> dict[str, Iterable[int]]:
    """Ids that are or were taken in a directory, by the words for where they stand; `found` is
    what lies in it, if that is known.
    """
    deleted = read_ledger(repository.store, repository.directory).last_deleted
    found = repository.store.names(repository.directory) if found is None else found
    return {
        MANIFEST_NAME: repository.manifest().ids,
        "a snapshot file": ids_among(found, SNAPSHOT),
        "a delta": ids_among(found, DELTA),
        "a reservation": ids_among(found, RESERVED),
        "a side file": ids_among(found, FULL),
        "a marker": ids_among(found, COPYING),
        f"last_deleted in {join(repository.directory, LEDGER_NAME)}": (deleted,),
    }


@contextmanager
def reserve(repository: Repository, sequence: int) -> Generator[int]:
    """Take the next id for the block, so that no other backup gets it.

    A process that dies in the block wastes an id, nothing more. What is taken since the manifest
    was read and the directory listed is found once the id is reserved: then the next id is tried.

    Args:
        repository: the directory.
        sequence: meta_backup of the meta store.
    """
    store, directory = repository.store, repository.directory
    found: Names | None = store.names(directory)
    if drop_stale(store, directory, ids_among(found, RESERVED)):
        found = None
    number = first = next_id(repository, sequence, found)
    for _ in range(RESERVE_ATTEMPTS_MAX):
        with reservation(store, directory, number) as got_it:
            if got_it and not _was_taken(repository, number):
                yield number
                return
        number = max(number + 1, next_id(repository, sequence))
    raise ConflictError(f"no id from {first} on could be reserved in {repository.url}")


def _was_taken(repository: Repository, number: int) -> bool:
    """Whether a backup that held this id, or a later one, ended since we looked; ours is the
    reservation now, so it left its traces by now: a delta counts as deleted before it is there.
    """
    return (
        repository.store.head(repository.path(number)) is not None
        or number <= max(repository.refresh_manifest().ids, default=0)
        or number <= read_ledger(repository.store, repository.directory).last_deleted
    )


def create(
    repository: Repository,
    snapshot: MetaSnapshot,
    remarks: str | None = None,
    rw_version: str | None = None,
) -> ManifestEntry:
    """Store a snapshot under its id and enter it in the manifest.

    Raises:
        ConflictError: the id is taken.
    """
    data = dumps(snapshot)
    version = snapshot.hummock_version.message
    ids = object_ids(version, snapshot.sections.get(CHANGE_LOGS_SECTION))
    form = snapshot.format_version, snapshot.layout
    entry = describe(snapshot.id, form, version, ids, remarks, rw_version)

    def write(file: BinaryIO) -> ManifestEntry:
        file.write(data)
        return entry

    return create_stream(repository, snapshot.id, write)


def create_stream(
    repository: Repository,
    snapshot_id: int,
    write: Callable[[BinaryIO], ManifestEntry],
    taken: datetime | None = None,
    taken_by: str = CLOCK,
    known: Facts | None = None,
) -> ManifestEntry:
    """Store a snapshot that is written as it is made, first the file, then its entry in the
    manifest.

    Args:
        repository: the directory.
        snapshot_id: its id.
        write: writes the snapshot to the file and returns its entry.
        taken: when its rows were read from the meta store, where that is known.
        taken_by: what says so.
        known: of a snapshot that is here as a delta what is recorded of it: its notes are kept.

    Raises:
        ConflictError: the id is taken.
        DamageError: the file does not read back as it was written.
    """
    with repository.store.open_writer(repository.path(snapshot_id)) as file:
        entry = write(file)
        repository.make_manifest()
    facts = _read_back(repository, snapshot_id, taken, taken_by)
    if known is None:
        # RisingWave may have deleted a snapshot of this id: its notes are not this one's.
        with suppress(DamageError):  # then there are no notes
            forget(repository.store, repository.directory, [snapshot_id])
    try:
        repository.change_manifest(lambda manifest: manifest.with_entry(entry))
    except MetasnapshotError:
        _drop_unnamed(repository, snapshot_id)
        raise
    note_entered(
        repository.store,
        repository.directory,
        entry,
        known or facts,
        was_delta=known is not None,
    )
    return entry


def enter(
    repository: Repository,
    entry: ManifestEntry,
    facts: Facts | None = None,
    *,
    was_delta: bool = False,
) -> None:
    """Enter a snapshot whose file is there already, with what is known of it."""
    repository.change_manifest(lambda manifest: manifest.with_entry(entry))
    note_entered(repository.store, repository.directory, entry, facts, was_delta=was_delta)


def delete(repository: Repository, ids: Iterable[int]) -> None:
    """Delete snapshots: first from the manifest, then their files. Unknown ids are no error, as
    upstream; the file of one that a backup is just writing stays, and what the service retains
    (`repository.stays`).

    Raises:
        RetentionLocked: one of them is kept; nothing is deleted.
    """
    wanted, gone = set(ids), set[int]()
    repository.forget_deltas()
    if deltas := wanted.intersection(repository.deltas):
        delete_deltas(repository, deltas)
        wanted -= deltas
        if not wanted:
            return
    known = wanted.intersection(repository.refresh_manifest().ids)
    announce_delete(repository.store, repository.directory, known)
    for snapshot_id in sorted(known):  # first: what the manifest names is never full by mistake
        if repository.store.head(full_path(repository.directory, snapshot_id)) is not None:
            path = full_path(repository.directory, snapshot_id)
            delete_unless_retained(repository.store, path, repository.stays)

    def without(manifest: Manifest) -> Manifest:
        gone.clear()
        gone.update(wanted.intersection(manifest.ids))
        return manifest.without(wanted)

    repository.change_manifest(without)
    announce_delete(repository.store, repository.directory, gone - known)
    forget(repository.store, repository.directory, gone)
    with suppress(DamageError, UnknownFormat):  # they are of those bytes only
        drop_facts(repository.store, repository.directory, gone)
    for snapshot_id in sorted(wanted):
        if snapshot_id in gone or not is_reserved(
            repository.store, repository.directory, snapshot_id
        ):
            path = repository.path(snapshot_id)
            delete_unless_retained(repository.store, path, repository.stays)


def _drop_unnamed(repository: Repository, snapshot_id: int) -> None:
    """Delete a file that the manifest could not be made to name, unless it does after all."""
    with suppress(MetasnapshotError):  # the first error is the one to tell
        repository.reread()
        if snapshot_id not in repository.manifest().ids:
            repository.store.delete(repository.path(snapshot_id))


def _read_back(repository: Repository, snapshot_id: int, taken: datetime | None, by: str) -> Facts:
    """Verify a file before the manifest names it; one that is damaged is deleted again."""
    path = repository.path(snapshot_id)
    try:
        with repository.store.open_reader(path) as file:
            reader = SnapshotReader(file)
            found, facts = reader.id, facts_in(reader, taken, by)
        _require_id(path, found, snapshot_id)
    except (DamageError, UnknownFormat):
        with tidied(lambda: repository.store.delete(path)):
            raise
    return facts


def _require_id(path: str, found: int, wanted: int) -> None:
    if found != wanted:
        raise DamageError(f"{path} holds id {found}")
