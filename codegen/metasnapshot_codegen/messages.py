"""messages.yaml -> plain data: messages and enums of protobuf with their lifespans, positions kept
for mistakes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import xxhash

from metasnapshot_codegen import source
from metasnapshot_codegen.source import Collector, Value
from metasnapshot_codegen.spans import LIFE, read_span

LABELS = ("optional", "repeated")


@dataclass(frozen=True)
class MessageField:
    """One field; since and until are indexes into the states, both included."""

    number: int
    name: str
    type: str
    label: str
    oneof: str
    since: int
    until: int


@dataclass(frozen=True)
class EnumValue:
    number: int
    name: str
    since: int
    until: int


@dataclass
class Messages:
    """All of messages.yaml: `states` are the releases whose messages were read, oldest first."""

    states: list[str]
    messages: dict[str, list[MessageField]]
    enums: dict[str, list[EnumValue]]

    def words(self, state: int) -> dict[str, str]:
        """For each package a count of its lines in a state, and their digest: for frozen.txt."""
        found: dict[str, list[str]] = {}
        for name, fields in self.messages.items():
            lines = found.setdefault(name.partition(".")[0], [])
            lines += [
                f"{name} {item.number} {item.name} {item.type} {item.label} {item.oneof}"
                for item in fields
                if item.since <= state <= item.until
            ]
        for name, values in self.enums.items():
            lines = found.setdefault(name.partition(".")[0], [])
            lines += [
                f"{name} {item.number} {item.name}"
                for item in values
                if item.since <= state <= item.until
            ]
        return {
            package: f"{len(lines)}:{xxhash.xxh64_hexdigest(chr(10).join(sorted(lines)).encode())}"
            for package, lines in sorted(found.items())
            if lines
        }


def read(path: Path) -> Messages:
    """Read messages.yaml.

    Raises:
        SchemaError: with every mistake found.
    """
    top = source.load(path).record(["releases", "messages", "enums"])
    found = Messages([item.text() for item in top["releases"].items()], {}, {})
    collector = Collector()
    if not found.states:
        raise top["releases"].fail("found no release, expected at least one")
    for name, fields in top["messages"].fields().items():
        members: list[MessageField] = []
        found.messages[name] = members
        for guard in collector.items(fields):
            with guard as item:
                field = _field(item, found.states)
                _check_twice(item, field, members)
                members.append(field)
    for name, values in top["enums"].fields().items():
        known: list[EnumValue] = []
        found.enums[name] = known
        for guard in collector.items(values):
            with guard as item:
                known.append(_value(item, found.states))
    collector.raise_any()
    return found


def _check_twice(place: Value, field: MessageField, others: list[MessageField]) -> None:
    """A number or a name stands for one field at a time."""
    for other in others:
        together = field.since <= other.until and other.since <= field.until
        if together and (field.number == other.number or field.name == other.name):
            raise place.fail(
                f"found field {field.number} {field.name} beside {other.number} {other.name} "
                "at the same time, expected numbers and names of their own"
            )


def _field(value: Value, states: list[str]) -> MessageField:
    found = value.record(["n", "name", "type"], ["label", "oneof", *LIFE])
    label = found["label"].text() if "label" in found else ""
    if label not in ("", *LABELS):
        raise found["label"].fail(f"found `{label}`, expected one of {', '.join(LABELS)}")
    oneof = found["oneof"].text() if "oneof" in found else ""
    span = read_span(found, value, states)
    number = _number(found["n"])
    name, kind = found["name"].text(), found["type"].text()
    return MessageField(number, name, kind, label, oneof, span.since, span.until)


def _value(value: Value, states: list[str]) -> EnumValue:
    found = value.record(["v", "name"], LIFE)
    span = read_span(found, value, states)
    return EnumValue(_number(found["v"]), found["name"].text(), span.since, span.until)


def _number(value: Value) -> int:
    try:
        return int(value.text())
    except ValueError as error:
        raise value.fail(f"found `{value.text()}`, expected an integer") from error
