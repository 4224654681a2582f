"""What earlier full backups of an area know of the bytes of its objects: an object that a side file
names was checked when it came in, and is not read again.

The tags of vector files and graphs know no epoch, so that another life of the cluster may have
given id and tag to other bytes. A side file speaks for this life if it is of the same moment: the
epochs of all tables are those of its snapshot. It also does if both need an SST with a larger id:
SSTs are told apart by their epochs, all kinds draw their ids from one sequence, and a restore goes
on behind every id of its snapshot. So what both need was written before any fork of the two, and no
smaller id was given again.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from metasnapshot.catalogue.area import Area
from metasnapshot.catalogue.full import HASH_SIZE, read_full
from metasnapshot.catalogue.full_header import Header
from metasnapshot.errors import DamageError, UnknownFormat
from metasnapshot.hummock.objects import NeededObjects
from metasnapshot.hummock.paths import DATA, SUFFIXES
from metasnapshot.store.port import Store

Flags = np.ndarray[tuple[int], np.dtype[np.bool]]
Numbers = np.ndarray[tuple[int], np.dtype[np.intp]]

_SST = SUFFIXES.index(DATA)


class Known(NamedTuple):
    """What side files say of objects.

    Attributes:
        hashes: XXH3-128 of each by its place; zeros where none is known.
        of_this_life: 1 at the place of each that cannot be of another life of the cluster.
        problems: what was wrong with side files, which are passed over.
    """

    hashes: bytearray
    of_this_life: bytearray
    problems: list[str]


def known_hashes(
    store: Store,
    directory: str,
    area: Area,
    ids: Sequence[int],
    needed: NeededObjects,
    seen: bytearray,
    is_same_moment: Callable[[Header], bool] = lambda _: False,
) -> Known:
    """Hashes of objects that are there, from the newest side file that names them.

    Args:
        store: where.
        directory: the backup directory.
        area: its area; side files of another say nothing.
        ids: of the side files there, ascending.
        needed: the objects in question.
        seen: 1 at the place of each that is in the area.
        is_same_moment: whether the snapshot of a side file is of the very moment at which these
            objects are needed; asked where nothing else tells.
    """
    hashes = np.zeros((len(needed), HASH_SIZE), np.uint8)
    is_sst = np.frombuffer(bytes(needed.kinds), np.uint8) == _SST
    of_this_life = is_sst.copy()
    is_open = np.frombuffer(seen, np.uint8).astype(bool)
    problems: list[str] = []
    for number in reversed(ids):
        if not is_open.any():
            break
        try:
            full = read_full(store, directory, number)
        except (DamageError, UnknownFormat) as error:
            problems.append(f"{error}: its objects are looked at again")
            continue
        if full is None or full.header.area_id != area.area_id or not len(full.objects):
            continue
        same, at = _shared(needed, full.objects)
        shared_ssts = np.flatnonzero(same & is_sst)
        told = int(shared_ssts[-1]) if len(shared_ssts) else 0
        same &= is_open
        if (same & ~is_sst)[told:].any() and is_same_moment(full.header):
            told = len(needed)
        of_this_life[:told] |= same[:told]
        hashes[same] = np.frombuffer(full.hashes, np.uint8).reshape(-1, HASH_SIZE)[at[same]]
        is_open &= ~same
    return Known(bytearray(hashes.tobytes()), bytearray(of_this_life.tobytes()), problems)


def _shared(needed: NeededObjects, others: NeededObjects) -> tuple[Flags, Numbers]:
    """Which objects others have by the same id, tag and kind, and where they have them."""
    wanted, theirs = _columns(needed), _columns(others)
    at = np.minimum(np.searchsorted(theirs[0], wanted[0]), len(others) - 1)
    same = np.ones(len(needed), bool)
    for mine, its in zip(wanted, theirs, strict=True):
        same &= its[at] == mine
    return same, at


def _columns(objects: NeededObjects) -> list[np.ndarray[tuple[int], np.dtype[np.uint64]]]:
    """Ids, tags and kinds."""
    numbers: list[array[int]] = [objects.ids, objects.tags]
    found = [np.frombuffer(item, np.uint64) for item in numbers]
    kinds = np.frombuffer(bytes(objects.kinds), np.uint8).astype(np.uint64)
    return [*found, kinds]
