"""verify --content: are the bytes of the objects what they were? In the area each is compared with
the hash in the side file; in the state store by the hashes in it, and with the side file's where
there is one. With `data`, every block of SSTs is unpacked and walked too.

It is an axis beside the levels, and needs nothing but the place that it looks at: after a disaster
the area alone. A sample is a share of the objects, chosen by a hash, and another for each snapshot.
"""

from __future__ import annotations

import re
import struct
from array import array
from dataclasses import dataclass, field
from typing import Literal

import xxhash

from metasnapshot.catalogue.area import find_area
from metasnapshot.catalogue.completeness import header_of
from metasnapshot.catalogue.full import FullBackup, read_full, require_same
from metasnapshot.catalogue.full_header import full_path
from metasnapshot.catalogue.repository import Repository
from metasnapshot.contents.cluster import catalog_of
from metasnapshot.contents.findings import ERROR, Findings
from metasnapshot.contents.ownership import DATA_DIRECTORY, STATE_STORE, parameter
from metasnapshot.errors import (
    DamageError,
    MetasnapshotError,
    ObjectMissing,
    StorageError,
    UsageError,
)
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.hummock.objects import NeededObjects, needed_by
from metasnapshot.hummock.paths import is_prefixed
from metasnapshot.hummock.sst_facts import references, said_of
from metasnapshot.operations.copy_objects import ObjectWork
from metasnapshot.operations.crew import Pace
from metasnapshot.operations.spread.batch import Claims
from metasnapshot.operations.spread.by import require_scheduler
from metasnapshot.operations.spread.sides import Side, area_side, state_side
from metasnapshot.store.context import Context
from metasnapshot.store.url import open_store

Content = Literal["hashes", "data"]
Where = Literal["area", "state"]
WHOLE = 1.0
_SHARE = re.compile(r"(?P<number>\d{1,3}(\.\d{1,6})?)%", re.ASCII)
_KEY = struct.Struct("<QQ")
PERCENT = 100


@dataclass
class ContentCheck:
    """What to look at, and what a run knows already.

    Attributes:
        where: the area, or the state store; None for the area of a full snapshot, else the state.
        share: of the objects, up to 1.
        pace: how fast.
        state: URL and data directory of the state store; by default what the snapshot says.
        sound: places, ids and tags of objects that this run found sound: snapshots share them.
        kind: hashes, or data: all blocks of SSTs are unpacked and walked too.
    """

    where: Where | None = None
    share: float = WHOLE
    pace: Pace = field(default_factory=Pace)
    state: tuple[str, str | None] | None = None
    sound: set[tuple[str, int, int]] = field(default_factory=set[tuple[str, int, int]])
    kind: Content = "hashes"


@dataclass(frozen=True)
class ContentResult:
    """What was found in the objects of one snapshot.

    Attributes:
        where: they were read.
        share: of them that was asked for.
        objects: that were read.
        bytes: of those.
        known: objects that an earlier snapshot of the run had.
        findings: what is missing or damaged.
    """

    where: Where
    share: float
    objects: int
    bytes: int
    known: int
    findings: Findings

    def error(self, snapshot_id: int) -> MetasnapshotError | None:
        """What it comes to: ObjectMissing if nothing but objects is missing."""
        count = self.findings.counts[ERROR]
        if not count:
            return None
        first = next(item for item in self.findings.kept if item.severity == ERROR)
        more = f", and {count - 1} more" if count > 1 else ""
        place = "the backup" if self.where == "area" else "the state store"
        what = f"snapshot {snapshot_id}, objects in {place}"
        if self.findings.missing == count:
            return ObjectMissing(first.row, where=f"{place}, for snapshot {snapshot_id}{more}")
        return DamageError(f"{what}: {first.what}{more}", hint=first.hint)


def parse_share(text: str) -> float:
    """`1%`, `0.5%`, `100%`: a share of the objects.

    Raises:
        UsageError: it is not valid.
    """
    match = _SHARE.fullmatch(text)
    share = float(match["number"]) / PERCENT if match else 0.0
    if not 0 < share <= WHOLE:
        raise UsageError(f"not a sample: {text!r:.60}", hint="more than 0%, up to 100%: 1%")
    return share


def check_content(
    repository: Repository, reader: SnapshotReader, check: ContentCheck
) -> ContentResult:
    """Read the objects of a snapshot. What is wrong with them is in the result.

    Args:
        repository: the backup directory.
        reader: the snapshot, opened.
        check: what to look at.

    Raises:
        StorageError: its objects are not in the area, which is to be looked at.
        DamageError, UnknownFormat: of the side file, or of the area.
    """
    require_scheduler(check.pace.dask)
    full = _full_of(repository, reader)
    where: Where = check.where or ("state" if full is None else "area")
    if where == "area" and full is None:
        raise StorageError(
            f"snapshot {reader.id} is partial: its objects are not in the backup",
            hint="--in state looks at them in the state store",
        )
    if where == "area":
        find_area(repository.store, repository.directory)
    needed = needed_by(reader)
    if full is not None:
        require_same(full_path(repository.directory, reader.id), full.objects, needed)
    side = area_side(repository.store, repository.directory)
    if where == "state":
        side = _state_side(reader, check.state, repository.context)
    chosen = array("Q", (at for at in range(len(needed)) if _is_chosen(reader, needed, at, check)))
    todo = [at for at in chosen if _key(where, needed, at) not in check.sound]
    hashes = bytearray() if full is None else bytearray(full.hashes)
    work = ObjectWork(needed, check.pace, "", repository.context, hashes)
    work.read(todo, side, claims=_claims_of(reader) if check.kind == "data" else None)
    if not work.findings.counts[ERROR]:
        check.sound.update(_key(where, needed, at) for at in todo)
    known = len(chosen) - len(todo)
    return ContentResult(where, check.share, work.done, work.bytes, known, work.findings)


def _claims_of(reader: SnapshotReader) -> Claims:
    """What the version says of each SST."""
    known = references(reader.hummock_version.message)
    return lambda number: tuple(map(said_of, known.get(number, ())))


def _full_of(repository: Repository, reader: SnapshotReader) -> FullBackup | None:
    names = repository.store.names(repository.directory)
    heads = {head.path: head for head in names.objects}
    if header_of(repository, heads, reader.id) is None:
        return None
    return read_full(repository.store, repository.directory, reader.id)


def _state_side(
    reader: SnapshotReader, state: tuple[str, str | None] | None, context: Context
) -> Side:
    parameters = catalog_of(reader).parameters()
    url, directory = state or (None, None)
    url = url or parameter(parameters, STATE_STORE)
    directory = directory or parameter(parameters, DATA_DIRECTORY)
    return state_side(open_store(url, context), directory, prefixed=is_prefixed(url, parameters))


def _key(where: str, needed: NeededObjects, place: int) -> tuple[str, int, int]:
    return where, needed.ids[place], needed.tags[place]


def _is_chosen(
    reader: SnapshotReader, needed: NeededObjects, place: int, check: ContentCheck
) -> bool:
    if check.share == WHOLE:
        return True
    dice = xxhash.xxh64_intdigest(_KEY.pack(reader.id, needed.ids[place]))
    return dice < check.share * (1 << 64)
