"""The schema that a live meta store has: names for comparison, types only as a help to a reader,
never to decode by.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy import exc


@dataclass(frozen=True)
class LiveColumn:
    """A column as the database describes it."""

    name: str
    sql_type: str
    nullable: bool
    pk: bool
    has_default: bool

    @property
    def is_required(self) -> bool:
        """Whether a row cannot be inserted without it."""
        return not (self.nullable or self.has_default or self.pk)


@dataclass(frozen=True)
class Declared:
    """What a table declares, where reflection blurs it.

    Attributes:
        types: by column.
        counted: columns that count up by themselves.
        defaults: SQL by column, where it is as somebody wrote it.
        on_delete: what a delete does, by the columns of a foreign key.
    """

    counted: set[str]
    types: dict[str, str] = field(default_factory=dict[str, str])
    defaults: dict[str, str] = field(default_factory=dict[str, str])
    on_delete: dict[tuple[str, ...], str] = field(default_factory=dict[tuple[str, ...], str])


def table_names(connection: sa.Connection) -> list[str]:
    """Tables of the meta store, the engine's own left out, by name."""
    return sorted(sa.inspect(connection).get_table_names())


def live_foreign_keys(
    connection: sa.Connection,
) -> dict[str, set[tuple[tuple[str, ...], str, tuple[str, ...]]]]:
    """Foreign keys by table: their columns, the table that they refer to, and the columns there."""
    found = sa.inspect(connection).get_multi_foreign_keys()
    return {
        table: {
            (
                tuple(key["constrained_columns"]),
                key["referred_table"],
                tuple(key["referred_columns"]),
            )
            for key in keys
        }
        for (_, table), keys in found.items()
    }


def live_schema(connection: sa.Connection) -> dict[str, list[LiveColumn]]:
    """Columns by table, in the order of the table."""
    inspector = sa.inspect(connection)
    with warnings.catch_warnings():
        # uuid_text, jsonb_text and datetime_text are no types of SQLAlchemy; only their names are
        # looked at.
        warnings.simplefilter("ignore", exc.SAWarning)
        columns = {name: found for (_, name), found in inspector.get_multi_columns().items()}
        keys = {name: found for (_, name), found in inspector.get_multi_pk_constraint().items()}
    return {
        table: [
            LiveColumn(
                column["name"],
                str(column["type"]),
                bool(column["nullable"]),
                column["name"] in keys[table]["constrained_columns"],
                column.get("default") is not None,
            )
            for column in columns[table]
        ]
        for table in table_names(connection)
    }


def counted_columns(connection: sa.Connection, table: str) -> set[str]:
    """The columns that count up by themselves, where SQLAlchemy's reflection sees it."""
    reflected = sa.inspect(connection).get_columns(table)
    return {item["name"] for item in reflected if item.get("autoincrement") is True}


def delete_rows(connection: sa.Connection, tables: Sequence[str]) -> None:
    """Delete all rows of tables, one table after the other."""
    for table in tables:
        connection.execute(sa.delete(sa.table(sa.quoted_name(table, quote=True))))
