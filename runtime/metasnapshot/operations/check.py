"""check: is there a sound snapshot that is young enough, and are those that were made still there?

It reads the manifest, the notes and the newest file, and so is cheap enough for every minute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from metasnapshot.catalogue.bases import lost_bases
from metasnapshot.catalogue.clusters import entries_of
from metasnapshot.catalogue.completeness import header_of, unnamed_ids
from metasnapshot.catalogue.manifest import Manifest, ManifestEntry
from metasnapshot.catalogue.records import Records
from metasnapshot.catalogue.repository import Repository
from metasnapshot.catalogue.times import newest_first
from metasnapshot.errors import DamageError, MetasnapshotError, UnknownFormat
from metasnapshot.spans import about, counted, spelt


@dataclass(frozen=True)
class Health:
    """What a backup directory is like.

    Attributes:
        count: snapshots in the manifest, or kept as deltas.
        newest_id: the newest snapshot, by id, whose file verifies, or None.
        newest_at: when it was taken, if anything says so.
        newest_size: bytes of its file.
        damaged: newer ones that do not verify, and why.
        vanished: ids that were entered by us and never deleted by us, and that the manifest lacks,
            or has for another snapshot: somebody rewrote it from memory.
        problems: why it is not well; empty if it is. A snapshot of the future is one: it would
            be young enough for ever.
    """

    count: int
    newest_id: int | None
    newest_at: datetime | None
    newest_size: int
    damaged: dict[int, str]
    vanished: tuple[int, ...]
    problems: tuple[str, ...]


def check(
    repository: Repository,
    age_max: timedelta | None,
    min_count: int,
    now: datetime | None = None,
    *,
    full: bool = False,
) -> Health:
    """Look at a backup directory.

    Args:
        repository: the directory.
        age_max: how old the newest sound snapshot may be.
        min_count: how many snapshots there must be.
        now: by default the clock's.
        full: whether only snapshots count whose objects are in the backup too, by their side files.

    Raises:
        ConflictError: the directory has snapshots of more than one cluster, and none is named.
    """
    records = Records(repository)
    entries, torn = entries_of(repository), dict[int, str]()
    if full:
        entries, torn = _full_among(repository, records, entries)
    newest_id, newest_at, size, damaged = None, None, 0, torn
    for entry in newest_first(entries):
        try:
            with repository.open(entry.id) as reader:
                reader.require_known()
                newest_id, size = entry.id, reader.size
            taken = records.taken(entry)
            newest_at = None if taken is None else taken.time
            break
        except MetasnapshotError as error:
            damaged[entry.id] = str(error)
    vanished = _vanished(repository.manifest(), records)
    clocks = records.clocks(now)
    age = None if newest_at is None else clocks.host - newest_at
    problems = [*records.problems, *records.ahead(clocks), *_unnamed(repository)]
    problems += _damaged(repository, damaged)
    problems += [f"snapshot {number} vanished from the manifest" for number in vanished]
    if len(entries) < min_count:
        what = f"{'full ' if full else ''}snapshot"
        problems.append(f"{counted(len(entries), what)}, not {min_count}")
    if age_max is not None and (age is None or age > age_max):
        kind = "full" if full else "sound"
        newest = "the newest full one" if full else "the newest"
        what = f"no {kind} snapshot has a time" if age is None else f"{newest} is {spelt(age)} old"
        problems.append(f"{what}, more than {spelt(age_max)}")
    return Health(len(entries), newest_id, newest_at, size, damaged, vanished, tuple(problems))


def _damaged(repository: Repository, damaged: Mapping[int, str]) -> list[str]:
    """Which bases are gone, with all deltas that are lost by it; and what else does not verify."""
    lost = lost_bases(repository)
    told = {number for ids, _ in lost for number in ids}
    others = [about(f"snapshot {n}", why) for n, why in damaged.items() if n not in told]
    return [why for _, why in lost] + others


def _vanished(manifest: Manifest, records: Records) -> tuple[int, ...]:
    """Ids that were entered and never deleted by us, and that the manifest lacks, or has for
    another snapshot.
    """
    ledger = records.ledger
    versions = {entry.id: entry.hummock_version_id for entry in manifest.entries}
    return tuple(
        number
        for number in sorted(ledger.made)
        if number not in versions
        or ledger.versions.get(number, versions[number]) != versions[number]
    )


def _full_among(
    repository: Repository, records: Records, entries: Sequence[ManifestEntry]
) -> tuple[list[ManifestEntry], dict[int, str]]:
    """Those of full snapshots; and of which the side file is damaged, and why."""
    found, torn = list[ManifestEntry](), dict[int, str]()
    for entry in entries:
        try:
            if header_of(repository, records.heads, entry.id) is not None:
                found.append(entry)
        except (DamageError, UnknownFormat) as error:
            torn[entry.id] = str(error)
    return found, torn


def _unnamed(repository: Repository) -> list[str]:
    """Full snapshots that nobody would find, in words."""
    found = unnamed_ids(repository, repository.store.names(repository.directory))
    what = "is full, and not in the manifest: rebuild-manifest enters it"
    return [f"snapshot {number} {what}" for number in found]
