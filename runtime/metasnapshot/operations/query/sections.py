"""The sections of snapshots as tables of a database `meta`: integers and booleans as such, what is
nested as JSON, all else as text; secrets are left out unless asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from metasnapshot.contents.fields import field_names
from metasnapshot.errors import DamageError, MetasnapshotError, ObjectMissing, UnknownFormat
from metasnapshot.format import messages
from metasnapshot.format.hummock_version import VERSION
from metasnapshot.format.layout import HUMMOCK_VERSION, model_of, shape_of
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.format.v1 import member_of
from metasnapshot.operations.export import export_rows
from metasnapshot_models.v1 import V1_LAYOUTS

if TYPE_CHECKING:
    from metasnapshot.rows.views import Relation

DATABASE, SCHEMA = "meta", "main"
SNAPSHOT_ID = "snapshot_id"
BATCH_ROWS = 1000
INTEGER, UNSIGNED, BOOLEAN, JSON, TEXT = "integer", "unsigned", "boolean", "json", "text"
Open = Callable[[int], AbstractContextManager[SnapshotReader]]
"""Opens a snapshot by its id."""


class Sections(NamedTuple):
    """Sections of snapshots.

    Attributes:
        relations: one for each.
        failed: snapshots that have no part in them, by id, and why.
    """

    relations: list[Relation]
    failed: dict[int, MetasnapshotError]


def section_relations(
    opens: Open, ids: Sequence[int], *, with_id: bool, with_secrets: bool
) -> Sections:
    """A relation for each section that any of the snapshots has, with the rows of all of them.

    Args:
        opens: opens a snapshot.
        ids: of the snapshots.
        with_id: whether a column snapshot_id says which snapshot a row is of.
        with_secrets: show credentials as they are.

    Raises:
        MetasnapshotError: none of the snapshots can be read.
    """
    sections: dict[str, dict[str, str]] = {}
    failed: dict[int, MetasnapshotError] = {}
    for number in ids:
        try:
            with opens(number) as reader:
                _add(sections, reader)
        except (DamageError, UnknownFormat, ObjectMissing) as error:
            failed[number] = error
    sound = [number for number in ids if number not in failed]
    if failed and not sound:
        raise failed[max(failed)]
    found: list[Relation] = []
    for section, kinds in sections.items():
        rows = _Rows(section, opens, sound, with_id=with_id, with_secrets=with_secrets)
        found.append(_relation(section, _with_id(kinds) if with_id else kinds, rows))
    return Sections(found, failed)


def _add(sections: dict[str, dict[str, str]], reader: SnapshotReader) -> None:
    """Add the columns of a snapshot; one that is not of one kind in all of them is text."""
    for section in reader.section_names:
        known = sections.setdefault(section, {})
        for name, kind in column_kinds(reader, section).items():
            known[name] = kind if known.get(name, kind) == kind else TEXT


def _with_id(kinds: dict[str, str]) -> dict[str, str]:
    return {SNAPSHOT_ID: INTEGER} | {_name(name): kind for name, kind in kinds.items()}


def _name(column: str) -> str:
    """The name of a column beside snapshot_id, which sinks of Iceberg have too."""
    return f"{column}_1" if column == SNAPSHOT_ID else column


def _relation(section: str, kinds: dict[str, str], found: _Rows) -> Relation:
    from metasnapshot.rows.arrow import pa  # noqa: PLC0415 - of the extra
    from metasnapshot.rows.views import Relation, ViewColumn  # noqa: PLC0415

    types = {INTEGER: pa.int64(), UNSIGNED: pa.uint64(), BOOLEAN: pa.bool_()}
    columns = tuple(
        ViewColumn(name, types.get(kind, pa.string()), "{0}::JSON" if kind == JSON else "{0}")
        for name, kind in kinds.items()
    )

    def batches(wanted: tuple[int, ...]) -> Iterator[Any]:
        chosen = [(list(kinds)[place], columns[place].type) for place in wanted]
        for rows in found.batches():
            arrays = [
                pa.array([_value(row.get(name), kinds[name]) for row in rows], type_)
                for name, type_ in chosen
            ]
            yield pa.record_batch(arrays, names=[name for name, _ in chosen])

    return Relation((DATABASE, SCHEMA, section), columns, batches)


@dataclass(frozen=True)
class _Rows:
    """The rows of a section of some snapshots."""

    section: str
    opens: Open
    ids: Sequence[int]
    with_id: bool
    with_secrets: bool

    def batches(self) -> Iterator[list[dict[str, Any]]]:
        """Some rows at a time."""
        for number in self.ids:
            with self.opens(number) as reader:
                if self.section not in reader.section_names:
                    continue
                rows = export_rows(
                    reader, self.section, with_secrets=self.with_secrets, messages=True
                )
                while waiting := list(islice(rows, BATCH_ROWS)):
                    yield [self._told(number, row) for row in waiting]

    def _told(self, number: int, row: dict[str, Any]) -> dict[str, Any]:
        if not self.with_id:
            return row
        return {SNAPSHOT_ID: number} | {_name(name): value for name, value in row.items()}


def _value(value: Any, kind: str) -> Any:
    """As its column has it."""
    if value is None or kind in (INTEGER, UNSIGNED, BOOLEAN):
        return value
    if kind == TEXT and isinstance(value, str):
        return value
    return orjson.dumps(value).decode()


def column_kinds(reader: SnapshotReader, section: str) -> dict[str, str]:
    """What each column of a section is, in their order."""
    if section == HUMMOCK_VERSION:
        return {VERSION: JSON}
    if not reader.is_v1:
        shape = shape_of(reader.definition, model_of(reader.definition, section))
        return {column.name: _kind(column.type) for column in shape.columns}
    member = member_of(V1_LAYOUTS[reader.layout], section)
    if not member.message:
        return dict.fromkeys(field_names(reader, section), TEXT)
    fields = messages.message_class(member.message, reader.era).DESCRIPTOR.fields
    return {field.name: _message_kind(field) for field in fields}


def _kind(type_: Any) -> str:
    if type_.kind == "integer":
        return UNSIGNED if type_.integer == "u64" else INTEGER
    return {"bool": BOOLEAN, "json": JSON, "message": JSON}.get(type_.kind, TEXT)


def _message_kind(field: Any) -> str:
    if field.is_repeated or field.message_type is not None:
        return JSON
    if field.type in (field.TYPE_UINT64, field.TYPE_FIXED64):
        return UNSIGNED
    if field.type == field.TYPE_BOOL:
        return BOOLEAN
    is_integer = field.cpp_type in (
        field.CPPTYPE_INT32,
        field.CPPTYPE_INT64,
        field.CPPTYPE_UINT32,
    )
    return INTEGER if is_integer else TEXT
