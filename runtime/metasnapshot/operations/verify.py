"""verify: are a snapshot's bytes what was written, and does every row decode?

Level `file` hashes the file and compares the checksum, header, frame and manifest entry; level
`rows` decodes every row and the Hummock version as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import DamageError, MetasnapshotError
from metasnapshot.format.layout import HUMMOCK_VERSION
from metasnapshot.format.reader import SnapshotReader

Level = Literal["file", "rows"]


@dataclass(frozen=True)
class VerifyResult:
    """What was found in one snapshot; `error` is None if it is sound."""

    snapshot_id: int
    level: Level
    size: int = 0
    checksum: int = 0
    layout: str = ""
    rows: int = 0
    error: MetasnapshotError | None = None


def verify(repository: Repository, snapshot_id: int, level: Level = "rows") -> VerifyResult:
    """Verify one snapshot. Damage is in the result, not raised.

    Raises:
        SnapshotNotFound: the manifest has no such id.
    """
    repository.entry(snapshot_id)
    try:
        with repository.open(snapshot_id) as reader:
            _check_entry(repository, snapshot_id, reader)
            if level == "rows":
                _decode(reader, repository.entry(snapshot_id).hummock_version_id)
            rows = sum(place.count for place in reader.places if place.name != HUMMOCK_VERSION)
            return VerifyResult(
                snapshot_id, level, reader.size, reader.checksum, reader.layout, rows
            )
    except MetasnapshotError as error:
        return VerifyResult(snapshot_id, level, error=error)


def _check_entry(repository: Repository, snapshot_id: int, reader: SnapshotReader) -> None:
    """The file is the one that the manifest means."""
    entry = repository.entry(snapshot_id)
    if reader.id != snapshot_id or reader.format_version != entry.format_version:
        raise DamageError(
            f"snapshot {snapshot_id} holds id {reader.id}, format_version {reader.format_version}; "
            f"the manifest says id {entry.id}, format_version {entry.format_version}"
        )


def _decode(reader: SnapshotReader, version_id: int) -> None:
    """Every row decodes, and the Hummock version is the one that the manifest means."""
    for section in reader.section_names:
        if section != HUMMOCK_VERSION:
            for _ in reader.rows(section):
                pass
    version = reader.hummock_version
    if version.id != version_id:
        raise DamageError(
            f"snapshot {reader.id} holds Hummock version {version.id}, the manifest says "
            f"{version_id}"
        )
