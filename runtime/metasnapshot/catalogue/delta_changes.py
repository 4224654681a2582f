"""Deltas are made, written, and deleted. Like a snapshot's file a delta is only ever created, and
is read back, which is to say rebuilt, before anybody is told of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime

import msgspec
import numpy as np

from metasnapshot.catalogue.bases import hold_base, let_go_of_childless
from metasnapshot.catalogue.delta_files import delta_path
from metasnapshot.catalogue.entry_text import without_ids
from metasnapshot.catalogue.facts import CLOCK, FILE, drop_facts
from metasnapshot.catalogue.full_header import full_path
from metasnapshot.catalogue.ledger import announce_delete, forget, read_ledger
from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.catalogue.repository import Repository
from metasnapshot.catalogue.reservation import is_reserved
from metasnapshot.errors import ConflictError, DamageError, MetasnapshotError, UnknownFormat
from metasnapshot.format.delta import DELTA_SIZE_MAX, Opened, decode_delta, make_delta
from metasnapshot.format.delta_header import DeltaHeader, Frame
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.format.rebuilt import RebuiltFile
from metasnapshot.store.deletes import delete_unless_retained
from metasnapshot.store.tidying import tidied

UNSET = Frame(0, 0, "0" * 16)


def delta_bytes(
    repository: Repository,
    base_id: int,
    heir: Opened,
    entry: ManifestEntry,
    taken: tuple[datetime | None, str] = (None, CLOCK),
    cluster_id: str | None = None,
) -> bytes | None:
    """The delta of a snapshot; None where it would not be a small one, or is of another layout.

    Args:
        repository: where its base is.
        base_id: the base, which is read and verified.
        heir: the snapshot.
        entry: its entry, as a manifest would have it.
        taken: when its rows were read, and what says so.
        cluster_id: the cluster that it is of.

    Raises:
        DamageError: the base is damaged.
        ObjectMissing: the base is gone.
    """
    with repository.store.open_reader(repository.path(base_id)) as file:
        try:
            base = Opened(SnapshotReader(file), file)
        except DamageError as error:
            path = repository.path(base_id)
            raise error.in_file(f"snapshot {base_id} ({path})") from None
        ids = np.unique(entry.id_array)
        header = _header(base_id, base, heir, entry, len(ids))
        header = msgspec.structs.replace(
            header,
            cluster_id=cluster_id,
            taken=taken[0],
            taken_by=FILE if taken[1] == FILE else CLOCK,
        )
        return make_delta(header, (without_ids(entry), ids.tolist()), base, heir)


def _header(
    base_id: int, base: Opened, heir: Opened, entry: ManifestEntry, objects: int
) -> DeltaHeader:
    """What a delta says of both files, and of the entry."""
    mine, its = heir.reader, base.reader
    return DeltaHeader(
        snapshot_id=mine.id,
        size=mine.size,
        checksum=f"{mine.checksum:016x}",
        base_id=base_id,
        base_size=its.size,
        base_checksum=f"{its.checksum:016x}",
        format_version=mine.format_version,
        layout=mine.layout,
        releases=mine.releases,
        cluster_id=None,
        hummock_version_id=entry.hummock_version_id,
        newest_epoch=entry.newest_epoch,
        state_tables=len(entry.state_table_info),
        objects=objects,
        remarks=entry.remarks,
        rw_version=entry.rw_version,
        taken=None,
        taken_by=CLOCK,
        sections={},
        entry=UNSET,
        body=UNSET,
        steps=0,
        new_bytes=0,
    )


def create_delta(repository: Repository, snapshot_id: int, base_id: int, data: bytes) -> None:
    """Store a delta: mark its base first, then the file, then read it back.

    Raises:
        ConflictError: the id is taken, or somebody let go of the base meanwhile.
        DamageError: it does not rebuild its snapshot; it was deleted again.
    """
    store, directory = repository.store, repository.directory
    hold_base(repository, base_id, snapshot_id)
    path = delta_path(directory, snapshot_id)
    with store.open_writer(path) as file:
        file.write(data)
    repository.reread()
    try:
        with repository.open(snapshot_id):  # rebuilt and compared with the hash of its file
            pass
        _require_base(repository, base_id, snapshot_id)
    except MetasnapshotError:
        with tidied(lambda: store.delete(path)):
            raise
    with suppress(DamageError):  # then there are no notes
        forget(store, directory, [snapshot_id])


def _require_base(repository: Repository, base_id: int, snapshot_id: int) -> None:
    """See that nobody deletes a base of which a delta has just come. Who does puts its reservation
    first, then takes the mark away, then looks for deltas; here the delta is there by now.

    Raises:
        ConflictError: somebody does, or did.
    """
    store, directory = repository.store, repository.directory
    is_going = is_reserved(store, directory, base_id)
    repository.reread()
    is_there = base_id in repository.manifest().ids
    if is_going or not is_there or base_id not in read_ledger(store, directory).kept:
        raise ConflictError(
            f"snapshot {base_id}, the base of {snapshot_id}, is being deleted",
            hint="back up again",
        )


def delete_deltas(repository: Repository, ids: Iterable[int]) -> None:
    """Delete deltas, and what lets go of their bases; other ids are passed over.

    Raises:
        RetentionLocked: one of them is kept; nothing is deleted.
    """
    store, directory = repository.store, repository.directory
    gone = sorted(set(ids) & set(repository.deltas))
    announce_delete(store, directory, gone)
    for snapshot_id in gone:
        if store.head(path := full_path(directory, snapshot_id)) is not None:
            delete_unless_retained(store, path, repository.stays)
    for snapshot_id in gone:
        delete_unless_retained(store, delta_path(directory, snapshot_id), repository.stays)
    forget(store, directory, gone)
    with suppress(DamageError, UnknownFormat):  # they are of those bytes only
        drop_facts(store, directory, gone)
    with suppress(DamageError, UnknownFormat):  # without notes no mark is ours
        let_go_of_childless(repository)


def replace_delta(repository: Repository, snapshot_id: int, base_id: int, data: bytes) -> None:
    """Put a delta of another base in the place of one of the same snapshot, in one swap.

    Raises:
        DamageError: it does not rebuild the snapshot; the old one stays.
        ConflictError: the delta changed meanwhile.
    """
    store, path = repository.store, delta_path(repository.directory, snapshot_id)
    delta = decode_delta(path, data)
    with store.open_reader(repository.path(base_id)) as file:
        found = SnapshotReader(RebuiltFile(delta, file)).checksum
    before = repository.deltas[snapshot_id].header
    if f"{found:016x}" != before.checksum:
        raise DamageError(f"snapshot {snapshot_id} does not come back from base {base_id}")
    stored = store.read(path, DELTA_SIZE_MAX)
    if decode_delta(path, stored.data).header != before:
        raise ConflictError(f"{path} changed meanwhile", hint="try again")
    store.put_if_match(path, data, stored.etag)
    repository.reread()
    with repository.open(snapshot_id):
        pass
