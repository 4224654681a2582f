"""copy --with-objects: the objects of a full backup into the area of another backup directory.

The snapshot is there by then, as a partial one. Each byte is compared with the hash in the side
file of the source; what the target has is compared too, unless a side file there says the same.
The side file of the target comes last.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, replace

import msgspec

from metasnapshot.catalogue.area import Area, find_area, look_for, make_area
from metasnapshot.catalogue.completeness import header_of
from metasnapshot.catalogue.full import HASH_SIZE, FullBackup, read_full, write_full
from metasnapshot.catalogue.full_header import FULL, full_path
from metasnapshot.catalogue.marker import COPYING, drop_dead_markers, marked, read_marker
from metasnapshot.catalogue.records import Records
from metasnapshot.catalogue.repository import Repository
from metasnapshot.catalogue.reservation import named_ids
from metasnapshot.contents.findings import ERROR
from metasnapshot.errors import (
    ConflictError,
    DamageError,
    ObjectMissing,
    StorageError,
    UnknownFormat,
    UsageError,
)
from metasnapshot.operations.copy import Copied, copy
from metasnapshot.operations.copy_objects import ObjectWork, some
from metasnapshot.operations.crew import Pace
from metasnapshot.operations.known_hashes import known_hashes
from metasnapshot.operations.spread.by import require_scheduler
from metasnapshot.operations.spread.sides import area_side
from metasnapshot.store.location import is_below

LISTS_MAX = 3


@dataclass(frozen=True)
class CopiedObjects:
    """What came of the objects of one snapshot.

    Attributes:
        needed: how many it needs.
        copied: how many were copied.
        bytes_copied: bytes of those.
    """

    needed: int
    copied: int
    bytes_copied: int


def require_apart(source: Repository, target: Repository) -> None:
    """Refuse to copy a directory into itself, or into what a later release made.

    Raises:
        UsageError: they are one, or one lies in the other.
        UnknownFormat: a later release made the area of either.
    """
    one, two = ((item.store.url, item.directory) for item in (source, target))
    if is_below(*one, *two) or is_below(*two, *one):
        raise UsageError(
            f"{target.url} is where the backups are, or below it", hint="copy to another directory"
        )
    for item in (source, target):
        find_area(item.store, item.directory)


def copy_with_objects(
    source: Repository,
    target: Repository,
    ids: Iterable[int],
    pace: Pace,
    *,
    materialise: bool = False,
) -> list[Copied]:
    """Copy snapshots, then the objects of those that are full. Damage and objects that are gone are
    told of the snapshot that has them, and keep no other from coming.

    Args:
        source: from where.
        target: where to.
        ids: which.
        pace: how fast.
        materialise: as copy.

    Raises:
        UsageError: source and target are one, or one lies in the other; nothing is copied.
        MetasnapshotError: as copy, and as copy_full for what is wrong at the target.
    """
    require_apart(source, target)
    require_scheduler(pace.dask)
    copied = copy(source, target, ids, materialise=materialise)
    return [item if item.error else _with_objects(source, target, item, pace) for item in copied]


def _with_objects(source: Repository, target: Repository, item: Copied, pace: Pace) -> Copied:
    """The same with what came of its objects."""
    try:
        return replace(item, objects=copy_full(source, target, item.snapshot_id, pace))
    except (DamageError, UnknownFormat, ObjectMissing) as error:
        return replace(item, error=error)


def copy_full(
    source: Repository, target: Repository, snapshot_id: int, pace: Pace
) -> CopiedObjects | None:
    """Copy the objects of a snapshot that the target has by now; None if it is partial.

    Args:
        source: from where.
        target: where to.
        snapshot_id: whose objects.
        pace: how fast.

    Raises:
        DamageError: an object, or the side file, is damaged at the source.
        ObjectMissing: an object is gone at the source.
        ConflictError: the target is another cluster's, or another object has a name there.
    """
    if header_of(source, Records(source).heads, snapshot_id) is None:
        return None
    full = read_full(source.store, source.directory, snapshot_id)
    if full is None:
        return None
    drop_dead_markers(
        target.store, target.directory, named_ids(target.store, target.directory, COPYING)
    )
    with marked(target.store, target.directory, snapshot_id):
        _require_elsewhere(source, target, snapshot_id)
        area = make_area(target.store, target.directory, full.header.cluster_id)
        return _Copying(source, target, full, area, pace).run()


def _require_elsewhere(source: Repository, target: Repository, snapshot_id: int) -> None:
    """Refuse to copy a directory into itself by another name that its URL does not show, such as an
    address of the same server: the marker that was put into the one is in the other.

    Raises:
        UsageError: they are one.
    """
    mine = read_marker(target.store, target.directory, snapshot_id)
    its = read_marker(source.store, source.directory, snapshot_id)
    if mine is not None and its is not None and mine.holder == its.holder:
        raise UsageError(
            f"{target.url} is where the backups are, by another name: what is written there is in "
            f"{source.url}",
            hint="copy to another directory",
        )


class _Copying:
    """The objects of one snapshot on their way."""

    def __init__(
        self, source: Repository, target: Repository, full: FullBackup, area: Area, pace: Pace
    ) -> None:
        self._source = area_side(source.store, source.directory)
        self._side = area_side(target.store, target.directory, "copy")
        self._target, self._full, self._area, self._pace = target, full, area, pace

    def run(self) -> CopiedObjects:
        store, directory, full = self._target.store, self._target.directory, self._full
        seen = self._look()
        self._compare(seen)
        copied = self._copy(seen)
        size = sum(full.objects.sizes[place] for place in copied)
        header = msgspec.structs.replace(
            full.header,
            area_id=self._area.area_id,
            objects_new=len(copied),
            bytes_new=size,
        )
        if store.head(full_path(directory, header.snapshot_id)) is None:
            write_full(store, directory, FullBackup(header, full.objects, full.hashes))
        else:
            self._require_same()
        return CopiedObjects(len(full.objects), len(copied), size)

    def _look(self) -> bytearray:
        found = look_for(self._target.store, self._target.directory, self._full.objects)
        if found.wrong:
            names = some(head.path for head in found.wrong)
            raise ConflictError(f"of another size than their names say: {names}")
        return found.seen

    def _compare(self, seen: bytearray) -> None:
        """What is there must be what the source has, by a side file of the target or by content."""
        store, directory, full = self._target.store, self._target.directory, self._full
        ids = named_ids(store, directory, FULL)
        known = known_hashes(store, directory, self._area, ids, full.objects, seen).hashes
        same = (
            bytes(known[at * HASH_SIZE : (at + 1) * HASH_SIZE]) == full.hash_of(at)
            for at in range(len(seen))
        )
        todo = [at for at, is_same in enumerate(same) if seen[at] and not is_same]
        work = self._work()
        work.read(todo, self._side)
        if work.findings.counts[ERROR]:
            raise ConflictError(
                f"other objects have these names: {some(_damaged(work))}",
                hint="copy to another directory",
            )

    def _copy(self, seen: bytearray) -> set[int]:
        copied = set[int]()
        for _ in range(LISTS_MAX):
            todo = array("Q", (place for place, is_there in enumerate(seen) if not is_there))
            work = self._work()
            work.copy(todo, self._source, self._side)
            error = work.findings.error(f"the backup of snapshot {self._full.header.snapshot_id}")
            if error is not None:
                raise error
            copied.update(todo)
            seen = self._look()
            if all(seen):
                return copied
        raise StorageError("objects go from the area as fast as they are copied")

    def _require_same(self) -> None:
        """The side file that is there is of this snapshot and these objects."""
        mine, number = self._full, self._full.header.snapshot_id
        its = read_full(self._target.store, self._target.directory, number)
        told = None if its is None else (its.header.checksum, list(its.objects), its.hashes)
        if told != (mine.header.checksum, list(mine.objects), mine.hashes):
            path = full_path(self._target.directory, number)
            raise ConflictError(f"{path} is of another backup", hint="copy to another directory")

    def _work(self) -> ObjectWork:
        full, context = self._full, self._target.context
        return ObjectWork(full.objects, self._pace, "", context, bytearray(full.hashes))


def _damaged(work: ObjectWork) -> list[str]:
    return [item.row for item in work.findings.kept if item.severity == ERROR]
