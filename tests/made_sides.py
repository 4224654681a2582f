"""Sides of a comparison that are made of rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from metasnapshot.contents.cluster import V2Catalog
from metasnapshot.format.layout import model_of, section_names, shape_of
from metasnapshot_models.definitions import Layout


@dataclass
class Rows:
    """A side made of rows."""

    layout: Layout
    sections: dict[str, list[Any]] = field(default_factory=dict)
    is_v1 = False

    @property
    def section_names(self) -> tuple[str, ...]:
        return section_names(self.layout)

    @property
    def catalog(self) -> V2Catalog:
        return V2Catalog(self.rows)

    def key_names(self, section: str) -> list[str]:
        shape = shape_of(self.layout, model_of(self.layout, section))
        return [column.name for column in shape.columns if column.pk]

    def rows(self, section: str) -> Iterator[Any]:
        yield from self.sections.get(section, [])

    def count(self, section: str) -> int:
        return len(self.sections.get(section, []))

    def version(self) -> None:
        return None

    def omitted(self) -> list[str]:
        return []
