"""The project's own registry and what is committed of its output."""

from __future__ import annotations

import subprocess
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from metasnapshot_codegen import cli


@pytest.fixture
def names(repo_root: Path, tmp_path: Path) -> list[str]:
    """Paths of the generated files in the project."""
    assert cli.main(["--schema", str(repo_root / "schema"), "--out", str(tmp_path)]) == 0
    return [f"generated/{path.relative_to(tmp_path)}" for path in tmp_path.rglob("*.py")]


def test_generated_files_are_fresh(repo_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is committed under generated/ and in frozen.txt is what the registry says."""
    schema, out = str(repo_root / "schema"), str(repo_root / "generated")
    code = cli.main(["--schema", schema, "--out", out, "--check"])
    printed = capsys.readouterr()
    assert (code, printed.out, printed.err) == (0, "", "")


def test_generated_holds_nothing_else(repo_root: Path, names: list[str]) -> None:
    """A module that is no longer generated is gone, and nothing is written there by hand."""
    found = [str(path.relative_to(repo_root)) for path in (repo_root / "generated").rglob("*.py")]
    assert sorted(names) == sorted(found)


def test_generated_files_are_marked(repo_root: Path, names: list[str]) -> None:
    """.gitattributes marks every generated file, so that reviews fold it."""
    if (repo_root / ".git").exists():
        command = ["git", "-C", str(repo_root), "check-attr", "linguist-generated", "--", *names]
        shown = subprocess.run(command, capture_output=True, text=True, check=True)
        assert [f"{name}: linguist-generated: true" for name in names] == shown.stdout.splitlines()
    else:
        lines = (repo_root / ".gitattributes").read_text().splitlines()
        marked = [line.split()[0] for line in lines if line.endswith("linguist-generated=true")]
        unmarked = [name for name in names if not any(fnmatchcase(name, item) for item in marked)]
        assert unmarked == []
