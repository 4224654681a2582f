"""Mistakes that once hid others, or passed: each is told, with the rest, in one run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Edit = Callable[[str, str], int]
Run = Callable[..., CompletedProcess[str]]

PASSED_ONCE = {
    "excluded table with frozen.txt's separators": (
        "{table: election",
        "{table: 'a; era=v9",
        "expected a word without spaces",
    ),
    "json type over two lines": (
        "{json: parallelism}",
        '{json: "par\\nallelism"}',
        "without spaces",
    ),
    "one database value for two members": (
        "db: UPSERT",
        "db: APPEND_ONLY",
        "database value of enum",
    ),
}


@pytest.mark.parametrize(("old", "new", "text"), PASSED_ONCE.values(), ids=PASSED_ONCE)
def test_what_passed_once_is_refused(
    toy: Path, edit: Edit, run: Run, old: str, new: str, text: str
) -> None:
    """Exit code 2 and the reason."""
    if old == "{table: election":
        path = toy / "models.yaml"
        before = path.read_text(encoding="utf-8")
        assert old in before
        head, _, rest = before.partition(old)
        path.write_text(f"{head}{new}'{rest[rest.index(',') :]}", encoding="utf-8")
    else:
        edit(old, new)
    outcome = run()
    assert (outcome.returncode, text in outcome.stderr) == (2, True), outcome.stderr


def test_a_bad_package_does_not_hide_other_mistakes(edit: Edit, run: Run) -> None:
    """The package's name and an unknown key far below it."""
    edit("package: toy_models", "package: toy-models")
    edit("{json: parallelism}", "{jason: parallelism}")
    outcome = run()
    assert ("`toy-models`" in outcome.stderr, "`jason`" in outcome.stderr) == (True, True)


def test_states_of_messages_are_needed(toy: Path, run: Run) -> None:
    """messages.yaml without a release is a message, not a traceback."""
    path = toy / "messages.yaml"
    text = path.read_text(encoding="utf-8").replace("releases: [v1, v2]", "releases: []")
    path.write_text(text, encoding="utf-8")
    outcome = run()
    assert (outcome.returncode, "found no release" in outcome.stderr) == (2, True)
    assert "Traceback" not in outcome.stderr
