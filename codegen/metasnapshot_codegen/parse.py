"""models.yaml -> Registry: form and lifespans of each line; what lines mean together is `check`'s
business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from metasnapshot_codegen import source
from metasnapshot_codegen.registry import (
    FORMS,
    INTEGERS,
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

T = TypeVar("T")
LIFE = ("since", "until")
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

    Raises: SchemaError: with every mistake found, each with file, line, what was found and what was
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
        self.registry = Registry(top["package"].text(), layouts)
        _distinct(self.collector, [(layout.name, layout.place) for layout in layouts], "layout")
        self.collector.raise_any()
        self._lists(top)
        self._models(top["models"])
        self._types(top["types"])
        self._enums(top["enums"])
        self._excluded(top["excluded"])

    def _lists(self, top: dict[str, Value]) -> None:
        registry = self.registry
        registry.migrations = list(self._each(top["migrations"], self._migration))
        registry.forms = list(self._each(top["hummock_version"], self._form))
        registry.sections = list(self._each(top["sections"], self._section))
        registry.load_order = [item.text() for item in top["load_order"].items()]

    def _each(self, values: Value, read: Callable[[Value], T]) -> Iterable[T]:
        for guard in self.collector.each(values.items()):
            with guard as value:
                yield read(value)

    def _migration(self, value: Value) -> Named:
        found = value.record(["migration"], LIFE)
        return Named(found["migration"].text(), _span(found, value, self.registry.releases), value)

    def _form(self, value: Value) -> Named:
        found = value.record(["form"], LIFE)
        return Named(_choice(found["form"], FORMS), _span(found, value, self.axis), value)

    def _section(self, value: Value) -> Named:
        found = value.record(["section", "model"], LIFE)
        span = _span(found, value, self.axis)
        return Named(found["section"].text(), span, value, model=found["model"].text())

    def _models(self, value: Value) -> None:
        for name, item in value.fields().items():
            with self.collector.guard(item) as place:
                self.registry.models[name] = self._model(name, place)

    def _model(self, name: str, place: Value) -> Model:
        found = place.record(["table", "columns"], LIFE)
        span = _span(found, place, self.axis)
        columns = tuple(self._each(found["columns"], lambda value: self._column(value, name, span)))
        return Model(name, found["table"].text(), span, columns, place)

    def _column(self, value: Value, model: str, life: Span) -> Column:
        flags = ("pk", "auto_increment", "unique", "nullable")
        found = value.record(["name", "type"], [*flags, *LIFE])
        span = _span(found, value, self.axis, default=life)
        if span.since < life.since or span.until > life.until:
            raise value.fail(
                f"found column {model}.{found['name'].text()} from {self._life(span)}, "
                f"expected it within its model's life, {self._life(life)}"
            )
        set_flags = {flag: found[flag].flag() for flag in flags if flag in found}
        return Column(found["name"].text(), found["type"].text(), span, value, **set_flags)

    def _life(self, span: Span) -> str:
        return f"{self.axis[span.since]} to {self.axis[span.until]}"

    def _types(self, value: Value) -> None:
        for name, states in value.fields().items():
            self.registry.types[name] = list(self._each(states, self._type_state))

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
        span = _span(found, value, self.axis)
        if kinds == ["integer"]:
            return TypeState(span, value, integer=_choice(found["integer"], INTEGERS))
        if kinds == ["json"]:
            return TypeState(span, value, json=found["json"].text())
        wrapper = _choice(found["wrapper"], WRAPPERS) if "wrapper" in found else "single"
        return TypeState(span, value, message=found["message"].text(), wrapper=wrapper)

    def _enums(self, value: Value) -> None:
        for name, members in value.fields().items():
            self.registry.enums[name] = list(self._each(members, self._member))

    def _member(self, value: Value) -> Member:
        found = value.record(["json", "db"], LIFE)
        span = _span(found, value, self.axis)
        return Member(found["json"].text(), found["db"].text(), span, value)

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
        column = found["column"].text() if "column" in found else ""
        reason = _choice(found["reason"], REASONS)
        span = _span(found, value, self.axis)
        return Named(found["table"].text(), span, value, reason=reason, column=column)


def _layout(value: Value) -> Layout:
    found = value.record(["layout", "era", "releases"])
    releases = tuple(item.text() for item in found["releases"].items())
    if not releases:
        raise value.fail("found no release, expected at least one")
    return Layout(found["layout"].text(), found["era"].text(), releases, value)


def _choice(value: Value, choices: Sequence[str]) -> str:
    text = value.text()
    if text not in choices:
        raise value.fail(f"found `{text}`, expected one of {', '.join(choices)}")
    return text


def _span(
    found: dict[str, Value], place: Value, axis: Sequence[str], default: Span | None = None
) -> Span:
    """The lifespan that a record's since and until name on an axis of layouts or releases."""
    ends = default or Span(0, len(axis) - 1)
    since = _index(found["since"], axis) if "since" in found else ends.since
    until = _index(found["until"], axis) if "until" in found else ends.until
    if until < since:
        raise place.fail(
            f"found until {axis[until]} before since {axis[since]}, expected since to come first"
        )
    return Span(since, until)


def _index(value: Value, axis: Sequence[str]) -> int:
    name = value.text()
    if name not in axis:
        raise value.fail(f"found `{name}`, expected one of {', '.join(axis)}")
    return axis.index(name)


def _distinct(collector: Collector, names: Iterable[tuple[str, Value]], what: str) -> None:
    seen: set[str] = set()
    for name, place in names:
        if name in seen:
            collector.problems.append(
                place.problem(f"found {what} `{name}` twice, expected it once")
            )
        seen.add(name)
