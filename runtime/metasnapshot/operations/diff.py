"""diff: what changed between two snapshots, or between a snapshot and a live meta store.

By name: objects of the catalog and parameters, as people know them. By row: every section, by
primary key, and the Hummock version as one row, by its fields. Rows are held as hashes, a part of a
section at a time, so memory stays flat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import msgspec
import sqlalchemy as sa
import xxhash
from msgspec import UNSET

from metasnapshot.format.layout import HUMMOCK_VERSION, model_of, section_names, shape_of
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.format.scalars import Blob, Timestamp
from metasnapshot.hummock.objects import object_ids
from metasnapshot.metastore.read import count_rows, find_layouts, read_rows
from metasnapshot.operations.coverage import cover
from metasnapshot.operations.names import KINDS, label, named_objects
from metasnapshot.operations.secrets import redact
from metasnapshot_models.codecs import CODECS
from metasnapshot_models.definitions import Layout

PART_ROWS = 100_000
"""Rows whose hashes are held at once."""
ABSENT = bytes(8)
ADDED, REMOVED, CHANGED = "added", "removed", "changed"
PARAMETERS = {"system_parameters": "system parameters", "session_parameters": "session parameters"}

Objects = tuple[list[int], list[int]]
"""Ids of Hummock's objects: added, removed."""


class Side(Protocol):
    """One of the two things that are compared."""

    @property
    def layout(self) -> Layout:
        """The layout of its rows."""
        ...

    def rows(self, section: str) -> Iterator[Any]:
        """The rows of a section, none if its layout has no such section."""
        ...

    def count(self, section: str) -> int:
        """How many."""
        ...

    def version(self) -> dict[str, Any] | None:
        """The Hummock version as field: value of proto3 JSON; None if it is not at hand."""
        ...

    def omitted(self) -> list[str]:
        """What there is besides, unknown to the registry, that no comparison sees."""
        ...


@dataclass(frozen=True)
class Change:
    """One difference.

    Attributes:
        kind: of the object (tables, sources, …) or the section of the row.
        change: added, removed or changed.
        key: the name, or the primary key.
        columns: what differs, of something changed.
        before, after: values of a parameter, without secrets.
    """

    kind: str
    change: str
    key: tuple[str | int, ...]
    columns: tuple[str, ...] = ()
    before: str | None = None
    after: str | None = None


class SnapshotSide:
    """An opened snapshot."""

    def __init__(self, reader: SnapshotReader) -> None:
        self.reader = reader
        self.layout = reader.definition

    def rows(self, section: str) -> Iterator[Any]:
        """See Side."""
        if section in self.reader.section_names:
            yield from self.reader.rows(section)

    def count(self, section: str) -> int:
        """See Side."""
        return self.reader.place(section).count if section in self.reader.section_names else 0

    def version(self) -> dict[str, Any] | None:
        """See Side."""
        found = self.reader.hummock_version
        shown = found.json
        names = [field.json_name for field in found.message.DESCRIPTOR.fields]
        return {name: shown.get(name) for name in names}

    def omitted(self) -> list[str]:
        """See Side."""
        size, layout = self.reader.opaque_size, self.reader.layout
        return [f"{size} bytes of snapshot {self.reader.id} beyond layout {layout}"] if size else []


class MetaStoreSide:
    """A meta store in a read transaction."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self.layout = find_layouts(connection).layouts[0]

    def rows(self, section: str) -> Iterator[Any]:
        """See Side."""
        if section in section_names(self.layout):
            yield from read_rows(self.connection, self.layout, model_of(self.layout, section))

    def count(self, section: str) -> int:
        """See Side."""
        if section not in section_names(self.layout):
            return 0
        return count_rows(self.connection, CODECS[model_of(self.layout, section)].table)

    def version(self) -> dict[str, Any] | None:
        """None: it would have to be replayed from the checkpoint."""
        return None

    def omitted(self) -> list[str]:
        """See Side."""
        return [f"unknown {item.name} of the meta store" for item in cover(self.connection).unknown]


def diff_names(a: Side, b: Side) -> Iterator[Change]:
    """What changed, by the names of objects and parameters, kind by kind.

    Raises:
        DamageError: a section is damaged.
    """
    changes = _compare(lambda: named_objects(a.rows), lambda: named_objects(b.rows), 1)
    for change in sorted(changes, key=lambda change: KINDS.index(change.kind)):
        name, number = change.key
        yield replace(change, key=(label(str(name), int(number)),))
    for section, kind in PARAMETERS.items():
        before = {row.name: str(redact(row.name, row.value)) for row in a.rows(section)}
        after = {row.name: str(redact(row.name, row.value)) for row in b.rows(section)}
        for change in _compare(_of_section(a, section), _of_section(b, section), 1):
            name = str(change.key[0])
            if change.columns and "value" not in change.columns:
                yield replace(change, kind=kind)
                continue
            yield replace(change, kind=kind, before=before.get(name), after=after.get(name))


def diff_rows(a: Side, b: Side) -> Iterator[Change]:
    """What changed, by rows of every section of either.

    Raises:
        DamageError: a section is damaged.
    """
    sections = dict.fromkeys((*section_names(a.layout), *section_names(b.layout)))
    for section in sections:
        if section == HUMMOCK_VERSION:
            yield from _compare_versions(a, b)
            continue
        parts = max(a.count(section), b.count(section)) // PART_ROWS + 1
        yield from _compare(_of_section(a, section), _of_section(b, section), parts)


def diff_objects(a: SnapshotSide, b: SnapshotSide) -> Objects:
    """Ids of the objects of Hummock's that only the second needs, and only the first."""
    before, after = (
        set(object_ids(side.reader.hummock_version.message, _change_logs(side))) for side in (a, b)
    )
    return sorted(after - before), sorted(before - after)


def _change_logs(side: SnapshotSide) -> Iterator[Any] | None:
    section = "hummock_table_change_logs"
    return side.rows(section) if section in section_names(side.layout) else None


_Keyed = tuple[Any, ...]
"""Kind, what identifies the row in it, and the row last."""


def _compare_versions(a: Side, b: Side) -> Iterator[Change]:
    """The fields of the Hummock version that both releases have and that differ."""
    before, after = a.version(), b.version()
    if before is None or after is None:
        return
    names = tuple(name for name in before if name in after and before[name] != after[name])
    if names:
        yield Change(HUMMOCK_VERSION, CHANGED, (), names)


def _of_section(side: Side, section: str) -> Callable[[], Iterator[_Keyed]]:
    def keyed() -> Iterator[_Keyed]:
        if section not in section_names(side.layout):
            return
        shape = shape_of(side.layout, model_of(side.layout, section))
        names = [column.name for column in shape.columns if column.pk]
        for row in side.rows(section):
            yield (section, *(_plain(getattr(row, name)) for name in names), row)

    return keyed


def _compare(
    a: Callable[[], Iterable[_Keyed]], b: Callable[[], Iterable[_Keyed]], parts: int
) -> Iterator[Change]:
    """Compare rows by key, in so many parts, each of which reads both sides again."""
    for part in range(parts):
        left = {
            key: _fingerprint(row)
            for *parts_of_key, row in a()
            if hash(key := tuple(parts_of_key)) % parts == part
        }
        for *parts_of_key, row in b():
            key = tuple(parts_of_key)
            if hash(key) % parts != part:
                continue
            before = left.pop(key, None)
            if before is None:
                yield Change(key[0], ADDED, key[1:])
                continue
            columns = _differing(row, before, _fingerprint(row))
            if columns:
                yield Change(key[0], CHANGED, key[1:], columns)
        yield from (Change(key[0], REMOVED, key[1:]) for key in left)


def _fingerprint(row: Any) -> bytes:
    """A hash of each column of the model, 8 bytes each; zeros for one that the layout lacks."""
    return b"".join(
        ABSENT
        if (value := getattr(row, name)) is UNSET
        else xxhash.xxh3_64_digest(msgspec.msgpack.encode(_plain(value)))
        for name in row.__struct_fields__
    )


def _differing(row: Any, before: bytes, after: bytes) -> tuple[str, ...]:
    """Columns that both have and that differ."""
    names: list[str] = []
    for number, name in enumerate(row.__struct_fields__):
        one, other = (text[number * 8 : number * 8 + 8] for text in (before, after))
        if one != other and ABSENT not in (one, other):
            names.append(name)
    return tuple(names)


def _plain(value: Any) -> Any:
    """What is hashed and shown of a value; the order of a map's keys means nothing."""
    if isinstance(value, Blob):
        return value.bytes
    if isinstance(value, Timestamp):
        return value.text
    return msgspec.to_builtins(value, str_keys=True, order="deterministic")
