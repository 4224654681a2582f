"""The schema of a release's meta store as SQL statements: what a fresh cluster's own migrations
leave behind, under the same names (src/meta/model/migration of each release). The facts are data;
here is only how each engine writes them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from metasnapshot.format.layout import MIGRATIONS_SECTION
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

MIGRATIONS_TABLE = MIGRATIONS_SECTION
"""The section of the list of migrations has its table's name, as any."""
_AT = {release: number for number, release in enumerate(RELEASES)}


@dataclass(frozen=True)
class Syntax:
    """How an engine writes what makes tables, where they differ.

    Attributes:
        engine: its name, as SQLAlchemy's dialect has it.
        types: its name in ddl.yaml.
        now: seconds since 1970.
        quote: what stands around a name.
        serial: the type of a column that counts up by itself, if that is a type.
        counts: else what it has before PRIMARY KEY, and after.
        has_key_names: foreign keys have the names of ddl.yaml.
        has_inner_indexes: indexes are made with their table: with them or not at all, where each
            statement is committed.
        has_charsets: the first migration sets the database's character set.
    """

    engine: str
    types: str
    now: str
    quote: str = '"'
    serial: str = ""
    counts: tuple[str, str] = ("", "")
    has_key_names: bool = True
    has_inner_indexes: bool = False
    has_charsets: bool = False


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


def schema_of(release: str, syntax: Syntax) -> Schema:
    """The schema of a release.

    Args:
        release: one of RELEASES.
        syntax: of the engine.
    """
    writer = _Writer(RELEASES.index(release), syntax)
    tables = tuple(writer.table(table) for table in writer.alive(TABLES))
    return Schema(release, syntax.engine, tables, writer.database())


def alive_at(items: Iterable[S], release: int) -> list[S]:
    """What of these a release has; an index into RELEASES."""
    return [
        item
        for item in items
        if (not item.since or _AT[item.since] <= release)
        and (not item.until or release <= _AT[item.until])
    ]


def is_narrow(release: str, syntax: Syntax) -> bool:
    """Whether the tables of a release hold no characters beyond U+FFFF: MySQL's utf8mb3."""
    index = RELEASES.index(release)
    (charset,) = alive_at(CHARSETS, index)
    return syntax.has_charsets and charset.name == "utf8mb3"


def is_binary(sql_type: str) -> bool:
    """Whether a type of any engine holds bytes, not text or numbers."""
    return any(word in sql_type.lower() for word in ("blob", "bytea", "binary"))


class _Writer:
    """Writes the DDL of one release for one engine."""

    def __init__(self, release: int, syntax: Syntax) -> None:
        self.release = release
        self.syntax = syntax
        self.name = syntax.types
        self.types = {item.name: getattr(item, self.name) for item in self.alive(TYPES)}
        (self.charset,) = self.alive(CHARSETS)

    def alive(self, items: Iterable[S]) -> list[S]:
        """What of these the release has."""
        return alive_at(items, self.release)

    def database(self) -> str | None:
        """The first migration sets the character set; the list of migrations is there before."""
        if not self.syntax.has_charsets:
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
        if self.syntax.has_inner_indexes:
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
        if column.auto_increment and self.syntax.serial:
            kind = self.syntax.serial
        before_key, after_key = self.syntax.counts if column.auto_increment else ("", "")
        words = [self._quote(column.name), kind]
        words += ["NOT NULL"] * column.not_null
        words += [f"DEFAULT {column.default}"] * bool(column.default)
        words += ["UNIQUE"] * column.unique
        words += [before_key, "PRIMARY KEY" * is_key, after_key]
        return " ".join(filter(None, words))

    def _constraint(self, index: DdlIndex) -> str:
        return f"CONSTRAINT {self._quote(index.name)} UNIQUE ({self._names(index.columns)})"

    def _foreign_key(self, key: DdlForeignKey) -> str:
        name = f"CONSTRAINT {self._quote(key.name)} " if self.syntax.has_key_names else ""
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
        return f"{self.syntax.quote}{name}{self.syntax.quote}"
