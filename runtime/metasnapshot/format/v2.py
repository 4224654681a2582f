"""A V2 file's sections and layout: the migrations in its first section say which layouts it can be
in, the place where its sections end tells between them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from metasnapshot.errors import RowError, Truncated, UnknownFormat
from metasnapshot.format.codec import RowCodec, row_codec
from metasnapshot.format.framing import V2, FrameReader, ReadableFile
from metasnapshot.format.layout import (
    MIGRATIONS_SECTION,
    Candidates,
    candidates,
    model_of,
    section_names,
)
from metasnapshot.format.places import Batch, SectionPlace, batches, walk
from metasnapshot_models.definitions import Layout
from metasnapshot_models.layouts import LAYOUTS

if TYPE_CHECKING:
    from metasnapshot.format.columns import Columns
    from metasnapshot.format.hummock_version import HummockVersion


Batches = Callable[[ReadableFile, SectionPlace], Iterator[Batch]]


class V2Contents(msgspec.Struct, frozen=True):
    """What a V2 file holds, and how its rows are decoded."""

    file: ReadableFile
    id: int
    definition: Layout
    found: Candidates
    places: tuple[SectionPlace, ...]
    migrations: tuple[Any, ...]
    format_version: int = V2
    batches: Batches = batches
    """What reads the rows of a section."""

    @property
    def layout(self) -> str:
        """Name of the layout."""
        return self.definition.name

    @property
    def releases(self) -> tuple[str, ...]:
        """The releases that may have written it, oldest first."""
        return self.found.releases_of(self.definition)

    @property
    def unknown_migrations(self) -> tuple[str, ...]:
        """Migrations that no known release has."""
        return self.found.unknown

    def rows(self, place: SectionPlace) -> Iterator[Any]:
        """The rows of a section as models."""
        codec = self.codec(place.name)
        for batch in self.batches(self.file, place):
            yield from self._models(codec, place, batch)

    def columns(self, place: SectionPlace) -> Iterator[Columns]:
        """The same rows as columns of plain values, some rows at a time."""
        from metasnapshot.format.columns import (  # noqa: PLC0415 - loads numpy
            columns_of,
            decode_columns,
        )

        codec = self.codec(place.name)
        for batch in self.batches(self.file, place):
            found = decode_columns(codec, batch.rows)
            yield found or columns_of(codec, self._models(codec, place, batch))

    def codec(self, section: str) -> RowCodec:
        """What decodes the rows of a section."""
        return row_codec(self.definition, model_of(self.definition, section))

    def _models(self, codec: RowCodec, place: SectionPlace, batch: Batch) -> Iterator[Any]:
        for number, (offset, data) in enumerate(batch.placed(), batch.first):
            try:
                yield codec.decode(data)
            except RowError as error:
                raise self._placed(error, place.name, number, offset) from error

    def version(self, rows: list[bytes]) -> HummockVersion:
        """The Hummock version in the rows of its section."""
        from metasnapshot.format.hummock_version import (  # noqa: PLC0415 - loads protobuf
            HummockVersion,
        )

        return HummockVersion.from_rows(rows, self.definition.era)

    def _placed(
        self, error: RowError, section: str, row: int, offset: int
    ) -> RowError | UnknownFormat:
        placed = error.at(section=section, row=row, offset=offset)
        if self.found.exact:
            return placed
        return UnknownFormat(
            f"{placed} (read as layout {self.layout}; the file names migrations beyond it: "
            f"{', '.join(self.unknown_migrations)})",
            hint="this release is newer than the registry: upgrade metasnapshot, or extend "
            "schema/models.yaml",
        )


def read_v2(file: ReadableFile, body: FrameReader, snapshot_id: int) -> V2Contents:
    """Find layout and sections; the body is read up to where the sections end.

    Args:
        file: the file.
        body: stands behind the header.
        snapshot_id: of the header.

    Raises:
        DamageError: the frame does not fit.
        UnknownFormat: the layout is not known.
    """
    migrations: list[Any] = []
    look = _decoding(next(iter(LAYOUTS.values())), MIGRATIONS_SECTION, migrations.append)
    places = [walk(body, MIGRATIONS_SECTION, look=look)]
    found = candidates(row.version for row in migrations)
    layout = _walk_sections(body, found, places)
    walked = tuple(places[: len(section_names(layout))])
    return V2Contents(file, snapshot_id, layout, found, walked, tuple(migrations))


def _walk_sections(body: FrameReader, found: Candidates, places: list[SectionPlace]) -> Layout:
    """Walk on through the candidate with the most sections; take the one that ends where the body
    does, else the longest whose sections are all there.
    """
    by_count = {len(section_names(layout)): layout for layout in reversed(found.layouts)}
    shared_count = min(by_count)
    fitting: list[Layout] = []
    for name in section_names(found.layouts[0])[1:]:
        try:
            is_shared = len(places) < shared_count  # an unknown one may look like one that is not
            look = None if is_shared else _decoding(found.layouts[0], name)
            places.append(walk(body, name, look=look))
        except (Truncated, RowError):
            if not fitting:
                raise
            break
        if len(places) in by_count:
            fitting.append(by_count[len(places)])
            if not body.remaining:
                break
    return fitting[-1]


def _decoding(
    layout: Layout, section: str, take: Callable[[Any], object] | None = None
) -> Callable[[Batch], None]:
    """What decodes the rows of a section as they are walked over. Those of the first look the same
    in every layout.
    """
    codec = row_codec(layout, model_of(layout, section))

    def look(batch: Batch) -> None:
        for number, (offset, data) in enumerate(batch.placed(), batch.first):
            try:
                row = codec.decode(data)
            except RowError as error:
                raise error.at(section=section, row=number, offset=offset) from error
            if take is not None:
                take(row)

    return look
