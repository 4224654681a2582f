"""restore --with-objects: the objects of a full backup into the data directory of the restored
cluster, before any row is loaded.

All is looked at before anything is written: that the backup is complete and its objects are there,
and that what has a name in the target already is the object that belongs there. Names are by the
target's own rule. A run that died left whole objects only, which the next one passes over.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from metasnapshot.catalogue import area
from metasnapshot.catalogue.full import FullBackup, read_full, require_same
from metasnapshot.catalogue.full_header import AREA, full_path
from metasnapshot.catalogue.repository import Repository
from metasnapshot.contents.cluster import catalog_of
from metasnapshot.contents.findings import ERROR
from metasnapshot.contents.ownership import CLUSTER_ID_NAME
from metasnapshot.errors import (
    ConflictError,
    DamageError,
    ObjectMissing,
    StorageError,
    UsageError,
)
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.hummock.objects import needed_by
from metasnapshot.hummock.paths import is_prefixed, object_prefix, parse_path
from metasnapshot.hummock.transfer import read_tail
from metasnapshot.operations.copy_objects import ObjectWork, some
from metasnapshot.operations.crew import Pace
from metasnapshot.operations.spread.by import require_scheduler
from metasnapshot.operations.spread.sides import area_side, state_side
from metasnapshot.store.location import is_below
from metasnapshot.store.port import Store, join, normalise

Compare = Literal["size", "tail", "data"]
LISTS_MAX = 3
COMPLETE_HINT = "`metasnapshot list` shows which are full; --with-objects needs one of those"


@dataclass(frozen=True)
class Target:
    """Where the restored cluster has its objects: URL and store, and the data directory in it."""

    url: str
    store: Store
    directory: str


@dataclass
class ObjectPlan:
    """What a restore would do about objects.

    Attributes:
        needed: how many the snapshot needs.
        bytes: of all of them.
        there: how many the target has.
        to_copy: how many are copied.
        bytes_to_copy: of those.
    """

    needed: int = 0
    bytes: int = 0
    there: int = 0
    to_copy: int = 0
    bytes_to_copy: int = 0


class ObjectRestore:
    """The objects of one restore: what is planned, and what carries it out."""

    def __init__(
        self,
        repository: Repository,
        reader: SnapshotReader,
        target: Target,
        pace: Pace,
        compare: Compare = "size",
    ) -> None:
        self.plan = ObjectPlan()
        self._repository, self._reader, self._target = repository, reader, target
        self._pace, self._compare = pace, compare
        self._full: FullBackup | None = None
        self._seen = bytearray()
        parameters = catalog_of(reader).parameters()
        self._prefixed = is_prefixed(target.url, parameters)
        self._source = area_side(repository.store, repository.directory)
        self._side = state_side(target.store, normalise(target.directory), prefixed=self._prefixed)

    def check_backup(self) -> str:
        """The backup is complete, and every object of it is there.

        Raises:
            StorageError: it is not complete.
            DamageError: its side file is damaged or says something else than the snapshot; or an
                object has not the size of its name.
            ObjectMissing: an object is not there.
            UnknownFormat: a later release made it.
        """
        require_scheduler(self._pace.dask)
        repository, reader = self._repository, self._reader
        store, directory, number = repository.store, repository.directory, reader.id
        area.find_area(store, directory)
        full = read_full(store, directory, number)
        if full is None:
            raise StorageError(
                f"snapshot {number} is not complete: it has no {full_path(directory, number)}",
                hint=COMPLETE_HINT,
            )
        header = full.header
        if (header.checksum, header.size) != (f"{reader.checksum:016x}", reader.size):
            raise StorageError(
                f"snapshot {number} is not complete: {full_path(directory, number)} is of another "
                f"snapshot of this id, xxh64 {header.checksum}",
                hint=COMPLETE_HINT,
            )
        require_same(full_path(directory, number), full.objects, needed_by(reader))
        found = area.look_for(store, directory, full.objects)
        if found.wrong:
            what = some(f"{head.path} ({head.size} bytes)" for head in found.wrong)
            raise DamageError(f"of another size than their names say: {what}")
        if not all(found.seen):
            gone = [full.objects[place] for place, seen in enumerate(found.seen) if not seen]
            path = self._source.path_of(gone[0])
            more = f", and {len(gone) - 1} more" if len(gone) > 1 else ""
            raise ObjectMissing(path, where=f"the backup{more}", hint="restore another snapshot")
        self._full = full
        return f"complete: {len(full.objects)} objects, {header.bytes} bytes"

    def check_target(self) -> str:
        """What is in the data directory is right, or not of any object that is needed.

        Raises:
            UsageError: backup and data directory lie in each other.
            ConflictError: another object has a name, or the objects of nobody lie there.
        """
        target, full = self._target, self._loaded
        here = self._repository.store.url, join(self._repository.directory, AREA)
        there = target.url, target.directory
        if is_below(*here, *there) or is_below(*there, *here):
            raise UsageError(
                f"objects cannot be restored from {here[1]} into {target.directory}: one "
                "lies in the other",
                hint="give another --hummock-storage-directory",
            )
        if (found := area.area_above(target.store, target.directory)) is not None:
            raise UsageError(
                f"objects cannot be restored into {target.directory}: it lies in a backup "
                f"directory, {found} is there",
                hint="give another --hummock-storage-directory",
            )
        self._seen, wrong, others = self._look()
        wrong += self._different()
        if wrong:
            raise ConflictError(
                f"other objects than the snapshot's have these names: {some(wrong)}",
                hint="they are of another life of the cluster, or damaged; nothing was written: "
                "give an empty data directory, or move them away",
            )
        if others and target.store.head(join(target.directory, CLUSTER_ID_NAME)) is None:
            raise ConflictError(
                f"{target.directory} has {others} objects of an unknown cluster: there is no "
                f"{CLUSTER_ID_NAME}",
                hint="give an empty data directory",
            )
        todo = [place for place, seen in enumerate(self._seen) if not seen]
        size = sum(full.objects.sizes[place] for place in todo)
        count = len(full.objects)
        self.plan = ObjectPlan(count, full.header.bytes, count - len(todo), len(todo), size)
        return f"{len(todo)} of {count} are copied, {size} bytes; {count - len(todo)} are there"

    def copy(self) -> None:
        """Copy what the target does not have, each byte compared with the backup's hash.

        Raises:
            DamageError: an object of the backup is damaged.
            ObjectMissing: one is gone.
            ConflictError: somebody else wrote another object.
        """
        work = self._work()
        for _ in range(LISTS_MAX):
            todo = array("Q", (place for place, seen in enumerate(self._seen) if not seen))
            work.copy(todo, self._source, self._side)
            error = work.findings.error(f"the backup of snapshot {self._reader.id}")
            if error is not None:
                raise error
            self._seen, wrong, _ = self._look()
            if wrong:
                raise ConflictError(f"another process wrote {some(wrong)}", hint="stop every node")
            if all(self._seen):
                return
        raise StorageError(
            f"objects go from {self._target.directory} as fast as they are copied",
            hint="stop every node of the cluster",
        )

    def _work(self) -> ObjectWork:
        full, context = self._loaded, self._repository.context
        return ObjectWork(full.objects, self._pace, "", context, bytearray(full.hashes))

    @property
    def _loaded(self) -> FullBackup:
        if self._full is None:
            raise ValueError("the backup was not looked at")
        return self._full

    def _look(self) -> tuple[bytearray, list[str], int]:
        """What the data directory has: 1 for each object with its size, paths of other sizes, and
        how many objects nobody asked for.
        """
        objects, directory = self._loaded.objects, normalise(self._target.directory)
        seen, wrong, others = bytearray(len(objects)), list[str](), 0
        for head in self._target.store.list(f"{directory}/"):
            item = parse_path(directory, head.path)
            if item is None:
                continue
            place = objects.place(item.id)
            is_named = place is not None and objects[place].suffix == item.suffix
            if not is_named or item.prefix != object_prefix(item.id, prefixed=self._prefixed):
                others += 1
            elif place is not None and head.size == objects.sizes[place]:
                seen[place] = 1
            else:
                wrong.append(head.path)
        return seen, wrong, others

    def _different(self) -> list[str]:
        """Paths of objects in the target that have their size and other bytes, as far as that was
        asked for.
        """
        there = array("Q", (place for place, seen in enumerate(self._seen) if seen))
        if self._compare == "tail":
            return list(self._other_tails(there))
        if self._compare == "size":
            return []
        work = self._work()
        work.read(there, self._side)
        missing = next((item for item in work.findings.kept if item.missing), None)
        if missing is not None:
            raise ConflictError(f"{missing.row} is there and is not", hint="stop every node")
        return [item.row for item in work.findings.kept if item.severity == ERROR]

    def _other_tails(self, places: array[int]) -> Iterator[str]:
        for place in places:
            item = self._loaded.objects[place]
            path = self._side.path_of(item)
            mine = read_tail(self._target.store, path, item.size)
            if mine != read_tail(self._source.store, self._source.path_of(item), item.size):
                yield path
