"""What refers to what in the snapshots of a release, as the registry's ddl.yaml has the foreign
keys of its tables; and the values of a key, gathered as rows go by.

A foreign key of any engine counts, for MySQL's tables lost some. A column that got its foreign key
in a later release (pending_sink_state.sink_id) referred to the same before; one whose foreign key
was dropped refers to nothing from then on.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from metasnapshot.format.scalars import Blob
from metasnapshot.metastore.ddl import alive_at
from metasnapshot_models.ddl import RELEASES, TABLES

Key = tuple[str, tuple[str, ...]]
"""A table and columns of it."""


class Reference(NamedTuple):
    """Rows of a key name rows of another."""

    key: Key
    target: Key


BY_HAND: dict[Key, Key] = {
    ("object", ("database_id",)): ("database", ("database_id",)),
    ("object", ("schema_id",)): ("schema", ("schema_id",)),
}
"""Foreign keys to any object: here to the database and the schema that the object must be."""


def references_of(releases: Iterable[str]) -> list[Reference]:
    """The references in snapshots of some releases, in the order of tables and keys."""
    found = {item: None for name in releases for item in by_release()[name]}
    return [Reference(item.key, BY_HAND.get(item.key, item.target)) for item in found]


@cache
def by_release() -> dict[str, tuple[Reference, ...]]:
    """The foreign keys of each release, and of the release after it where a column has none yet."""
    found: dict[str, tuple[Reference, ...]] = {}
    later: tuple[Reference, ...] = ()
    for release in reversed(range(len(RELEASES))):
        columns: set[Key] = set()
        now: dict[Reference, None] = {}
        for table in alive_at(TABLES, release):
            columns |= {(table.name, (item.name,)) for item in alive_at(table.columns, release)}
            for key in alive_at(table.foreign_keys, release):
                item = Reference((table.name, key.columns), (key.references, key.referenced))
                now[item] = None
        keys = {item.key for item in now}
        for item in later:
            table_name, names = item.key
            if item.key not in keys and columns.issuperset((table_name, (at,)) for at in names):
                now[item] = None
        later = found[RELEASES[release]] = tuple(now)
    return found


class Values:
    """The values of a key in the rows of a table; what has a NULL names nothing. Integers of a
    single column, which nearly all are, take 8 bytes each.

    Attributes:
        names: the columns.
        integers: the values, repeated as they come; None if they are no integers of one column.
    """

    def __init__(self, names: tuple[str, ...], *, is_integer: bool) -> None:
        self.names = names
        self._of_row = attrgetter(*names)
        self._is_single = len(names) == 1
        self.integers = array("q") if is_integer and self._is_single else None
        self._others: set[tuple[Any, ...]] = set()

    def note_row(self, row: Any) -> None:
        """Note the key of a row."""
        value = self._of_row(row)
        values = (value,) if self._is_single else value
        if None not in values:
            self.note(values)

    def note(self, values: tuple[Any, ...]) -> None:
        """Note a key, a value for each column."""
        if self.integers is not None:
            self.integers.append(values[0])
        else:
            self._others.add(tuple(map(_plain, values)))

    def all(self) -> set[tuple[Any, ...]]:
        """Every value once."""
        return self._others | {(number,) for number in self.integers or ()}


def missing(values: Values, target: Values) -> list[tuple[Any, ...]]:
    """The values that a target does not have, each once, ascending."""
    if values.integers is None or target.integers is None:
        return sorted(values.all() - target.all(), key=str)
    refer = np.frombuffer(values.integers, dtype=np.int64)
    there = np.frombuffer(target.integers, dtype=np.int64)
    return [(number,) for number in np.setdiff1d(refer, there).tolist()]


def _plain(value: Any) -> Any:
    """A value that can stand in a set."""
    return value.bytes if isinstance(value, Blob) else value
