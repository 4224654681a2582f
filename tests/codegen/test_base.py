"""`--check --base REF`: frozen.txt at an earlier commit survives. In a repository of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from metasnapshot_codegen import cli

Run = Callable[..., CompletedProcess[str]]

LAYOUT = "- {layout: 2.0.0, era: v2, releases: [2.0.0]}\n"
NEXT_LAYOUT = f"{LAYOUT}- {{layout: 3.0.0, era: v2, releases: [3.0.0]}}\n"


@pytest.fixture
def git(toy: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """git in the directory of the toy schema, away from the machine's and the user's settings."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)

    def command(*arguments: str) -> str:
        line = ["git", "-C", str(toy), *arguments]
        return subprocess.run(line, capture_output=True, text=True, check=True).stdout

    return command


@pytest.fixture
def committed(toy: Path, run: Run, git: Callable[..., str]) -> str:
    """A commit of the toy registry in a repository of the directory above; everything is fresh."""
    git("init", "--quiet", str(toy.parent))
    git("config", "user.name", "A Toy")
    git("config", "user.email", "toy@example.org")
    git("add", ".")
    git("commit", "--quiet", "--message", "Release 2.0.0")
    run()
    return git("rev-parse", "HEAD").strip()


def test_an_unchanged_file_passes(run: Run, committed: str) -> None:
    """Since a commit that has the same frozen.txt, nothing changed."""
    outcome = run("--check", "--base", committed)
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "", "")


def test_appended_lines_pass(run: Run, committed: str, edit: Callable[..., int]) -> None:
    """A layout that came and was frozen since the commit leaves the old lines as they were."""
    edit(LAYOUT, NEXT_LAYOUT)
    run("--freeze")
    run()
    outcome = run("--check", "--base", committed)
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "", "")


def test_a_later_commit_is_a_base_too(
    run: Run, committed: str, edit: Callable[..., int], git: Callable[..., str]
) -> None:
    """REF is whatever git calls a commit; the file is read as it was there."""
    edit(LAYOUT, NEXT_LAYOUT)
    run("--freeze")
    run()
    git("commit", "--quiet", "--all", "--message", "Release 3.0.0")
    assert git("rev-parse", "HEAD~1").strip() == committed
    assert run("--check", "--base", "HEAD").returncode == 0
    assert run("--check", "--base", "HEAD~1").returncode == 0


def test_a_line_changed_with_its_registry_fails(
    run: Run, committed: str, edit: Callable[..., int], toy: Path, line_of: Callable[..., int]
) -> None:
    """One change cannot rewrite the registry and what is frozen of it: the base remembers."""
    edit("{name: created_at, type: DateTime}", "{name: created_at, type: i64}")
    line = line_of("shape sink@1.0.0", "frozen.txt")
    (toy / "frozen.txt").unlink()
    run("--freeze")
    run()
    assert run("--check").returncode == 0
    outcome = run("--check", "--base", committed)
    assert outcome.returncode == 1
    first = outcome.stderr.splitlines()[0]
    text = f"line {line} (shape sink@1.0.0) changed or vanished"
    assert first == f"error: frozen.txt since {committed}: {text}"


def test_a_line_that_vanished_fails(
    run: Run, committed: str, toy: Path, edit: Callable[..., int]
) -> None:
    """A release that is taken out of registry and frozen.txt is named by its line."""
    edit("releases: [1.0.0, 1.0.1]", "releases: [1.0.0]")
    edit("m0003_patch, since: 1.0.1", "m0003_patch, since: 1.1.0")
    lines = (toy / "frozen.txt").read_text().splitlines(keepends=True)
    number = next(n for n, line in enumerate(lines, 1) if line.startswith("release 1.0.1 "))
    (toy / "frozen.txt").write_text("".join(lines[: number - 1] + lines[number:]))
    run()
    assert run("--check").returncode == 0
    outcome = run("--check", "--base", committed)
    text = f"line {number} (release 1.0.1) changed or vanished"
    assert outcome.stderr.splitlines()[0] == f"error: frozen.txt since {committed}: {text}"
    assert outcome.returncode == 1


def test_the_last_line_that_vanished_fails(
    run: Run, committed: str, toy: Path, line_of: Callable[..., int]
) -> None:
    """A missing end is named too, beside what is then not frozen."""
    line = line_of("era v2", "frozen.txt")
    text = (toy / "frozen.txt").read_text()
    (toy / "frozen.txt").write_text(text[: text.index("era v2")])
    outcome = run("--check", "--base", committed)
    gone = f"line {line} (era v2) changed or vanished"
    assert outcome.stderr.splitlines() == [
        "error: not frozen yet: era v2",
        "hint: run metasnapshot-codegen --freeze",
        f"error: frozen.txt since {committed}: {gone}",
    ]
    assert outcome.returncode == 1


@pytest.mark.usefixtures("committed")
def test_an_unknown_ref_is_exit_code_2(run: Run, toy: Path) -> None:
    """A REF that git does not know is a mistake of usage, and that is said."""
    outcome = run("--check", "--base", "nowhere")
    assert outcome.stderr == f"error: {toy / 'frozen.txt'}:1: git knows no commit nowhere\n"
    assert outcome.returncode == 2


@pytest.mark.usefixtures("git")
def test_a_base_outside_a_repository_is_exit_code_2(
    run: Run, toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a repository there is no earlier frozen.txt, and that is said."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(toy.parent))
    run()
    outcome = run("--check", "--base", "HEAD")
    assert outcome.stderr == f"error: {toy / 'frozen.txt'}:1: git knows no commit HEAD\n"
    assert outcome.returncode == 2


@pytest.mark.usefixtures("committed")
def test_a_base_without_the_file_is_an_empty_one(run: Run, git: Callable[..., str]) -> None:
    """Since a commit that had nothing frozen yet, nothing can have changed."""
    git("rm", "--quiet", "--cached", "frozen.txt")
    git("commit", "--quiet", "--message", "Before the first release")
    outcome = run("--check", "--base", "HEAD")
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "", "")


def test_a_machine_without_git_is_exit_code_2(
    run: Run, toy: Path, committed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--base says that it needs git; --check alone does not."""
    monkeypatch.setenv("PATH", str(toy))
    assert run("--check").returncode == 0
    outcome = run("--check", "--base", committed)
    text = f"error: {toy}:1: git cannot be run: No such file or directory\n"
    assert (outcome.returncode, outcome.stderr) == (2, text)


def test_the_schema_is_found_by_a_relative_path(
    committed: str, toy: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The base is read relative to --schema, wherever the command runs."""
    monkeypatch.chdir(toy.parent)
    arguments = ["--schema", toy.name, "--out", out.name, "--check", "--base", committed]
    assert cli.main(arguments) == 0
