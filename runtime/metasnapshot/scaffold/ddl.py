"""What schema/ddl.yaml must say of a release that it does not have yet, in the way of scaffold.

The tables that are new, the columns that are new, what is gone, and what would end just before the
release although it is still there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from metasnapshot.metastore.ddl import alive_at
from metasnapshot.metastore.engines import ENGINES
from metasnapshot.scaffold.block import Block, word
from metasnapshot.scaffold.declarations import Field, Index, Key, Table
from metasnapshot_models.ddl import CHARSETS, RELEASES, TABLES, TYPES, DdlTable, DdlType

HEAD = """\
# schema/ddl.yaml: the same tables as SQL has them, compared with release {last}. The golden
# schema scripts prove it."""


class DdlScaffold:
    """Knows the new release, the one before it, and the live tables."""

    def __init__(self, release: str, before: str, tables: dict[str, Table], engine: str) -> None:
        self.engine = engine
        self.release = release
        self.before = before
        self.index = RELEASES.index(before)
        self.is_last = self.index == len(RELEASES) - 1
        self.life = f"since: {release}" + ("" if self.is_last else f", until: {release}")
        self.tables = tables
        self.known = {item.name: item for item in alive_at(TABLES, self.index)}
        self.types = alive_at(TYPES, self.index)

    def head(self) -> list[str]:
        """What the lines are."""
        return HEAD.format(last=self.before).splitlines()

    def blocks(self, new_tables: Iterable[str]) -> Iterator[Block]:
        """All of them; new tables in an order in which they can be made."""
        for name in new_tables:
            yield Block("ddl.tables: at the end", tuple(self._new_table(name, self.tables[name])))
        for name, known in self.known.items():
            if name in self.tables:
                yield from self._columns(known, self.tables[name])
            else:
                yield self._ends(f"ddl.tables: {name}")
        if not self.is_last:
            for key, items in (("charsets", CHARSETS), ("types", TYPES)):
                yield from (self._goes_on(f"ddl.{key}", item.name) for item in self._ended(items))
            for item in self._ended(TABLES):
                if item.name in self.tables:
                    yield self._goes_on("ddl.tables", item.name)

    def _columns(self, known: DdlTable, live: Table) -> Iterator[Block]:
        names = {field.name for field in live.columns}
        columns = alive_at(known.columns, self.index)
        place = f"ddl.tables.{known.name}"
        lines = tuple(
            self._column(field, is_new=True)
            for field in live.columns
            if field.name not in {column.name for column in columns}
        )
        if lines:
            yield Block(f"{place}.columns: at the end", lines)
        for name in dict.fromkeys(column.name for column in columns if column.name not in names):
            yield self._ends(f"{place}.columns: {name}")
        yield from self._keys(place, known, live)
        yield from self._indexes(place, known, live)
        if not self.is_last and known.until != self.before:
            parts = {"foreign_keys": known.foreign_keys, "indexes": known.indexes}
            for part, items in ({"columns": known.columns} | parts).items():
                for item in self._ended(items):
                    if part != "columns" or item.name in names:
                        yield self._goes_on(f"{place}.{part}", item.name)

    def _keys(self, place: str, known: DdlTable, live: Table) -> Iterator[Block]:
        """Foreign keys that came and went; SQLite's have no names."""
        before = {
            (item.columns, item.references, item.referenced): item.name
            for item in alive_at(known.foreign_keys, self.index)
            if self.engine in item.engines
        }
        now = {(item.columns, item.references, item.referenced): item for item in live.foreign_keys}
        lines = tuple(_foreign_key(now[key], self.life) for key in now if key not in before)
        if lines:
            yield Block(f"{place}.foreign_keys: at the end", lines)
        for name in dict.fromkeys(before[key] for key in before if key not in now):
            yield self._ends(f"{place}.foreign_keys: {name}")

    def _indexes(self, place: str, known: DdlTable, live: Table) -> Iterator[Block]:
        """Indexes that came and went; a constraint by its columns."""
        alive = [
            item for item in alive_at(known.indexes, self.index) if self.engine in item.engines
        ]
        before = {item.columns if item.constraint else item.name: item.name for item in alive}
        now = {item.columns if item.constraint else item.name: item for item in live.indexes}
        lines = tuple(_index(now[key], self.life) for key in now if key not in before)
        if lines:
            yield Block(f"{place}.indexes: at the end", lines)
        for key, name in before.items():
            if key not in now:
                yield self._ends(f"{place}.indexes: {name}")

    def _ended(self, items: Iterable[Any]) -> list[Any]:
        return [item for item in items if item.until == self.before]

    def _ends(self, place: str) -> Block:
        """What the release before has and this one has not."""
        life = [f"until: {self.before}"]
        if not self.is_last:
            life += [f"# check: if {RELEASES[self.index + 1]} has it, a second line with since"]
        return Block(f"{place} gets", tuple(life))

    def _goes_on(self, place: str, name: str) -> Block:
        return Block(f"{place}: {name} gets", (f"until: {self.release}",))

    def _new_table(self, name: str, table: Table) -> Iterator[str]:
        yield f"- table: {word(name)}"
        yield from (f"  {part}" for part in self.life.split(", "))
        yield "  columns:"
        yield from (self._column(field, is_new=False) for field in table.columns)
        if table.foreign_keys:
            yield "  foreign_keys:"
            yield from map(_foreign_key, table.foreign_keys)
        if table.indexes:
            yield "  indexes:"
            yield from map(_index, table.indexes)

    def _column(self, field: Field, *, is_new: bool) -> str:
        kind, check = self._type(field.sql_type)
        parts = [f"column: {word(field.name)}", f"type: {kind}{'?' if check else ''}"]
        flags = {"key": field.pk, "auto_increment": field.auto_increment, "unique": field.unique}
        parts += [f"{flag}: true" for flag, is_set in flags.items() if is_set]
        parts += ["not_null: true"] if not (field.nullable or field.pk) else []
        parts += [f"default: {_default(field.default)}"] if field.default else []
        parts += [self.life] if is_new else []
        remarks = [check] if check else []
        is_bare = is_new and not (field.nullable or field.pk or field.default)
        remarks += ["its default"] if is_bare else []
        return f"  - {{{', '.join(parts)}}}" + (f"  # check: {', '.join(remarks)}" * bool(remarks))

    def _type(self, sql_type: str) -> tuple[str, str]:
        """The type that is written so on one of the engines."""
        plain = sql_type.lower()
        for item in self.types:
            if plain in map(str.lower, _spellings(item)):
                return item.name, "text or long_text?" if item.name == "text" else ""
        word = "".join(re.findall(r"^[a-z]+", plain))
        for item in self.types:
            if word in [spelling.partition(" ")[0] for spelling in _spellings(item)]:
                return item.name, f"which type is {sql_type!r:.30}?"
        return "varchar", f"which type is {sql_type!r:.30}?"


def _spellings(item: DdlType) -> list[str]:
    """What the engines call a type."""
    return [getattr(item, engine.syntax.types) for engine in ENGINES]


def _foreign_key(key: Key, life: str = "") -> str:
    parts = [f"name: {word(key.name)}", f"columns: [{', '.join(key.columns)}]"]
    parts += [f"references: {word(key.references)}", f"referenced: [{', '.join(key.referenced)}]"]
    parts += [f"on_delete: {key.on_delete}"] if key.on_delete else []
    parts += [life] if life else []
    return f"  - {{{', '.join(parts)}}}  # check: its name"


def _index(index: Index, life: str = "") -> str:
    parts = [f"name: {word(index.name)}", f"columns: [{', '.join(index.columns)}]"]
    parts += ["constraint: true"] if index.constraint else ["unique: true"] * index.unique
    parts += [life] if life else []
    return f"  - {{{', '.join(parts)}}}"


def _default(sql: str) -> str:
    """A default as YAML has it."""
    return sql if re.fullmatch(r"[\w.]+", sql) else json.dumps(sql)
