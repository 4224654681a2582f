"""copy: a snapshot that is kept as a delta comes as one, behind its base; or as the plain file that
RisingWave reads, where that is asked for or its base is no snapshot of the source any more.
"""

from __future__ import annotations

from dataclasses import dataclass

from metasnapshot.catalogue.delta_changes import create_delta
from metasnapshot.catalogue.delta_entry import DeltaEntry
from metasnapshot.catalogue.facts import Facts
from metasnapshot.catalogue.repository import Repository
from metasnapshot.catalogue.reservation import sole_writer
from metasnapshot.errors import ConflictError, DamageError
from metasnapshot.format.delta import DELTA_SIZE_MAX
from metasnapshot.operations.materialise import plain_checksum, write_plain
from metasnapshot.store.document import read_document


@dataclass(frozen=True)
class CopiedDelta:
    """What came of it: bytes that were written or are there, and whether they were before."""

    size: int
    was_there: bool


def copy_delta(
    source: Repository, target: Repository, entry: DeltaEntry, checksum: str, *, as_plain: bool
) -> CopiedDelta:
    """Copy a delta whose base is in the target by now; or write its plain file there.

    Args:
        source: from where.
        target: where to.
        entry: which; it was verified.
        checksum: XXH64 of its file.
        as_plain: write the plain file.

    Raises:
        DamageError: it cannot be rebuilt there.
        ConflictError: the target has another snapshot of that id, or somebody writes it.
    """
    target.reread()
    if (there := target.delta(entry.id)) is not None:
        _require_same(target, entry.id, there.facts, checksum)
    is_plain_there = plain_checksum(target, entry.id) is not None
    if as_plain or is_plain_there:
        was_there = is_plain_there and entry.id in target.manifest().ids
        write_plain(source, entry.file, target)
        return CopiedDelta(entry.file.header.size, was_there)
    if there is not None:
        with target.open(entry.id):
            return CopiedDelta(there.head.size, was_there=True)
    data = read_document(source.store, entry.file.path, DELTA_SIZE_MAX).data
    with sole_writer(target.store, target.directory, entry.id):
        create_delta(target, entry.id, entry.file.header.base_id, data)
    return CopiedDelta(len(data), was_there=False)


def _require_same(target: Repository, snapshot_id: int, there: Facts | None, checksum: str) -> None:
    if there is None:
        raise DamageError(f"{target.url} has snapshot {snapshot_id} as a delta that is damaged")
    if there.checksum != checksum:
        raise ConflictError(
            f"{target.url} has another snapshot {snapshot_id}", hint="copy to another directory"
        )
