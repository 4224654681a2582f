"""What earlier full backups of an area know of the bytes of its objects: an object that a side file
names was checked when it came in, and is not read again.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np

from metasnapshot.catalogue.area import Area
from metasnapshot.catalogue.full import HASH_SIZE, FullBackup, read_full
from metasnapshot.errors import DamageError, UnknownFormat
from metasnapshot.hummock.objects import NeededObjects
from metasnapshot.store.port import Store


def known_hashes(
    store: Store,
    directory: str,
    area: Area,
    ids: Sequence[int],
    needed: NeededObjects,
    seen: bytearray,
) -> tuple[bytearray, list[str]]:
    """Hashes of objects that are there, from the newest side file that names them.

    Args:
        store: where.
        directory: the backup directory.
        area: its area; side files of another say nothing.
        ids: of the side files there, ascending.
        needed: the objects in question.
        seen: 1 at the place of each that is in the area.

    Returns:
        The hashes by place, zeros where none is known; and what was wrong with side files, which
        are passed over.
    """
    hashes = np.zeros((len(needed), HASH_SIZE), np.uint8)
    open_places = np.frombuffer(seen, np.uint8).astype(bool)
    problems: list[str] = []
    for number in reversed(ids):
        if not open_places.any():
            break
        try:
            full = read_full(store, directory, number)
        except (DamageError, UnknownFormat) as error:
            problems.append(f"{error}: its objects are looked at again")
            continue
        if full is not None and full.header.area_id == area.area_id and len(full.objects):
            _take(needed, full, hashes, open_places)
    return bytearray(hashes.tobytes()), problems


def _take(needed: NeededObjects, full: FullBackup, hashes: object, open_places: object) -> None:
    """Take over the hashes of objects that are the same, and close their places."""
    wanted, theirs = _columns(needed), _columns(full.objects)
    at = np.minimum(np.searchsorted(theirs[0], wanted[0]), len(full.objects) - 1)
    same = np.asarray(open_places).copy()
    for mine, its in zip(wanted, theirs, strict=True):
        same &= its[at] == mine
    known = np.frombuffer(full.hashes, np.uint8).reshape(-1, HASH_SIZE)
    np.asarray(hashes)[same] = known[at[same]]
    np.asarray(open_places)[same] = False


def _columns(objects: NeededObjects) -> list[np.ndarray[tuple[int], np.dtype[np.uint64]]]:
    """Ids, tags and kinds."""
    numbers: list[array[int]] = [objects.ids, objects.tags]
    found = [np.frombuffer(item, np.uint64) for item in numbers]
    kinds = np.frombuffer(bytes(objects.kinds), np.uint8).astype(np.uint64)
    return [*found, kinds]
