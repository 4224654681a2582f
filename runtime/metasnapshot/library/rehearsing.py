"""A drill, and the note of it."""

from __future__ import annotations

from datetime import UTC, datetime

from metasnapshot.catalogue.facts import DrillNote
from metasnapshot.catalogue.rehearsals import note_drill
from metasnapshot.catalogue.repository import Repository
from metasnapshot.operations.drill import DrillResult, drill


def rehearse(repository: Repository, snapshot_id: int) -> DrillResult:
    """Drill a snapshot, and note when, for how long and what came of it.

    Args:
        repository: the directory.
        snapshot_id: which one.

    Raises:
        MetasnapshotError: as drill.
    """
    result = drill(repository, snapshot_id)
    note = DrillNote(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(result.seconds, 3),
        ok=not result.differences,
        rows=result.rows,
        engine=result.engine,
    )
    note_drill(repository, repository.entry(snapshot_id), note)
    return result
