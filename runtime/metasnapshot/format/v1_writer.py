"""Writes V1 snapshots, byte for byte as the releases of their layout do."""

from __future__ import annotations

from typing import Any

from google.protobuf import wrappers_pb2

from metasnapshot.errors import RowError
from metasnapshot.format.framing import FrameWriter
from metasnapshot.format.hummock_version import MESSAGE_FORM, HummockVersion
from metasnapshot.format.layout import HUMMOCK_VERSION
from metasnapshot.format.places import MESSAGE
from metasnapshot.format.scalars import Blob
from metasnapshot.format.v1 import BARE, FRAMES, PAIRS, TEXT, Pair
from metasnapshot_models.v1 import V1Layout, V1Member


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
        RowError: a member is missing, is too much, or has a row of another section.
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


def _write_member(frames: FrameWriter, member: V1Member, rows: list[Any]) -> None:
    if FRAMES[member.form] == MESSAGE:
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
        try:
            return wrappers_pb2.StringValue(value=row).SerializeToString()
        except UnicodeEncodeError as error:
            raise RowError(f"not a text: {error}", row=number) from error
    if member.form == PAIRS and isinstance(row, bytes):
        return wrappers_pb2.BytesValue(value=row).SerializeToString()
    raise RowError(f"found {type(row).__name__}, which is no row of this section", row=number)
