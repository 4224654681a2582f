"""Does the registry know every table and column of a live meta store, and does the store have what
it should?

In both directions: a table or column is covered (in a snapshot), excluded (with a reason), unknown
(a snapshot would silently leave it out) or missing (the registry expects it).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from metasnapshot.errors import UnknownFormat
from metasnapshot.format.layout import Candidates, shape_of
from metasnapshot.metastore.read import find_layouts
from metasnapshot.metastore.schema import LiveColumn, live_schema
from metasnapshot_models.codecs import CODECS
from metasnapshot_models.definitions import Layout

ADD_RELEASE = (
    "`metasnapshot coverage --scaffold RELEASE` prints the lines to add to schema/models.yaml"
)
"""The next step after a meta store that the registry does not cover."""


@dataclass(frozen=True)
class Item:
    """A table, or a column of one; reason says why it is excluded."""

    table: str
    column: str = ""
    reason: str = ""

    @property
    def name(self) -> str:
        """`table` or `table.column`."""
        return f"{self.table}.{self.column}" if self.column else self.table


@dataclass(frozen=True)
class Coverage:
    """What a layout says of a live schema.

    Attributes:
        layout: name of the layout that was compared, the longest that the store's migrations allow
            if no release was named.
        candidates: all of them.
        covered: columns that a snapshot holds.
        excluded: tables and columns that are left out for a reason.
        unknown: tables and columns that the registry does not have.
        missing: tables and columns that the registry has and the store does not.
    """

    layout: str
    candidates: Candidates
    covered: list[Item]
    excluded: list[Item]
    unknown: list[Item]
    missing: list[Item]

    def require(self, *, allow_unknown: bool = False) -> None:
        """Refuse a store whose snapshot would not be complete.

        Raises:
            UnknownFormat: something is missing, or unknown and that is not allowed.
        """
        problems = [] if allow_unknown else [f"unknown {item.name}" for item in self.unknown]
        problems += [f"missing {item.name}" for item in self.missing]
        if problems:
            raise UnknownFormat(
                f"meta store does not fit layout {self.layout}: {', '.join(problems)}",
                hint=f"{ADD_RELEASE}; --allow-unknown-tables leaves unknown ones out and says so "
                "in the remarks",
            )


def cover(connection: sa.Connection, release: str | None = None) -> Coverage:
    """Compare a live meta store with the registry; with the layout of a release, where it is known.

    Raises:
        UnknownFormat: the store's migrations are of no known release.
    """
    found = find_layouts(connection)
    layout = found.layout(release)
    live = live_schema(connection)
    return Coverage(
        layout=layout.name,
        candidates=found,
        covered=list(_covered(layout, live)),
        excluded=list(_excluded(layout, live)),
        unknown=list(_unknown(layout, live)),
        missing=list(_missing(layout, live)),
    )


def _models(layout: Layout) -> dict[str, str]:
    """Model by table."""
    return {CODECS[model].table: model for model in layout.shapes}


def _columns(layout: Layout, model: str) -> list[str]:
    return [column.name for column in shape_of(layout, model).columns]


def _covered(layout: Layout, live: dict[str, list[LiveColumn]]) -> Iterator[Item]:
    for _, model in layout.sections:
        table = CODECS[model].table
        names = {column.name for column in live.get(table, [])}
        yield from (Item(table, name) for name in _columns(layout, model) if name in names)


def _excluded(layout: Layout, live: dict[str, list[LiveColumn]]) -> Iterator[Item]:
    for table, reason in layout.excluded_tables.items():
        if table in live:
            yield Item(table, "", reason)
    for (table, column), reason in layout.excluded_columns.items():
        if column in {item.name for item in live.get(table, [])}:
            yield Item(table, column, reason)


def _unknown(layout: Layout, live: dict[str, list[LiveColumn]]) -> Iterator[Item]:
    models = _models(layout)
    for table, columns in live.items():
        if table in layout.excluded_tables:
            continue
        if table not in models:
            yield Item(table)
            continue
        known = _columns(layout, models[table])
        for column in columns:
            if column.name not in known and (table, column.name) not in layout.excluded_columns:
                yield Item(table, column.name)


def _missing(layout: Layout, live: dict[str, list[LiveColumn]]) -> Iterator[Item]:
    for table, model in _models(layout).items():
        if table not in live:
            if table not in layout.excluded_tables:
                yield Item(table)
            continue
        if table in layout.excluded_tables:
            continue
        names = {column.name for column in live[table]}
        yield from (Item(table, name) for name in _columns(layout, model) if name not in names)
