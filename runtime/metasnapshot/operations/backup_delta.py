"""backup --as-delta: a snapshot is written into private scratch first, and kept as a delta of the
newest plain one where that makes it small. It is kept as a plain file where there is no usable
base, where enough deltas have one, or where a delta would not be small.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from metasnapshot.catalogue import changes
from metasnapshot.catalogue.delta_changes import create_delta, delta_bytes
from metasnapshot.catalogue.facts import CLOCK, cluster_in
from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.catalogue.records import Records
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import DamageError, ObjectMissing, UnknownFormat
from metasnapshot.format.delta import Opened
from metasnapshot.format.framing import V2
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.store.local import translated
from metasnapshot.store.scratch import scratch_directory

CHUNK_SIZE = 1 << 20
DELTA_SCRATCH = "delta"
Write = Callable[[BinaryIO], ManifestEntry]


@dataclass(frozen=True)
class Kept:
    """How a snapshot is kept.

    Attributes:
        entry: its entry, in the manifest if it is a plain file.
        base: the snapshot that it is a delta of; None for a plain file.
        stored: bytes of what was written.
        warning: why it is a plain file although a delta was asked for and due; or empty.
    """

    entry: ManifestEntry
    base: int | None
    stored: int
    warning: str = ""


def due_base(repository: Repository, number: int, full_every: int) -> int | None:
    """The base of the next delta: the newest plain snapshot of format V2; None if there is none, or
    if a plain one is due. Ids are counted, not deltas: of these some may have expired.

    Args:
        repository: the directory.
        number: the id of the next one.
        full_every: every so many-th snapshot is plain.
    """
    plain = [entry for entry in repository.manifest().entries if entry.format_version == V2]
    newest = max((entry.id for entry in plain), default=None)
    return None if newest is None or number - newest >= full_every else newest


def keep_small(
    repository: Repository, number: int, write: Write, taken: datetime, full_every: int
) -> Kept:
    """Write a snapshot under an id that is reserved, as a delta if that can be.

    Args:
        repository: the directory.
        number: its id.
        write: writes it and returns its entry.
        taken: when its rows were read.
        full_every: every so many-th snapshot is plain.

    Raises:
        ConflictError: the id is taken, or somebody deletes the base meanwhile.
        DamageError: what was written does not read back; it was deleted again.
        StorageError: there is no room in TMPDIR.
    """
    base_id = due_base(repository, number, full_every)
    if base_id is None:
        entry = changes.create_stream(repository, number, write, taken)
        return Kept(entry, None, _size(repository, number))
    with scratch_directory(DELTA_SCRATCH) as scratch, translated(str(scratch)):
        path = scratch / f"{number}.snapshot"
        with path.open("wb") as file:
            entry = write(file)
        data, why = _delta(repository, base_id, path, entry, taken)
        if data is None:
            entry = changes.create_stream(repository, number, _copying(path, entry), taken)
            return Kept(entry, None, _size(repository, number), why)
        create_delta(repository, number, base_id, data)
        return Kept(repository.entry(number), base_id, len(data))


def _delta(
    repository: Repository, base_id: int, path: Path, entry: ManifestEntry, taken: datetime
) -> tuple[bytes | None, str]:
    """The delta, or why there is none."""
    with path.open("rb") as file:
        heir = Opened(SnapshotReader(file), file)
        cluster = cluster_in(heir.reader)
        try:
            its = Records(repository).cluster_id(repository.entry(base_id))
            if its != cluster:
                return None, f"snapshot {base_id} is of cluster {its}, so a plain one was made"
            data = delta_bytes(repository, base_id, heir, entry, (taken, CLOCK), cluster)
        except (DamageError, UnknownFormat, ObjectMissing) as error:
            return None, f"snapshot {base_id} is no base, so a plain one was made: {error}"
    return data, "" if data else f"a delta of snapshot {base_id} would not be small"


def _copying(path: Path, entry: ManifestEntry) -> Write:
    def write(file: BinaryIO) -> ManifestEntry:
        with path.open("rb") as plain:
            shutil.copyfileobj(plain, file, CHUNK_SIZE)
        return entry

    return write


def _size(repository: Repository, number: int) -> int:
    head = repository.store.head(repository.path(number))
    return 0 if head is None else head.size
