"""The schema of a release's meta store as SQL statements: what a fresh cluster's own migrations
leave behind, under the same names (src/meta/model/migration of each release). The facts are data;
here is only how each engine writes them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from metasnapshot.metastore.values import MYSQL, POSTGRES, SQLITE
from metasnapshot_models.ddl import (
    CHARSETS,
    RELEASES,
    TABLES,
    TYPES,
    DdlColumn,
    DdlForeignKey,
    DdlIndex,
    DdlTable,
)

MIGRATIONS_TABLE = "seaql_migrations"
_AT = {release: number for number, release in enumerate(RELEASES)}
ENGINES = {SQLITE: "sqlite", POSTGRES: "postgres", MYSQL: "mysql"}
"""Names in ddl.yaml by SQLAlchemy's."""


class _Spanned(Protocol):
    @property
    def since(self) -> str: ...

    @property
    def until(self) -> str: ...


S = TypeVar("S", bound=_Spanned)


Reference = tuple[tuple[str, ...], str, tuple[str, ...]]
"""A foreign key: its columns, the table that they refer to, and the columns there."""


@dataclass(frozen=True)
class CreateTable:
    """A table and what makes it: the table itself, then its indexes where they are apart. `binary`
    are the columns that hold bytes.
    """

    name: str
    columns: tuple[str, ...]
    statements: tuple[str, ...]
    binary: frozenset[str] = frozenset()
    foreign_keys: frozenset[Reference] = frozenset()


@dataclass(frozen=True)
class Schema:
    """All tables of a release on an engine, in an order in which they can be made.

    `database` is a statement that MySQL needs between the first of them and the others.
    """

    release: str
    engine: str
    tables: tuple[CreateTable, ...]
    database: str | None = None

    def statements(self, left_out: Collection[str] = ()) -> Iterator[str]:
        """Everything that makes the tables, but for those that are there."""
        for number, table in enumerate(self.tables):
            if number == 1 and self.database:
                yield self.database
            if table.name not in left_out:
                yield from table.statements


def schema_of(release: str, engine: str) -> Schema:
    """The schema of a release.

    Args:
        release: one of RELEASES.
        engine: as SQLAlchemy names it.
    """
    writer = _Writer(RELEASES.index(release), engine)
    tables = tuple(writer.table(table) for table in writer.alive(TABLES))
    return Schema(release, engine, tables, writer.database())


def alive_at(items: Iterable[S], release: int) -> list[S]:
    """What of these a release has; an index into RELEASES."""
    return [
        item
        for item in items
        if (not item.since or _AT[item.since] <= release)
        and (not item.until or release <= _AT[item.until])
    ]


def is_narrow(release: str, engine: str) -> bool:
    """Whether the tables of a release hold no characters beyond U+FFFF: MySQL's utf8mb3."""
    index = RELEASES.index(release)
    (charset,) = alive_at(CHARSETS, index)
    return engine == MYSQL and charset.name == "utf8mb3"


def is_binary(sql_type: str) -> bool:
    """Whether a type of any engine holds bytes, not text or numbers."""
    return any(word in sql_type.lower() for word in ("blob", "bytea", "binary"))


class _Writer:
    """Writes the DDL of one release for one engine."""

    def __init__(self, release: int, engine: str) -> None:
        self.release = release
        self.engine = engine
        self.name = ENGINES[engine]
        self.types = {item.name: getattr(item, self.name) for item in self.alive(TYPES)}
        (self.charset,) = self.alive(CHARSETS)

    def alive(self, items: Iterable[S]) -> list[S]:
        """What of these the release has."""
        return alive_at(items, self.release)

    def database(self) -> str | None:
        """The first migration sets MySQL's character set; seaql_migrations is there before it."""
        if self.engine != MYSQL:
            return None
        return f"ALTER DATABASE CHARACTER SET {self.charset.name} COLLATE {self.charset.collation}"

    def table(self, table: DdlTable) -> CreateTable:
        columns = [item for item in self.alive(table.columns) if self.name in item.engines]
        key = [item.name for item in columns if item.key]
        indexes = [item for item in self.alive(table.indexes) if self.name in item.engines]
        keys = [item for item in self.alive(table.foreign_keys) if self.name in item.engines]
        lines = [self._column(item, is_key=key == [item.name]) for item in columns]
        if len(key) > 1:
            lines.append(f"PRIMARY KEY ({self._names(key)})")
        lines += [self._constraint(item) for item in indexes if item.constraint]
        others = [item for item in indexes if not item.constraint]
        if self.engine == MYSQL:  # commits after each statement: with its indexes or not at all
            lines += [self._inner_index(item) for item in others]
            others = []
        lines += [self._foreign_key(item) for item in keys]
        body = ",\n  ".join(lines)
        create = f"CREATE TABLE {self._quote(table.name)} (\n  {body}\n)"
        statements = (create, *(self._index(table.name, item) for item in others))
        return CreateTable(
            table.name,
            tuple(item.name for item in columns),
            statements,
            frozenset(item.name for item in columns if is_binary(self.types[item.type])),
            frozenset((item.columns, item.references, item.referenced) for item in keys),
        )

    def _column(self, column: DdlColumn, *, is_key: bool) -> str:
        kind = self.types[column.type]
        if column.auto_increment and self.engine == POSTGRES:
            kind = "serial"
        words = [self._quote(column.name), kind]
        words += ["NOT NULL"] * column.not_null
        words += [f"DEFAULT {column.default}"] * bool(column.default)
        words += ["UNIQUE"] * column.unique
        if self.engine == MYSQL:
            words += ["AUTO_INCREMENT"] * column.auto_increment
        words += ["PRIMARY KEY"] * is_key
        if self.engine == SQLITE:
            words += ["AUTOINCREMENT"] * column.auto_increment
        return " ".join(words)

    def _constraint(self, index: DdlIndex) -> str:
        return f"CONSTRAINT {self._quote(index.name)} UNIQUE ({self._names(index.columns)})"

    def _foreign_key(self, key: DdlForeignKey) -> str:
        name = "" if self.engine == SQLITE else f"CONSTRAINT {self._quote(key.name)} "
        action = f" ON DELETE {key.on_delete.upper()}" if key.on_delete else ""
        return (
            f"{name}FOREIGN KEY ({self._names(key.columns)}) REFERENCES "
            f"{self._quote(key.references)} ({self._names(key.referenced)}){action}"
        )

    def _inner_index(self, index: DdlIndex) -> str:
        unique = "UNIQUE " if index.unique else ""
        return f"{unique}KEY {self._quote(index.name)} ({self._names(index.columns)})"

    def _index(self, table: str, index: DdlIndex) -> str:
        unique = "UNIQUE " if index.unique else ""
        return (
            f"CREATE {unique}INDEX {self._quote(index.name)} ON {self._quote(table)} "
            f"({self._names(index.columns)})"
        )

    def _names(self, names: Sequence[str]) -> str:
        return ", ".join(map(self._quote, names))

    def _quote(self, name: str) -> str:
        return f"`{name}`" if self.engine == MYSQL else f'"{name}"'
