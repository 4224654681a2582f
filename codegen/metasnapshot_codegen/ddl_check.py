"""Whether the tables of ddl.yaml can be made, and are those that models.yaml knows, column for
column: one that is forgotten here would be missing in a restored meta store.
"""

from __future__ import annotations

from collections.abc import Iterator

from metasnapshot_codegen.ddl import ENGINES, Column, Ddl, Table, alive
from metasnapshot_codegen.registry import Registry
from metasnapshot_codegen.source import Problem, SchemaError


def check(registry: Registry, found: Ddl) -> None:
    """Check that each release's tables can be made, and are what models.yaml says of it: every
    column of a model or excluded, and nothing else.

    Raises:
        SchemaError: with every mistake found, each at the first release that has it.
    """
    problems: dict[str, Problem] = {}
    release = 0
    for index, layout in enumerate(registry.layouts):
        for name in layout.releases:
            for problem in _Check(registry, found, index, release, name).problems():
                problems.setdefault(str(problem).rsplit(" (", 1)[0], problem)
            release += 1
    if problems:
        raise SchemaError(sorted(problems.values(), key=lambda item: (item.file, item.line)))


class _Check:
    """One release."""

    def __init__(
        self, registry: Registry, found: Ddl, layout: int, release: int, name: str
    ) -> None:
        self.registry = registry
        self.found = found
        self.layout = layout
        self.release = release
        self.name = name
        self.tables = {item.name: item for item in alive(found.tables, release)}
        self.types = [item.name for item in alive(found.types, release)]

    def problems(self) -> Iterator[Problem]:
        """Every mistake, with the release in brackets at its end."""
        count = len(alive(self.found.charsets, self.release))
        if count != 1:
            place = self.registry.layouts[self.layout].place
            yield place.problem(f"found {count} charsets in ddl.yaml, expected one ({self.name})")
        for table in alive(self.found.tables, self.release):
            if table is not self.tables[table.name]:
                yield table.place.problem(
                    f"found table {table.name} twice, expected it once ({self.name})"
                )
        for table in self.tables.values():
            yield from self._table(table)
        for model in self.registry.models.values():
            if self.layout in model.span and model.table not in self.tables:
                yield model.place.problem(
                    f"found no table {model.table} in ddl.yaml, expected one ({self.name})"
                )

    def _table(self, table: Table) -> Iterator[Problem]:
        for engine in ENGINES:
            names = [c.name for c in alive(table.columns, self.release) if engine in c.engines]
            for name in {name for name in names if names.count(name) > 1}:
                yield table.place.problem(
                    f"found column {table.name}.{name} twice on {engine}, expected it once "
                    f"({self.name})"
                )
        columns = {item.name: item for item in alive(table.columns, self.release)}
        for column in columns.values():
            if self.types.count(column.type) != 1:
                yield column.place.problem(
                    f"found type `{column.type}`, expected one of types ({self.name})"
                )
        for item in (
            *alive(table.foreign_keys, self.release),
            *alive(table.indexes, self.release),
        ):
            for name in item.columns:
                if name not in columns:
                    yield item.place.problem(
                        f"found column {name} in {item.name}, expected one of {table.name} "
                        f"({self.name})"
                    )
        for key in alive(table.foreign_keys, self.release):
            if key.references not in self.tables:
                yield key.place.problem(
                    f"found {key.name} to `{key.references}`, expected a table ({self.name})"
                )
        yield from self._same_columns(table, columns)

    def _same_columns(self, table: Table, columns: dict[str, Column]) -> Iterator[Problem]:
        """What models.yaml says of the table."""
        models = [
            model
            for model in self.registry.models.values()
            if model.table == table.name and self.layout in model.span
        ]
        known = {
            column.name: column.place
            for model in models
            for column in model.columns
            if self.layout in column.span
        }
        left_out = [
            item.column
            for item in self.registry.excluded_columns
            if item.name == table.name and self.layout in item.span
        ]
        for name, place in known.items():
            if name not in columns:
                yield place.problem(
                    f"found no column {table.name}.{name} in ddl.yaml, expected one ({self.name})"
                )
        is_excluded = any(
            item.name == table.name and self.layout in item.span
            for item in self.registry.excluded_tables
        )
        for name, column in columns.items():
            if name not in known and name not in left_out and not (is_excluded and not models):
                yield column.place.problem(
                    f"found column {table.name}.{name}, expected one of models.yaml, or an "
                    f"exclusion there ({self.name})"
                )
