"""What a restore loads: the rows of a verified snapshot, with those that the plan puts in the place
of its own. The file was hashed once when it was opened; every section is read, and hashed, once
more, and what is needed more often than that is kept. Where all rows are looked at before they are
loaded, they are kept too, as far as LOOKED_AT_MAX goes: what is beyond it is hashed a third time.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from metasnapshot.format.codec import row_codec
from metasnapshot.format.columns import Columns, columns_of
from metasnapshot.format.hummock_version import HummockVersion
from metasnapshot.format.layout import HUMMOCK_VERSION, MIGRATIONS_SECTION, model_of
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.metastore.bulk.digest import TableDigest
from metasnapshot.metastore.load import Target, digest_rows
from metasnapshot.metastore.values import Fit
from metasnapshot_models.codecs import CODECS
from metasnapshot_models.definitions import Layout
from metasnapshot_models.layouts import LOAD_ORDER

PARAMETERS_SECTION = "system_parameters"
LOOKED_AT_MAX = 64 << 20
"""Bytes of rows that are kept in memory from the first look at them to the load."""


class Source:
    """The rows of a restore.

    Attributes:
        snapshot_id: the snapshot that was asked for.
        reader: it, which stays open.
        layout: the one that it is in.
        fitting: engines that were found to hold every value of it.
    """

    def __init__(self, snapshot_id: int, reader: SnapshotReader) -> None:
        """Take a snapshot.

        Raises:
            UnknownFormat: it is in the V1 format.
        """
        self.snapshot_id = snapshot_id
        self.reader = reader
        self.layout: Layout = reader.definition
        self._kept: dict[str, list[Any]] = {MIGRATIONS_SECTION: list(reader.migrations)}
        self._replaced = set[str]()
        self._digests: dict[tuple[str, Fit], TableDigest] = {}
        self._keeps_rows = False
        self.fitting: set[Fit] = set()

    @cached_property
    def version(self) -> HummockVersion:
        """The Hummock version."""
        return self.reader.hummock_version

    @property
    def migrations(self) -> frozenset[str]:
        """The names in the snapshot's list of migrations."""
        return frozenset(row.version for row in self._kept[MIGRATIONS_SECTION])

    @property
    def sections(self) -> list[str]:
        """The sections with a table, in the order in which they are loaded."""
        names = {name for name, _ in self.layout.sections}
        return [section for section in LOAD_ORDER if section in names]

    @property
    def counts(self) -> dict[str, int]:
        """Rows that will be loaded, by table."""
        return {
            self.table(place.name): len(self._kept[place.name])
            if place.name in self._replaced
            else place.count
            for place in self.reader.places
            if place.name != HUMMOCK_VERSION
        }

    def model(self, section: str) -> str:
        """The model of a section's rows."""
        return model_of(self.layout, section)

    def table(self, section: str) -> str:
        """The table that a section is loaded into."""
        return CODECS[self.model(section)].table

    def keep(self, section: str) -> list[Any]:
        """The rows of a small section, read once."""
        if section not in self._kept:
            self._kept[section] = list(self.reader.rows(section))
        return self._kept[section]

    def replace(self, section: str, rows: list[Any]) -> None:
        """Load other rows than the snapshot's."""
        self._kept[section] = rows
        self._replaced.add(section)

    def rows(self, section: str) -> Iterator[Any]:
        """A section's rows as they will be loaded."""
        kept = self._kept.get(section)
        return self.reader.rows(section) if kept is None else iter(kept)

    def look_first(self) -> None:
        """Rows that are read from now on are read again, to be loaded."""
        if not self._keeps_rows:
            self._keeps_rows = True
            self.reader.keep_rows(LOOKED_AT_MAX)

    def columns(self, section: str) -> Iterator[Columns]:
        """The same rows as columns of plain values, some rows at a time."""
        kept = self._kept.get(section)
        if kept is None:
            yield from self.reader.columns(section)
        elif kept:
            yield columns_of(row_codec(self.layout, self.model(section)), kept)

    def digest(self, target: Target, section: str) -> TableDigest:
        """What the digest of a table with these rows would be; taken once."""
        key = section, target.fit
        if key not in self._digests:
            self.look_first()
            self._digests[key] = digest_rows(target, self.model(section), self.rows(section))
        return self._digests[key]
