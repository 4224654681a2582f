"""A row of either format as fields by name: those of a model, or of a V1 message."""

from __future__ import annotations

from functools import cache
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from msgspec import UNSET

from metasnapshot.format import messages
from metasnapshot.format.layout import model_of, shape_of
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.format.scalars import Blob
from metasnapshot.format.v1 import Pair, member_of
from metasnapshot_models.definitions import ColumnType
from metasnapshot_models.v1 import V1_LAYOUTS

Fields = dict[str, Any]
_PLAIN_BYTES = ColumnType("bytes", "bytes")
"""Of bytes that hold no secret."""
CLUSTER_ID = "cluster_id"


def fields_of(row: Any) -> Fields:
    """The fields that a row has, by name: values of a model; of a message its own, those that are
    messages, lists or maps as proto3 JSON with the names of the .proto.
    """
    if isinstance(row, Blob):
        return fields_of_message(row.message)
    if isinstance(row, Pair):
        return {"key": Blob(row.key, _PLAIN_BYTES), "value": Blob(row.value, _PLAIN_BYTES)}
    if isinstance(row, str):
        return {CLUSTER_ID: row}
    return {
        name: value for name in row.__struct_fields__ if (value := getattr(row, name)) is not UNSET
    }


def field_names(reader: SnapshotReader, section: str) -> list[str]:
    """The fields of a section's rows, hummock_version apart."""
    if not reader.is_v1:
        shape = shape_of(reader.definition, model_of(reader.definition, section))
        return [column.name for column in shape.columns]
    member = member_of(V1_LAYOUTS[reader.layout], section)
    if not member.message:
        return ["key", "value"] if member.form == "pairs" else [CLUSTER_ID]
    return list(_names(member.message, reader.era))


def key_names(reader: SnapshotReader, section: str) -> list[str]:
    """The fields that tell one row of a section from the others; none where there is but one."""
    if not reader.is_v1:
        shape = shape_of(reader.definition, model_of(reader.definition, section))
        return [column.name for column in shape.columns if column.pk]
    member = member_of(V1_LAYOUTS[reader.layout], section)
    if member.form == "pairs":
        return ["key"]
    return [member.key] if member.key else []


@cache
def _names(message: str, era: str) -> tuple[str, ...]:
    fields = messages.message_class(message, era).DESCRIPTOR.fields
    return tuple(field.name for field in fields)


def fields_of_message(message: Message | Any) -> Fields:
    """The fields of a row of a V1 snapshot that is decoded already."""
    shown = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return {field.name: _value(message, field, shown) for field in message.DESCRIPTOR.fields}


def _value(message: Any, field: Any, shown: Fields) -> Any:
    """A field's value: a number that is not set is 0 in proto3, unless it is optional."""
    if field.is_repeated or field.message_type is not None:
        return shown.get(field.name)
    if field.has_presence and not message.HasField(field.name):
        return None
    if field.type == field.TYPE_BYTES:
        return Blob(getattr(message, field.name))
    if field.type == field.TYPE_ENUM:
        return shown.get(field.name, field.enum_type.values[0].name)
    return getattr(message, field.name)
