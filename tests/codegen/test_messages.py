from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from metasnapshot_codegen import messages
from metasnapshot_codegen.messages import EnumValue, MessageField

KIND = "{n: 1, name: kind, type: toy.Kind}"
ROWS = "{n: 2, name: rows, type: uint64, oneof: size, until: v1}"
BYTES = "bytes_of_all_rows_in_all_files_of_the_format"
APART = "at the same time, expected numbers and names of their own"
MISTAKES = {
    "unknown key": (
        KIND,
        "{n: 1, name: kind, tipe: toy.Kind}",
        "found unknown key `tipe`, expected one of n, name, type, label, oneof, since, until",
    ),
    "missing key": (KIND, "{n: 1, name: kind}", "found no key `type`, expected one"),
    "wrong number": (
        KIND,
        "{n: one, name: kind, type: toy.Kind}",
        "found `one`, expected an integer",
    ),
    "unknown label": (
        KIND,
        "{n: 1, name: kind, type: toy.Kind, label: required}",
        "found `required`, expected one of optional, repeated",
    ),
    "unknown state": (ROWS, ROWS.replace("v1", "v3"), "found `v3`, expected one of v1, v2"),
    "until before since": (
        ROWS,
        ROWS.replace("until", "since: v2, until"),
        "found until v1 before since v2, expected since to come first",
    ),
    "number twice": (
        ROWS,
        ROWS.replace("n: 2", "n: 1"),
        f"found field 1 rows beside 1 kind {APART}",
    ),
    "name twice": (
        ROWS,
        ROWS.replace("name: rows", "name: kind"),
        f"found field 2 kind beside 1 kind {APART}",
    ),
    "number twice in one state": (
        f"{BYTES}, type: fixed64, oneof: size, since: v2",
        f"{BYTES}, type: fixed64, oneof: size, since: v1",
        f"found field 2 {BYTES} beside 2 rows {APART}",
    ),
    "unknown key of an enum value": (
        "{v: 1, name: JSON}",
        "{v: 1, name: JSON, db: JSON}",
        "found unknown key `db`, expected one of v, name, since, until",
    ),
    "wrong number of an enum value": (
        "{v: 1, name: JSON}",
        "{v: 1.5, name: JSON}",
        "found `1.5`, expected an integer",
    ),
    "message twice": (
        "  toy.Secret:",
        "  toy.Format:",
        "found `toy.Format` twice, expected it once",
    ),
    "no fields": ("toy.Empty: []", "toy.Empty: none", "found a text, expected a list"),
    "unknown key at the top": (
        "releases: [v1, v2]",
        "states: [v1, v2]",
        "found unknown key `states`, expected one of releases, messages, enums",
    ),
}


@pytest.mark.parametrize(("old", "new", "text"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_where_it_stands(
    toy: Path,
    edit: Callable[..., int],
    run: Callable[..., CompletedProcess[str]],
    old: str,
    new: str,
    text: str,
) -> None:
    """A mistake is exit code 2 and one line: file, line, what was found, what was expected."""
    line = edit(old, new, "messages.yaml")
    outcome = run()
    assert outcome.stderr == f"error: {toy / 'messages.yaml'}:{line}: {text}\n"
    assert outcome.returncode == 2


def test_mistakes_of_several_messages_are_reported_at_once(
    toy: Path, edit: Callable[..., int], run: Callable[..., CompletedProcess[str]]
) -> None:
    """One run names the mistakes of messages and enums alike."""
    lines = [
        edit("name: name, type: string", "name: name", "messages.yaml"),
        edit(KIND, "{n: one, name: kind, type: toy.Kind}", "messages.yaml"),
        edit("{v: 1, name: JSON}", "{v: JSON, name: JSON}", "messages.yaml"),
    ]
    outcome = run()
    start = f"error: {toy / 'messages.yaml'}:"
    found = [int(line.removeprefix(start).split(":")[0]) for line in outcome.stderr.splitlines()]
    assert lines == found


def test_every_bad_field_of_a_message_is_reported(
    toy: Path, edit: Callable[..., int], run: Callable[..., CompletedProcess[str]]
) -> None:
    """A bad field hides no other of its message, nor a number that two of them share."""
    file = toy / "messages.yaml"
    lines = [
        edit(KIND, "{n: one, name: kind, type: toy.Kind}", "messages.yaml"),
        edit(ROWS, ROWS.replace("until: v1", "label: required"), "messages.yaml"),
        edit("oneof: size, since: v2}", "oneof: size}\n  - {n: 2, name: a, type: bool}", file.name),
    ]
    assert run().stderr.splitlines() == [
        f"error: {file}:{lines[0]}: found `one`, expected an integer",
        f"error: {file}:{lines[1]}: found `required`, expected one of optional, repeated",
        f"error: {file}:{lines[2] + 1}: found field 2 a beside 2 {BYTES} {APART}",
    ]


def test_messages_are_read_as_written(toy: Path) -> None:
    """Fields and values arrive in their order, lifespans as indexes of states."""
    found = messages.read(toy / "messages.yaml")
    assert found.states == ["v1", "v2"]
    assert found.messages["toy.Empty"] == []
    assert found.messages["toy.Column"] == [
        MessageField(1, "name", "string", "", "", 0, 1),
        MessageField(2, "format", "toy.Format", "optional", "", 1, 1),
    ]
    assert found.enums["toy.Kind"] == [
        EnumValue(0, "UNSPECIFIED", 0, 1),
        EnumValue(1, "JSON", 0, 1),
        EnumValue(2, "AVRO", 1, 1),
    ]


def test_a_number_may_be_used_twice(toy: Path) -> None:
    """A number that was given to another field later stands twice, each with its lifespan."""
    fields = messages.read(toy / "messages.yaml").messages["toy.Format"]
    assert [(field.type, field.since, field.until) for field in fields if field.number == 2] == [
        ("uint64", 0, 0),
        ("fixed64", 1, 1),
    ]


def test_a_name_may_be_used_twice(toy: Path, edit: Callable[..., int]) -> None:
    """A name that another field had before, and one of another message, is no mistake."""
    edit(BYTES, "rows", "messages.yaml")
    edit("{n: 1, name: id, type: uint32}", "{n: 1, name: kind, type: uint32}", "messages.yaml")
    found = messages.read(toy / "messages.yaml").messages
    assert [field.name for field in found["toy.Format"]] == ["kind", "rows", "rows"]
    assert [field.name for field in found["toy.Secret"]] == ["kind"]
