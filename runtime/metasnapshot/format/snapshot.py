"""Whole snapshots in memory: loads, dumps, and open for those that are too large for it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from metasnapshot.errors import RowError, StorageError, UnknownFormat
from metasnapshot.format.framing import BUFFER_SIZE, V1, V2, FrameWriter, ReadableFile
from metasnapshot.format.hummock_version import HummockVersion
from metasnapshot.format.layout import HUMMOCK_VERSION
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.format.v1_writer import write_v1
from metasnapshot.format.writer import SnapshotWriter
from metasnapshot_models.layouts import LAYOUTS
from metasnapshot_models.v1 import V1_LAYOUTS


@dataclass
class MetaSnapshot:
    """A meta snapshot, decoded.

    Attributes:
        format_version: 2; 0 or 1 for V1.
        id: the snapshot's id; the file's name is `{id}.snapshot`.
        layout: name of the layout it is in, after the first release that has it.
        releases: the releases that may have written it, oldest first.
        sections: rows by section, each a list of models, in the order of the file; hummock_version
            stands apart. In V1 a row is a Blob with its message, in default_cf a Pair, in
            cluster_id a text.
        hummock_version: the Hummock version as read; assign another to replace it.
        opaque: bytes after the last known section, kept as they are.
    """

    format_version: int
    id: int
    layout: str
    releases: tuple[str, ...]
    sections: dict[str, list[Any]]
    hummock_version: HummockVersion
    opaque: bytes = field(default=b"", repr=False)


def loads(data: bytes, release: str | None = None) -> MetaSnapshot:
    """Decode a snapshot.

    Args:
        data: the bytes of the file.
        release: the release that wrote it, where that is known; a V1 file does not say.

    Raises:
        DamageError: the checksum does not fit, or a row is not one that its layout allows.
        UnknownFormat: the format or the layout is not known.
    """
    return load(SnapshotReader(BytesIO(data), len(data), release))


def load(reader: SnapshotReader) -> MetaSnapshot:
    """Decode all of an opened snapshot."""
    sections = {
        place.name: list(reader.rows(place.name))
        for place in reader.places
        if place.name != HUMMOCK_VERSION
    }
    return MetaSnapshot(
        reader.format_version,
        reader.id,
        reader.layout,
        reader.releases,
        sections,
        reader.hummock_version,
        reader.opaque,
    )


def dumps(snapshot: MetaSnapshot) -> bytes:
    """Encode a snapshot; `dumps(loads(data)) == data` for every file that RisingWave wrote.

    Raises:
        RowError: a section is missing, or a row does not fit the layout.
        UnknownFormat: the format or the layout is not known.
    """
    file = BytesIO()
    if snapshot.format_version <= V1 and snapshot.layout in V1_LAYOUTS:
        if snapshot.opaque:
            raise RowError("a V1 snapshot ends with its last member, nothing opaque follows it")
        frames = FrameWriter(file)
        layout = V1_LAYOUTS[snapshot.layout]
        header = snapshot.format_version, snapshot.id
        write_v1(frames, *header, layout, snapshot.sections, snapshot.hummock_version)
        frames.finish()
        return file.getvalue()
    if snapshot.format_version != V2 or snapshot.layout not in LAYOUTS:
        raise UnknownFormat(
            f"cannot write format_version {snapshot.format_version}, layout {snapshot.layout}",
            hint=f"format_version 2 and one of the layouts {', '.join(LAYOUTS)}; 0 or 1 and one of "
            f"{', '.join(V1_LAYOUTS)}",
        )
    writer = SnapshotWriter(file, snapshot.id, LAYOUTS[snapshot.layout])
    for number, (section, rows) in enumerate(snapshot.sections.items()):
        if number == 1:
            writer.write_hummock_version(snapshot.hummock_version)
        writer.write_section(section, len(rows), rows)
    writer.finish(snapshot.opaque)
    return file.getvalue()


@contextmanager
def open(  # noqa: A001
    source: str | Path | ReadableFile, release: str | None = None
) -> Generator[SnapshotReader]:
    """Open a snapshot for reading row by row, in memory that does not grow with it.

    The checksum is verified before the reader is handed out.

    Args:
        source: a path, or a binary file that can seek, which stays open.
        release: the release that wrote it, where that is known; a V1 file does not say.

    Raises:
        StorageError: the file cannot be opened.
        DamageError: the checksum or the frame does not fit.
        UnknownFormat: the format or the layout is not known.
    """
    if not isinstance(source, (str, Path)):
        yield SnapshotReader(source, release=release)
        return
    with ExitStack() as stack:
        try:
            file = stack.enter_context(Path(source).open("rb", buffering=BUFFER_SIZE))
        except OSError as error:
            raise StorageError(f"cannot open {source}: {error.strerror}") from error
        yield SnapshotReader(file, release=release)
