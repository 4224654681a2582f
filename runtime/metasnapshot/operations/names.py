"""The named objects of a cluster's catalog: what a person calls them, and the rows behind."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from metasnapshot_models.enums import TableType

SECTIONS = {
    "databases": "databases",
    "schemas": "schemas",
    "sources": "sources",
    "sinks": "sinks",
    "views": "views",
    "indexes": "indexes",
    "functions": "functions",
    "connections": "connections",
    "subscriptions": "subscriptions",
    "secrets": "secrets",
    "users": "users",
}
"""Kinds of objects by their section."""
TABLE_KINDS = {
    TableType.TABLE: "tables",
    TableType.MATERIALIZED_VIEW: "materialized views",
}
"""Kinds that share the section tables; what is there besides is internal."""
TABLES_SECTION = "tables"
KINDS = (*TABLE_KINDS.values(), *SECTIONS.values())

Rows = Callable[[str], Iterator[Any]]
"""The rows of a section, read from the start each time; none if there is no such section."""


class Named(NamedTuple):
    """An object: its kind, its name as `database.schema.name`, its number among those of one kind
    and name, and its row.
    """

    kind: str
    name: str
    number: int
    row: Any


def kind_of(section: str, row: Any) -> str | None:
    """The kind of a row's object; None if nobody named it."""
    return TABLE_KINDS.get(row.table_type) if section == TABLES_SECTION else SECTIONS[section]


def label(name: str, number: int) -> str:
    """A name as it is shown: all but the first of several with one name carry their number."""
    return name if number == 1 else f"{name} #{number}"


def named_objects(rows: Rows) -> Iterator[Named]:
    """Every object with its full name. Several with one name, such as functions that differ in
    their arguments, are numbered by their ids: the order of rows says nothing.
    """
    places = _places(rows)
    for section in (TABLES_SECTION, *SECTIONS):
        ids = defaultdict[tuple[str, str], list[int]](list)
        for kind, name, identity, _ in _objects(rows, section, places):
            ids[kind, name].append(identity)
        for found in ids.values():
            found.sort()
        for kind, name, identity, row in _objects(rows, section, places):
            yield Named(kind, name, bisect_left(ids[kind, name], identity) + 1, row)


_Places = dict[int, tuple[str | None, str | None]]
"""Names of database and schema by an object's id."""


def _places(rows: Rows) -> _Places:
    databases = {row.database_id: row.name for row in rows("databases")}
    schemas = {row.schema_id: row.name for row in rows("schemas")}
    return {
        row.oid: (databases.get(row.database_id), schemas.get(row.schema_id))
        for row in rows("objects")
    }


def _objects(rows: Rows, section: str, places: _Places) -> Iterator[tuple[str, str, int, Any]]:
    """Kind, full name, id and row of each object of a section."""
    for row in rows(section):
        kind = kind_of(section, row)
        if kind is None:
            continue
        identity: int = getattr(row, row.__struct_fields__[0])
        place = places.get(identity, (None, None)) if section != "users" else (None, None)
        yield kind, ".".join(part for part in (*place, row.name) if part is not None), identity, row
