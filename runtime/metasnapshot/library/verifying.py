"""Verifying one snapshot, or several, one after the other."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from metasnapshot.catalogue.records import Records
from metasnapshot.catalogue.repository import Repository
from metasnapshot.library.picking import SnapshotId
from metasnapshot.library.state import StateStore
from metasnapshot.operations.verify import Level, VerifyResult, is_fresh
from metasnapshot.operations.verify import verify as verify_snapshot

if TYPE_CHECKING:
    from metasnapshot.library.backups import Backups
    from metasnapshot.operations.verify_content import ContentCheck

logger = logging.getLogger(__name__)


def verify_each(
    repository: Repository,
    ids: Sequence[int],
    level: Level,
    state: StateStore | None,
    content: ContentCheck | None,
    age_max: timedelta | None,
) -> Iterator[VerifyResult]:
    """Results as they come; of one that was verified not long ago that it was skipped."""
    records = Records(repository)
    for text in records.problems:
        logger.warning("%s", text)
    verified = records.ledger.verified
    for number in dict.fromkeys(ids):
        known = verified.get(number)
        if age_max is not None and is_fresh(known, level, age_max, content):
            yield VerifyResult(number, level, skipped=True)
        else:
            yield verify_snapshot(repository, number, level, state, content)


def verify(
    backups: Backups,
    snapshot_id: SnapshotId = "latest",
    level: Level = "rows",
    *,
    state: StateStore | None = None,
    content: ContentCheck | None = None,
) -> VerifyResult:
    """Verify one snapshot. Damage is in the result, not raised; soundness is remembered.

    Args:
        backups: where it is.
        snapshot_id: which one.
        level: `file`, `rows`, `refs` or `objects`: how deep.
        state: the state store, for the level objects; by default what the snapshot says.
        content: read the objects too.

    Raises:
        SnapshotNotFound: there is no such snapshot.
    """
    return verify_snapshot(backups.repository, backups.id_of(snapshot_id), level, state, content)
