"""ddl.yaml -> plain data: the SQL tables of each release, with lifespans as indexes into the
releases. A package that creates no meta stores does without the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from metasnapshot_codegen import source
from metasnapshot_codegen.registry import Span
from metasnapshot_codegen.source import Collector, Value
from metasnapshot_codegen.spans import LIFE, read_span

ENGINES = ("sqlite", "postgres", "mysql")
T = TypeVar("T")


class Spanned(Protocol):
    """What lives for a while."""

    @property
    def span(self) -> Span:
        """From when until when."""
        ...


S = TypeVar("S", bound=Spanned)


@dataclass(frozen=True)
class Charset:
    """MySQL's character set and collation."""

    name: str
    collation: str
    span: Span


@dataclass(frozen=True)
class SqlType:
    """How a type is written, in the order of ENGINES."""

    name: str
    sql: tuple[str, str, str]
    span: Span


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    span: Span
    place: Value
    engines: tuple[str, ...] = ENGINES
    default: str = ""
    key: bool = False
    auto_increment: bool = False
    not_null: bool = False
    unique: bool = False


@dataclass(frozen=True)
class ForeignKey:
    name: str
    columns: tuple[str, ...]
    references: str
    referenced: tuple[str, ...]
    on_delete: str
    span: Span
    place: Value
    engines: tuple[str, ...] = ENGINES


@dataclass(frozen=True)
class Index:
    name: str
    columns: tuple[str, ...]
    unique: bool
    constraint: bool
    span: Span
    place: Value
    engines: tuple[str, ...] = ENGINES


@dataclass(frozen=True)
class Table:
    name: str
    span: Span
    place: Value
    columns: tuple[Column, ...]
    foreign_keys: tuple[ForeignKey, ...]
    indexes: tuple[Index, ...]


@dataclass
class Ddl:
    """All of ddl.yaml."""

    charsets: list[Charset] = field(default_factory=list[Charset])
    types: list[SqlType] = field(default_factory=list[SqlType])
    tables: list[Table] = field(default_factory=list[Table])

    def words(self, release: int) -> list[str]:
        """Everything of one release, word by word, for a digest."""
        found = [f"{item.name} {item.collation}" for item in alive(self.charsets, release)]
        sql = {item.name: "/".join(item.sql) for item in alive(self.types, release)}
        for table in alive(self.tables, release):
            found.append(table.name)
            for column in alive(table.columns, release):
                flags = (column.key, column.auto_increment, column.not_null, column.unique)
                words = [column.name, sql[column.type], column.default, *column.engines]
                found.append(" ".join([*words, *map(str, flags)]))
            for key in alive(table.foreign_keys, release):
                ends = [*key.columns, key.references, *key.referenced, key.on_delete]
                found.append(" ".join([key.name, *ends, *key.engines]))
            for index in alive(table.indexes, release):
                kind = f"{index.unique} {index.constraint}"
                found.append(" ".join([index.name, *index.columns, kind, *index.engines]))
        return found


def alive(items: Iterable[S], release: int) -> list[S]:
    """What of these lives in a release."""
    return [item for item in items if release in item.span]


def read(path: Path, releases: Sequence[str]) -> Ddl | None:
    """Read ddl.yaml, of these releases; None if there is no such file.

    Raises:
        SchemaError: with every mistake found.
    """
    if not path.exists():
        return None
    top = source.load(path).record(["charsets", "types", "tables"])
    reader = _Reader(releases)
    found = Ddl(
        charsets=reader.each(top["charsets"], reader.charset),
        types=reader.each(top["types"], reader.sql_type),
        tables=reader.each(top["tables"], reader.table),
    )
    reader.collector.raise_any()
    return found


class _Reader:
    def __init__(self, releases: Sequence[str]) -> None:
        self.releases = list(releases)
        self.collector = Collector()

    def each(self, values: Value, read_one: Callable[[Value], T]) -> list[T]:
        found: list[T] = []
        for guard in self.collector.items(values):
            with guard as value:
                found.append(read_one(value))
        return found

    def charset(self, value: Value) -> Charset:
        found = value.record(["charset", "collation"], LIFE)
        return Charset(found["charset"].word(), found["collation"].word(), self.span(found, value))

    def sql_type(self, value: Value) -> SqlType:
        found = value.record(["type", *ENGINES], LIFE)
        sqlite, postgres, mysql = (found[engine].text() for engine in ENGINES)
        return SqlType(found["type"].word(), (sqlite, postgres, mysql), self.span(found, value))

    def table(self, value: Value) -> Table:
        found = value.record(["table", "columns"], ["foreign_keys", "indexes", *LIFE])
        span = self.span(found, value)

        def part(name: str, read_one: Callable[[Value, Span], T]) -> tuple[T, ...]:
            if name not in found:
                return ()
            return tuple(self.each(found[name], lambda item: read_one(item, span)))

        return Table(
            found["table"].word(),
            span,
            value,
            part("columns", self.column),
            part("foreign_keys", self.foreign_key),
            part("indexes", self.index),
        )

    def column(self, value: Value, life: Span) -> Column:
        flags = ("key", "auto_increment", "not_null", "unique")
        found = value.record(["column", "type"], ["default", "engines", *flags, *LIFE])
        return Column(
            found["column"].word(),
            found["type"].settled(),
            self.span(found, value, life),
            value,
            self.engines(found),
            found["default"].text() if "default" in found else "",
            **{flag: found[flag].flag() for flag in flags if flag in found},
        )

    def foreign_key(self, value: Value, life: Span) -> ForeignKey:
        required = ["name", "columns", "references", "referenced"]
        found = value.record(required, ["on_delete", "engines", *LIFE])
        return ForeignKey(
            found["name"].word(),
            _words(found["columns"]),
            found["references"].word(),
            _words(found["referenced"]),
            found["on_delete"].word() if "on_delete" in found else "",
            self.span(found, value, life),
            value,
            self.engines(found),
        )

    def index(self, value: Value, life: Span) -> Index:
        found = value.record(["name", "columns"], ["unique", "constraint", "engines", *LIFE])
        unique, constraint = (
            name in found and found[name].flag() for name in ("unique", "constraint")
        )
        span = self.span(found, value, life)
        return Index(
            found["name"].word(),
            _words(found["columns"]),
            unique,
            constraint,
            span,
            value,
            self.engines(found),
        )

    def engines(self, found: dict[str, Value]) -> tuple[str, ...]:
        if "engines" not in found:
            return ENGINES
        names = _words(found["engines"])
        if not names or not set(names) <= set(ENGINES):
            raise found["engines"].fail(f"found {names}, expected some of {', '.join(ENGINES)}")
        return names

    def span(self, found: dict[str, Value], place: Value, life: Span | None = None) -> Span:
        """The lifespan that since and until name; within that of its table."""
        life = life or Span(0, len(self.releases) - 1)
        span = read_span(found, place, self.releases, life)
        if span.since < life.since or span.until > life.until:
            raise place.fail(
                f"found a life from {self._life(span)}, expected one within {self._life(life)}"
            )
        return span

    def _life(self, span: Span) -> str:
        return f"{self.releases[span.since]} to {self.releases[span.until]}"


def _words(value: Value) -> tuple[str, ...]:
    return tuple(item.word() for item in value.items())
