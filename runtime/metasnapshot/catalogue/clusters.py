"""Of which cluster are the snapshots of a directory? One directory is for one: its ids, sequences
and retention are that cluster's. A directory that holds snapshots of more is said to be mixed, and
whatever would pick or count among them stops until somebody says of which cluster.

What is recorded of a snapshot says whose it is; where nothing is, the file does. A second cluster
is believed only of files that verify. V1 files of before 0.19 name no cluster and are passed over,
and so are snapshots without any epoch that are older than all others: a cluster that was set up
anew before it had a table leaves such, and none of them is ever the latest.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from itertools import dropwhile

from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.catalogue.records import Records
from metasnapshot.catalogue.repository import Repository
from metasnapshot.catalogue.times import newest_first, taken_at
from metasnapshot.errors import ConflictError, MetasnapshotError, SnapshotNotFound, UsageError
from metasnapshot.format.peek import peek_cluster

IDS_SHOWN = 5


def clusters_in(
    repository: Repository,
    known: Mapping[int, str] | None = None,
    ids: Container[int] | None = None,
) -> dict[int, str]:
    """The cluster of each snapshot that says so, by snapshot id.

    Args:
        repository: the directory.
        known: of which snapshots it is known already.
        ids: look at these alone.
    """
    records = Records(repository)
    given = (known or {}).items()
    found = {number: of for number, of in given if ids is None or number in ids}
    peeked: list[ManifestEntry] = []
    for entry in repository.entries:
        if entry.id in found or (ids is not None and entry.id not in ids):
            continue
        facts = records.facts(entry)
        if facts is None:
            peeked.append(entry)
        cluster = _peek(repository, entry) if facts is None else facts.cluster_id
        if cluster is not None:
            found[entry.id] = cluster
    if len(set(found.values())) > 1:  # so much that none is believed that does not verify
        for entry in peeked:
            found.pop(entry.id, None)
            if (cluster := _verified(records, entry)) is not None:
                found[entry.id] = cluster
    return found


def entries_of(
    repository: Repository, known: Mapping[int, str] | None = None
) -> tuple[ManifestEntry, ...]:
    """The snapshots among which may be picked and counted: those of the cluster that the repository
    is opened for, or all where they are of one.

    Raises:
        ConflictError: they are of more than one, and nobody said which.
        UsageError: none is of the cluster that is asked for.
    """
    entries, wanted = repository.entries, repository.cluster
    if not entries or (wanted is None and len(entries) == 1):
        return tuple(entries)
    if wanted is None:
        _require_one(repository, clusters_in(repository, known, begun(entries)))
        return tuple(entries)
    found = clusters_in(repository, known)
    if wanted not in found.values():
        there = ", ".join(sorted(set(found.values()))) or "none that says its cluster"
        raise UsageError(f"no snapshot of cluster {wanted} in {repository.url}", hint=there)
    return tuple(entry for entry in entries if found.get(entry.id) == wanted)


def newest_of(repository: Repository, snapshot_id: int, cluster: str | None) -> int:
    """The newest snapshot of the cluster that one is of; those that do not say theirs count.

    Raises:
        ConflictError, UsageError: as entries_of.
        SnapshotNotFound: the one is not of the cluster that is asked for.
    """
    known = {} if cluster is None else {snapshot_id: cluster}
    ids = [entry.id for entry in entries_of(repository, known)]
    if snapshot_id not in ids:
        raise SnapshotNotFound(snapshot_id, ids)
    with_epochs = begun(repository.entries)
    looked_at = with_epochs if snapshot_id in with_epochs else ids
    ids = [number for number in ids if number in looked_at]
    found = clusters_in(repository, known, ids) if len(ids) > 1 else known
    return max(number for number in ids if found.get(number, cluster) == cluster)


def require_room(repository: Repository, clusters: Iterable[str]) -> None:
    """Refuse snapshots of a cluster that the directory is not of.

    Raises:
        ConflictError: it has snapshots, and all that say so are of others; or the new ones are of
            more than one.
    """
    coming = set(clusters)
    entries = repository.entries
    if coming and _are_recorded(repository, coming):
        return
    there = set(clusters_in(repository, ids=begun(entries)).values())
    if not there and coming and (newest := Records(repository).newest_cluster_id()) is not None:
        there = {newest}
    hint = "a directory for each cluster: ids, sequences and retention are one cluster's"
    if not there and len(coming) > 1:
        raise ConflictError(
            f"these are snapshots of {len(coming)} clusters: {', '.join(sorted(coming))}", hint=hint
        )
    if there and (strangers := coming - there):
        raise ConflictError(
            f"{repository.url} is of cluster {', '.join(sorted(there))}; this is of cluster "
            f"{', '.join(sorted(strangers))}",
            hint=hint,
        )


def _are_recorded(repository: Repository, clusters: set[str]) -> bool:
    """Whether it is recorded of snapshots that they are of these clusters: the newest of each is
    the last one that is looked at.
    """
    records, left = Records(repository), set(clusters)
    entries = repository.entries
    among = begun(entries)
    for entry in newest_first(entries):
        facts = records.facts(entry) if entry.id in among else None
        if facts is not None:
            left.discard(facts.cluster_id or "")
        if not left:
            return True
    return False


def begun(entries: Iterable[ManifestEntry]) -> set[int]:
    """All but the oldest that have no epoch; all if none has one."""
    by_id = sorted(entries, key=lambda entry: entry.id)
    found = dropwhile(lambda entry: taken_at(entry) is None, by_id)
    return {entry.id for entry in found} or {entry.id for entry in by_id}


def _require_one(repository: Repository, found: Mapping[int, str]) -> None:
    clusters = sorted(set(found.values()))
    if len(clusters) < 2:  # noqa: PLR2004
        return
    shown: list[str] = []
    for cluster in clusters:
        ids = sorted(number for number, of in found.items() if of == cluster)
        more = f" and {len(ids) - IDS_SHOWN} more" if len(ids) > IDS_SHOWN else ""
        shown.append(f"{cluster} (snapshots {', '.join(map(str, ids[-IDS_SHOWN:]))}{more})")
    raise ConflictError(
        f"{repository.url} has snapshots of {len(clusters)} clusters: {'; '.join(shown)}",
        hint="say which with --cluster-id ID, or move each cluster's into a directory of its own: "
        "metasnapshot copy --cluster-id ID",
    )


def _peek(repository: Repository, entry: ManifestEntry) -> str | None:
    try:
        with repository.store.open_reader(repository.path(entry.id)) as file:
            return peek_cluster(file)
    except MetasnapshotError:
        return None


def _verified(records: Records, entry: ManifestEntry) -> str | None:
    try:
        return records.cluster_id(entry)
    except MetasnapshotError:
        return None
