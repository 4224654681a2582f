"""models.yaml -> Registry: form and lifespans of each line; `check` judges lines together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from metasnapshot_codegen import source
from metasnapshot_codegen.registry import (
    FORMS,
    INTEGERS,
    PRIMITIVES,
    REASONS,
    WRAPPERS,
    Column,
    Layout,
    Member,
    Model,
    Named,
    Registry,
    Span,
    TypeState,
)
from metasnapshot_codegen.source import Collector, Value
from metasnapshot_codegen.spans import LIFE, read_span

T = TypeVar("T")
RESERVED_SECTION = "hummock_version"
TOP = [
    "package",
    "layouts",
    "migrations",
    "hummock_version",
    "sections",
    "load_order",
    "models",
    "types",
    "enums",
    "excluded",
]


def read(path: Path) -> Registry:
    """Read and check the form of models.yaml.

    Raises:
        SchemaError: with every mistake found, each with file, line, what was found and what was
            expected.
    """
    top = source.load(path).record(TOP)
    reader = _Reader(top)
    reader.collector.raise_any()
    return reader.registry


class _Reader:
    """Reads part after part; a part that fails leaves its problems in the collector."""

    def __init__(self, top: dict[str, Value]) -> None:
        self.collector = Collector()
        layouts = list(self._each(top["layouts"], _layout))
        self.axis = [layout.name for layout in layouts]
        self.registry = Registry("", layouts)
        _distinct(self.collector, [(layout.name, layout.place) for layout in layouts], "layout")
        if not layouts:
            self.collector.problems.append(
                top["layouts"].problem("found no layout, expected at least one")
            )
        self.collector.raise_any()  # without layouts no lifespan can be read
        with self.collector.guard(top["package"]) as package:
            self.registry.package = package.name()
        parts: dict[str, Callable[[Value], None]] = {
            "migrations": self._migrations,
            "hummock_version": self._forms,
            "sections": self._sections,
            "load_order": self._load_order,
            "models": self._models,
            "types": self._types,
            "enums": self._enums,
            "excluded": self._excluded,
        }
        for name, read_part in parts.items():
            with self.collector.guard(top[name]) as value:
                read_part(value)

    def _migrations(self, value: Value) -> None:
        self.registry.migrations = list(self._each(value, self._migration))

    def _forms(self, value: Value) -> None:
        self.registry.forms = list(self._each(value, self._form))

    def _sections(self, value: Value) -> None:
        self.registry.sections = list(self._each(value, self._section))

    def _load_order(self, value: Value) -> None:
        for guard in self.collector.each(value.items()):
            with guard as item:
                item.text()
                self.registry.load_order.append(item)

    def _each(self, values: Value, read: Callable[[Value], T]) -> Iterable[T]:
        for guard in self.collector.each(values.items()):
            with guard as value:
                yield read(value)

    def _migration(self, value: Value) -> Named:
        found = value.record(["migration"], LIFE)
        return Named(
            found["migration"].word(), read_span(found, value, self.registry.releases), value
        )

    def _form(self, value: Value) -> Named:
        found = value.record(["form"], LIFE)
        return Named(found["form"].choice(FORMS), read_span(found, value, self.axis), value)

    def _section(self, value: Value) -> Named:
        found = value.record(["section", "model"], LIFE)
        span = read_span(found, value, self.axis)
        name = found["section"].name()
        if name == RESERVED_SECTION:
            raise value.fail(f"found section {name}, expected another name: it is no table")
        return Named(name, span, value, model=found["model"].text())

    def _models(self, value: Value) -> None:
        for name, item in value.fields().items():
            with self.collector.guard(item) as place:
                if not name.isidentifier():
                    raise place.fail(f"found model `{name}`, expected a Python identifier")
                self.registry.models[name] = self._model(name, place)

    def _model(self, name: str, place: Value) -> Model:
        found = place.record(["table", "columns"], LIFE)
        span = read_span(found, place, self.axis)
        columns = tuple(self._each(found["columns"], lambda value: self._column(value, name, span)))
        return Model(name, found["table"].word(), span, columns, place)

    def _column(self, value: Value, model: str, life: Span) -> Column:
        flags = ("pk", "auto_increment", "unique", "nullable")
        found = value.record(["name", "type"], [*flags, *LIFE])
        span = read_span(found, value, self.axis, default=life)
        if span.since < life.since or span.until > life.until:
            raise value.fail(
                f"found column {model}.{found['name'].text()} from {self._life(span)}, "
                f"expected it within its model's life, {self._life(life)}"
            )
        set_flags = {flag: found[flag].flag() for flag in flags if flag in found}
        return Column(found["name"].name(), found["type"].settled(), span, value, **set_flags)

    def _life(self, span: Span) -> str:
        return f"{self.axis[span.since]} to {self.axis[span.until]}"

    def _types(self, value: Value) -> None:
        for name, states in value.fields().items():
            with self.collector.guard(states) as place:
                if name in PRIMITIVES or not name.isidentifier() or not place.items():
                    raise place.fail(f"found type `{name}`, expected a name of its own and states")
                self.registry.types[name] = list(self._each(place, self._type_state))

    def _type_state(self, value: Value) -> TypeState:
        found = value.record([], ["integer", "json", "message", "wrapper", *LIFE])
        kinds = [kind for kind in ("integer", "json", "message") if kind in found]
        if len(kinds) != 1:
            raise value.fail(
                f"found {' and '.join(kinds) or 'none'} of integer, json and message, expected "
                "exactly one"
            )
        if "wrapper" in found and kinds != ["message"]:
            raise value.fail(f"found a wrapper beside {kinds[0]}, expected it beside message only")
        span = read_span(found, value, self.axis)
        if kinds == ["integer"]:
            return TypeState(span, value, integer=found["integer"].choice(INTEGERS))
        if kinds == ["json"]:
            return TypeState(span, value, json=found["json"].word())
        wrapper = found["wrapper"].choice(WRAPPERS) if "wrapper" in found else "single"
        return TypeState(span, value, message=found["message"].text(), wrapper=wrapper)

    def _enums(self, value: Value) -> None:
        for name, members in value.fields().items():
            with self.collector.guard(members) as place:
                if name in PRIMITIVES or not name.isidentifier() or not place.items():
                    raise place.fail(f"found enum `{name}`, expected a name of its own and members")
                self.registry.enums[name] = list(self._each(place, self._member))

    def _member(self, value: Value) -> Member:
        found = value.record(["json", "db"], LIFE)
        span = read_span(found, value, self.axis)
        return Member(found["json"].word(), found["db"].word(), span, value)

    def _excluded(self, value: Value) -> None:
        found = value.record(["tables", "columns"])
        tables = self._each(
            found["tables"], lambda item: self._exclusion(item, ["table", "reason"])
        )
        self.registry.excluded_tables = list(tables)
        keys = ["table", "column", "reason"]
        columns = self._each(found["columns"], lambda item: self._exclusion(item, keys))
        self.registry.excluded_columns = list(columns)

    def _exclusion(self, value: Value, keys: Sequence[str]) -> Named:
        found = value.record(keys, LIFE)
        column = found["column"].word() if "column" in found else ""
        reason = found["reason"].choice(REASONS)
        span = read_span(found, value, self.axis)
        return Named(found["table"].word(), span, value, reason=reason, column=column)


def _layout(value: Value) -> Layout:
    found = value.record(["layout", "era", "releases"])
    releases = tuple(item.word() for item in found["releases"].items())
    if not releases:
        raise value.fail("found no release, expected at least one")
    return Layout(found["layout"].word(), found["era"].word(), releases, value)


def _distinct(collector: Collector, names: Iterable[tuple[str, Value]], what: str) -> None:
    seen: set[str] = set()
    for name, place in names:
        if name in seen:
            collector.problems.append(
                place.problem(f"found {what} `{name}` twice, expected it once")
            )
        seen.add(name)
