"""Is a Hummock version one that a meta node could have, and does it fit the rows around it?

The first half is upstream's validate_version (hummock_version_ext.rs at v3.0.3, risectl), the other
what a restored cluster takes for granted: groups, tables and sequences.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.contents.cluster import catalog_of
from metasnapshot.contents.findings import ERROR, WARNING, Finding
from metasnapshot.contents.sequences import (
    FIRST_IDS,
    SEQUENCES_SECTION,
    STATIC_GROUPS_END,
    ids_in_use,
)
from metasnapshot.format.layout import HUMMOCK_VERSION
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.hummock.keys import ends_before
from metasnapshot.hummock.objects import needed_by, sst_ids

NONOVERLAPPING = 1
V1_SEQUENCES = "default_cf"
TWICE = "two things would get one id"


def check_version(reader: SnapshotReader, entry: ManifestEntry) -> Iterator[Finding]:
    """Look at a snapshot's version.

    Args:
        reader: the snapshot, opened.
        entry: its entry in the manifest.

    Raises:
        DamageError: it does not decode.
    """
    version: Any = reader.hummock_version.message
    catalog = catalog_of(reader)
    for group_id, levels in sorted(version.levels.items()):
        yield from _check_group(group_id, levels)
    yield from _check_tables(version, catalog.table_ids())
    yield from _check_configs(version, catalog.group_ids())
    needed = np.frombuffer(needed_by(reader).ids, dtype=np.uint64)
    in_use = ids_in_use(reader.id, int(needed.max(initial=0)), version)
    section = V1_SEQUENCES if reader.is_v1 else SEQUENCES_SECTION
    yield from _check_sequences(in_use, catalog.sequences(), section)
    pinned = np.unique(np.array(entry.ssts, dtype=np.uint64))
    for number in np.setdiff1d(needed, pinned, assume_unique=True).tolist():
        yield _version(ERROR, f"object {number}", "is needed, but the manifest does not pin it")
    for number in np.setdiff1d(pinned, needed, assume_unique=True).tolist():
        yield _version(WARNING, f"object {number}", "is in the manifest, but nothing needs it")


def _check_group(group_id: int, levels: Any) -> Iterator[Finding]:
    name = f"group {group_id}"
    if getattr(levels, "group_id", group_id) != group_id:  # not said before 0.1.17
        yield _version(ERROR, name, f"its levels say group {levels.group_id}")
    newest = -1
    for level in levels.l0.sub_levels:
        place = f"{name}, L0 sub level {level.sub_level_id}"
        if not level.table_infos:
            yield _version(WARNING, place, "is empty")
        if level.sub_level_id <= newest:
            yield _version(ERROR, place, f"comes after sub level {newest}")
        newest = level.sub_level_id
        yield from _check_level(place, level)
    for number, level in enumerate(levels.levels, 1):
        place = f"{name}, level {number}"
        if level.level_idx != number:
            yield _version(ERROR, place, f"says that it is level {level.level_idx}")
        if level.level_type != NONOVERLAPPING:
            yield _version(ERROR, place, "is not of the type that does not overlap")
        yield from _check_level(place, level)


def _check_level(place: str, level: Any) -> Iterator[Finding]:
    ssts: Sequence[Any] = level.table_infos
    for sst in ssts:
        tables = list(sst.table_ids)
        if tables != sorted(set(tables)):
            yield _version(ERROR, place, f"table ids of SST {sst_ids(sst)[1]} are not ascending")
    if level.level_type == NONOVERLAPPING:
        for one, other in pairwise(ssts):
            if not ends_before(one.key_range, other.key_range):
                what = f"SSTs {sst_ids(one)[1]} and {sst_ids(other)[1]} overlap"
                yield _version(ERROR, place, what)


def _check_tables(version: Any, tables: set[int]) -> Iterator[Finding]:
    """Tables with state, their groups, and the tables that SSTs have keys of."""
    infos = getattr(version, "state_table_info", {})
    for table, info in sorted(infos.items()):
        if info.compaction_group_id not in version.levels:
            what = f"its compaction group {info.compaction_group_id} has no levels"
            yield _version(ERROR, f"table {table}", what)
        if table not in tables:
            yield _version(WARNING, f"table {table}", "has state, but is in no catalog")
    if not infos:
        return
    used = {
        table
        for levels in version.levels.values()
        for level in (*levels.l0.sub_levels, *levels.levels)
        for sst in level.table_infos
        for table in sst.table_ids
    }
    for table in sorted(used.difference(infos)):
        what = "SSTs have keys of it, but it has no state: compaction will drop them"
        yield _version(WARNING, f"table {table}", what)


def _check_configs(version: Any, configs: set[int]) -> Iterator[Finding]:
    own = {group_id for group_id in version.levels if group_id >= STATIC_GROUPS_END}
    for group_id in sorted(own.difference(configs)):
        what = "has no compaction config: the meta node will make a new one"
        yield _version(WARNING, f"group {group_id}", what)


def _check_sequences(
    in_use: dict[str, int], sequences: dict[str, int], section: str
) -> Iterator[Finding]:
    """Sequences give the next id: it must be above all that are in use."""
    stand = FIRST_IDS | sequences
    for name, largest in in_use.items():
        if stand[name] <= largest:
            what = f"stands at {stand[name]}, but {largest} is in use"
            can_raise = section == SEQUENCES_SECTION
            hint = f"{TWICE}; restore with --bump-sequences" if can_raise else TWICE
            yield Finding(ERROR, section, name, what, hint)


def _version(severity: str, row: str, what: str) -> Finding:
    return Finding(severity, HUMMOCK_VERSION, row, what)
