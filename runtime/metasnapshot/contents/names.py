"""The named objects of a cluster's catalog by what a person calls them."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from metasnapshot.contents.cluster import Catalog, Item


class Named(NamedTuple):
    """An object: its kind, its name as `database.schema.name`, its number among those of one kind
    and name, and its row.
    """

    kind: str
    name: str
    number: int
    row: Any


def label(name: str, number: int) -> str:
    """A name as it is shown: all but the first of several with one name carry their number."""
    return name if number == 1 else f"{name} #{number}"


def named_objects(catalog: Catalog) -> Iterator[Named]:
    """Every object with its full name; the catalog is read three times, so that memory holds no
    row.
    """
    return name_all(catalog.items)


def name_all(items: Callable[[], Iterable[Item]]) -> Iterator[Named]:
    """Every object with its full name. Several with one name, such as functions that differ in
    their arguments, are numbered by their ids: the order of rows says nothing.

    Args:
        items: gives all objects, from the first one each time.
    """
    databases, schemas = dict[int | None, str](), dict[int | None, str]()
    for item in items():
        if item.kind == "databases":
            databases[item.id] = item.name
        elif item.kind == "schemas":
            schemas[item.id] = item.name

    def full_name(item: Item) -> str:
        parts = (databases.get(item.database_id), schemas.get(item.schema_id), item.name)
        return ".".join(part for part in parts if part is not None)

    ids = defaultdict[tuple[str, str], list[int]](list)
    for item in items():
        ids[item.kind, full_name(item)].append(item.id)
    for found in ids.values():
        found.sort()
    for item in items():
        name = full_name(item)
        yield Named(item.kind, name, bisect_left(ids[item.kind, name], item.id) + 1, item.row)
