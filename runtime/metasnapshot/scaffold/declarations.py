"""Tables as their database declares them, and the registry's types that a declaration suggests.

Nothing is decoded by this: it helps an author to write the registry's lines. A type is suggested so
that rows of another fail loudly where they can; what to check is said beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from metasnapshot.metastore.engines import engine_of
from metasnapshot.metastore.schema import LiveColumn, live_schema
from metasnapshot_models.definitions import ColumnType

JSON_TYPE = "I32Array"
"""Stands for any JSON: String would take every structure and write wrong bytes."""
SQL_TYPES = {
    "bool": "boolean bool tinyint bit",
    "i16": "smallint",
    "i32": "integer int",
    "i64": "bigint",
    "String": "varchar char text tinytext mediumtext longtext",
    "DateTime": "datetime_text datetime timestamp",
    "Uuid": "uuid_text uuid binary",
    "Vec<u8>": "blob bytea tinyblob mediumblob longblob varbinary",
    JSON_TYPE: "jsonb_text json_text jsonb json",
}
"""Types of the registry and the words by which SQLite, PostgreSQL and MySQL declare them."""
FAMILIES = {
    "string": "String",
    "enum": "String",
    "timestamp": "DateTime",
    "uuid": "Uuid",
    "bytes": "Vec<u8>",
    "message": "Vec<u8>",
    "json": JSON_TYPE,
    "u32": "i32",
    "u64": "i64",
}
"""What is suggested for a column of a kind, or an integer, that no database can tell from it."""
CHECKS = {
    "varchar": "an enum? then under enums",
    "Vec<u8>": "raw bytes, or which message? then under types",
    JSON_TYPE: "which structure? then under types",
}
"""What to ask of a declared or a suggested type."""


@dataclass(frozen=True)
class Field:
    """A column as its database declares it."""

    name: str
    sql_type: str
    pk: bool
    auto_increment: bool
    unique: bool
    nullable: bool
    default: str = ""


@dataclass(frozen=True)
class Key:
    """A foreign key; SQLite's have no names."""

    name: str
    columns: tuple[str, ...]
    references: str
    referenced: tuple[str, ...]
    on_delete: str


@dataclass(frozen=True)
class Index:
    """An index that is not a key; or, as `constraint`, several columns that are unique together."""

    name: str
    columns: tuple[str, ...]
    unique: bool
    constraint: bool = False


@dataclass(frozen=True)
class Table:
    """A table's columns, foreign keys and indexes."""

    columns: tuple[Field, ...]
    foreign_keys: tuple[Key, ...]
    indexes: tuple[Index, ...]

    @property
    def refers_to(self) -> frozenset[str]:
        """The tables that its foreign keys name."""
        return frozenset(key.references for key in self.foreign_keys)


def read_tables(connection: sa.Connection) -> dict[str, Table]:
    """The live tables by name."""
    return {
        name: _read_table(connection, name, columns)
        for name, columns in live_schema(connection).items()
    }


def suggest(sql_type: str) -> tuple[str, str]:
    """A type of the registry for a declared one, and what to check of it."""
    word = "".join(re.findall(r"^[a-z_]+", sql_type.lower()))
    for name, words in SQL_TYPES.items():
        if word in words.split():
            return name, CHECKS.get(word, CHECKS.get(name, ""))
    return "String", f"which type is {sql_type!r:.30}?"


def family(column_type: ColumnType) -> str:
    """What `suggest` makes of a column of a type that the registry knows."""
    kind = column_type.integer or column_type.kind
    return FAMILIES.get(kind, kind)


def _read_table(connection: sa.Connection, name: str, columns: Iterable[LiveColumn]) -> Table:
    inspector = sa.inspect(connection)
    declared = engine_of(connection).declared(connection, name)
    constraints = [
        (str(item["name"] or f"UQ_{name}_{item['column_names'][0]}"), tuple(item["column_names"]))
        for item in inspector.get_unique_constraints(name)
    ]
    unique = {columns[0] for _, columns in constraints if len(columns) == 1}
    fields = tuple(
        Field(
            column.name,
            declared.types.get(column.name, column.sql_type),
            pk=column.pk,
            auto_increment=column.pk and column.name in declared.counted,
            unique=column.name in unique,
            nullable=column.nullable and not column.pk,
            default=declared.defaults.get(column.name) or "",
        )
        for column in columns
    )
    keys = tuple(
        Key(
            key["name"] or f"FK_{name}_{key['constrained_columns'][0]}",
            tuple(key["constrained_columns"]),
            key["referred_table"],
            tuple(key["referred_columns"]),
            declared.on_delete.get(tuple(key["constrained_columns"]))
            or str(key.get("options", {}).get("ondelete", "")).lower(),
        )
        for key in inspector.get_foreign_keys(name)
    )
    # PostgreSQL lists a constraint's index, MySQL one for each foreign key.
    known = {constraint for constraint, _ in constraints} | {key.name for key in keys}
    indexes = [
        Index(str(item["name"]), tuple(map(str, item["column_names"])), bool(item["unique"]))
        for item in inspector.get_indexes(name)
        if item["name"] not in known
    ]
    indexes += [
        Index(constraint, columns, unique=True, constraint=True)
        for constraint, columns in constraints
        if len(columns) > 1
    ]
    return Table(fields, keys, tuple(indexes))
