"""Registry -> history: what each layout holds, with everything that layouts share said once.

A *state* is what an enum, a type or a model looks like for a run of layouts; it is named after the
first of them (`SinkType@2.7.0`, `sink@2.8.0`). The states of a model are its shapes.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from metasnapshot_codegen.ddl import Ddl
from metasnapshot_codegen.messages import Messages
from metasnapshot_codegen.registry import PRIMITIVES, Column, Model, Registry
from metasnapshot_codegen.rules import Rules
from metasnapshot_codegen.v1 import V1

H = TypeVar("H", bound=Hashable)


@dataclass(frozen=True)
class TypeRef:
    """A column type in one state: kind is integer, bool, string, bytes, timestamp, uuid, enum, json
    or message.
    """

    name: str
    since: str
    kind: str
    detail: tuple[str, ...] = ()
    members: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        return f"{self.name}@{self.since}" if self.since else self.name


@dataclass(frozen=True)
class ShapeColumn:
    name: str
    type: TypeRef
    pk: bool
    auto_increment: bool
    unique: bool
    nullable: bool


@dataclass(frozen=True)
class Shape:
    """The columns of a model in a run of layouts, in the order of a row."""

    model: str
    since: str
    columns: tuple[ShapeColumn, ...]

    @property
    def key(self) -> str:
        return f"{self.model}@{self.since}"


@dataclass(frozen=True)
class LayoutState:
    """All of one layout; sections without hummock_version, which always comes second."""

    name: str
    era: str
    releases: tuple[str, ...]
    form: str
    sections: tuple[tuple[str, str], ...]
    shapes: dict[str, Shape]
    tables: dict[str, str]
    excluded_tables: dict[str, str]
    excluded_columns: dict[tuple[str, str], str]

    @property
    def shape_keys(self) -> dict[str, str]:
        """The first layout of each model's shape."""
        return {model: shape.since for model, shape in self.shapes.items()}


@dataclass(frozen=True)
class History:
    layouts: tuple[LayoutState, ...]
    migrations: dict[str, tuple[str, ...]]
    """Migrations by release."""
    ddl: dict[str, list[str]]
    """By release everything that its tables are, in words; empty without ddl.yaml."""
    v1: dict[str, str]
    """By layout everything that its V1 snapshots are, in words; empty without v1.yaml."""
    rules: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    """By rule what it says, by the releases from which on; empty without rules.yaml."""
    prefixes: dict[str, str] = field(default_factory=dict[str, str])
    """By service whether its objects have prefixes; empty without rules.yaml."""
    eras: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    """By era and package what the messages are, in a word."""
    v1_also: dict[str, str] = field(default_factory=dict[str, str])
    """By V1 layout the families that its restore writes beside the others, in words."""


PRIMITIVE_KINDS = {
    "bool": "bool",
    "String": "string",
    "DateTime": "timestamp",
    "Uuid": "uuid",
    "Vec<u8>": "bytes",
}


def expand(
    registry: Registry,
    ddl: Ddl | None = None,
    v1: V1 | None = None,
    rules: Rules | None = None,
    messages: Messages | None = None,
) -> History:
    """Work out every layout of a registry that has passed its checks."""
    types = _Types(registry)
    shapes = {model.name: _shapes(model, registry, types) for model in registry.models.values()}
    layouts = tuple(_layout(registry, index, shapes) for index in range(len(registry.layouts)))
    releases = registry.releases
    migrations = {
        release: tuple(item.name for item in registry.migrations if index in item.span)
        for index, release in enumerate(releases)
    }
    words = {name: ddl.words(index) for index, name in enumerate(releases)} if ddl else {}
    old = {item.name: v1.words(index) for index, item in enumerate(v1.layouts)} if v1 else {}
    switches, prefixes = (rules.switches(), rules.prefixes) if rules else ({}, {})
    eras = {era: messages.words(at) for at, era in enumerate(messages.states)} if messages else {}
    also = {item.name: v1.also_words(at) for at, item in enumerate(v1.layouts)} if v1 else {}
    also = {name: body for name, body in also.items() if body}
    return History(layouts, migrations, words, old, switches, prefixes, eras, also)


class _Types:
    """Column types by name and layout."""

    def __init__(self, registry: Registry) -> None:
        self.names = [layout.name for layout in registry.layouts]
        self.states = {name: self._type_states(registry, name) for name in registry.types}
        self.states |= {name: self._enum_states(registry, name) for name in registry.enums}

    def at(self, name: str, index: int) -> TypeRef:
        if name in PRIMITIVES:
            kind = PRIMITIVE_KINDS.get(name, "integer")
            return TypeRef(name, "", kind, (name,) if kind == "integer" else ())
        state = self.states[name][index]
        assert state is not None, f"checked: type {name} has a state at layout {index}"
        return state

    def _type_states(self, registry: Registry, name: str) -> list[TypeRef | None]:
        raw: list[tuple[str, tuple[str, ...]] | None] = []
        for index in range(len(self.names)):
            state = next((item for item in registry.types[name] if index in item.span), None)
            if state is None:
                raw.append(None)
            elif state.integer:
                raw.append(("integer", (state.integer,)))
            elif state.json:
                raw.append(("json", (state.json,)))
            else:
                raw.append(("message", (state.message, state.wrapper)))
        return [
            TypeRef(name, since, *value) if value else None
            for since, value in _since(raw, self.names)
        ]

    def _enum_states(self, registry: Registry, name: str) -> list[TypeRef | None]:
        raw = [
            tuple((item.json, item.db) for item in registry.enums[name] if index in item.span)
            for index in range(len(self.names))
        ]
        return [
            TypeRef(name, since, "enum", members=members) if members else None
            for since, members in _since(raw, self.names)
        ]


def _shapes(model: Model, registry: Registry, types: _Types) -> list[Shape | None]:
    """The shape of a model in each layout; None outside its life."""
    raw = [
        tuple(_column(column, types, index) for column in model.columns if index in column.span)
        for index in range(len(registry.layouts))
    ]
    return [
        Shape(model.name, since, columns) if columns else None
        for since, columns in _since(raw, types.names)
    ]


def _column(column: Column, types: _Types, index: int) -> ShapeColumn:
    type_ref = types.at(column.type, index)
    return ShapeColumn(
        column.name, type_ref, column.pk, column.auto_increment, column.unique, column.nullable
    )


def _since(states: Sequence[H], names: Sequence[str]) -> list[tuple[str, H]]:
    """Name each state after the first layout of its run; one that comes back starts a new run."""
    named: list[tuple[str, H]] = []
    for index, state in enumerate(states):
        if named and named[-1][1] == state:
            named.append(named[-1])
        else:
            named.append((names[index], state))
    return named


def _layout(registry: Registry, index: int, shapes: dict[str, list[Shape | None]]) -> LayoutState:
    layout = registry.layouts[index]
    live = {name: states[index] for name, states in shapes.items()}
    return LayoutState(
        name=layout.name,
        era=layout.era,
        releases=layout.releases,
        form=next(form.name for form in registry.forms if index in form.span),
        sections=tuple((item.name, item.model) for item in registry.sections if index in item.span),
        shapes={name: shape for name, shape in live.items() if shape is not None},
        tables={name: registry.models[name].table for name in live if live[name] is not None},
        excluded_tables={
            item.name: item.reason for item in registry.excluded_tables if index in item.span
        },
        excluded_columns={
            (item.name, item.column): item.reason
            for item in registry.excluded_columns
            if index in item.span
        },
    )
