"""Writes a V2 snapshot as a stream: header, sections with their counts, opaque bytes, checksum."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from metasnapshot.errors import RowError
from metasnapshot.format.codec import RowCodec, row_codec
from metasnapshot.format.framing import U32_MAX, V2, FrameWriter, WritableFile
from metasnapshot.format.hummock_version import HummockVersion
from metasnapshot.format.layout import HUMMOCK_VERSION, has_long_rows, model_of, section_names
from metasnapshot.format.scalars import Blob
from metasnapshot_models.definitions import Layout

SHORT_SIZE = 1 << 13
"""Bytes of a row, on average, up to which rows are joined before they are written."""
MODELS_MAX, MODELS_SIZE = 1000, 1 << 19
"""Models, and bytes of their blobs, that are encoded together."""
Models = tuple[msgspec.Struct, ...]


class SnapshotWriter:
    """Writes the sections of a layout in their order; a section out of turn or short of its count
    is an error.
    """

    def __init__(self, file: WritableFile, snapshot_id: int, layout: Layout) -> None:
        self._frames = FrameWriter(file)
        self._layout = layout
        self._pending = list(section_names(layout))
        self._frames.header(V2, snapshot_id)

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._frames.size

    def write_section(
        self, section: str, count: int, rows: Iterable[msgspec.Struct | bytes | list[bytes]]
    ) -> None:
        """Write a section of models, of rows that are encoded already, or of many such at once.

        Args:
            section: the next section of the layout.
            count: how many rows come; it precedes them in the file.
            rows: the rows.

        Raises:
            RowError: a row does not fit the layout, or there are more or fewer than count.
        """
        self._start(section, count)
        codec = row_codec(self._layout, model_of(self._layout, section))
        written = 0
        for some in _gathered(codec, rows):
            for encoded in _encoded(codec, some, section, written):
                self._write_rows(encoded, section, written)
                written += len(encoded)
        if written != count:
            raise RowError(f"{count} rows announced, {written} came", section=section)

    def write_hummock_version(self, version: HummockVersion) -> None:
        """Write the Hummock version as it stands, in whichever form it has."""
        self._start(HUMMOCK_VERSION, len(version.rows))
        for number, row in enumerate(version.rows):
            try:
                self._write_row(row)
            except RowError as error:
                raise error.at(section=HUMMOCK_VERSION, row=number) from error

    def finish(self, opaque: bytes = b"") -> int:
        """Write what follows the sections, and the checksum.

        Returns:
            The checksum.

        Raises:
            RowError: sections are missing.
        """
        if self._pending:
            raise RowError("section not written", section=self._pending[0])
        self._frames.write(opaque)
        return self._frames.finish()

    def _write_rows(self, rows: list[bytes], section: str, first: int) -> None:
        if sum(map(len, rows)) < SHORT_SIZE * len(rows):
            self._frames.rows(rows)
            return
        for number, row in enumerate(rows, first):
            try:
                self._write_row(row)
            except RowError as error:
                raise error.at(section=section, row=number) from error

    def _write_row(self, row: bytes) -> None:
        if len(row) > U32_MAX and not has_long_rows(self._layout):
            raise RowError(f"{len(row)} bytes; releases of layout {self._layout.name} read 4 GiB")
        self._frames.row(row)

    def _start(self, section: str, count: int) -> None:
        if not self._pending or self._pending[0] != section:
            due = self._pending[0] if self._pending else "the end"
            raise RowError(f"out of turn: {due} is due", section=section)
        if count > U32_MAX:
            raise RowError(f"{count} rows, a section holds {U32_MAX} at most", section=section)
        del self._pending[0]
        self._frames.count(count)


def _gathered(
    codec: RowCodec, rows: Iterable[msgspec.Struct | bytes | list[bytes]]
) -> Iterator[list[bytes] | Models]:
    """Rows that are encoded already, and models, some of which together."""
    names = [column.name for column, _ in codec.blob_keys]
    held: list[msgspec.Struct] = []
    size = 0
    for row in rows:
        if isinstance(row, (bytes, list)):
            if held:
                yield tuple(held)
                held, size = [], 0
            yield [row] if isinstance(row, bytes) else row
            continue
        held.append(row)
        for name in names:
            if isinstance(value := getattr(row, name, None), Blob):
                size += len(value.bytes)
        if size >= MODELS_SIZE or len(held) >= MODELS_MAX:
            yield tuple(held)
            held, size = [], 0
    if held:
        yield tuple(held)


def _encoded(
    codec: RowCodec, rows: list[bytes] | Models, section: str, first: int
) -> Iterator[list[bytes]]:
    """The bytes of rows; models that do not encode together one by one, up to the one that is why.

    Raises:
        RowError: it does not fit the layout.
    """
    if isinstance(rows, list):
        yield rows
        return
    from metasnapshot.format.column_encoding import encode_models  # noqa: PLC0415 - loads numpy

    if (together := encode_models(codec, rows)) is not None:
        yield from [together] if isinstance(together, list) else ([row] for row in together)
        return
    for number, row in enumerate(rows, first):
        try:
            yield [codec.encode(row)]
        except RowError as error:
            raise error.at(section=section, row=number) from error
