"""Pages for people: a report on a snapshot and its directory, a comparison, a timeline."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from metasnapshot.catalogue.clusters import entries_of
from metasnapshot.errors import UsageError
from metasnapshot.library import picking
from metasnapshot.library.backups import Backups
from metasnapshot.library.comparing import Diff
from metasnapshot.library.picking import SnapshotId
from metasnapshot.operations.export import new_path

if TYPE_CHECKING:
    from metasnapshot.operations.report.differences import Differences
    from metasnapshot.operations.report.model import Report
    from metasnapshot.operations.timeline.model import Timeline

EVERY = "all"


def require_pages() -> None:
    """See that pages can be made, before anything is read.

    Raises:
        UsageError: the extra `report` is not installed.
    """
    if find_spec("jinja2") is None:
        raise UsageError("pages need jinja2", hint="pip install 'metasnapshot[report]'")


def report(backups: Backups, snapshot_id: SnapshotId = "latest") -> Report:
    """Gather what a page says of a snapshot and of its directory. Damage is in it, not raised.

    Args:
        backups: where the snapshots are.
        snapshot_id: which one; or `"all"` for all of them, and the newest in detail.

    Raises:
        SnapshotNotFound: there is no such snapshot.
        ConflictError: they are of more than one cluster, and nobody said which.
        StorageError: the store cannot be read.
    """
    from metasnapshot.operations.report.gather import gather

    entries = picking.listed(backups.repository)
    everything = snapshot_id == EVERY
    if everything and not entries:
        return gather(backups.repository, None, entries, history=True)
    number = backups.id_of("latest" if everything else snapshot_id)
    return gather(backups.repository, number, entries, history=everything)


def write_report(found: Report, to: Path) -> int:
    """Write a report as one file of HTML; returns its bytes.

    Args:
        found: what it says.
        to: a path where nothing is yet, which appears complete or not at all.

    Raises:
        UsageError: the extra `report` is not installed.
        ConflictError: there is something at the path.
    """
    require_pages()
    from metasnapshot.pages.report import render_report

    return _write(to, render_report(found))


def timeline(
    backups: Backups,
    since: datetime | None = None,
    until: datetime | None = None,
    *,
    expected: timedelta | None = None,
    step: Callable[[int], object] = lambda _: None,
) -> Timeline:
    """Gather to what a directory can be restored, and what changed when, by name. What is damaged
    is in it, not raised.

    Args:
        backups: where the snapshots are.
        since: from when on, with its zone; by default from the first one.
        until: up to when; by default up to now.
        expected: the longest time without a snapshot that is no gap; by default as the times show.
        step: is told how many snapshots are compared.

    Raises:
        UsageError: the end lies before the start, or a time has no zone.
        ConflictError: they are of more than one cluster, and nobody said which.
        StorageError: the store cannot be read.
    """
    from metasnapshot.operations.timeline.gather import gather as walk

    if any(time is not None and time.tzinfo is None for time in (since, until)):
        raise UsageError("a time without its zone", hint="datetime.UTC")
    entries = entries_of(backups.repository)
    return walk(backups.repository, entries, since, until, expected=expected, step=step)


def write_timeline(found: Timeline, to: Path) -> int:
    """Write a timeline as one file of HTML; returns its bytes.

    Args:
        found: what it says.
        to: a path where nothing is yet, which appears complete or not at all.

    Raises:
        UsageError: the extra `report` is not installed.
        ConflictError: there is something at the path.
    """
    require_pages()
    from metasnapshot.pages.timeline import render_timeline

    return _write(to, render_timeline(found))


def write_differences(
    found: Diff, place: str, before: str, after: str, to: Path
) -> tuple[Differences, int]:
    """Write a comparison as one file of HTML; returns what it says, and its bytes.

    Args:
        found: the comparison; it is read to its end.
        place: of the snapshots.
        before: the first side, in words.
        after: the second side, in words.
        to: a path where nothing is yet, which appears complete or not at all.

    Raises:
        UsageError: the extra `report` is not installed.
        ConflictError: there is something at the path.
        DamageError: one side is damaged.
    """
    require_pages()
    from metasnapshot.operations.report.differences import summed
    from metasnapshot.pages.differences import render_differences

    sides = (place, before, after)
    differences = summed(sides, found.names, found.rows, found.objects, found.omitted)
    return differences, _write(to, render_differences(differences))


def _write(to: Path, page: str) -> int:
    data = page.encode("utf-8", "replace")  # half of a pair, which a name may hold, is no text
    with new_path(to) as path:
        path.write_bytes(data)
    return len(data)
