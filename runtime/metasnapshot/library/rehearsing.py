"""A drill, and the note of it, well or not."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from metasnapshot.catalogue.facts import DrillNote
from metasnapshot.catalogue.rehearsals import note_drill
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import (
    Interrupted,
    MetasnapshotError,
    SnapshotNotFound,
    UnknownFormat,
    UsageError,
)
from metasnapshot.library.meta_stores import MetaStore
from metasnapshot.operations.drill import DrillResult, drill

NOT_REHEARSED = (Interrupted, SnapshotNotFound, UnknownFormat, UsageError)
"""What says nothing of whether the snapshot restores."""


class Rehearsal:
    """A drill of a snapshot. `note` is what came of it, once that is known.

    Args:
        repository: the directory.
        snapshot_id: which one.
        against: an empty database to do it in; None for a SQLite file of our own.
        cut_timestamps: to what that holds.
    """

    def __init__(
        self,
        repository: Repository,
        snapshot_id: int,
        against: MetaStore | None = None,
        *,
        cut_timestamps: bool = False,
    ) -> None:
        self.note: DrillNote | None = None
        self._repository = repository
        self._snapshot_id = snapshot_id
        self._against = None if against is None else against.connect(may_create=True)
        self._cut_timestamps = cut_timestamps
        self._began: float | None = None
        self._engine = ""

    def run(self) -> DrillResult:
        """Do it, and note when, for how long and what came of it.

        Raises:
            MetasnapshotError: as drill.
        """
        try:
            result = drill(
                self._repository,
                self._snapshot_id,
                self._against,
                self._begin,
                cut_timestamps=self._cut_timestamps,
            )
        except NOT_REHEARSED:
            raise
        except MetasnapshotError as error:
            if self._began is not None:
                seconds = time.monotonic() - self._began
                self._note(seconds, 0, self._engine, ok=False, error=type(error).__name__)
            raise
        self._note(result.seconds, result.rows, result.engine, ok=not result.differences)
        return result

    def _begin(self, engine: str) -> None:
        self._began, self._engine = time.monotonic(), engine

    def _note(
        self, seconds: float, rows: int, engine: str, *, ok: bool, error: str | None = None
    ) -> None:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        self.note = DrillNote(at, round(seconds, 3), ok, rows, engine, error)
        note_drill(self._repository, self._repository.entry(self._snapshot_id), self.note)
