"""What changed by name between two inventories. Most rows are equal, and two equal rows are told
by one comparison; only of those that differ is asked in which columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from metasnapshot.catalogue.manifest import ManifestEntry
from metasnapshot.contents.cluster import KINDS
from metasnapshot.contents.names import label
from metasnapshot.operations.diff.compare import (
    ADDED,
    CHANGED,
    REMOVED,
    Change,
    align,
    change_of,
    parameter_changes,
)
from metasnapshot.operations.report.inventory import Inventory, clipped
from metasnapshot.operations.report.model import Changes

CHANGES_MAX = 200
"""Changes that a page lists."""


def changes_between(
    before: tuple[ManifestEntry, Inventory], after: tuple[ManifestEntry, Inventory]
) -> Changes:
    """What changed from one snapshot to another.

    Raises:
        UsageError: one is of the V1 format, the other is not.
        DamageError: a section is damaged.
    """
    align(before[1].side, after[1].side)
    counts, listed = Counter[tuple[str, str]](), list[Change]()
    for change in _changes(before[1], after[1]):
        counts[change.kind, change.change] += 1
        if len(listed) < CHANGES_MAX:
            listed.append(replace(change, key=tuple(clipped(str(part)) for part in change.key)))
    kinds = dict.fromkeys(kind for kind, _ in counts)
    old, new = (np.unique(entry.id_array) for entry in (before[0], after[0]))
    return Changes(
        before_id=before[0].id,
        after_id=after[0].id,
        listed=tuple(listed),
        counts=tuple(
            (kind, counts[kind, ADDED], counts[kind, REMOVED], counts[kind, CHANGED])
            for kind in kinds
        ),
        objects_added=len(np.setdiff1d(new, old, assume_unique=True)),
        objects_removed=len(np.setdiff1d(old, new, assume_unique=True)),
    )


def _changes(before: Inventory, after: Inventory) -> Iterator[Change]:
    """By kind and name; then of the parameters."""
    old, new = (
        {(item.kind, item.name, item.number): item.row for item in side.named}
        for side in (before, after)
    )
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    for kind, name, number in sorted(keys, key=lambda key: (KINDS.index(key[0]), *key[1:])):
        key = (kind, name, number)
        if (found := change_of(key, old.get(key), new.get(key))) is not None:
            yield replace(found, key=(label(name, number),))
    yield from parameter_changes(before.side, after.side)
