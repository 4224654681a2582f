"""Relations as tables of a SQLite database in memory, where their queries and changes run."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Self

from cluster.catalogue import Relation
from cluster.rows import INT32, INT64, VARCHAR, Column
from cluster.storage import Row

TYPES = {"INT": INT32, "INTEGER": INT32, "BIGINT": INT64, "VARCHAR": VARCHAR}
ROW_ID = "_row_id"
"""The hidden key of a table without one; SQLite's rowid has its values."""
CATALOGUE = "rw_catalog"


class Database:
    """A database for the block."""

    def __enter__(self) -> Self:
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        self._connection.execute(f"ATTACH ':memory:' AS {CATALOGUE}")
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def add(self, relation: Relation, rows: Iterable[Row]) -> None:
        """Make a relation's table, with rows."""
        names = [column.name for column in relation.columns if not column.is_hidden]
        types = {number: name for name, number in TYPES.items()}
        listed = [
            f"{column.name} {types[column.type]}"
            for column in relation.columns
            if not column.is_hidden
        ]
        if len(names) == len(relation.columns):
            key = ", ".join(relation.columns[place].name for place in relation.key)
            listed.append(f"PRIMARY KEY ({key})")
        self._connection.execute(f"CREATE TABLE {relation.name} ({', '.join(listed)})")
        self._insert(relation, rows)

    def add_catalogue(self, relations: Iterable[Relation], snapshots: Iterable[Any]) -> None:
        """rw_catalog.rw_tables and rw_meta_snapshot (src/frontend/src/catalog/system_catalog)."""
        execute = self._connection.execute
        execute(f"CREATE TABLE {CATALOGUE}.rw_tables (id, name)")
        tables = [(item.id, item.name) for item in relations if not item.is_view]
        self._connection.executemany(f"INSERT INTO {CATALOGUE}.rw_tables VALUES (?, ?)", tables)
        execute(
            f"CREATE TABLE {CATALOGUE}.rw_meta_snapshot (meta_snapshot_id, hummock_version_id, "
            "remarks, state_table_info, rw_version)"
        )
        rows = [
            (
                item.id,
                item.hummock_version_id,
                item.remarks,
                _state_table_info(item),
                item.rw_version,
            )
            for item in snapshots
        ]
        into = f"INSERT INTO {CATALOGUE}.rw_meta_snapshot VALUES (?, ?, ?, ?, ?)"
        self._connection.executemany(into, rows)

    def query(self, text: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(text).fetchall()

    def names(self, text: str) -> list[str]:
        """Names of a query's columns."""
        return [item[0] for item in self._connection.execute(text).description]

    def change(self, text: str) -> None:
        self._connection.execute(text)

    def rows(self, relation: Relation) -> list[Row]:
        """All columns of a relation, hidden ones too."""
        return self.query(f"SELECT {_listed(relation)} FROM {relation.name}")

    def refresh(self, view: Relation) -> None:
        """Bring a materialized view up to date with what it reads."""
        rows = self.query(view.definition)
        self._connection.execute(f"DELETE FROM {view.name}")
        self._insert(view, rows)

    def _insert(self, relation: Relation, rows: Iterable[Row]) -> None:
        marks = ", ".join("?" for _ in relation.columns)
        into = f"INSERT INTO {relation.name} ({_listed(relation)}) VALUES ({marks})"
        self._connection.executemany(into, rows)


def column_definitions(body: str) -> tuple[tuple[Column, ...], tuple[int, ...]]:
    """Columns and primary key of CREATE TABLE, as SQLite understands it."""
    with sqlite3.connect(":memory:") as connection:
        connection.execute(f"CREATE TABLE t ({body})")
        found = connection.execute("PRAGMA table_info(t)").fetchall()
    connection.close()
    columns = [Column(row[1], row[0] + 1, TYPES[row[2].upper()]) for row in found]
    key = [row[0] for row in sorted(found, key=lambda row: row[5]) if row[5]]
    if not key:
        key = [len(columns)]
        columns.append(Column(ROW_ID, len(columns) + 1, INT64, is_hidden=True))
    return tuple(columns), tuple(key)


def view_columns(database: Database, query: str) -> tuple[tuple[Column, ...], list[Row]]:
    """Columns of a view, by the rows that it has: text, or else integers."""
    rows = database.query(query)
    texts = {place for row in rows for place, value in enumerate(row) if isinstance(value, str)}
    columns = tuple(
        Column(name, place + 1, VARCHAR if place in texts else INT64)
        for place, name in enumerate(database.names(query))
    )
    return columns, rows


def mentioned(relations: Sequence[Relation], text: str) -> list[Relation]:
    """The relations whose names a text has."""
    return [item for item in relations if re.search(rf"\b{item.name}\b", text)]


def _listed(relation: Relation) -> str:
    """A relation's columns as SQLite has them."""
    return ", ".join("rowid" if item.is_hidden else item.name for item in relation.columns)


def _state_table_info(entry: Any) -> str:
    """As pbjson writes it: camelCase, and numbers of 64 bits as text."""
    infos = {
        str(table): {
            "committedEpoch": str(info.committed_epoch),
            "compactionGroupId": str(info.compaction_group_id),
        }
        for table, info in entry.state_table_info.items()
    }
    return json.dumps(infos)
