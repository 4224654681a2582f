"""verify: are a snapshot's bytes what was written, and does every row decode?

Level `file` hashes the file and compares the checksum, header, frame and manifest entry; level
`rows` decodes every row and the Hummock version as well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

from metasnapshot.catalogue.ledger import Ledger, Verified, change_ledger
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import DamageError, MetasnapshotError, StorageError
from metasnapshot.format.layout import HUMMOCK_VERSION
from metasnapshot.format.reader import SnapshotReader

Level = Literal["file", "rows"]
LEVELS: tuple[str, ...] = get_args(Level)
"""From the quickest to the deepest."""


@dataclass(frozen=True)
class VerifyResult:
    """What was found in one snapshot.

    Attributes:
        snapshot_id: which one.
        level: how deep it was looked at.
        size: bytes of the file.
        checksum: its XXH64.
        layout: the layout that it is in.
        rows: rows in all sections.
        error: None if it is sound.
        remembered: whether the ledger could be written.
    """

    snapshot_id: int
    level: Level
    size: int = 0
    checksum: int = 0
    layout: str = ""
    rows: int = 0
    error: MetasnapshotError | None = None
    remembered: bool = True


def verify(repository: Repository, snapshot_id: int, level: Level = "rows") -> VerifyResult:
    """Verify one snapshot. Damage is in the result, not raised; soundness goes into the ledger.

    Raises:
        SnapshotNotFound: the manifest has no such id.
    """
    repository.entry(snapshot_id)
    result = _verify(repository, snapshot_id, level)
    note = Verified(
        datetime.now(UTC).isoformat(timespec="seconds"), level, f"{result.checksum:016x}"
    )

    def change(ledger: Ledger) -> None:
        if result.error is None:
            ledger.verified[snapshot_id] = note
        else:
            ledger.verified.pop(snapshot_id, None)

    try:
        change_ledger(repository.store, repository.directory, change)
    except StorageError:  # a directory that cannot be written can still be verified
        return replace(result, remembered=False)
    return result


def is_fresh(verified: Verified | None, level: Level, age_max: timedelta) -> bool:
    """Whether a snapshot was verified at this level, or a deeper one, not longer ago than that."""
    if verified is None or verified.level not in LEVELS[LEVELS.index(level) :]:
        return False
    try:
        at = datetime.fromisoformat(verified.at)
    except ValueError:
        return False
    return at.tzinfo is not None and datetime.now(UTC) - at <= age_max


def _verify(repository: Repository, snapshot_id: int, level: Level) -> VerifyResult:
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
