"""pins --area: what full backups cost in the objects of their directory, and what a delete would
free. Side files say it; nothing is listed, and no snapshot is read.

Objects are shared by all full backups of a directory: what one of them alone costs is what no other
side file names. A side file whose snapshot's file is gone names nothing, as for gc.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from metasnapshot.catalogue.completeness import header_of
from metasnapshot.catalogue.delta_files import stored_ids
from metasnapshot.catalogue.full import FullBackup, read_full
from metasnapshot.catalogue.full_header import FULL
from metasnapshot.catalogue.records import Records
from metasnapshot.catalogue.repository import Repository
from metasnapshot.catalogue.reservation import ids_among
from metasnapshot.operations.gc_objects import Keys, object_keys


@dataclass(frozen=True)
class AreaCosts:
    """What full backups cost in the objects of their directory.

    Attributes:
        snapshot_ids: which ones.
        partial_ids: those of them that are not full, which cost nothing there.
        objects: how many the others need.
        size: bytes of them.
        own_objects: how many no other full backup of the directory names: what a delete of all
            these would free.
        own_size: bytes of those.
    """

    snapshot_ids: tuple[int, ...]
    partial_ids: tuple[int, ...]
    objects: int
    size: int
    own_objects: int
    own_size: int


def area_costs(repository: Repository, snapshot_ids: Iterable[int]) -> AreaCosts:
    """Work out what full backups cost.

    Args:
        repository: the directory.
        snapshot_ids: which ones.

    Raises:
        SnapshotNotFound: there is no such snapshot.
        DamageError, UnknownFormat: of a side file nobody knows what it names.
    """
    wanted = tuple(dict.fromkeys(snapshot_ids))
    for number in wanted:
        repository.entry(number)
    store, directory = repository.store, repository.directory
    heads, found = Records(repository).heads, store.names(directory)
    files = stored_ids(found)
    partial = tuple(n for n in wanted if header_of(repository, heads, n) is None)
    mine, others, sizes = [_NONE], [_NONE], [_NONE]
    for number in ids_among(found, FULL):
        is_mine = number in wanted and number not in partial
        if number not in files:
            continue
        full = read_full(store, directory, number)
        if full is None:
            continue
        if is_mine:
            mine.append(object_keys(full))
            sizes.append(_sizes(full))
        elif number not in wanted:
            others.append(object_keys(full))
    keys, places = np.unique(np.concatenate(mine), return_index=True)
    size_of = np.concatenate(sizes)[places]
    own = np.isin(keys, np.concatenate(others), invert=True)
    return AreaCosts(
        wanted,
        partial,
        len(keys),
        int(size_of.sum()),
        int(own.sum()),
        int(size_of[own].sum()),
    )


_NONE: Keys = np.empty(0, np.uint64)


def _sizes(full: FullBackup) -> Keys:
    return np.frombuffer(full.objects.sizes, np.uint64)
