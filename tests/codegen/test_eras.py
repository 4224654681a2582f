"""messages.yaml is frozen by era: what a release's messages were never changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from project_schema import ProjectSchema

from metasnapshot_codegen import cli

Run = Callable[..., CompletedProcess[str]]
MESSAGES = "messages.yaml"
CHANGES = {
    "type of a field": ("{n: 1, name: id, type: uint32}", "{n: 1, name: id, type: bytes}", "v1"),
    "number of a field": ("{n: 1, name: id, type: uint32}", "{n: 4, name: id, type: uint32}", "v1"),
    "name of a field": ("{n: 1, name: id, type: uint32}", "{n: 1, name: ix, type: uint32}", "v1"),
    "label of a field": ("sint64, label: repeated", "sint64, label: optional", "v1"),
    "oneof of a field": ("uint64, oneof: size", "uint64", "v1"),
    "since of a field": ("label: optional, since: v2", "label: optional", "v1"),
    "until of a field": ("oneof: size, until: v1", "oneof: sizes, until: v1", "v1"),
    "field of the newest": ("fixed64, oneof: size", "fixed32, oneof: size", "v2"),
    "dropped field": ("  - {n: 1, name: kind, type: toy.Kind}\n", "", "v1"),
    "value of an enum": ("{v: 1, name: JSON}", "{v: 1, name: JSONB}", "v1"),
    "newest value": ("  - {v: 2, name: AVRO, since: v2}\n", "", "v2"),
}
"""What is edited, what it becomes, and the first era that tells."""


@pytest.mark.parametrize(("old", "new", "era"), CHANGES.values(), ids=CHANGES)
def test_a_released_message_never_changes(
    edit: Callable[..., int], run: Run, old: str, new: str, era: str
) -> None:
    """make gen and --check refuse it, and name the first era and the package."""
    edit(old, new, MESSAGES)
    for arguments in ((), ("--check",), ("--freeze",)):
        outcome = run(*arguments)
        assert outcome.returncode == 1
        assert f"error: frozen: era `{era}`, messages of toy: frozen `" in outcome.stderr


def test_a_released_era_stays(toy: Path, run: Run) -> None:
    """An era that is taken away is named."""
    text = (toy / MESSAGES).read_text().replace("releases: [v1, v2]", "releases: [v2]")
    (toy / MESSAGES).write_text(text.replace(", until: v1", ", until: v2"))
    models = (toy / "models.yaml").read_text().replace("era: v1", "era: v2")
    (toy / "models.yaml").write_text(models)
    edits = (toy / MESSAGES).read_text().replace("  - {n: 2, name: rows, type: uint64, ", "")
    (toy / MESSAGES).write_text(edits.replace("oneof: size, until: v2}\n", ""))
    outcome = run()
    assert outcome.returncode == 1
    assert "error: frozen: era `v1` is frozen and gone" in outcome.stderr


def test_a_new_era_is_appended(toy: Path, edit: Callable[..., int], run: Run) -> None:
    """A field that begins with a new era is one line of frozen.txt; the others stay."""
    before = (toy / "frozen.txt").read_text()
    edit("releases: [v1, v2]", "releases: [v1, v2, v3]", MESSAGES)
    line = "  - {n: 1, name: id, type: uint32}\n"
    edit(line, f"{line}  - {{n: 2, name: owner, type: string, since: v3}}\n", MESSAGES)
    assert run("--freeze").stdout == "froze 1 lines\n"
    after = (toy / "frozen.txt").read_text()
    assert after.startswith(before)
    assert after.removeprefix(before).startswith("era v3 ")


def test_a_released_field_of_the_project_never_changes(
    schema: ProjectSchema, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A field that lives since 1.6.0 cannot turn from string to bytes."""
    path = schema.path / MESSAGES
    old = "{n: 1, name: remarks, type: string, label: optional, since: v1.6.0}"
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, old.replace("string", "bytes")))
    for arguments in ((), ("--check",)):
        code = cli.main(["--schema", str(schema.path), "--out", str(out), *arguments])
        assert (code, "era `v1.6.0`, messages of backup_service" in capsys.readouterr().err) == (
            1,
            True,
        )
