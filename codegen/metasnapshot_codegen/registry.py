"""The registry as data: what models.yaml says, checked for form, with lifespans as indexes into the
layouts.

Nothing here is derived: `history` expands it. An index counts layouts from the oldest (for
migrations: releases), both ends belong to the lifespan.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from metasnapshot_codegen.source import Value

INTEGERS = ("i16", "i32", "i64", "u32", "u64")
"""Integer names of the registry; `json` types take them too."""
PRIMITIVES = ("bool", *INTEGERS, "String", "DateTime", "Uuid", "Vec<u8>")
"""Column types that need no entry under `types`."""
FORMS = ("json", "protobuf")
"""Forms of the hummock_version section."""
REASONS = ("runtime", "derived", "replayed", "dead", "missed")
"""Why a table or column may stand in `excluded`."""
WRAPPERS = ("single", "list", "map")
"""How a message stands in a blob."""


@dataclass(frozen=True)
class Span:
    """A lifespan: the indexes of the first and the last layout (or release)."""

    since: int
    until: int

    def __contains__(self, index: int) -> bool:
        return self.since <= index <= self.until

    def overlaps(self, other: Span) -> bool:
        return self.since <= other.until and other.since <= self.until


@dataclass(frozen=True)
class Layout:
    name: str
    era: str
    releases: tuple[str, ...]
    place: Value


@dataclass(frozen=True)
class Named:
    """Only a name (or two) with a lifespan: a migration, a section, a form, an exclusion."""

    name: str
    span: Span
    place: Value
    model: str = ""
    reason: str = ""
    column: str = ""


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    span: Span
    place: Value
    pk: bool = False
    auto_increment: bool = False
    unique: bool = False
    nullable: bool = False


@dataclass(frozen=True)
class Model:
    name: str
    table: str
    span: Span
    columns: tuple[Column, ...]
    place: Value


@dataclass(frozen=True)
class TypeState:
    """How a column type is written during a lifespan: as integer, json or message."""

    span: Span
    place: Value
    integer: str = ""
    json: str = ""
    message: str = ""
    wrapper: str = "single"


@dataclass(frozen=True)
class Member:
    json: str
    db: str
    span: Span
    place: Value


@dataclass
class Registry:
    """All of models.yaml."""

    package: str
    layouts: list[Layout]
    migrations: list[Named] = field(default_factory=list[Named])
    forms: list[Named] = field(default_factory=list[Named])
    sections: list[Named] = field(default_factory=list[Named])
    load_order: list[Value] = field(default_factory=list[Value])
    models: dict[str, Model] = field(default_factory=dict[str, Model])
    types: dict[str, list[TypeState]] = field(default_factory=dict[str, list[TypeState]])
    enums: dict[str, list[Member]] = field(default_factory=dict[str, list[Member]])
    excluded_tables: list[Named] = field(default_factory=list[Named])
    excluded_columns: list[Named] = field(default_factory=list[Named])

    @property
    def releases(self) -> list[str]:
        return [release for layout in self.layouts for release in layout.releases]
