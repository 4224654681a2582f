"""Everything that a report says, out of what the verbs already know: list, check, show, diff and
the notes. Nothing is changed, and the state store is not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime

from metasnapshot.catalogue.facts import DrillNote
from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.catalogue.records import Records
from metasnapshot.catalogue.repository import Repository
from metasnapshot.contents.cluster import catalog_of
from metasnapshot.errors import ConflictError, MetasnapshotError
from metasnapshot.operations.check import check
from metasnapshot.operations.report.changes import changes_between
from metasnapshot.operations.report.costs import Cost, Sizes, costs_of, sizes_in
from metasnapshot.operations.report.inventory import Inventory
from metasnapshot.operations.report.levels import hummock_of
from metasnapshot.operations.report.model import Changes, Directory, Inside, Point, Report
from metasnapshot.operations.report.schedule import GAPS_MAX, gaps_of, usual_interval
from metasnapshot.operations.report.verdict import judged, worst_of
from metasnapshot.operations.show import summary_of
from metasnapshot.version import VERSION

HISTORY_MAX = 12
"""Snapshots whose changes a page about all of them lists."""
RISKS_MAX = 200
"""Risks that a page lists."""


def gather(
    repository: Repository,
    snapshot_id: int | None,
    entries: Sequence[ManifestEntry],
    *,
    history: bool = False,
    now: datetime | None = None,
) -> Report:
    """Gather a report. Damage is in it, not raised.

    Args:
        repository: the directory.
        snapshot_id: the snapshot that it is about; None of an empty directory.
        entries: those that it counts.
        history: whether it is about all of them.
        now: by default this host's clock.

    Raises:
        SnapshotNotFound: there is no such snapshot.
        StorageError: the store cannot be read.
    """
    records = Records(repository)
    clock = records.clocks(now).host
    ordered = sorted(entries, key=lambda entry: entry.id)
    inside, error, code, known = None, "", 0, Sizes()
    if snapshot_id is not None:
        repository.entry(snapshot_id)
        try:
            inside, known = _inside(repository, records, ordered, snapshot_id)
        except MetasnapshotError as found:
            error, code = str(found), found.exit_code
    directory, broken = _directory(repository, records, ordered, known, clock)
    problems = _problems(repository, broken, clock)
    point = next((item for item in directory.points if item.id == snapshot_id), None)
    sentences = judged(inside, error, point, directory, problems, clock)
    return Report(
        made_at=clock,
        made_by=VERSION,
        snapshot_id=snapshot_id,
        is_all=history,
        level=worst_of(sentences),
        sentences=tuple(sentences),
        inside=inside,
        error=error,
        error_code=code,
        directory=directory,
        history=tuple(_history(repository, ordered)) if history else (),
        drill=_newest_drill(directory.points),
    )


def _inside(
    repository: Repository, records: Records, ordered: Sequence[ManifestEntry], number: int
) -> tuple[Inside, Sizes]:
    """What is in a snapshot, and the sizes of its objects."""
    entry = repository.entry(number)
    with repository.open(number) as reader:
        found = Inventory(reader)
        summary = summary_of(entry, reader, catalog_of(reader), found.items, records.full(number))
        tables, table_count = found.tables()
        changes, why = None, "It is the oldest snapshot."
        older = [item for item in ordered if item.id < number]
        if older:
            changes, why = _changes(repository, older[-1], entry, found)
        inside = Inside(
            summary=summary,
            kinds=found.kinds(),
            tables=tables,
            table_count=table_count,
            lineage=found.lineage(),
            hummock=hummock_of(found.version),
            risks=summary.risks[:RISKS_MAX],
            risk_count=len(summary.risks),
            changes=changes,
            why_no_changes=why,
        )
        return inside, sizes_in(reader, entry.id_array.tolist())


def _changes(
    repository: Repository, before: ManifestEntry, after: ManifestEntry, there: Inventory
) -> tuple[Changes | None, str]:
    """What changed since the one before, or why nobody can say."""
    try:
        with repository.open(before.id) as reader:
            return changes_between((before, Inventory(reader)), (after, there)), ""
    except MetasnapshotError as error:
        return None, f"Snapshot {before.id} cannot be compared with it: {error}."


def _history(repository: Repository, ordered: Sequence[ManifestEntry]) -> list[Changes]:
    """What changed from one to the next, the newest first; damaged ones are passed over."""
    found: list[Changes] = []
    newest = list(reversed(ordered))[: HISTORY_MAX + 1]
    after: tuple[ManifestEntry, Inventory] | None = None
    with ExitStack() as stack:
        for entry in newest:
            opened = ExitStack()
            try:
                here = (entry, Inventory(opened.enter_context(repository.open(entry.id))))
                if after is not None:
                    found.append(changes_between(here, after))
            except MetasnapshotError:  # its own line in the list tells of it
                opened.close()
                continue
            stack.close()
            stack.push(opened.pop_all())
            after = here
    return found


def _directory(
    repository: Repository,
    records: Records,
    ordered: Sequence[ManifestEntry],
    known: Sizes,
    now: datetime,
) -> tuple[Directory, dict[int, str]]:
    """All snapshots; and which cannot be read."""
    sizes = {
        entry.id: head.size
        for entry in ordered
        if (head := records.heads.get(repository.stored_path(entry.id))) is not None
    }
    costs, broken = costs_of(repository, ordered, sizes, known)
    points = tuple(
        _point(records, entry, cost, sizes.get(entry.id))
        for entry, cost in zip(ordered, costs, strict=True)
    )
    taken = [(point.id, point.taken) for point in points if point.taken is not None]
    taken.sort(key=lambda pair: pair[1])
    usual = usual_interval(taken)
    gaps = gaps_of(taken, usual, now)
    clusters = {facts.cluster_id for entry in ordered if (facts := records.facts(entry))}
    directory = Directory(
        place=repository.url,
        manifest_id=repository.manifest().manifest_id,
        cluster_ids=tuple(sorted(each for each in clusters if each)),
        points=points,
        usual=usual,
        gaps=tuple(gaps[:GAPS_MAX]),
        gap_count=len(gaps),
        files_size=sum(sizes.values()),
        unmeasured=sum(cost.alone is None for cost in costs),
    )
    return directory, broken


def _point(records: Records, entry: ManifestEntry, cost: Cost, size: int | None) -> Point:
    facts, taken = records.facts(entry), records.taken(entry)
    releases = facts.releases if facts else ()
    return Point(
        id=entry.id,
        taken=taken.time if taken else None,
        is_least=taken.is_least if taken else False,
        size=size,
        release=entry.rw_version or (releases[0] if releases else ""),
        is_kept=entry.id in records.kept,
        verified=records.ledger.verified.get(entry.id),
        full=records.full(entry.id),
        drill=facts.drill if facts else None,
        remarks=entry.remarks or "",
        objects=entry.object_count,
        alone=cost.alone,
        own=cost.own,
        together=cost.together,
    )


def _problems(repository: Repository, broken: dict[int, str], now: datetime) -> list[str]:
    """What check complains about, and what could not be read."""
    try:
        found = list(check(repository, None, 1, now).problems)
    except ConflictError as error:  # of more than one cluster
        found = [str(error)]
    told = " ".join(found)  # check opens the newest too
    return found + [
        f"snapshot {number}: {why}" for number, why in broken.items() if why not in told
    ]


def _newest_drill(points: Sequence[Point]) -> tuple[int, DrillNote] | None:
    found = [(point.id, point.drill) for point in points if point.drill is not None]
    return max(found, key=lambda pair: pair[1].at, default=None)
