"""The section that is no table: the Hummock version, in either of its two forms, kept as it was
read.

JSON form: one row of proto3 JSON (1.9.0 to 2.8.5, 3.0.0 and later). Protobuf form: one row with the
message less its change logs, then for each table with a change log a row of u32 table id and
TableChangeLog, ascending (branch release-2.8 after 2.8.5). The first byte tells them apart: `{`
cannot start the message. protobuf maps have no order, so the bytes stay until somebody replaces
them.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import msgspec
from google.protobuf import json_format
from google.protobuf.message import Message

from metasnapshot.errors import RowError, VersionError
from metasnapshot.format import messages

VERSION = "hummock.HummockVersion"
CHANGE_LOG = "hummock.TableChangeLog"
JSON_FORM = "json"
PROTOBUF_FORM = "protobuf"
MESSAGE_FORM = "message"
"""The whole message, as V1 snapshots have it."""
_TABLE_ID = struct.Struct("<I")


class HummockVersion:
    """A Hummock version as it stands in a snapshot.

    Attributes:
        form: json, protobuf or, in V1, message.
        rows: the rows of its section, as bytes.
        era: the state of the protobuf messages to start from; a later one is taken if fields ask
            for it.
    """

    def __init__(self, form: str, rows: Sequence[bytes], era: str) -> None:
        self.form = form
        self.rows = tuple(rows)
        self.era = era

    @classmethod
    def from_rows(cls, rows: Sequence[bytes], era: str) -> HummockVersion:
        """Recognise the form of a section's rows.

        Raises:
            RowError: the rows have neither of the two forms.
        """
        if not rows:
            raise RowError("expected at least one row, found none")
        form = JSON_FORM if rows[0].startswith(b"{") else PROTOBUF_FORM
        if form == JSON_FORM and len(rows) != 1:
            raise RowError(f"expected one row of JSON, found {len(rows)}")
        seen: set[bytes] = set()
        for number, row in enumerate(rows[1:], 1):
            table_id = row[: _TABLE_ID.size]
            if len(table_id) < _TABLE_ID.size:
                raise RowError("table change log item shorter than table id", row=number)
            if table_id in seen:
                raise RowError("a second change log of the same table", row=number)
            seen.add(table_id)
        return cls(form, rows, era)

    @classmethod
    def from_message(cls, version: Message, form: str, era: str) -> HummockVersion:
        """Write a HummockVersion message in a form."""
        if form == JSON_FORM:
            return cls(form, [encode_json(version)], era)
        if form == MESSAGE_FORM:
            return cls(form, [version.SerializeToString(deterministic=True)], era)
        rest: Any = type(version)()
        rest.CopyFrom(version)
        logs = dict(rest.table_change_logs)
        rows = [
            _TABLE_ID.pack(table_id) + logs[table_id].SerializeToString(deterministic=True)
            for table_id in sorted(logs)
        ]
        rest.ClearField("table_change_logs")
        return cls(form, [rest.SerializeToString(deterministic=True), *rows], era)

    @cached_property
    def message(self) -> Any:
        """The HummockVersion message, change logs included.

        Raises:
            VersionError: the rows do not decode in any known era.
        """
        if self.form == JSON_FORM:
            return decode_json(self.rows[0], self.era)
        version: Any = decode(self.rows[0], VERSION, self.era)
        for row in self.rows[1:]:
            (table_id,) = _TABLE_ID.unpack_from(row)
            log = decode(row[_TABLE_ID.size :], CHANGE_LOG, messages.era_of(version))
            version.table_change_logs[table_id].ParseFromString(log.SerializeToString())
        return version

    @property
    def json(self) -> Any:
        """The version in the form of proto3 JSON."""
        return sorted_maps(messages.to_json(self.message))

    @property
    def id(self) -> int:
        """The version's id."""
        return int(self.message.id)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HummockVersion) and self.rows == other.rows

    def __hash__(self) -> int:
        return hash(self.rows)

    def __repr__(self) -> str:
        return f"HummockVersion({self.form}, {sum(map(len, self.rows))} bytes)"


def decode(data: bytes, name: str, era: str) -> Message:
    """Decode a Hummock message in the first era, from this one on, that knows all its fields.

    What an upgraded cluster's older release wrote may have fields that are gone by now: if an
    earlier era knows them all, they are dropped, as the newer release drops them when it reads.

    Raises:
        VersionError: no era does, or the bytes are no such message.
    """
    try:
        for candidate in (*messages.eras_from(era), *messages.eras_before(era)):
            message = messages.parse(data, name, candidate)
            if messages.has_unknown_fields(message):
                continue
            if candidate not in messages.eras_before(era):
                return message
            message = messages.parse(data, name, era)
            message.DiscardUnknownFields()
            return message
    except RowError as error:
        raise VersionError(str(error)) from error
    raise VersionError(f"{name} has fields that no release up to {messages.NEWEST} knows")


def decode_json(text: bytes, era: str) -> Message:
    """Decode proto3 JSON of a HummockVersion in the first era, from this one on, that knows all its
    fields.

    Raises:
        VersionError: no era does, or the text is not such JSON.
    """
    last: Exception | None = None
    try:
        parsed = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise VersionError(f"hummock_version is not JSON: {error}") from error
    for candidate in messages.eras_from(era):
        try:
            return json_format.ParseDict(parsed, messages.message_class(VERSION, candidate)())
        except (json_format.ParseError, RecursionError) as error:
            last = error
    raise VersionError(f"hummock_version does not decode: {last}") from last


def encode_json(version: Message) -> bytes:
    """A HummockVersion as compact proto3 JSON; maps by ascending key, so that equal versions give
    equal bytes.
    """
    return msgspec.json.encode(sorted_maps(messages.to_json(version)))


def sorted_maps(value: Any) -> Any:
    """Order the maps of a version by number; all their keys are ids, while no field of a message is
    a number.
    """
    if isinstance(value, list):
        items: list[Any] = value  # pyright: ignore[reportUnknownVariableType]
        return [sorted_maps(item) for item in items]
    if not isinstance(value, dict):
        return value
    pairs: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType]
    ordered = sorted(pairs, key=int) if all(key.isdecimal() for key in pairs) else list(pairs)
    return {key: sorted_maps(pairs[key]) for key in ordered}
