"""A snapshot file, opened: verified as a whole first, then read section by section, as often as one
likes.

Opening hashes the file, checks the stored checksum and learns where each section starts: nothing is
decoded before. Every later read hashes its section again and compares, so bytes that changed
meanwhile are an error. Memory holds one row at a time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from msgspec import structs

from metasnapshot.errors import (
    ChecksumMismatch,
    DamageError,
    MetasnapshotError,
    RowError,
    Truncated,
    UnknownFormat,
)
from metasnapshot.format.framing import (
    CHECKSUM_SIZE,
    HEADER_SIZE,
    V1,
    V2,
    FrameReader,
    ReadableFile,
)
from metasnapshot.format.kept_rows import KeptRows
from metasnapshot.format.layout import HUMMOCK_VERSION
from metasnapshot.format.places import SectionPlace, compare, raw_rows
from metasnapshot.format.v2 import V2Contents, read_v2
from metasnapshot_models.definitions import Layout

if TYPE_CHECKING:
    from metasnapshot.format.columns import Columns
    from metasnapshot.format.hummock_version import HummockVersion
    from metasnapshot.format.v1 import V1Contents

BODY_MIN = HEADER_SIZE + CHECKSUM_SIZE


class SnapshotReader:
    """A verified snapshot.

    Attributes:
        format_version: 2; 0 or 1 for V1.
        id: the snapshot's id.
        checksum: XXH64 (seed 0) of everything before the last 8 bytes, as stored and as computed.
        layout: name of the layout it is in.
        releases: the releases that may have written it, oldest first.
        unknown_migrations: those that no known release has.
        places: its sections in the order of the file, hummock_version among them.
        size: bytes of the file.
    """

    def __init__(
        self, file: ReadableFile, size: int | None = None, release: str | None = None
    ) -> None:
        """Verify a snapshot and find its sections.

        Args:
            file: a seekable binary file; it stays open and is the caller's to close.
            size: its size in bytes, where seeking to the end is not the way to learn it.
            release: the release that wrote it, where that is known: a V1 file does not say, and
                its messages are read by what they hold then.

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
        format_version, snapshot_id = body.header()
        found: V1Contents | V2Contents | None = None
        sign: MetasnapshotError = _unknown_format(format_version)
        if format_version == V2:
            try:
                found = read_v2(file, body, snapshot_id)
            except (DamageError, UnknownFormat) as error:
                sign = error
        stored, self.checksum = body.finish()
        if stored != self.checksum:
            seen = format_version == V2 and found is None
            hint = f"the bytes are damaged or cut; the first sign of it: {sign}" if seen else ""
            raise ChecksumMismatch("snapshot", stored=stored, computed=self.checksum, hint=hint)
        if found is None:
            found = self._read_v1(format_version, release, sign)
        self._contents = found
        self.format_version, self.id = found.format_version, found.id
        self.layout, self.releases, self.places = found.layout, found.releases, found.places
        self.unknown_migrations = found.unknown_migrations

    def _read_v1(
        self, format_version: int, release: str | None, error: MetasnapshotError
    ) -> V1Contents:
        """Read it as V1. Files of 0.1.15 start with the id, which can be any number: what is no
        V2 file may be one of theirs.
        """
        from metasnapshot.format.v1 import read_v1  # noqa: PLC0415 - loads protobuf

        try:
            return read_v1(self._file, self.size - CHECKSUM_SIZE, self.checksum, release)
        except ChecksumMismatch:  # the file changed meanwhile
            raise
        except DamageError:
            if format_version <= V1:
                raise
            raise error from None

    @property
    def exact(self) -> bool:
        """Whether it names only migrations that a known release has."""
        return not self.unknown_migrations

    @property
    def is_v1(self) -> bool:
        """Whether it is in the V1 format."""
        return self._v1 is not None

    @property
    def definition(self) -> Layout:
        """The layout of a V2 snapshot.

        Raises:
            UnknownFormat: it is a V1 snapshot, which has none that a SQL meta store could be in.
        """
        return self._v2.definition

    @property
    def era(self) -> str:
        """The state of the protobuf messages by which it is read; of a V1 snapshot, whose file does
        not say, all of it is looked through the first time.
        """
        return self._v2.definition.era if self._v1 is None else self._v1.era

    def can_read_as(self, era: str) -> bool:
        """Whether another era can read the messages of a V1 snapshot: numbers of fields were given
        to other types, and then sound bytes are no message of it.
        """
        found = self._v1
        return found is not None and (found.era == era or replace(found, read_as=era).decodes())

    def read_as(self, era: str) -> None:
        """Read the messages of a V1 snapshot by another era, to compare it with one of that."""
        if self._v1 is not None:
            self._contents = replace(self._v1, read_as=era)

    @property
    def _v1(self) -> V1Contents | None:
        return None if isinstance(self._contents, V2Contents) else self._contents

    @property
    def _v2(self) -> V2Contents:
        if isinstance(self._contents, V2Contents):
            return self._contents
        raise UnknownFormat(
            f"snapshot {self.id} is in the V1 format (layout {self.layout}), which is of etcd and "
            "fits no SQL meta store",
            hint="metasnapshot export --format etcd brings it back under a release up to 2.0",
        )

    @property
    def migrations(self) -> tuple[Any, ...]:
        """The rows of the first section of a V2 snapshot, which had to be decoded to open it.

        Raises:
            UnknownFormat: it is a V1 snapshot.
        """
        return self._v2.migrations

    @property
    def section_names(self) -> tuple[str, ...]:
        """Its sections in the order of the file."""
        return tuple(place.name for place in self.places)

    @property
    def row_count(self) -> int:
        """Rows of all sections, hummock_version apart."""
        return sum(place.count for place in self.places if place.name != HUMMOCK_VERSION)

    @property
    def opaque_size(self) -> int:
        """Bytes after the last known section; V1 has none."""
        return 0 if self.is_v1 else self.size - CHECKSUM_SIZE - self.places[-1].end

    def require_known(self) -> None:
        """Refuse a file with more than its layout has.

        Raises:
            UnknownFormat: bytes follow the last known section.
        """
        if self.opaque_size:
            raise UnknownFormat(
                f"snapshot {self.id} has {self.opaque_size} bytes beyond layout {self.layout}: a "
                "restore would lose them",
                hint="upgrade metasnapshot, or extend schema/models.yaml",
            )

    @property
    def opaque(self) -> bytes:
        """What follows the last known section, byte for byte: sections of a release that the
        registry lacks.
        """
        if self.is_v1:
            return b""
        last = self.places[-1]
        frames = FrameReader(self._file, last.start, self.size - CHECKSUM_SIZE, last.state)
        frames.skip(last.end - last.start)
        data = frames.take(frames.remaining)
        compare("what follows the sections", self.checksum, frames.digest)
        return data

    @property
    def hummock_version(self) -> HummockVersion:
        """The Hummock version."""
        rows = [data for _, data in self.raw_rows(HUMMOCK_VERSION)]
        try:
            return self._contents.version(rows)
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
        """The rows of a section as (offset of the row's length, bytes); the keys of a section of
        pairs. Other sections are not read again.

        Raises:
            ChecksumMismatch: at the end, if the section is not what it was when the file was
                opened.
        """
        return raw_rows(self._file, self.place(section))

    def rows(self, section: str) -> Iterator[Any]:
        """The rows of a section: models; of a V1 snapshot a Blob with its message, in default_cf a
        Pair, in cluster_id a text, and nothing of a member that only other layouts have. The first
        time, all of a V1 snapshot is looked through for the era of its messages.

        Raises:
            RowError: a row that the layout does not allow, with section, row, column and offset.
            ChecksumMismatch: at the end, if the section is not what it was when the file was
                opened.
        """
        if self._v1 is not None and self._v1.lacks(section):
            return iter(())
        return self._contents.rows(self.place(section))

    def keep_rows(self, size_max: int) -> None:
        """Keep rows of a V2 snapshot from now on when they are read and checked, up to so many
        bytes in memory, for the next who reads them.

        Raises:
            UnknownFormat: it is a V1 snapshot.
        """
        self._contents = structs.replace(self._v2, batches=KeptRows(size_max).batches)

    def columns(self, section: str) -> Iterator[Columns]:
        """The rows of a V2 section as columns of plain values, some rows at a time: several times
        as fast.

        Raises:
            RowError, ChecksumMismatch: as for rows.
            UnknownFormat: it is a V1 snapshot.
        """
        return self._v2.columns(self.place(section))


def _size(file: ReadableFile) -> int:
    return file.seek(0, os.SEEK_END)


def _unknown_format(version: int) -> UnknownFormat:
    return UnknownFormat(
        f"unknown format_version {version}",
        hint="V1 has 0 or 1, or none before 0.1.17; V2 has 2; is this a snapshot?",
    )
