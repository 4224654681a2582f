"""What snapshots cost: the bytes of the objects that each needs, that it alone needs, and that all
of them need together.

The manifest has the ids of objects, only the snapshots have their sizes; an id never gets other
bytes. So a snapshot is opened only if it needs an object whose size no newer one told, and no more
of them than fit a budget: a page is to be made in seconds, from a store that may be far away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import msgspec
import numpy as np

from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.catalogue.repository import Repository
from metasnapshot.contents.sequences import I64_MAX
from metasnapshot.errors import MetasnapshotError
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.hummock.objects import needed_by

READ_MAX = 256 << 20
"""Bytes of snapshot files that are read for the sizes of objects."""


@dataclass(frozen=True)
class Cost:
    """Bytes of the objects of a snapshot: of all, of those that only it needs, and of all that it
    and the older ones need. Of the first two None, where the size of one object is not known; the
    third counts those that are.
    """

    alone: int | None
    own: int | None
    together: int


class _Sst(msgspec.Struct):
    objectId: str = "0"  # noqa: N815 - as proto3 JSON has it
    fileSize: str = "0"  # noqa: N815 - the same


class _Level(msgspec.Struct):
    tableInfos: list[_Sst] = []  # noqa: N815 - the same


class _LevelZero(msgspec.Struct):
    subLevels: list[_Level] = []  # noqa: N815 - the same


class _Levels(msgspec.Struct):
    levels: list[_Level] = []
    l0: _LevelZero = msgspec.field(default_factory=_LevelZero)


class _Version(msgspec.Struct):
    levels: dict[str, _Levels] = {}


_decoder = msgspec.json.Decoder(_Version)

Sizes = dict[int, int]
"""Bytes by object id."""


def sizes_in(reader: SnapshotReader, ids: Any) -> Sizes:
    """Sizes of the objects that a snapshot needs. Those of its levels are read without the message
    around them, ten times as fast; only where they are not all that the manifest names, the whole
    of it is decoded.

    Args:
        reader: an opened snapshot.
        ids: those that the manifest names.

    Raises:
        DamageError: it does not decode.
    """
    try:
        found = _quick(reader.hummock_version.rows[0])
    except (msgspec.MsgspecError, ValueError):
        found = {}
    if found and all(number in found for number in ids):
        return found
    return {item.id: item.size for item in needed_by(reader)}


def _quick(text: bytes) -> Sizes:
    version = _decoder.decode(text)
    return {
        int(sst.objectId): int(sst.fileSize)
        for group in version.levels.values()
        for level in (*group.levels, *group.l0.subLevels)
        for sst in level.tableInfos
    }


def costs_of(
    repository: Repository,
    entries: Sequence[ManifestEntry],
    file_sizes: Mapping[int, int],
    known: Sizes,
    read_max: int = READ_MAX,
) -> tuple[list[Cost], dict[int, str]]:
    """The cost of each snapshot, and which could not be read and why.

    Args:
        repository: where they are.
        entries: oldest first.
        file_sizes: bytes of their files, of those that are there.
        known: sizes that are known already.
        read_max: bytes of files to read at most.
    """
    ids = [np.unique(entry.id_array) for entry in entries]
    every, counts = np.unique(np.concatenate(ids or [np.empty(0, np.int64)]), return_counts=True)
    sizes, broken = _Table(every), dict[int, str]()
    sizes.learn(known)
    budget = read_max
    for entry, mine in zip(reversed(entries), reversed(ids), strict=True):
        size = file_sizes.get(entry.id)
        if size is None or size > budget or sizes.knows(mine):
            continue
        budget -= size
        try:
            with repository.open(entry.id) as reader:
                sizes.learn(sizes_in(reader, mine.tolist()))
        except MetasnapshotError as error:
            broken[entry.id] = str(error)
    return _costs(ids, every, counts, sizes.values), broken


class _Table:
    """Sizes of all objects, by their places among the sorted ids; below zero where not known."""

    def __init__(self, every: Any) -> None:
        self._every = every
        self.values = np.full(len(every), -1, np.int64)

    def learn(self, found: Sizes) -> None:
        fit = {key: size for key, size in found.items() if key <= I64_MAX and size <= I64_MAX}
        ids = np.fromiter(fit, np.int64, len(fit))
        sizes = np.fromiter(fit.values(), np.int64, len(fit))
        places = cast("Any", np.searchsorted(self._every, ids))
        inside = places < len(self._every)
        inside[inside] = self._every[places[inside]] == ids[inside]
        self.values[places[inside]] = sizes[inside]

    def knows(self, ids: Any) -> bool:
        return bool((self.values[np.searchsorted(self._every, ids)] >= 0).all())


def _costs(ids: Sequence[Any], every: Any, counts: Any, values: Any) -> list[Cost]:
    seen, total = np.zeros(len(every), np.bool_), 0
    costs: list[Cost] = []
    for mine in ids:
        places = cast("Any", np.searchsorted(every, mine))
        sizes, once = values[places], counts[places] == 1
        fresh = sizes[~seen[places]]
        seen[places] = True
        total += int(fresh[fresh >= 0].sum())
        costs.append(Cost(_sum(sizes), _sum(sizes[once]), total))
    return costs


def _sum(sizes: Any) -> int | None:
    return int(sizes.sum()) if bool((sizes >= 0).all()) else None
