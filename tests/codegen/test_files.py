"""Files that cannot be read, and one run that tells the mistakes of several parts and files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Edit = Callable[..., int]
Run = Callable[..., CompletedProcess[str]]

MODES: list[list[str]] = [[], ["--check"], ["--freeze"]]


def places(outcome: CompletedProcess[str]) -> list[tuple[str, int]]:
    """Name and line of the file that each error line begins with."""
    parts = [line.removeprefix("error: ").split(":") for line in outcome.stderr.splitlines()]
    return [(Path(part[0]).name, int(part[1])) for part in parts]


@pytest.mark.parametrize("name", ["models.yaml", "messages.yaml"])
def test_a_directory_is_no_schema_file(toy: Path, run: Run, name: str) -> None:
    """A directory where a file should be is one error line and exit code 2."""
    (toy / name).unlink()
    (toy / name).mkdir()
    outcome = run()
    text = f"error: {toy / name}:1: cannot be read: is a directory\n"
    assert (outcome.returncode, outcome.stderr) == (2, text)


def test_without_a_schema_both_files_are_named(toy: Path, run: Run, out: Path) -> None:
    """A wrong --schema names what it lacks, in one run, and nothing is written."""
    toy.rename(toy.parent / "elsewhere")
    outcome = run()
    assert outcome.stderr.splitlines() == [
        f"error: {toy / name}:1: cannot be read: no such file or directory"
        for name in ("messages.yaml", "models.yaml")
    ]
    assert outcome.returncode == 2
    assert not out.exists()


@pytest.mark.parametrize("arguments", MODES, ids=["generate", "check", "freeze"])
def test_frozen_lines_that_are_not_utf_8_are_refused(
    toy: Path, run: Run, out: Path, arguments: list[str]
) -> None:
    """A frozen.txt that is not UTF-8 is one error line and exit code 2; it is left as it was."""
    data = (toy / "frozen.txt").read_bytes() + b"\xff\n"
    (toy / "frozen.txt").write_bytes(data)
    outcome = run(*arguments)
    reason = f"'utf-8' codec can't decode byte 0xff in position {len(data) - 2}: invalid start byte"
    assert outcome.stderr == f"error: {toy / 'frozen.txt'}:1: cannot be read: {reason}\n"
    assert (outcome.returncode, outcome.stdout) == (2, "")
    assert not out.exists()
    assert data == (toy / "frozen.txt").read_bytes()


def test_a_frozen_directory_is_refused(toy: Path, run: Run, out: Path) -> None:
    """A directory in the place of frozen.txt is not taken for a registry without releases."""
    (toy / "frozen.txt").unlink()
    (toy / "frozen.txt").mkdir()
    outcome = run()
    path = toy / "frozen.txt"
    reason = f"[Errno 21] Is a directory: '{path}'"
    assert outcome.stderr == f"error: {path}:1: cannot be read: {reason}\n"
    assert outcome.returncode == 2
    assert not out.exists()


@pytest.mark.parametrize("addition", ["", "next layout"])
def test_freeze_ends_the_last_line(toy: Path, edit: Edit, run: Run, addition: str) -> None:
    """A frozen.txt without a newline at its end gets one, so that no line is glued to another."""
    layout = "- {layout: 2.0.0, era: v2, releases: [2.0.0]}\n"
    if addition:
        edit(layout, f"{layout}- {{layout: 3.0.0, era: v2, releases: [3.0.0]}}\n")
    text = (toy / "frozen.txt").read_text()
    (toy / "frozen.txt").write_text(text.removesuffix("\n"))
    assert run("--freeze").returncode == 0
    added = (toy / "frozen.txt").read_text().removeprefix(text).splitlines()
    assert [line.split()[:2] for line in added] == (
        [["layout", "3.0.0"], ["release", "3.0.0"]] if addition else []
    )
    assert (toy / "frozen.txt").read_text().endswith("\n")
    run()
    assert run("--check").returncode == 0


def test_check_writes_no_newline(toy: Path, run: Run) -> None:
    """Only --freeze touches frozen.txt: a missing newline is no change of what is frozen."""
    run()
    data = (toy / "frozen.txt").read_bytes().removesuffix(b"\n")
    (toy / "frozen.txt").write_bytes(data)
    assert run("--check").returncode == 0
    assert data == (toy / "frozen.txt").read_bytes()


def test_mistakes_of_both_files_are_reported_at_once(edit: Edit, run: Run) -> None:
    """One run names the mistakes of messages.yaml and of models.yaml."""
    expected = [
        ("messages.yaml", edit("{n: 1, name: id,", "{n: one, name: id,", "messages.yaml")),
        ("models.yaml", edit("wrapper: map", "wrapper: set")),
        ("models.yaml", edit("reason: missed", "reason: because")),
    ]
    outcome = run()
    assert expected == places(outcome)
    assert outcome.returncode == 2


def test_a_file_that_is_missing_hides_no_mistake(toy: Path, edit: Edit, run: Run) -> None:
    """Without messages.yaml the mistakes of models.yaml are named beside it."""
    (toy / "messages.yaml").unlink()
    line = edit("wrapper: map", "wrapper: set")
    outcome = run()
    assert places(outcome) == [("messages.yaml", 1), ("models.yaml", line)]
    assert outcome.returncode == 2


def test_a_part_that_cannot_be_read_hides_no_other(edit: Edit, run: Run) -> None:
    """Parts of the wrong kind are all named in one run, in the order in which they are read."""
    lines = [
        edit("{migration: m0001_init}", "m0001_init"),
        edit("- {form: json, until: 1.1.0}\n- {form: protobuf, since: 2.0.0}", "  protobuf"),
        edit("- {section: sinks, model: sink}", "- {section: sinks}"),
        edit("- refresh_jobs\n- sinks\n", "  refresh_jobs\n"),
        edit("  refresh_job:\n    table", "  sink:\n    table"),
        edit("  SinkId: [{integer: i32", "  TableId: [{integer: i32") + 1,
        edit("  - {json: Upsert, db: UPSERT}", "  - {json: Upsert}"),
        edit("  tables:\n  - {table: elec", "  table:\n  - {table: elec") + 1,
    ]
    outcome = run()
    assert [("models.yaml", line) for line in lines] == places(outcome)
    assert outcome.returncode == 2
