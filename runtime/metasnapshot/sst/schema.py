"""What the bytes of a table's rows mean: its columns, its key, and which of them a value holds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from metasnapshot.sst.types import Type


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        name: of it.
        id: by which rows name it.
        type: of its values.
        is_hidden: whether SELECT * leaves it out.
        default: what rows have that were written before it was added: a tag and a value; nothing
            for NULL.
        unknown_default: if rows were written before it was added and its default cannot be told
            offline, why.
    """

    name: str
    id: int
    type: Type
    is_hidden: bool = False
    default: bytes = b""
    unknown_default: str = ""


@dataclass(frozen=True)
class KeyColumn:
    """A column of the key, by its place among the columns, and how it is ordered."""

    index: int
    is_descending: bool = False
    nulls_are_largest: bool = True


@dataclass(frozen=True)
class TableSchema:
    """A table's.

    Attributes:
        table_id: of it.
        name: for messages.
        columns: in the order of the catalog.
        key: columns of the key, in its order.
        value_indices: places of the columns that a value holds, in its order.
        is_versioned: whether values name their columns (column-aware), or just have them in order.
        retention_s: how long versions are kept, if not for ever.
        is_raw: whether its two columns are the key, with its vnode, and the value, as they are.
    """

    table_id: int
    name: str
    columns: tuple[Column, ...]
    key: tuple[KeyColumn, ...]
    value_indices: tuple[int, ...]
    is_versioned: bool
    retention_s: int | None = None
    is_raw: bool = False

    @cached_property
    def key_only(self) -> tuple[int, ...]:
        """Places of the columns that only the key holds."""
        stored = set(self.value_indices)
        return tuple(item.index for item in self.key if item.index not in stored)

    @cached_property
    def unstored(self) -> tuple[int, ...]:
        """Places of the columns that neither value nor key holds."""
        if self.is_raw:
            return ()
        stored = {*self.value_indices, *self.key_only}
        return tuple(place for place in range(len(self.columns)) if place not in stored)
