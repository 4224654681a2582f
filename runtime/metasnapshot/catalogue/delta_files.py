"""`{id}.delta`: snapshots that are kept as deltas of another one. The manifest never names them;
what lies in the directory does, and each says itself what its entry would be.

The base of a delta is the file `{base_id}.snapshot`, never another delta: one step rebuilds any.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO, Literal

from metasnapshot.catalogue.entry_text import with_ids
from metasnapshot.catalogue.facts import Facts
from metasnapshot.catalogue.ids import id_in
from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.catalogue.reservation import ids_among
from metasnapshot.errors import DamageError, MetasnapshotError, ObjectMissing, UnknownFormat
from metasnapshot.format.delta_header import (
    HEAD,
    HEADER_READ,
    DeltaHeader,
    damaged,
    decode_head,
    head_size,
)
from metasnapshot.store.document import read_document
from metasnapshot.store.port import Names, ObjectHead, Store, join

if TYPE_CHECKING:
    from metasnapshot.format.delta import Delta

DELTA: Literal["delta"] = "delta"


def stored_ids(found: Names) -> set[int]:
    """Ids of the snapshots of which a directory holds a plain file or a delta, whether a manifest
    names them or not.
    """
    return {*ids_among(found, "snapshot"), *ids_among(found, DELTA)}


def delta_path(directory: str, snapshot_id: int) -> str:
    """Where the delta of a snapshot lies."""
    return join(directory, f"{snapshot_id}.{DELTA}")


class DeltaFile:
    """A delta in a directory. Nothing of it is read before it is asked for."""

    def __init__(self, store: Store, snapshot_id: int, head: ObjectHead) -> None:
        """Know of one that was seen in a list of its directory."""
        self._store = store
        self.id = snapshot_id
        self.head = head

    @property
    def path(self) -> str:
        """Where it lies."""
        return self.head.path

    @property
    def header(self) -> DeltaHeader:
        """What it says of its snapshot.

        Raises:
            DamageError: it is not as it was written, or of another snapshot.
            UnknownFormat: a later release wrote it.
            StorageError: it cannot be read.
        """
        if isinstance(self._found, MetasnapshotError):
            raise self._found
        return self._found

    @property
    def error(self) -> MetasnapshotError | None:
        """Why its header cannot be read, if that is so."""
        return self._found if isinstance(self._found, MetasnapshotError) else None

    @cached_property
    def _found(self) -> DeltaHeader | DamageError | UnknownFormat | ObjectMissing:
        try:
            with self._store.open_reader(self.path) as file:
                return self._decode(file)
        except (DamageError, UnknownFormat, ObjectMissing) as error:
            return error

    def _decode(self, file: BinaryIO) -> DeltaHeader:
        data = file.read(HEADER_READ)
        if (size := head_size(self.path, data)) > len(data):
            data += file.read(size - len(data))
        header = decode_head(self.path, data)
        if header.snapshot_id != self.id:
            raise damaged(self.path, f"it is of snapshot {header.snapshot_id}")
        return header

    @cached_property
    def plain(self) -> ManifestEntry:
        """Its entry as a manifest would have it.

        Raises:
            DamageError: it is not as it was written.
        """
        from metasnapshot.format.delta import unpack_entry  # noqa: PLC0415 - loads numpy

        header = self.header
        with self._store.open_reader(self.path) as file:
            file.seek(head_size(self.path, file.read(HEAD.size)))
            packed = file.read(header.entry.packed)
        text, ids = unpack_entry(self.path, header, packed)
        return with_ids(self.path, text, ids.tolist())

    def read(self) -> Delta:
        """All of it, checked.

        Raises:
            DamageError: it is not as it was written.
            UnknownFormat: a later release wrote it.
        """
        from metasnapshot.format.delta import (  # noqa: PLC0415 - loads numpy
            DELTA_SIZE_MAX,
            decode_delta,
        )

        data = read_document(self._store, self.path, DELTA_SIZE_MAX).data
        delta = decode_delta(self.path, data)
        if delta.header != self.header:
            raise damaged(self.path, "it changed while it was read")
        return delta

    @property
    def facts(self) -> Facts | None:
        """What it says of its snapshot beyond the entry; None if it cannot be read."""
        if self.error is not None:
            return None
        header = self.header
        return Facts(
            checksum=header.checksum,
            size=header.size,
            cluster_id=header.cluster_id,
            layout=header.layout,
            releases=header.releases,
            taken=header.taken,
            taken_by=header.taken_by,
        )


def delta_files(store: Store, directory: str) -> dict[int, DeltaFile]:
    """The deltas right in a directory, by snapshot id."""
    found: dict[int, DeltaFile] = {}
    for head in store.names(directory).objects:
        number = id_in(head.path.rpartition("/")[2], DELTA)
        if number is not None:
            found[number] = DeltaFile(store, number, head)
    return found
