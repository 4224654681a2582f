"""V1 files, of releases 0.1.15 to 2.0: one protobuf message after the other.

A file says neither its layout nor its release. The layout is the one whose members end where the
body ends; should a file fit two, with and without a format_version, its rows tell them apart. The
release decides how messages are read; where nobody names it, that is the first of the layout's eras
that knows every field in the file. The bytes stay as they are.
Source: src/storage/backup/src/meta_snapshot_v1.rs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from google.protobuf import wrappers_pb2
from google.protobuf.message import DecodeError

from metasnapshot.errors import DamageError, RowError, TooDeep, UnknownFormat
from metasnapshot.format import messages
from metasnapshot.format.framing import V1, FrameReader, ReadableFile
from metasnapshot.format.hummock_version import MESSAGE_FORM, HummockVersion
from metasnapshot.format.places import MESSAGE, MESSAGES, SectionPlace, compare, raw_rows, walk
from metasnapshot.format.scalars import Blob
from metasnapshot_models.definitions import ColumnType
from metasnapshot_models.v1 import V1_LAYOUTS, V1Layout, V1Member

BARE = "id"
"""The header of a layout whose files start with the id."""
PAIRS, TEXT = "pairs", "text"
MEMBERS = {member.name for layout in V1_LAYOUTS.values() for member in layout.members}
"""Of any layout."""
FRAMES = {PAIRS: MESSAGES, "messages": MESSAGES, "message": MESSAGE, TEXT: MESSAGE}


class Pair(NamedTuple):
    """A key and a value of the meta store's default column family."""

    key: bytes
    value: bytes


@dataclass(frozen=True)
class V1Contents:
    """What a V1 file holds. A row is a Blob; of default_cf a Pair, of cluster_id a str."""

    file: ReadableFile
    format_version: int
    id: int
    definition: V1Layout
    places: tuple[SectionPlace, ...]
    release: str | None
    read_as: str | None = None
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
        """The state of the messages by which they are read: the first, from that of the release on,
        that knows every field. If none does, as where an upgraded cluster kept fields that are
        gone, that of the release, or of the layout's last: unknown fields stay unseen. `read_as`
        is another, wanted by who compares.
        """
        if self.read_as is not None:
            return self.read_as
        own = era_of_release(self.release or self.releases[-1], self.definition)
        eras = list(self.definition.eras)
        if self.release is not None:
            eras = eras[eras.index(own) :]
        for place in self.places:
            name = member_of(self.definition, place.name).message
            for _, data in raw_rows(self.file, place) if name else ():
                eras = [era for era in eras if _is_known(data, name, era)]
                if not eras:
                    return own
        return eras[0]

    def lacks(self, section: str) -> bool:
        """Whether a member is one that only other layouts have."""
        return section in MEMBERS and all(place.name != section for place in self.places)

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

    def decodes(self) -> bool:
        """Whether every row is one of its member."""
        try:
            for place in self.places:
                for _ in self.rows(place):
                    pass
        except RowError:
            return False
        return True

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
    fitting: list[V1Contents] = []
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
            header = walker.version, walker.id
            fitting.append(V1Contents(file, *header, layout, places, release))
    if not fitting:
        raise max(errors, key=_reached)
    if len(fitting) == 1:
        return fitting[0]
    named = (found for found in fitting if release in found.releases)
    return next(named, None) or next((found for found in fitting if found.decodes()), fitting[0])


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
    fitting = [era for era in layout.eras if era[0] == "v" and _number(era) <= _number(release)]
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
    place = walk(frames, member.name, FRAMES[member.form])
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
                with suppress(TooDeep):  # who looks into it is told
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
    if type(wrapped)(value=wrapped.value).SerializeToString() != data:
        raise RowError(f"not a {type(wrapped).__name__} as RisingWave writes it")
    value: bytes | str = wrapped.value
    return value


def _is_known(data: bytes, name: str, era: str) -> bool:
    """Whether an era knows every field of a message."""
    try:
        message = messages.parse(data, name, era)
    except TooDeep:
        return True
    except RowError:
        return False
    size = message.ByteSize()
    message.DiscardUnknownFields()
    return size == message.ByteSize()


def _reached(error: DamageError) -> int:
    """How far a walk came: what stopped the longest says most."""
    offset: int | None = getattr(error, "offset", None)
    return offset or 0


def _number(release: str) -> tuple[int, ...]:
    """A release as three numbers; what follows a dash says nothing here."""
    parts = [*release.removeprefix("v").partition("-")[0].split("."), "0", "0"][:3]
    return tuple(int(part) if part.isdecimal() else 0 for part in parts)
