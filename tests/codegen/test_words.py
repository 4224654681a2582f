"""Names that become Python and words that stand in frozen.txt: what of them is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from metasnapshot_codegen import parse

Edit = Callable[..., int]
Run = Callable[..., CompletedProcess[str]]

MODEL = "  refresh_job:\n    table"
RETRACT = "{json: Retract, db: RETRACT, since: 1.1.0}"
A_NAME = "expected a Python identifier"
ITS_OWN = "expected a name of its own"
AND_STATES = f"{ITS_OWN} and states"
BOTH = (
    "found `append-only` beside `AppendOnly`, expected names that differ in Python: "
    "both become `APPEND_ONLY`"
)

# What becomes part of a Python file, with a bad name in it, and what is said of that.
NAMES = {
    "package": ("package: toy_models", "package: toy-models", f"found `toy-models`, {A_NAME}"),
    "package keyword": ("package: toy_models", "package: class", f"found `class`, {A_NAME}"),
    "section": ("{section: sinks,", "{section: s.inks,", f"found `s.inks`, {A_NAME}"),
    "section keyword": ("{section: sinks,", "{section: global,", f"found `global`, {A_NAME}"),
    "section hummock_version": (
        "{section: sinks,",
        "{section: hummock_version,",
        "found section hummock_version, expected another name: it is no table",
    ),
    "column": ("{name: enabled,", "{name: 2nd,", f"found `2nd`, {A_NAME}"),
    "column keyword": ("{name: enabled,", "{name: from,", f"found `from`, {A_NAME}"),
    "enum member": (
        "json: Retract",
        "json: 2nd",
        "found `2nd`, which becomes `2ND`: expected a Python name",
    ),
    "enum members that become one": (
        "json: Retract",
        "json: append-only",
        BOTH,
    ),
    "type": ("  TableId: [", "  Table.Id: [", f"found type `Table.Id`, {AND_STATES}"),
    "type of an integer's name": (
        "  TableId: [",
        "  u32: [",
        f"found type `u32`, {AND_STATES}",
    ),
    "type of a blob's name": (
        "  TableId: [",
        "  Vec<u8>: [",
        f"found type `Vec<u8>`, {AND_STATES}",
    ),
    "enum": (
        "  SinkType:\n  - {json: App",
        "  Sink-Type: [{json: x, db: x}]\n  SinkType:\n  - {json: App",
        f"found enum `Sink-Type`, {ITS_OWN} and members",
    ),
    "enum of a primitive's name": (
        "  SinkType:\n  - {json: App",
        "  String: [{json: x, db: x}]\n  SinkType:\n  - {json: App",
        f"found enum `String`, {ITS_OWN} and members",
    ),
    "enum without members": (
        "  SinkType:\n  - {json: App",
        "  SourceType: []\n  SinkType:\n  - {json: App",
        f"found enum `SourceType`, {ITS_OWN} and members",
    ),
}

# What stands in frozen.txt: the text before the word, and the word.
WORDS = {
    "layout": ("- {layout: ", "2.0.0", ", era: v2"),
    "era": ("{layout: 2.0.0, era: ", "v2", ","),
    "release": ("releases: [1.0.0, ", "1.0.1", "]"),
    "migration": ("{migration: ", "m0001_init", "}"),
    "table": ("    table: ", "refresh_jobs", "\n"),
    "db value": ("{json: Retract, db: ", "RETRACT", ","),
}

# A text, what empties it, in which file.
TEXTS = {
    "package": ("package: toy_models", "package: ''", "models.yaml"),
    "package of nothing": ("package: toy_models", "package:", "models.yaml"),
    "release": ("releases: [1.1.0]", "releases: ['']", "models.yaml"),
    "migration": ("{migration: m0001_init}", "{migration: ''}", "models.yaml"),
    "model of a section": (
        "{section: sinks, model: sink}",
        "{section: sinks, model: }",
        "models.yaml",
    ),
    "since": ("m0003_patch, since: 1.0.1", "m0003_patch, since: ''", "models.yaml"),
    "table": ("    table: refresh_jobs", "    table: ''", "models.yaml"),
    "type of a column": ("type: Uuid", "type: ''", "models.yaml"),
    "flag": ("type: Uuid, pk: true", "type: Uuid, pk: ''", "models.yaml"),
    "json type": ("{json: parallelism}", "{json: ''}", "models.yaml"),
    "message": ("{message: toy.Format}", "{message: ''}", "models.yaml"),
    "db value": ("db: UPSERT", "db: ''", "models.yaml"),
    "excluded table": ("{table: election", "{table: ''", "models.yaml"),
    "excluded column": ("column: target_name", "column: ''", "models.yaml"),
    "state of messages": ("releases: [v1, v2]", "releases: [v1, '']", "messages.yaml"),
    "name of a field": ("name: kind,", "name: '',", "messages.yaml"),
    "type of a field": ("type: toy.Kind}", "type: ''}", "messages.yaml"),
    "number of a field": ("{n: 1, name: kind", "{n: '', name: kind", "messages.yaml"),
    "key of a message": ("toy.Empty:", "'':", "messages.yaml"),
}


@pytest.mark.parametrize(("old", "new", "text"), NAMES.values(), ids=NAMES)
def test_a_name_that_python_cannot_have_is_refused(
    toy: Path, edit: Edit, run: Run, old: str, new: str, text: str
) -> None:
    """A bad name is exit code 2 and one line, where it stands."""
    line = edit(old, new)
    outcome = run()
    assert outcome.stderr == f"error: {toy / 'models.yaml'}:{line}: {text}\n"
    assert outcome.returncode == 2


def test_a_model_is_a_python_identifier(toy: Path, edit: Edit, run: Run) -> None:
    """A model's name becomes a class: one that cannot is refused, at its first line."""
    line = edit(MODEL, MODEL.replace("refresh_job", "refresh-job")) + 1
    outcome = run()
    text = f"found model `refresh-job`, {A_NAME}"
    assert outcome.stderr == f"error: {toy / 'models.yaml'}:{line}: {text}\n"
    assert outcome.returncode == 2


@pytest.mark.parametrize("mark", [" ", "\t", ";", "=", "!"])
@pytest.mark.parametrize(("before", "word", "after"), WORDS.values(), ids=WORDS)
def test_a_word_that_frozen_txt_cannot_hold_is_refused(
    toy: Path, edit: Edit, run: Run, mark: str, before: str, word: str, after: str
) -> None:
    """What separates things in frozen.txt stands in no word of it."""
    bad = f"{word}{mark}x"
    line = edit(f"{before}{word}{after}", f"{before}'{bad}'{after}")
    outcome = run()
    text = f"found `{bad}`, expected a word without spaces, `;`, `=` and `!`"
    assert outcome.stderr == f"error: {toy / 'models.yaml'}:{line}: {text}\n"
    assert outcome.returncode == 2


@pytest.mark.parametrize(("old", "new", "name"), TEXTS.values(), ids=TEXTS)
def test_an_empty_text_is_refused(
    toy: Path, edit: Edit, run: Run, old: str, new: str, name: str
) -> None:
    """Nothing may be named by an empty text, wherever it stands."""
    line = edit(old, new, name)
    outcome = run()
    text = "found an empty text, expected a name"
    assert outcome.stderr == f"error: {toy / name}:{line}: {text}\n"
    assert outcome.returncode == 2


def test_other_words_may_hold_other_marks(toy: Path, edit: Edit) -> None:
    """Tables and db values are the database's: dashes, dots and keywords are theirs to have."""
    edit("    table: refresh_jobs", "    table: from")
    edit(RETRACT, RETRACT.replace("RETRACT", "re-tract.2"))
    registry = parse.read(toy / "models.yaml")
    assert registry.models["refresh_job"].table == "from"
    assert registry.enums["SinkType"][-1].db == "re-tract.2"
