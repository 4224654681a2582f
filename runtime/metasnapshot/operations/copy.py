"""copy: snapshots into another backup directory, of any store, under their own ids.

Each file is verified before and after its journey, then its entry joins the manifest there, as it
stands here. One that is there already with the same checksum is left alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO

from metasnapshot.catalogue import changes
from metasnapshot.catalogue.clusters import begun, clusters_in, require_room
from metasnapshot.catalogue.delta_entry import DeltaEntry
from metasnapshot.catalogue.facts import CLOCK, Facts, facts_in
from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.catalogue.notes import note_facts
from metasnapshot.catalogue.records import Records
from metasnapshot.catalogue.repository import Repository
from metasnapshot.catalogue.reservation import drop_stale, sole_writer
from metasnapshot.errors import (
    ConflictError,
    DamageError,
    MetasnapshotError,
    ObjectMissing,
    UnknownFormat,
)

if TYPE_CHECKING:
    from metasnapshot.operations.copy_full import CopiedObjects

CHUNK_SIZE = 1 << 20


@dataclass(frozen=True)
class Copied:
    """A snapshot that is there now, its size, whether it was there before, and what came of its
    objects if they were to be copied; or the damage for which it was not copied.
    """

    snapshot_id: int
    size: int = 0
    was_there: bool = False
    objects: CopiedObjects | None = None
    error: MetasnapshotError | None = None


def copy(
    source: Repository, target: Repository, ids: Iterable[int], *, materialise: bool = False
) -> list[Copied]:
    """Copy snapshots; one that is damaged or lost here is told, and keeps no other from coming. The
    base of a delta comes with it.

    Args:
        source: from where.
        target: where to.
        ids: which.
        materialise: write plain files of deltas, which need no base.

    Raises:
        SnapshotNotFound: the source's manifest lacks one of them; nothing is copied.
        DamageError: one did not arrive whole.
        ConflictError: the target is another cluster's, has another snapshot of that id, or somebody
            writes it.
    """
    wanted = [source.entry(snapshot_id) for snapshot_id in dict.fromkeys(ids)]
    entries = list(_with_bases(source, wanted, materialise=materialise))
    clusters = clusters_in(source, ids=begun(entries))
    require_room(target, (clusters[entry.id] for entry in entries if entry.id in clusters))
    drop_stale(target.store, target.directory, target.reserved_ids())
    known = Records(source)
    return [
        _copy_delta(source, target, entry, materialise=materialise)
        if isinstance(entry, DeltaEntry)
        else _copy(known, source, target, entry)
        for entry in entries
    ]


def _with_bases(
    source: Repository, wanted: Sequence[ManifestEntry], *, materialise: bool
) -> Iterator[ManifestEntry]:
    """The same, each base of a delta before it, if the delta is to come as one."""
    told = set[int]()
    for entry in wanted:
        base_id = entry.base_id if isinstance(entry, DeltaEntry) and not materialise else None
        if base_id in source.manifest().ids and base_id not in told:
            told.add(base_id)
            yield source.entry(base_id)
        if entry.id not in told:
            told.add(entry.id)
            yield entry


def _copy_delta(
    source: Repository, target: Repository, entry: DeltaEntry, *, materialise: bool
) -> Copied:
    from metasnapshot.operations.copy_delta import copy_delta  # noqa: PLC0415 - loads numpy

    is_alone = materialise or entry.base_id not in source.manifest().ids
    try:
        with source.open(entry.id) as reader:  # rebuilt and verified, before anything is written
            checksum = f"{reader.checksum:016x}"
    except (DamageError, UnknownFormat, ObjectMissing) as error:
        return Copied(entry.id, error=error)
    if not is_alone and entry.base_id not in target.refresh_manifest().ids:
        why = DamageError(f"snapshot {entry.base_id}, its base, was not copied")
        return Copied(entry.id, error=why)
    found = copy_delta(source, target, entry, checksum, as_plain=is_alone)
    return Copied(entry.id, found.size, found.was_there)


def _copy(known: Records, source: Repository, target: Repository, entry: ManifestEntry) -> Copied:
    try:
        with source.open(entry.id) as reader:
            checksum, size = reader.checksum, reader.size
            facts = facts_in(reader, *_taken(known, entry))
    except (DamageError, UnknownFormat, ObjectMissing) as error:
        return Copied(entry.id, error=error)
    there = _checksum(target, entry.id)
    if there is None and (delta := target.delta(entry.id)) is not None:
        if delta.facts is None or delta.facts.checksum != f"{checksum:016x}":
            raise ConflictError(
                f"{target.url} has another snapshot {entry.id}", hint="copy to another directory"
            )
        return Copied(entry.id, size, was_there=True)
    if there is None:
        _send(source, target, entry, facts)
        there = _checksum(target, entry.id)
        if there != checksum:
            raise DamageError(f"snapshot {entry.id} did not arrive whole")
        return Copied(entry.id, size, was_there=False)
    if there != checksum:
        raise ConflictError(
            f"{target.url} has another snapshot {entry.id}", hint="copy to another directory"
        )
    if entry.id not in target.refresh_manifest().ids:
        changes.enter(target, entry, facts)
    elif known.facts(entry) is not None and Records(target).facts(entry) is None:
        note_facts(target.store, target.directory, entry.id, facts)
    return Copied(entry.id, size, was_there=True)


def _taken(known: Records, entry: ManifestEntry) -> tuple[datetime | None, str]:
    """When a snapshot was taken, where more than its epochs says so: the time of its copy's file
    will not.
    """
    found = known.taken(entry)
    return (None, CLOCK) if found is None or found.is_least else (found.time, found.by)


def _send(source: Repository, target: Repository, entry: ManifestEntry, facts: Facts) -> None:
    def write(file: BinaryIO) -> ManifestEntry:
        with source.get_stream(entry.id) as data:
            shutil.copyfileobj(data, file, CHUNK_SIZE)
        return entry

    with sole_writer(target.store, target.directory, entry.id):
        changes.create_stream(target, entry.id, write, facts.taken, facts.taken_by)


def _checksum(repository: Repository, snapshot_id: int) -> int | None:
    """The checksum of a file in a directory; None if there is none."""
    try:
        with repository.open_file(snapshot_id) as reader:
            return reader.checksum
    except ObjectMissing:
        return None
