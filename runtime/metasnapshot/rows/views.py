"""Tables that may be read, as views of DuckDB over empty tables: each under its own name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from metasnapshot.rows.arrow import DataType, RecordBatch, Schema, pa

PREFIX = "metasnapshot_"
"""Of the empty tables. Their columns are named after them, and numbered."""
OWN_CATALOGS = ("memory", "system", "temp", "main")


class ViewColumn(NamedTuple):
    """A column of a view: its name, what it is in Arrow, and in SQL, where {} stands for it."""

    name: str
    type: DataType
    sql: str = "{}"


@dataclass(frozen=True)
class Relation:
    """A table that may be read.

    Attributes:
        place: database, schema and name.
        columns: all of them.
        batches: gives the rows, with these columns alone, by their places.
        refusal: why it cannot be read, "" if it can.
    """

    place: tuple[str, str, str]
    columns: tuple[ViewColumn, ...]
    batches: Callable[[tuple[int, ...]], Iterator[RecordBatch]] = field(repr=False)
    refusal: str = ""

    def schema(self, number: int) -> Schema:
        """Of the empty table that stands for it."""
        return pa.schema(
            [
                (f"{PREFIX}{number}.{place}", column.type)
                for place, column in enumerate(self.columns)
            ]
        )


def make_views(connection: Any, relations: Sequence[Relation]) -> list[str]:
    """Databases, schemas and views; returns what had to be named otherwise."""
    remarks: list[str] = []
    taken: set[tuple[str, ...]] = set()
    for number, relation in enumerate(relations):
        database, schema, name = relation.place
        if database.lower() in OWN_CATALOGS:
            remarks.append(f"database {database} is left out: DuckDB keeps that name for itself")
            continue
        if (key := (database.lower(),)) not in taken:
            connection.execute(f"ATTACH ':memory:' AS {quoted(database)}")
            taken.add(key)
        if (key := (database.lower(), schema.lower())) not in taken:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(database)}.{quoted(schema)}")
            taken.add(key)
        shown, count = name, 0
        while (key := (database.lower(), schema.lower(), shown.lower())) in taken:
            count += 1
            shown = f"{name}_{count}"
        taken.add(key)
        if count:
            remarks.append(f"{'.'.join(relation.place)} is named {shown} here: names have no case")
        _make_view(connection, number, relation, (database, schema, shown))
    return remarks


def _make_view(connection: Any, number: int, relation: Relation, place: tuple[str, ...]) -> None:
    empty = f"{PREFIX}{number}"
    connection.register(empty, relation.schema(number).empty_table())
    names = unique_in_sql([column.name for column in relation.columns])
    chosen = ", ".join(
        column.sql.format(quoted(f"{empty}.{n}")) + f" AS {quoted(name)}"
        for n, (name, column) in enumerate(zip(names, relation.columns, strict=True))
    )
    name = ".".join(map(quoted, place))
    connection.execute(f"CREATE VIEW {name} AS SELECT {chosen} FROM temp.{empty}")


def unique_in_sql(names: Sequence[str]) -> list[str]:
    """Names made different, where case does not count: `name`, `name_1`."""
    taken = {name.lower() for name in names}
    found: list[str] = []
    seen: set[str] = set()
    for name in names:
        shown, number = name, 0
        while shown.lower() in seen or (number and shown.lower() in taken):
            number += 1
            shown = f"{name}_{number}"
        seen.add(shown.lower())
        found.append(shown)
    return found


def quoted(name: str) -> str:
    """A name in quotes."""
    return '"' + name.replace('"', '""') + '"'
