"""Scripts that were written for an earlier release go on running: flags, exit codes and keys of
JSON as recorded with its own wheel.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import goldens
import pytest
import yaml
from shell import Shell

from metasnapshot.cli.aliases import translate
from metasnapshot.cli.commands import build
from metasnapshot.cli.run import begun

RECORDED = yaml.safe_load(
    Path(__file__).with_name("contract-0.1.0.yaml").read_text(encoding="utf-8")
)
NAMED_KEYS = ("snapshot", "error", "plan", "verified")
"""Keys whose objects have keys of the contract; of others they are names of tables and the like."""


def options_of(command: str) -> set[str]:
    """The options that a command takes today, those of all commands for an empty one."""
    with begun():
        app = build(None)
        found = app.meta if not command else app
        for word in command.split():
            found = found[word]
        return {
            name
            for argument in found.assemble_argument_collection()
            for name in argument.names
            if name.startswith("--")
        }


def keys(value: Any, place: str = "") -> Iterator[str]:
    """The paths of the keys in a document."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield f"{place}{key}"
            if isinstance(item, list) or key in NAMED_KEYS:
                yield from keys(item, f"{place}{key}.")
    elif isinstance(value, list):
        for item in value:
            yield from keys(item, place)


@pytest.mark.parametrize("command", list(RECORDED["options"]))
def test_every_option_is_still_taken(command: str) -> None:
    """None goes: not at all, or not before it was deprecated for two releases."""
    recorded = RECORDED["options"][command]
    known = options_of(command)
    gone = [option for option in recorded if translate([command, option])[1:] == [option]]
    assert [option for option in gone if option not in known] == []


def test_commands_answer_as_they_did(shell: Shell) -> None:
    """One after another in one directory: the same exit codes, and no key of JSON less. Restores
    find their objects: that they look for them is said in the list of changes."""
    found: list[tuple[str, int, set[str]]] = []
    for answer in RECORDED["answers"]:
        words = answer["command"].split()
        recorded = set(answer.get("keys", ()))
        if words[0] == "restore" and not (shell.path / "golden").exists():
            golden = goldens.copy_backups(goldens.SHIPPED / "v3.0.3", shell.path / "golden")
            with golden.open(7) as reader:
                goldens.write_objects(reader, shell.path / "state")
        ran = shell.run(*words, *(["--json"] if recorded else []))
        lines = ran.out.splitlines() if recorded else []
        now = {key for line in lines for key in keys(json.loads(line))}
        found.append((answer["command"], ran.code, recorded - now))
    assert found == [(item["command"], item["exit"], set()) for item in RECORDED["answers"]]
