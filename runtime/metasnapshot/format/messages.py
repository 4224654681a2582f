"""RisingWave's protobuf messages, by era: decode, and show as proto3 JSON.

Field numbers were reused with other types over the years, so each era has a descriptor pool of its
own, built on demand from the generated data. A type that the data names without describing is
carried as bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.message import DecodeError, Message

from metasnapshot.errors import RowError, TooDeep
from metasnapshot_models.definitions import EnumValue, MessageField
from metasnapshot_models.messages import ENUMS, MESSAGES, STATES

NEWEST = STATES[-1]
_AT = {state: number for number, state in enumerate(STATES)}
_TOO_DEEP = "MaxDepth"
"""What the library says of a message of more than a hundred levels."""
PROTO_SUFFIX = ".proto"
_FieldProto = descriptor_pb2.FieldDescriptorProto
_SCALARS: dict[str, Any] = {
    name: getattr(_FieldProto, f"TYPE_{name.upper()}")
    for name in [
        "double",
        "float",
        "int32",
        "int64",
        "uint32",
        "uint64",
        "sint32",
        "sint64",
        "fixed32",
        "fixed64",
        "sfixed32",
        "sfixed64",
        "bool",
        "string",
        "bytes",
    ]
}


@cache
def message_class(name: str, era: str) -> Any:
    """The class of a message (`hummock.HummockVersion`) as an era knows it, made at run time."""
    return message_factory.GetMessageClass(_pool(era).FindMessageTypeByName(name))


@cache
def field_order(name: str, era: str) -> dict[str, int]:
    """The place of each field of a message, by its name in proto3 JSON."""
    fields = message_class(name, era).DESCRIPTOR.fields
    return {field.json_name: number for number, field in enumerate(fields)}


def first_era_of(name: str, field: str) -> str:
    """The first era whose message has a field."""
    return min(
        (item.since or STATES[0] for item in MESSAGES[name] if item.name == field),
        key=STATES.index,
    )


def lifespan(item: MessageField | EnumValue) -> range:
    """The states that have a field or a value, as indexes into STATES."""
    since = _AT[item.since] if item.since else 0
    return range(since, _AT[item.until] + 1 if item.until else len(STATES))


def eras_from(era: str) -> tuple[str, ...]:
    """This era and all later ones."""
    return STATES[STATES.index(era) :]


def eras_before(era: str) -> tuple[str, ...]:
    """All earlier eras, the latest first."""
    return STATES[: STATES.index(era)][::-1]


def later_era(era: str, other: str) -> str:
    """The later of two eras."""
    return max(era, other, key=STATES.index)


def era_of(message: Message) -> str:
    """The era whose class a message is of."""
    return message.DESCRIPTOR.file.name.removesuffix(PROTO_SUFFIX)


def parse(data: bytes, name: str, era: str) -> Message:
    """Decode one message.

    Raises:
        RowError: the bytes are not that message.
        TooDeep: they may be, but it is nested too deep.
    """
    message = message_class(name, era)()
    fill(message, data, f"a {name} message")
    return message


def fill(message: Message, data: bytes, what: str) -> None:
    """Decode into an empty message.

    Raises:
        RowError, TooDeep: as parse; they say what the bytes should have been.
    """
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        if _TOO_DEEP in str(error):
            raise TooDeep(f"{what} is nested too deep to be looked into") from error
        raise RowError(f"not {what}: {error}") from error


def decode(
    data: bytes, name: str, wrapper: str, era: str
) -> Message | list[Message] | dict[str, Message]:
    """Decode the message, list or map of messages that a blob holds.

    Raises:
        RowError: the bytes are not that.
    """
    if wrapper == "single":
        return parse(data, name, era)
    wrapped: Any = _wrapper_class(name, wrapper, era)()
    fill(wrapped, data, f"a {wrapper} of {name} messages")
    return dict(wrapped.items) if wrapper == "map" else list(wrapped.items)


def to_json(message: Message) -> Any:
    """A message as proto3 JSON: defaults left out, 64-bit integers as text, bytes as base64."""
    return json_format.MessageToDict(message)


def has_unknown_fields(message: Message) -> bool:
    """Whether any part of a message holds fields that its era does not know."""
    known = type(message)()
    known.CopyFrom(message)
    known.DiscardUnknownFields()
    return known.ByteSize() != message.ByteSize()


@cache
def _pool(era: str) -> descriptor_pool.DescriptorPool:
    """All messages of an era.

    They stand in one file, each package as an outer message: the names come out the same, and
    packages may refer to each other in circles.
    """
    state = STATES.index(era)
    file = descriptor_pb2.FileDescriptorProto(name=f"{era}{PROTO_SUFFIX}", syntax="proto3")
    scopes: dict[str, Any] = {}
    enums = {name: alive for name in sorted(ENUMS) if (alive := _alive(ENUMS[name], state))}
    kinds = dict.fromkeys(enums, _FieldProto.TYPE_ENUM) | dict.fromkeys(
        MESSAGES, _FieldProto.TYPE_MESSAGE
    )
    for name in sorted(MESSAGES):
        _fill(_scope(name, file, scopes), _alive(MESSAGES[name], state), kinds)
    for name, values in enums.items():
        outer, _, short = name.rpartition(".")
        _fill_enum(_scope(outer, file, scopes).enum_type.add(name=short), values)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


@cache
def _wrapper_class(name: str, wrapper: str, era: str) -> type[Message]:
    """A message whose only field, number 1, repeats the message or maps strings to it."""
    pool = _pool(era)
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{era}/{wrapper}/{name}{PROTO_SUFFIX}",
        syntax="proto3",
        dependency=[f"{era}{PROTO_SUFFIX}"],
    )
    message = file.message_type.add(name=f"{wrapper}_of_{name.replace('.', '_')}")
    item_type = f".{name}"
    if wrapper == "map":
        entry = message.nested_type.add(name="ItemsEntry")
        entry.options.map_entry = True
        optional = _FieldProto.LABEL_OPTIONAL
        entry.field.add(name="key", number=1, label=optional, type=_FieldProto.TYPE_STRING)
        entry.field.add(
            name="value",
            number=2,
            label=optional,
            type=_FieldProto.TYPE_MESSAGE,
            type_name=item_type,
        )
        item_type = f".{message.name}.ItemsEntry"
    message.field.add(
        name="items",
        number=1,
        label=_FieldProto.LABEL_REPEATED,
        type=_FieldProto.TYPE_MESSAGE,
        type_name=item_type,
    )
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(message.name))


def _scope(name: str, file: Any, scopes: dict[str, Any]) -> Any:
    """The descriptor of a message, or of a package as a message, made with all that it lies in."""
    if name not in scopes:
        outer, _, short = name.rpartition(".")
        container = _scope(outer, file, scopes).nested_type if outer else file.message_type
        scopes[name] = container.add(name=short)
    return scopes[name]


def _fill(message: Any, fields: Iterable[MessageField], kinds: dict[str, Any]) -> None:
    listed = list(fields)
    oneofs = list(dict.fromkeys(field.oneof for field in listed if field.oneof))
    for name in oneofs:
        message.oneof_decl.add(name=name)
    if message.name.endswith("Entry") and {field.name for field in listed} == {"key", "value"}:
        message.options.map_entry = True
    for field in listed:
        proto = message.field.add(name=field.name, number=field.number)
        proto.label = (
            _FieldProto.LABEL_REPEATED if field.label == "repeated" else _FieldProto.LABEL_OPTIONAL
        )
        proto.type = _SCALARS.get(field.type) or kinds.get(field.type, _FieldProto.TYPE_BYTES)
        if field.type in kinds:
            proto.type_name = f".{field.type}"
        if field.oneof:
            proto.oneof_index = oneofs.index(field.oneof)
        elif (
            field.label == "optional"
        ):  # proto3 wraps each in a oneof of its own, after the real ones
            proto.proto3_optional = True
            proto.oneof_index = len(message.oneof_decl)
            message.oneof_decl.add(name=f"_{field.name}")


def _fill_enum(enum: Any, values: Iterable[EnumValue]) -> None:
    numbers: set[int] = set()
    for value in sorted(values, key=lambda value: value.number != 0):  # proto3 wants the zero first
        if value.number in numbers:
            enum.options.allow_alias = True
        numbers.add(value.number)
        enum.value.add(name=value.name, number=value.number)


def _alive(items: Iterable[Any], state: int) -> list[Any]:
    return [item for item in items if state in lifespan(item)]
