"""The frontend of a simulated cluster: as much SQL as upstream's tests speak.

What is RisingWave's is done here; queries and changes of rows are SQLite's work, on tables that are
filled from the SSTs first. What a change of rows comes to, also in materialized views, is then one
epoch of all tables.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from typing import Any

from cluster.catalogue import Relation
from cluster.files import literal, options_of, read_files
from cluster.meta import MetaNode
from cluster.sst import Entry
from cluster.storage import Row, entries_of_change
from cluster.tables import Database, column_definitions, mentioned, view_columns
from metasnapshot.operations.epoch import EpochNotFound

Answer = list[tuple[Any, ...]]


class SqlError(Exception):
    """What a client is told."""


class Session:
    """A client's session: QUERY_EPOCH and RW_IMPLICIT_FLUSH hold for it alone."""

    def __init__(self, node: MetaNode) -> None:
        self._node = node
        self._query_epoch = 0
        self._is_flushing = False
        self._statements: dict[str, Callable[..., Answer]] = {
            r"SET QUERY_EPOCH TO (\d+)": self._set_query_epoch,
            r"SET RW_IMPLICIT_FLUSH TO (true|false)": self._set_flush,
            r"FLUSH": self._flush,
            r"SHOW PARAMETERS": self._show_parameters,
            r"SHOW MATERIALIZED VIEWS": lambda: self._show(is_view=True),
            r"SHOW TABLES": lambda: self._show(is_view=False),
            r"SHOW SECRETS": self._show_secrets,
            r"ALTER SYSTEM SET (\w+) TO \"?([^\"]+)\"?": self._alter_system,
            r"CREATE TABLE (\w+) ?\(\*\) WITH \((.*)\) FORMAT PLAIN ENCODE PARQUET": self._load,
            r"CREATE TABLE (\w+) ?\((.*)\)": self._create_table,
            r"CREATE MATERIALIZED VIEW (\w+) AS (.*)": self._create_view,
            r"CREATE SECRET (\w+) WITH \(backend ?= ?'meta'\) AS '(.*)'": self._create_secret,
            r"DROP (?:TABLE|MATERIALIZED VIEW) (\w+)": self._drop,
            r"DROP SECRET (\w+)": self._drop_secret,
        }

    def run(self, text: str) -> Answer:
        """Run statements; gives the rows of the last one.

        Raises:
            SqlError: one of them fails.
        """
        answer: Answer = []
        for statement in filter(None, map(str.strip, text.split(";"))):
            answer = self._run(" ".join(statement.split()))
        return answer

    def _run(self, statement: str) -> Answer:
        for pattern, act in self._statements.items():
            if found := re.fullmatch(pattern, statement, re.IGNORECASE):
                return act(*found.groups())
        try:
            if statement.upper().startswith("SELECT"):
                return self._select(statement)
            self._node.unflushed.append(statement)
            return self._flush() if self._is_flushing else []
        except (sqlite3.Error, EpochNotFound) as error:
            raise SqlError(str(error)) from error

    def _set_query_epoch(self, epoch: str) -> Answer:
        self._query_epoch = int(epoch)
        return []

    def _set_flush(self, value: str) -> Answer:
        self._is_flushing = value.lower() == "true"
        return []

    def _select(self, query: str) -> Answer:
        with Database() as database:
            database.add_catalogue(self._relations(), self._node.backups.known.entries)
            for relation in mentioned(self._relations(), query):
                database.add(relation, self._read(relation))
            return database.query(_as_sqlite(query))

    def _read(self, relation: Relation) -> list[Row]:
        """At the committed epoch; with QUERY_EPOCH, out of a backup (hummock_storage.rs)."""
        node, epoch = self._node, self._query_epoch
        if epoch:
            version = node.reader.version(relation.id, epoch)
        else:
            version = node.hummock.version
            epoch = version.state_table_info[relation.id].committed_epoch
        return node.storage.rows(version, relation, epoch)

    def _flush(self) -> Answer:
        """Commit what was changed since: a barrier that is a checkpoint."""
        waiting, self._node.unflushed = self._node.unflushed, []
        epoch = self._node.next_epoch()
        entries: list[Entry] = []
        relations = self._relations()
        with Database() as database:
            before = {relation.id: self._current(relation) for relation in relations}
            for relation in relations:
                database.add(relation, before[relation.id])
            for statement in waiting:
                database.change(statement)
            for relation in relations:
                if relation.is_view:
                    database.refresh(relation)
                after = database.rows(relation)
                entries += entries_of_change(relation, before[relation.id], after, epoch)
        self._node.commit(entries, epoch)
        return []

    def _current(self, relation: Relation) -> list[Row]:
        version = self._node.hummock.version
        epoch = version.state_table_info[relation.id].committed_epoch
        return self._node.storage.rows(version, relation, epoch)

    def _create_table(self, name: str, body: str) -> Answer:
        columns, key = column_definitions(body)
        made = Relation(0, name, columns, key, f"CREATE TABLE {name} ({body})", is_view=False)
        found = self._node.catalogue.create(made)
        self._node.commit([], self._node.next_epoch(), [found.id])
        return []

    def _load(self, name: str, text: str) -> Answer:
        """A table of the rows of files; the connector reads them within one epoch."""
        columns, rows = read_files(options_of(text))
        self._create_table(name, columns)
        values = (f"({', '.join(map(literal, row))})" for row in rows)
        self._node.unflushed.append(f"INSERT INTO {name} VALUES {', '.join(values)}")
        return self._flush()

    def _create_view(self, name: str, query: str) -> Answer:
        """Made of the rows that are there: its backfill is one epoch."""
        reads = mentioned(self._relations(), query)
        with Database() as database:
            for relation in reads:
                database.add(relation, self._current(relation))
            columns, rows = view_columns(database, query)
        key = tuple(range(len(columns)))
        made = Relation(0, name, columns, key, query, is_view=True)
        found = self._node.catalogue.create(made, [relation.id for relation in reads])
        epoch = self._node.next_epoch()
        entries = entries_of_change(found, [], rows, epoch)
        self._node.commit(entries, epoch, [found.id])
        return []

    def _drop(self, name: str) -> Answer:
        (found,) = [relation for relation in self._relations() if relation.name == name]
        self._node.catalogue.drop(found)
        self._node.drop_tables([found.id])
        return []

    def _create_secret(self, name: str, value: str) -> Answer:
        self._node.catalogue.create_secret(name, value.encode())
        return []

    def _drop_secret(self, name: str) -> Answer:
        self._node.catalogue.drop_secret(name)
        return []

    def _show(self, *, is_view: bool) -> Answer:
        return [(item.name,) for item in self._relations() if item.is_view == is_view]

    def _show_secrets(self) -> Answer:
        return [(name,) for name in self._node.catalogue.secrets()]

    def _show_parameters(self) -> Answer:
        return sorted(self._node.store.parameters().items())

    def _alter_system(self, name: str, value: str) -> Answer:
        self._node.alter_system(name, value)
        return [("ALTER_SYSTEM",)]

    def _relations(self) -> list[Relation]:
        return self._node.catalogue.relations()


def _as_sqlite(query: str) -> str:
    """The same query, where `->'7'` means a field as in PostgreSQL, not the eighth element."""
    return re.sub(r"->'(\d+)'", r"""->'$."\1"'""", query)
