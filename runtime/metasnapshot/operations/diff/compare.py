"""diff: what changed between two snapshots, or between a snapshot and a live meta store.

By name: objects of the catalog and parameters, as people know them. By row: every section, by
primary key, and the Hummock version as one row, by its fields. Rows are held as hashes, those of a
large section in a file and a part at a time in memory, which stays flat.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import zip_longest
from typing import Any

import msgspec
import xxhash

from metasnapshot.contents.cluster import KINDS
from metasnapshot.contents.fields import fields_of, fields_of_message
from metasnapshot.contents.names import label, named_objects
from metasnapshot.contents.secrets import redact
from metasnapshot.errors import UsageError
from metasnapshot.format import messages
from metasnapshot.format.layout import HUMMOCK_VERSION
from metasnapshot.format.scalars import Blob, Timestamp
from metasnapshot.hummock.objects import needed_by
from metasnapshot.operations.diff.parts import Fingerprint, Key, Keyed, in_parts
from metasnapshot.operations.diff.sides import Side, SnapshotSide

PART_ROWS = 100_000
"""Rows whose hashes are held at once."""
ADDED, REMOVED, CHANGED = "added", "removed", "changed"
_PLAIN = frozenset({int, str, bool, type(None)})
"""Types whose values are plain as they are."""
_encode = msgspec.msgpack.Encoder().encode
UNKNOWN_FIELDS = "unknown fields"
"""What differs in a V1 message of which all known fields are equal."""
PARAMETERS = {"system_parameters": "system parameters", "session_parameters": "session parameters"}

Objects = tuple[list[int], list[int]]
"""Ids of Hummock's objects: added, removed."""


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


def align(a: Side, b: Side) -> None:
    """Let both be read alike, two V1 snapshots by the later of their eras, unless that cannot read
    the older one; refuse to compare what has nothing in common.

    Raises:
        UsageError: one is of the V1 format, the other is not.
    """
    if a.is_v1 != b.is_v1:
        raise UsageError(
            "a V1 snapshot has no row in common with a V2 snapshot or a SQL meta store",
            hint="compare it with another V1 snapshot; show prints the names in each",
        )
    if isinstance(a, SnapshotSide) and isinstance(b, SnapshotSide):
        era = messages.later_era(a.reader.era, b.reader.era)
        if a.reader.can_read_as(era) and b.reader.can_read_as(era):
            a.reader.read_as(era)
            b.reader.read_as(era)


def diff_names(a: Side, b: Side) -> Iterator[Change]:
    """What changed, by the names of objects and parameters, kind by kind.

    Raises:
        DamageError: a section is damaged.
    """
    changes = _compare(lambda: named_objects(a.catalog), lambda: named_objects(b.catalog), 1)
    for change in sorted(changes, key=lambda change: KINDS.index(change.kind)):
        name, number = change.key
        yield replace(change, key=(label(str(name), int(number)),))
    yield from parameter_changes(a, b)


def _diff_v1_parameters(a: Side, b: Side) -> Iterator[Change]:
    """System parameters are the fields of one message there."""
    kind = PARAMETERS["system_parameters"]
    before, after = a.catalog.parameters(), b.catalog.parameters()
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        shown = (None if text is None else str(redact(name, text)) for text in (old, new))
        change = ADDED if old is None else REMOVED if new is None else CHANGED
        columns = ("value",) if change == CHANGED else ()
        yield Change(kind, change, (name,), columns, *shown)


def diff_rows(a: Side, b: Side) -> Iterator[Change]:
    """What changed, by rows of every section of either.

    Raises:
        DamageError: a section is damaged.
    """
    for section in dict.fromkeys((*a.section_names, *b.section_names)):
        if section == HUMMOCK_VERSION:
            yield from _compare_versions(a, b)
            continue
        counts = [side.count(section) for side in (a, b) if section in side.section_names]
        parts = max(counts) // PART_ROWS + 1
        yield from _compare(_of_section(a, section), _of_section(b, section), parts)


def diff_objects(a: SnapshotSide, b: SnapshotSide) -> Objects:
    """Ids of the objects of Hummock's that only the second needs, and only the first."""
    before, after = (set(needed_by(side.reader).ids) for side in (a, b))
    return sorted(after - before), sorted(before - after)


_Keyed = tuple[Any, ...]
"""Kind, what identifies the row in it, and the row last."""


def _compare_versions(a: Side, b: Side) -> Iterator[Change]:
    """The fields of the Hummock version that both have and that differ."""
    before, after = a.version(), b.version()
    if before is None or after is None:
        return
    names = tuple(name for name in before if name in after and before[name] != after[name])
    if names:
        yield Change(HUMMOCK_VERSION, CHANGED, (), names)


def _of_section(side: Side, section: str) -> Callable[[], Iterator[_Keyed]]:
    def keyed() -> Iterator[_Keyed]:
        if section not in side.section_names:
            return
        names = side.key_names(section)
        for row in side.rows(section):
            columns = fields_of(row) if names and side.is_v1 else {}
            key = (columns[name] if columns else getattr(row, name) for name in names)
            yield (section, *map(_plain, key), row)

    return keyed


def _compare(
    a: Callable[[], Iterable[_Keyed]], b: Callable[[], Iterable[_Keyed]], parts: int
) -> Iterator[Change]:
    """Compare rows by key, in so many parts."""
    if parts == 1:
        yield from _compare_part(_hashed(a()), _hashed(b()))
        return
    with in_parts(_hashed(a()), _hashed(b()), parts) as found:
        for left, right in found:
            yield from _compare_part(left, right)


def _hashed(rows: Iterable[_Keyed]) -> Iterator[Keyed]:
    for *key, row in rows:
        yield tuple(key), fingerprint(row)


def _compare_part(rows: Iterable[Keyed], others: Iterable[Keyed]) -> Iterator[Change]:
    """Compare rows by key. Of several rows with one key, as only V1 may have, those that are equal
    are one.
    """
    left = defaultdict[Key, list[Fingerprint]](list)
    right = defaultdict[Key, list[Fingerprint]](list)
    for key, before in rows:
        left[key].append(before)
    for key, after in others:
        same = next((one for one in left.get(key, ()) if not differing(one, after)), None)
        if same is None:
            right[key].append(after)
        else:
            left[key].remove(same)
    for key, found in right.items():
        for before, after in zip_longest(left.pop(key, ()), found):
            yield _change(key, before, after)
    for key, gone in left.items():
        yield from (_change(key, before, None) for before in gone)


def change_of(key: tuple[Any, ...], before: Any, after: Any) -> Change | None:
    """What became of one row; None if nothing that is compared differs.

    Args:
        key: its kind, and what identifies it.
        before: the row; None where there is none.
        after: the row; None where there is none.
    """
    old = None if before is None else fingerprint(before)
    new = None if after is None else fingerprint(after)
    found = _change(key, old, new)
    return None if found.change == CHANGED and not found.columns else found


def parameter_changes(a: Side, b: Side) -> Iterator[Change]:
    """What changed of the parameters, without secrets."""
    if a.is_v1:
        yield from _diff_v1_parameters(a, b)
        return
    for section, kind in PARAMETERS.items():
        before = {row.name: str(redact(row.name, row.value)) for row in a.rows(section)}
        after = {row.name: str(redact(row.name, row.value)) for row in b.rows(section)}
        for change in _compare(_of_section(a, section), _of_section(b, section), 1):
            name = str(change.key[0])
            if change.columns and "value" not in change.columns:
                yield replace(change, kind=kind)
                continue
            yield replace(change, kind=kind, before=before.get(name), after=after.get(name))


def _change(key: Key, before: Fingerprint | None, after: Fingerprint | None) -> Change:
    """What became of a row; None where there is none."""
    if before is None:
        return Change(key[0], ADDED, key[1:])
    if after is None:
        return Change(key[0], REMOVED, key[1:])
    return Change(key[0], CHANGED, key[1:], differing(before, after))


def fingerprint(row: Any) -> Fingerprint:
    """A hash of each column that a row has; of a V1 message also one of all that it holds."""
    columns = _of_v1(row) if isinstance(row, Blob) else fields_of(row)
    hashes = [xxhash.xxh3_64_digest(_encode(_plain(value))) for value in columns.values()]
    return _interned(tuple(columns)), b"".join(hashes)


def _of_v1(row: Blob) -> dict[str, Any]:
    message: Any = row.message
    return {
        **fields_of_message(message),
        UNKNOWN_FIELDS: message.SerializeToString(deterministic=True),
    }


@cache
def _interned(names: tuple[str, ...]) -> tuple[str, ...]:
    """One and the same tuple for all rows of a shape."""
    return names


def differing(before: Fingerprint, after: Fingerprint) -> tuple[str, ...]:
    """Columns that both have and that differ."""
    if before == after:
        return ()
    old = {name: before[1][at * 8 : at * 8 + 8] for at, name in enumerate(before[0])}
    new = {name: after[1][at * 8 : at * 8 + 8] for at, name in enumerate(after[0])}
    names = tuple(name for name in new if name in old and old[name] != new[name])
    return tuple(name for name in names if name != UNKNOWN_FIELDS) or names


def _plain(value: Any) -> Any:
    """What is hashed and shown of a value; the order of a map's keys means nothing."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Blob):
        return value.bytes
    if isinstance(value, Timestamp):
        return value.text
    return msgspec.to_builtins(value, str_keys=True, order="deterministic")
