"""The plain file of a snapshot that is kept as a delta, for those who know no deltas: RisingWave,
and older releases.
"""

from __future__ import annotations

import shutil
from typing import BinaryIO

from metasnapshot.catalogue import changes
from metasnapshot.catalogue.delta_files import DeltaFile
from metasnapshot.catalogue.facts import Facts
from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.catalogue.records import Records
from metasnapshot.catalogue.repository import Repository
from metasnapshot.catalogue.reservation import sole_writer
from metasnapshot.errors import ConflictError, DamageError, ObjectMissing

CHUNK_SIZE = 1 << 20


def write_plain(
    repository: Repository, delta: DeltaFile, target: Repository, *, is_here: bool = False
) -> ManifestEntry:
    """Write the plain file of a snapshot that is kept as a delta, under its own id, and enter it in
    the manifest; what is there already is compared.

    Args:
        repository: where the delta is.
        delta: the delta.
        target: where the plain file goes.
        is_here: whether that is the same place, so that its notes stay.

    Raises:
        DamageError: it cannot be rebuilt.
        ConflictError: there is another snapshot of its id.
    """
    entry, facts = delta.plain, _facts(delta)
    known = Records(repository).facts(repository.entry(delta.id)) if is_here else None
    if (there := plain_checksum(target, delta.id)) is None:

        def write(file: BinaryIO) -> ManifestEntry:
            with repository.get_stream(delta.id) as data:
                shutil.copyfileobj(data, file, CHUNK_SIZE)
            return entry

        with sole_writer(target.store, target.directory, delta.id):
            return changes.create_stream(
                target, delta.id, write, facts.taken, facts.taken_by, known
            )
    if there != facts.checksum:
        raise ConflictError(
            f"{target.url} has another snapshot {delta.id}", hint="copy to another directory"
        )
    if delta.id not in target.refresh_manifest().ids:
        changes.enter(target, entry, known or facts, was_delta=known is not None)
    return entry


def _facts(delta: DeltaFile) -> Facts:
    if (facts := delta.facts) is None:
        raise delta.error or DamageError(f"{delta.path} is damaged")
    return facts


def plain_checksum(repository: Repository, snapshot_id: int) -> str | None:
    """The XXH64 of a plain file in a directory, all of it verified; None if there is none."""
    try:
        with repository.open_file(snapshot_id) as reader:
            return f"{reader.checksum:016x}"
    except ObjectMissing:
        return None
