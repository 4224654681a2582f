"""A snapshot that a meta node made in its own backup directory, as its file says it."""

from __future__ import annotations

from typing import NamedTuple

from metasnapshot.catalogue.facts import cluster_in
from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.catalogue.repository import Repository
from metasnapshot.contents.cluster import catalog_of
from metasnapshot.errors import ConflictError, SnapshotNotFound, UnknownFormat
from metasnapshot.hummock.objects import NeededObjects, needed_by


class NodeSnapshot(NamedTuple):
    """Its entry; bytes and XXH64 of its file; what it needs; its cluster and system parameters."""

    entry: ManifestEntry
    size: int
    checksum: int
    needed: NeededObjects
    cluster: str | None
    parameters: dict[str, str]


def read_snapshot(source: Repository, number: int) -> NodeSnapshot:
    """Read a snapshot that the meta node just made; what it wrote is verified.

    Args:
        source: its directory.
        number: the snapshot's id.

    Raises:
        ConflictError: it is not there.
        UnknownFormat: it is in the V1 format.
        DamageError: it is damaged.
    """
    source.reread()
    try:
        entry = source.entry(number)
        with source.open(number) as reader:
            if reader.is_v1:
                raise UnknownFormat(
                    f"snapshot {number} is in the V1 format, whose objects are not copied",
                    hint="full backups are of clusters from 1.9 on",
                )
            return NodeSnapshot(
                entry,
                reader.size,
                reader.checksum,
                needed_by(reader),
                cluster_in(reader),
                catalog_of(reader).parameters(),
            )
    except SnapshotNotFound as error:
        raise ConflictError(
            f"the meta node made snapshot {number}, and {source.url} does not have it",
            hint="did backup_storage_url or backup_storage_directory change meanwhile?",
        ) from error
