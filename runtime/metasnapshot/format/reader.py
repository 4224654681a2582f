"""A snapshot file, opened: verified as a whole first, then read section by section, as often as one
likes.

Opening reads the file once, hashes it, checks the stored checksum and learns where each section
starts: nothing is decoded before. Every later read hashes its section again and compares, so bytes
that changed meanwhile are an error. Memory holds one row at a time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import xxhash

from metasnapshot.errors import (
    ChecksumMismatch,
    DamageError,
    MetasnapshotError,
    RowError,
    Truncated,
    UnknownFormat,
)
from metasnapshot.format.codec import row_codec
from metasnapshot.format.framing import CHECKSUM_SIZE, HEADER_SIZE, FrameReader, ReadableFile
from metasnapshot.format.hummock_version import HummockVersion
from metasnapshot.format.layout import (
    HUMMOCK_VERSION,
    MIGRATIONS_SECTION,
    Candidates,
    candidates,
    model_of,
    section_names,
)
from metasnapshot_models.definitions import Layout
from metasnapshot_models.layouts import LAYOUTS

V2 = 2
MIGRATIONS_MODEL = "serde_seaql_migration"
BODY_MIN = HEADER_SIZE + CHECKSUM_SIZE


@dataclass(frozen=True)
class SectionPlace:
    """Where a section stands: its rows, the offsets of its count and of its end, and the hash of
    the file there.
    """

    name: str
    count: int
    start: int
    end: int
    state: xxhash.xxh64
    digest: int


class SnapshotReader:
    """A verified snapshot.

    Attributes: format_version: 2. id: the snapshot's id. checksum: XXH64 (seed 0) of everything
        before the last 8 bytes, as stored and as computed. layout: name of the layout it is in.
        releases: the releases that may have written it, oldest first. exact: False if it names
        migrations that no known release has; `unknown_migrations` has them. places: its sections in
        the order of the file, hummock_version among them. size: bytes of the file.
    """

    def __init__(self, file: ReadableFile, size: int | None = None) -> None:
        """Verify a snapshot and find its sections.

        Args:
            file: a seekable binary file; it stays open and is the caller's to close.
            size: its size in bytes, where seeking to the end is not the way to learn it.

        Raises:
            DamageError: the checksum does not fit, or the frame does not.
            UnknownFormat: the format or the layout is not known.
        """
        self._file = file
        self.size = _size(file) if size is None else size
        if self.size < BODY_MIN:
            raise Truncated(
                f"{self.size} bytes, a snapshot has {BODY_MIN} at least",
                section="header",
                row=None,
                offset=self.size,
            )
        body = FrameReader(file, 0, self.size - CHECKSUM_SIZE)
        damage: MetasnapshotError | None = None
        try:
            self._walk(body)
        except (DamageError, UnknownFormat) as error:
            damage = error
        stored, self.checksum = body.finish()
        if stored != self.checksum:
            hint = f"the bytes are damaged or cut; the first sign of it: {damage}" if damage else ""
            raise ChecksumMismatch("snapshot", stored=stored, computed=self.checksum, hint=hint)
        if damage is not None:
            raise damage

    @property
    def section_names(self) -> tuple[str, ...]:
        """Its sections in the order of the file."""
        return tuple(place.name for place in self.places)

    @property
    def opaque_size(self) -> int:
        """Bytes after the last known section."""
        return self.size - CHECKSUM_SIZE - self.places[-1].end

    @property
    def opaque(self) -> bytes:
        """What follows the last known section, byte for byte: sections of a release that the
        registry lacks.
        """
        last = self.places[-1]
        frames = FrameReader(self._file, last.start, self.size - CHECKSUM_SIZE, last.state)
        frames.skip(last.end - last.start)
        data = frames.take(frames.remaining)
        _compare("what follows the sections", self.checksum, frames.digest)
        return data

    @property
    def hummock_version(self) -> HummockVersion:
        """The Hummock version."""
        rows = [data for _, data in self.raw_rows(HUMMOCK_VERSION)]
        try:
            return HummockVersion.from_rows(rows, self._layout.era)
        except RowError as error:
            raise error.at(section=HUMMOCK_VERSION, row=error.row) from error

    def place(self, section: str) -> SectionPlace:
        """Where a section stands.

        Raises:
            UnknownFormat: there is no such section in this layout.
        """
        for place in self.places:
            if place.name == section:
                return place
        raise UnknownFormat(
            f"layout {self.layout} has no section {section}",
            hint=f"it has {', '.join(self.section_names)}",
        )

    def raw_rows(self, section: str) -> Iterator[tuple[int, bytes]]:
        """The rows of a section as (offset of the row's length, bytes). Other sections are not read
        again.

        Raises:
            ChecksumMismatch: at the end, if the section is not what it was when the file was
                opened.
        """
        return _raw_rows(self._file, self.place(section))

    def rows(self, section: str) -> Iterator[Any]:
        """The rows of a section as models.

        Raises:
            RowError: a row that the layout does not allow, with section, row, column and offset.
            ChecksumMismatch: at the end, if the section is not what it was when the file was
                opened.
        """
        codec = row_codec(self._layout, model_of(self._layout, section))
        for number, (offset, data) in enumerate(self.raw_rows(section)):
            try:
                yield codec.decode(data)
            except RowError as error:
                raise self._placed(error, section, number, offset) from error

    def _placed(
        self, error: RowError, section: str, row: int, offset: int
    ) -> RowError | UnknownFormat:
        placed = error.at(section=section, row=row, offset=offset)
        if self.exact:
            return placed
        return UnknownFormat(
            f"{placed} (read as layout {self.layout}; the file names migrations beyond it: "
            f"{', '.join(self.unknown_migrations)})",
            hint="this release is newer than the registry: upgrade metasnapshot, or extend "
            "schema/models.yaml",
        )

    def _walk(self, body: FrameReader) -> None:
        """Find format, layout and sections; the body is read up to where the sections end."""
        self.format_version, self.id = body.header()
        if self.format_version != V2:
            raise _unknown_format(self.format_version)
        places = [_place(body, MIGRATIONS_SECTION)]
        found = candidates(self._migrations(places[0]))
        self.exact, self.unknown_migrations = found.exact, found.unknown
        self._layout = self._walk_sections(body, found, places)
        self.layout = self._layout.name
        self.releases = found.releases_of(self._layout)
        self.places = tuple(places[: len(section_names(self._layout))])

    def _walk_sections(
        self, body: FrameReader, found: Candidates, places: list[SectionPlace]
    ) -> Layout:
        """Walk on through the candidate with the most sections; take the one that ends where the
        body does, else the longest whose sections are all there.
        """
        by_count = {len(section_names(layout)): layout for layout in reversed(found.layouts)}
        shared_count = min(by_count)
        fitting: list[Layout] = []
        for name in section_names(found.layouts[0])[1:]:
            try:
                places.append(_place(body, name))
                if len(places) > shared_count:
                    self._check_rows(found.layouts[0], places[-1])
            except (Truncated, RowError):
                if not fitting:
                    raise
                break
            if len(places) in by_count:
                fitting.append(by_count[len(places)])
                if not body.remaining:
                    break
        return fitting[-1]

    def _check_rows(self, layout: Layout, place: SectionPlace) -> None:
        """Decode a section that only some candidates have: an unknown one may look like it."""
        codec = row_codec(layout, model_of(layout, place.name))
        for _, row in _raw_rows(self._file, place):
            codec.decode(row)

    def _migrations(self, place: SectionPlace) -> list[str]:
        """The names in the first section, whose rows look the same in every layout."""
        codec = row_codec(next(iter(LAYOUTS.values())), MIGRATIONS_MODEL)
        names: list[str] = []
        for number, (offset, row) in enumerate(_raw_rows(self._file, place)):
            try:
                names.append(codec.decode(row).version)
            except RowError as error:
                raise error.at(section=place.name, row=number, offset=offset) from error
        return names


def _size(file: ReadableFile) -> int:
    return file.seek(0, os.SEEK_END)


def _raw_rows(file: ReadableFile, place: SectionPlace) -> Iterator[tuple[int, bytes]]:
    """Offset and bytes of each row of a section; at the end its hash must be what it was."""
    frames = FrameReader(file, place.start, place.end, place.state)
    for number in range(frames.count(place.name)):
        offset = frames.offset
        yield offset, frames.take(frames.length(number))
    _compare(f"section {place.name}", place.digest, frames.digest)


def _compare(what: str, first: int, second: int) -> None:
    """Compare the hash of a second reading with that of the first."""
    if first != second:
        raise ChecksumMismatch(f"{what}, read a second time", stored=first, computed=second)


def _place(body: FrameReader, name: str) -> SectionPlace:
    """Walk over one section."""
    start, state = body.offset, body.state
    count = body.count(name)
    for number in range(count):
        body.skip(body.length(number))
    return SectionPlace(name, count, start, body.offset, state, body.digest)


def _unknown_format(version: int) -> UnknownFormat:
    if version < V2:
        return UnknownFormat(
            f"format_version {version} is the V1 snapshot format (releases to 2.0 on etcd), "
            "which this version of metasnapshot does not read"
        )
    return UnknownFormat(
        f"unknown format_version {version}",
        hint="V1 has 0 or 1, or none before 0.1.17; V2 has 2; is this a snapshot?",
    )
