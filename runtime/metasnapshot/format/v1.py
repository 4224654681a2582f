"""V1 files, of releases 0.1.15 to 2.0: one protobuf message after the other.

A file says neither its layout nor its release. The layout is the one whose members end where the
body ends: no file fits two. The release decides how messages are read; where nobody names it, that
is the first of the layout's eras that knows every field in the file. The bytes stay as they are.
Source: src/storage/backup/src/meta_snapshot_v1.rs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from google.protobuf import wrappers_pb2
from google.protobuf.message import DecodeError

from metasnapshot.errors import DamageError, MetasnapshotError, RowError, UnknownFormat
from metasnapshot.format import messages
from metasnapshot.format.framing import FrameReader, FrameWriter, ReadableFile
from metasnapshot.format.hummock_version import MESSAGE_FORM, HummockVersion
from metasnapshot.format.layout import HUMMOCK_VERSION
from metasnapshot.format.places import MESSAGE, MESSAGES, SectionPlace, compare, raw_rows, walk
from metasnapshot.format.scalars import Blob
from metasnapshot_models.definitions import ColumnType
from metasnapshot_models.v1 import V1_LAYOUTS, V1Layout, V1Member

V1 = 1
BARE = "id"
"""The header of a layout whose files start with the id."""
PAIRS, TEXT = "pairs", "text"
_FRAMES = {PAIRS: MESSAGES, "messages": MESSAGES, "message": MESSAGE, TEXT: MESSAGE}


class Pair(NamedTuple):
    """A key and a value of the meta store's default column family."""

    key: bytes
    value: bytes


@dataclass(frozen=True)
class V1Contents:
    """What a V1 file holds. A row is a Blob with its message; of default_cf a Pair; of cluster_id a
    str.
    """

    file: ReadableFile
    format_version: int
    id: int
    definition: V1Layout
    places: tuple[SectionPlace, ...]
    release: str | None
    unknown_migrations: tuple[str, ...] = ()

    @property
    def layout(self) -> str:
        """Name of the layout."""
        return self.definition.name

    @property
    def releases(self) -> tuple[str, ...]:
        """The releases whose files look so, oldest first."""
        return self.definition.releases

    @cached_property
    def era(self) -> str:
        """The state of the messages by which they are read: the first from that of the release on
        that knows every field, else the last, where those that it does not know stay unseen.
        """
        eras = list(self.definition.eras)
        if self.release is not None:
            eras = eras[eras.index(era_of_release(self.release, self.definition)) :]
        for place in self.places:
            name = member_of(self.definition, place.name).message
            for _, data in raw_rows(self.file, place) if name and len(eras) > 1 else ():
                eras = [era for era in eras if _is_known(data, name, era)] or eras[-1:]
        return eras[0]

    def rows(self, place: SectionPlace) -> Iterator[Any]:
        """The rows of a member."""
        member = member_of(self.definition, place.name)
        if place.values is not None:
            found = zip(
                _decoded(self._raw(place), member, self.era),
                _decoded(self._raw(place.values), member, self.era),
                strict=True,
            )
            yield from (Pair(key, value) for key, value in found)
        else:
            yield from _decoded(self._raw(place), member, self.era)

    def version(self, rows: list[bytes]) -> HummockVersion:
        """The Hummock version in its message."""
        return HummockVersion(MESSAGE_FORM, rows, self.era)

    def _raw(self, place: SectionPlace) -> Iterator[tuple[int, bytes]]:
        return raw_rows(self.file, place)


def read_v1(file: ReadableFile, end: int, checksum: int, release: str | None = None) -> V1Contents:
    """Find the layout and the members of a file whose checksum was verified.

    Args:
        file: the file.
        end: where its body ends.
        checksum: XXH64 of it up to there.
        release: the release that wrote it, where that is known.

    Raises:
        DamageError: it fits no layout.
    """
    errors: list[DamageError] = []
    for bare in (False, True):
        walker = _Walker(file, end, is_bare=bare)
        for layout in V1_LAYOUTS.values():
            if (layout.header == BARE) != bare or (not bare and walker.version > V1):
                continue
            try:
                places = walker.walk(layout)
            except DamageError as error:
                errors.append(error)
                continue
            compare("the snapshot", checksum, places[-1].digest)
            return V1Contents(file, walker.version, walker.id, layout, places, release)
    raise max(errors, key=_reached)


def write_v1(
    frames: FrameWriter,
    format_version: int,
    snapshot_id: int,
    layout: V1Layout,
    sections: dict[str, list[Any]],
    version: HummockVersion,
) -> None:
    """Write a V1 snapshot, up to its checksum.

    Raises:
        RowError: a member is missing, is too much, or has a row that is none of its own.
    """
    if layout.header == BARE:
        frames.bare_header(snapshot_id)
    else:
        frames.header(format_version, snapshot_id)
    names = [member.name for member in layout.members]
    for name in sections:
        if name not in names or name == HUMMOCK_VERSION:
            raise RowError(f"layout {layout.name} has no such section", section=name)
    for member in layout.members:
        if member.name == HUMMOCK_VERSION:
            frames.message(whole_version(version))
            continue
        if member.name not in sections:
            raise RowError("section not written", section=member.name)
        try:
            _write_member(frames, member, sections[member.name])
        except RowError as error:
            raise error.at(section=member.name, row=error.row) from error


def whole_version(version: HummockVersion) -> bytes:
    """The bytes of a HummockVersion message, change logs included."""
    if version.form == MESSAGE_FORM:
        return version.rows[0]
    data: bytes = version.message.SerializeToString(deterministic=True)
    return data


def member_of(layout: V1Layout, name: str) -> V1Member:
    """A member of a layout.

    Raises:
        UnknownFormat: it has none of that name.
    """
    for member in layout.members:
        if member.name == name:
            return member
    names = ", ".join(member.name for member in layout.members)
    raise UnknownFormat(f"layout {layout.name} has no section {name}", hint=f"it has {names}")


def era_of_release(release: str, layout: V1Layout) -> str:
    """The era of a layout that a release speaks: the last tag that is not younger."""
    fitting = [era for era in layout.eras if era[0] == "v" and _number(era[1:]) <= _number(release)]
    return fitting[-1] if fitting else layout.eras[0]


class _Walker:
    """Walks through the layouts with one kind of header; what they share is walked once."""

    def __init__(self, file: ReadableFile, end: int, *, is_bare: bool) -> None:
        self.file = file
        self.frames = FrameReader(file, 0, end)
        self.version, self.id = (0, self.frames.bare_header()) if is_bare else self.frames.header()
        self._known: dict[tuple[str, ...], tuple[FrameReader, SectionPlace]] = {}

    def walk(self, layout: V1Layout) -> tuple[SectionPlace, ...]:
        """The places of a layout's members, if they end where the body does."""
        frames, places, names = self.frames, list[SectionPlace](), tuple[str, ...]()
        for member in layout.members:
            names = (*names, member.name)
            if names not in self._known:
                start = FrameReader(self.file, frames.offset, frames.end, frames.state)
                self._known[names] = start, _place(start, member)
            frames, place = self._known[names]
            places.append(place)
        if frames.remaining:
            raise RowError(
                f"{frames.remaining} bytes are left behind {names[-1]}, the last of layout "
                f"{layout.name}",
                offset=frames.offset,
            )
        return tuple(places)


def _place(frames: FrameReader, member: V1Member) -> SectionPlace:
    place = walk(frames, member.name, _FRAMES[member.form])
    if member.form != PAIRS:
        return place
    values = walk(frames, member.name, MESSAGES)
    if values.count != place.count:
        raise RowError(f"{place.count} keys and {values.count} values", section=member.name)
    return SectionPlace(
        place.name, place.count, place.start, place.end, place.state, place.digest, MESSAGES, values
    )


def _decoded(raw: Iterable[tuple[int, bytes]], member: V1Member, era: str) -> Iterator[Any]:
    column = ColumnType(member.name, "message", message=member.message, wrapper="single")
    for number, (offset, data) in enumerate(raw):
        try:
            if member.message:
                messages.parse(data, member.message, era)
                yield Blob(data, column, era)
            else:
                yield _unwrap(data, member.form)
        except RowError as error:
            raise error.at(section=member.name, row=number, offset=offset) from error


def _unwrap(data: bytes, form: str) -> bytes | str:
    """The value of a BytesValue or StringValue, which must be written as RisingWave writes it."""
    wrapped: Any = wrappers_pb2.StringValue() if form == TEXT else wrappers_pb2.BytesValue()
    try:
        wrapped.ParseFromString(data)
    except DecodeError as error:
        raise RowError(f"not a {type(wrapped).__name__} message: {error}") from error
    if wrapped.SerializeToString() != data:
        raise RowError(f"not a {type(wrapped).__name__} as RisingWave writes it")
    value: bytes | str = wrapped.value
    return value


def _write_member(frames: FrameWriter, member: V1Member, rows: list[Any]) -> None:
    if _FRAMES[member.form] == MESSAGE:
        if len(rows) != 1:
            raise RowError(f"expected one row, found {len(rows)}")
        frames.message(_encode(rows[0], member, 0))
    elif member.form == PAIRS:
        for number, row in enumerate(rows):
            if not isinstance(row, Pair):
                raise RowError(f"found {type(row).__name__}, expected a Pair", row=number)
        _write_list(frames, member, [row.key for row in rows])
        _write_list(frames, member, [row.value for row in rows])
    else:
        _write_list(frames, member, rows)


def _write_list(frames: FrameWriter, member: V1Member, rows: list[Any]) -> None:
    frames.count(len(rows))
    for number, row in enumerate(rows):
        frames.message(_encode(row, member, number))


def _encode(row: Any, member: V1Member, number: int) -> bytes:
    if member.message and isinstance(row, Blob):
        return row.bytes
    if member.form == TEXT and isinstance(row, str):
        return wrappers_pb2.StringValue(value=row).SerializeToString()
    if member.form == PAIRS and isinstance(row, bytes):
        return wrappers_pb2.BytesValue(value=row).SerializeToString()
    raise RowError(f"found {type(row).__name__}, which is no row of this section", row=number)


def _is_known(data: bytes, name: str, era: str) -> bool:
    """Whether an era knows every field of a message."""
    try:
        return not messages.has_unknown_fields(messages.parse(data, name, era))
    except MetasnapshotError:
        return False


def _reached(error: DamageError) -> int:
    """How far a walk came: what stopped the longest says most."""
    offset: int | None = getattr(error, "offset", None)
    return offset or 0


def _number(release: str) -> tuple[int, ...]:
    """A release as numbers; what follows a dash says nothing here."""
    parts = release.partition("-")[0].split(".")
    return tuple(int(part) if part.isdigit() else 0 for part in parts)
