"""pins: which of Hummock's objects do snapshots need, and what would a delete give free?

A cluster's garbage collection keeps what its manifest names. What this says a delete frees is what
no other snapshot needs; the running cluster may need it all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from metasnapshot.catalogue.repository import Repository
from metasnapshot.contents.findings import Finding, Findings
from metasnapshot.hummock.objects import NeededObjects, needed_by
from metasnapshot.operations.verify import find_lost_objects

TOGETHER = 1 << 22
"""Ids that are sorted at once."""


@dataclass(frozen=True)
class Pins:
    """What a snapshot, or some, need.

    Attributes:
        snapshot_ids: which ones.
        objects: how many objects they need.
        size: bytes of them.
        own_objects: how many no other snapshot of the directory needs: what a delete would free.
        own_size: bytes of those.
        lost: missing objects, each once, if the state store was looked at.
    """

    snapshot_ids: tuple[int, ...]
    objects: int
    size: int
    own_objects: int
    own_size: int
    lost: Findings | None = field(default=None)


def pinned_ids(repository: Repository, without: Iterable[int] = ()) -> Any:
    """Ids of all objects that the snapshots of a directory need, ascending, as an array of u64:
    what garbage collection must keep.

    Args:
        repository: the directory, by its manifest, as the meta node reads it.
        without: snapshots that do not count.
    """
    skipped = set(without)
    found = np.empty(0, dtype=np.int64)
    waiting, count = [found], 0
    for entry in repository.manifest().entries:
        if entry.id in skipped:
            continue
        waiting.append(entry.id_array)
        count += len(waiting[-1])
        if count >= TOGETHER:  # snapshots of one cluster need mostly the same objects
            found = _each_once(found, *waiting)
            waiting, count = [], 0
    return _each_once(found, *waiting).view(np.uint64)


def _each_once(*arrays: Any) -> Any:
    """Ids of arrays, ascending; by a sort, which takes a tenth of what numpy's own table takes."""
    ids = np.concatenate(arrays)
    ids.sort()
    is_new = np.ones(len(ids), np.bool_)
    np.not_equal(ids[1:], ids[:-1], out=is_new[1:])
    return ids[is_new]


def pins(
    repository: Repository,
    snapshot_ids: Iterable[int],
    *,
    state: tuple[str, str | None] | None = None,
    look: bool = False,
) -> Pins:
    """Work out what snapshots need.

    Args:
        repository: the directory.
        snapshot_ids: which ones.
        state: URL and data directory of the state store; by default what each snapshot says.
        look: look for every object in it.

    Raises:
        SnapshotNotFound: there is no such snapshot.
        DamageError: one is damaged.
        StorageError: the state store cannot be listed.
    """
    wanted = tuple(dict.fromkeys(snapshot_ids))
    lost, told = Findings(), set[str]()
    together: list[NeededObjects] = []
    for number in wanted:
        with repository.open(number) as reader:
            together.append(needed_by(reader))
            if look:
                lost.add(_missing(find_lost_objects(reader, state, repository.context), told))
    needed = NeededObjects(item for objects in together for item in objects)
    others = pinned_ids(repository, wanted)
    ids = np.frombuffer(needed.ids, dtype=np.uint64)
    own = np.isin(ids, others, assume_unique=True, invert=True)
    sizes = np.frombuffer(needed.sizes, dtype=np.uint64)
    return Pins(
        wanted,
        len(needed),
        needed.size,
        int(own.sum()),
        int(sizes[own].sum()),
        lost if look else None,
    )


def _missing(findings: Iterable[Finding], told: set[str]) -> Iterator[Finding]:
    """Missing objects that no other snapshot told of."""
    for item in findings:
        if item.missing and item.row not in told:
            told.add(item.row)
            yield item
