"""What diff compares: a snapshot of either format, or a live meta store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import sqlalchemy as sa

from metasnapshot.contents.cluster import Catalog, V2Catalog, catalog_of
from metasnapshot.contents.fields import key_names
from metasnapshot.format.layout import model_of, section_names, shape_of
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.metastore.read import count_rows, find_layouts, read_rows
from metasnapshot.operations.coverage import cover
from metasnapshot_models.codecs import CODECS


class Side(Protocol):
    """One of the two things that are compared."""

    @property
    def section_names(self) -> tuple[str, ...]:
        """Its sections."""
        ...

    @property
    def is_v1(self) -> bool:
        """Whether its sections are those of the V1 format."""
        ...

    @property
    def catalog(self) -> Catalog:
        """What is in it by name."""
        ...

    def rows(self, section: str) -> Iterator[Any]:
        """The rows of one of its sections."""
        ...

    def key_names(self, section: str) -> list[str]:
        """The columns that tell rows of one of its sections apart."""
        ...

    def count(self, section: str) -> int:
        """How many rows one of its sections has."""
        ...

    def version(self) -> dict[str, Any] | None:
        """The Hummock version as field: value of proto3 JSON; None if it is not at hand."""
        ...

    def omitted(self) -> list[str]:
        """What there is besides, unknown to the registry, that no comparison sees."""
        ...


class SnapshotSide:
    """An opened snapshot."""

    def __init__(self, reader: SnapshotReader) -> None:
        self.reader = reader
        self.section_names = reader.section_names
        self.is_v1 = reader.is_v1
        self.catalog = catalog_of(reader)

    def rows(self, section: str) -> Iterator[Any]:
        """See Side."""
        return self.reader.rows(section)

    def key_names(self, section: str) -> list[str]:
        """See Side."""
        return key_names(self.reader, section)

    def count(self, section: str) -> int:
        """See Side."""
        return self.reader.place(section).count

    def version(self) -> dict[str, Any] | None:
        """See Side."""
        found = self.reader.hummock_version
        shown = found.json
        names = [field.json_name for field in found.message.DESCRIPTOR.fields]
        return {name: shown.get(name) for name in names}

    def omitted(self) -> list[str]:
        """See Side."""
        size, layout = self.reader.opaque_size, self.reader.layout
        return [f"{size} bytes of snapshot {self.reader.id} beyond layout {layout}"] if size else []


class MetaStoreSide:
    """A meta store in a read transaction; of the layouts that its migrations allow in that of the
    snapshot beside it.
    """

    is_v1 = False

    def __init__(self, connection: sa.Connection, beside: SnapshotReader) -> None:
        self.connection = connection
        found = find_layouts(connection).layouts
        known = () if beside.is_v1 else (beside.definition,)
        self.layout = next((item for item in known if item in found), found[0])
        self.section_names = section_names(self.layout)
        self.catalog = V2Catalog(
            lambda section: self.rows(section) if section in self.section_names else iter(())
        )

    def rows(self, section: str) -> Iterator[Any]:
        """See Side."""
        return read_rows(self.connection, self.layout, model_of(self.layout, section))

    def key_names(self, section: str) -> list[str]:
        """See Side."""
        shape = shape_of(self.layout, model_of(self.layout, section))
        return [column.name for column in shape.columns if column.pk]

    def count(self, section: str) -> int:
        """See Side."""
        return count_rows(self.connection, CODECS[model_of(self.layout, section)].table)

    def version(self) -> dict[str, Any] | None:
        """None: it would have to be replayed from the checkpoint."""
        return None

    def omitted(self) -> list[str]:
        """See Side."""
        found = cover(self.connection, self.layout.releases[0])
        missed = [item.table for item in found.excluded if item.reason == "missed"]
        counts = {name: count for name in missed if (count := count_rows(self.connection, name))}
        return [
            *(f"unknown {item.name} of the meta store" for item in found.unknown),
            *(
                f"{count} rows of table {name}, which snapshots of layout {self.layout.name} leave "
                "out"
                for name, count in counts.items()
            ),
        ]
