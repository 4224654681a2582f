"""Is a snapshot full? It is if its side file is there, sound as far as its head says, and of the
very bytes that `{id}.snapshot` has. Every other one is partial.

What others did decides with it: a side file whose snapshot file is gone is an orphan, one whose
manifest entry alone is gone still holds its objects.
"""

from __future__ import annotations

from collections.abc import Mapping

from metasnapshot.catalogue.delta_files import DeltaFile
from metasnapshot.catalogue.full_header import FULL, Header, full_path, is_of_snapshot, read_header
from metasnapshot.catalogue.repository import SNAPSHOT, Repository
from metasnapshot.catalogue.reservation import ids_among
from metasnapshot.errors import ObjectMissing
from metasnapshot.store.port import Names, ObjectHead

IS_FULL, IS_PARTIAL = "full", "partial"


def header_of(
    repository: Repository, heads: Mapping[str, ObjectHead], snapshot_id: int
) -> Header | None:
    """The header of a full snapshot's side file; None for a partial one.

    Args:
        repository: the directory.
        heads: what lies right in it, by path.
        snapshot_id: which snapshot.

    Raises:
        DamageError: the side file is damaged.
        UnknownFormat: a later release wrote it.
    """
    head = heads.get(repository.stored_path(snapshot_id))
    if head is None or full_path(repository.directory, snapshot_id) not in heads:
        return None
    header = read_header(repository.store, repository.directory, snapshot_id)
    if header is None:
        return None
    if (delta := repository.delta(snapshot_id)) is not None:
        return header if is_of_delta(header, delta) else None
    if header.size != head.size:
        return None
    try:
        with repository.store.open_reader(repository.path(snapshot_id)) as file:
            return header if is_of_snapshot(header, file, head.size) else None
    except ObjectMissing:  # deleted since the listing
        return None


def is_of_delta(header: Header, delta: DeltaFile) -> bool:
    """Whether a side file is of the snapshot that a delta stands for."""
    own = delta.facts
    return own is not None and (own.size, own.checksum) == (header.size, header.checksum)


def unnamed_ids(repository: Repository, found: Names) -> list[int]:
    """Ids of snapshots that have a file and a side file, and no entry in the manifest: somebody who
    knows no side files rewrote it.
    """
    files, named = set(ids_among(found, SNAPSHOT)), set(repository.manifest().ids)
    return [number for number in ids_among(found, FULL) if number in files - named]
