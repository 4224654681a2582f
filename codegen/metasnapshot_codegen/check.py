"""What the lines of a registry mean together: names that exist, lifespans that fit, nothing
forgotten.

The last point is the project's reason to be: a table that a release has stands in a section of its
snapshots or is excluded with a reason. There is no third way.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Iterator, Sequence

from metasnapshot_codegen import jsontype
from metasnapshot_codegen.messages import Messages
from metasnapshot_codegen.names import class_name, constant
from metasnapshot_codegen.registry import (
    PRIMITIVES,
    Column,
    Model,
    Named,
    Registry,
    Span,
    TypeState,
)
from metasnapshot_codegen.source import Problem, SchemaError, Value


def check(registry: Registry, messages: Messages) -> None:
    """Check a registry against itself and its messages.

    Raises:
        SchemaError: with every mistake found.
    """
    problems = list(_Check(registry, messages).problems())
    if problems:
        raise SchemaError(sorted(problems, key=lambda problem: (problem.file, problem.line)))


class _Check:
    def __init__(self, registry: Registry, messages: Messages) -> None:
        self.registry = registry
        self.messages = messages
        self.axis = [layout.name for layout in registry.layouts]
        self.all = Span(0, len(self.axis) - 1)
        self.releases = registry.releases

    def problems(self) -> Iterator[Problem]:
        yield from self._layouts()
        yield from self._twice(self.registry.migrations, "migration", self.releases)
        yield from self._forms()
        yield from self._sections()
        yield from self._load_order()
        yield from self._tables()
        yield from self._excluded_columns()
        for model in self.registry.models.values():
            yield from self._model(model)
        for name, states in self.registry.types.items():
            yield from self._type(name, states)
        yield from self._python_names()
        for name, members in self.registry.enums.items():
            named = [Named(member.json, member.span, member.place) for member in members]
            yield from self._twice(named, f"member of enum {name}", self.axis)
            stored = [Named(member.db, member.span, member.place) for member in members]
            yield from self._twice(stored, f"database value of enum {name}", self.axis)
        for name in set(self.registry.types) & set(self.registry.enums):
            place = self.registry.types[name][0].place
            yield place.problem(f"found `{name}` under types and under enums, expected it once")

    def _layouts(self) -> Iterator[Problem]:
        seen: set[str] = set()
        for layout in self.registry.layouts:
            if layout.era not in self.messages.states:
                yield layout.place.problem(
                    f"found era `{layout.era}`, expected one of {', '.join(self.messages.states)}"
                )
            for release in layout.releases:
                if release in seen:
                    yield layout.place.problem(f"found release `{release}` twice, expected it once")
                seen.add(release)

    def _forms(self) -> Iterator[Problem]:
        forms = self.registry.forms
        for index, name in enumerate(self.axis):
            count = sum(index in form.span for form in forms)
            if count != 1:
                place = self.registry.layouts[index].place
                yield place.problem(
                    f"found {count} forms of hummock_version in layout {name}, expected one"
                )

    def _sections(self) -> Iterator[Problem]:
        sections = self.registry.sections
        yield from self._twice(sections, "section", self.axis)
        for section in sections:
            model = self.registry.models.get(section.model)
            if model is None:
                yield section.place.problem(
                    f"found section {section.name} of unknown model `{section.model}`, expected "
                    "one of models"
                )
            elif section.span.since < model.span.since or section.span.until > model.span.until:
                yield section.place.problem(
                    f"found section {section.name} outside the life of its model {model.name}, "
                    f"expected it within {self.axis[model.span.since]} to "
                    f"{self.axis[model.span.until]}"
                )

    def _load_order(self) -> Iterator[Problem]:
        names = {section.name: section.place for section in self.registry.sections}
        seen: set[str] = set()
        for value in self.registry.load_order:
            name = value.text()
            if name not in names:
                yield value.problem(f"found unknown section `{name}`, expected one of sections")
            if name in seen:
                yield value.problem(f"found `{name}` twice in load_order, expected it once")
            seen.add(name)
        for name, place in names.items():
            if name not in seen:
                yield place.problem(f"found section {name} not in load_order, expected it there")

    def _tables(self) -> Iterator[Problem]:
        """Each table of each layout is of one model, in a section or excluded, and not both."""
        excluded = self.registry.excluded_tables
        yield from self._twice(excluded, "excluded table", self.axis)
        models = self.registry.models.values()
        named = [Named(model.table, model.span, model.place) for model in models]
        yield from self._twice(named, "table", self.axis)
        for model in models:
            sections = [item.span for item in self.registry.sections if item.model == model.name]
            exclusions = [item.span for item in excluded if item.name == model.table]
            held, left = self._indexes(sections), self._indexes(exclusions)
            if held & left:
                yield model.place.problem(
                    f"found table {model.table} of layout {self._range(held & left)} in a section "
                    "and excluded, expected one of the two"
                )
            forgotten = self._indexes([model.span]) - held - left
            if forgotten:
                yield model.place.problem(
                    f"found table {model.table} of layout {self._range(forgotten)} in no section "
                    "and not excluded: expected a section, or a line under excluded with the reason"
                )

    def _excluded_columns(self) -> Iterator[Problem]:
        """An excluded column is one that its table's model does not have then."""
        items = self.registry.excluded_columns
        named = [Named(f"{item.name}.{item.column}", item.span, item.place) for item in items]
        yield from self._twice(named, "excluded column", self.axis)
        for item in items:
            models = [
                model
                for model in self.registry.models.values()
                if model.table == item.name and model.span.overlaps(item.span)
            ]
            if not models:
                yield item.place.problem(
                    f"found unknown table `{item.name}`, expected a model's table in its life"
                )
            for column in (column for model in models for column in model.columns):
                if column.name == item.column and column.span.overlaps(item.span):
                    yield item.place.problem(
                        f"found column {item.name}.{item.column} excluded and in its model "
                        f"(line {column.place.line}), expected one of the two"
                    )

    def _indexes(self, spans: Iterable[Span]) -> set[int]:
        return {index for span in spans for index in range(span.since, span.until + 1)}

    def _range(self, indexes: set[int]) -> str:
        """Names of these layouts; of a run without a gap only its ends."""
        first, last = min(indexes), max(indexes)
        if len(indexes) > 1 and len(indexes) == last - first + 1:
            return f"{self.axis[first]} to {self.axis[last]}"
        return ", ".join(self.axis[index] for index in sorted(indexes))

    def _python_names(self) -> Iterator[Problem]:
        """What becomes a class or a constant is a name in Python, and no two become the same."""
        places = {name: model.place for name, model in self.registry.models.items()}
        places |= {name: members[0].place for name, members in self.registry.enums.items()}
        yield from _one_name_each(
            [(name, class_name(name), place) for name, place in places.items()]
        )
        for members in self.registry.enums.values():
            firsts = {member.json: member.place for member in members}
            names = [(json, constant(json), place) for json, place in firsts.items()]
            yield from _one_name_each(names)

    def _model(self, model: Model) -> Iterator[Problem]:
        columns = [Named(item.name, item.span, item.place) for item in model.columns]
        yield from self._twice(columns, f"column of {model.name}", self.axis)
        for index in range(model.span.since, model.span.until + 1):
            if not any(column.pk and index in column.span for column in model.columns):
                yield model.place.problem(
                    f"found model {model.name} without a primary key in layout {self.axis[index]}, "
                    "expected a column with pk: true"
                )
                break
        for column in model.columns:
            yield from self._column(model, column)

    def _column(self, model: Model, column: Column) -> Iterator[Problem]:
        if column.type in PRIMITIVES:
            return
        states = self.registry.types.get(column.type)
        members = self.registry.enums.get(column.type)
        if states is None and members is None:
            yield column.place.problem(
                f"found unknown type `{column.type}` of column {model.name}.{column.name}, "
                "expected a primitive, or a name under types or enums"
            )
            return
        spans = [item.span for item in states or members or []]
        for index in range(column.span.since, column.span.until + 1):
            if not any(index in span for span in spans):
                yield column.place.problem(
                    f"found type `{column.type}` of column {model.name}.{column.name} without a "
                    f"state in layout {self.axis[index]}, expected one"
                )
                break

    def _type(self, name: str, states: Sequence[TypeState]) -> Iterator[Problem]:
        named = [Named(name, state.span, state.place) for state in states]
        yield from self._twice(named, "type", self.axis)
        for state in states:
            wanted = [state.message] if state.message else []
            if state.json:
                try:
                    wanted = jsontype.messages(jsontype.parse(state.json))
                except ValueError as error:
                    yield state.place.problem(f"type {name}: {error}")
            for message in wanted:
                if message not in self.messages.messages:
                    yield state.place.problem(
                        f"found unknown message `{message}` in type {name}, expected one of "
                        "messages.yaml"
                    )

    def _twice(self, items: Iterable[Named], what: str, axis: Sequence[str]) -> Iterator[Problem]:
        """The same name with lifespans that overlap."""
        seen: dict[str, list[tuple[Span, Value]]] = {}
        for item in items:
            for span, place in seen.get(item.name, []):
                if span.overlaps(item.span):
                    yield item.place.problem(
                        f"found {what} `{item.name}` with a lifespan that overlaps "
                        f"line {place.line} (in {axis[max(span.since, item.span.since)]}), "
                        "expected one at a time"
                    )
            seen.setdefault(item.name, []).append((item.span, item.place))


def _one_name_each(names: Iterable[tuple[str, str, Value]]) -> Iterator[Problem]:
    """Of (name, what it becomes in Python, place): each is a Python name, and the only one."""
    seen: dict[str, str] = {}
    for name, python, place in names:
        if not python.isidentifier() or keyword.iskeyword(python):
            yield place.problem(f"found `{name}`, which becomes `{python}`: expected a Python name")
        elif python in seen:
            yield place.problem(
                f"found `{name}` beside `{seen[python]}`, expected names that differ in Python: "
                f"both become `{python}`"
            )
        seen[python] = name
