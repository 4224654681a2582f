"""A copy of the toy registry that a test may edit, and the command run on it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from project_schema import ProjectSchema
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from metasnapshot_codegen import check, cli, history, messages, parse, render
from metasnapshot_codegen.history import History
from metasnapshot_codegen.messages import Messages
from metasnapshot_codegen.registry import Registry


class TextSnapshot(SingleFileSnapshotExtension):
    """One readable file per snapshot; not `.py`, for linters would read it."""

    _write_mode = WriteMode.TEXT
    file_extension = "txt"


@pytest.fixture
def text_snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(TextSnapshot)


@pytest.fixture
def repo_root() -> Path:
    return Path(__file__).parents[2]


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """The schema directory of the toy registry, free to be edited."""
    shutil.copytree(Path(__file__).parent / "toy", tmp_path / "schema")
    return tmp_path / "schema"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where `run` generates to."""
    return tmp_path / "generated"


@pytest.fixture
def line_of(toy: Path) -> Callable[..., int]:
    """`line_of(text, name="models.yaml")` is the line where the one place with the text begins."""

    def number(text: str, name: str = "models.yaml") -> int:
        before, found, after = (toy / name).read_text().partition(text)
        assert found, f"`{text}` does not stand in {name}"
        assert text not in after, f"`{text}` stands more than once in {name}"
        return before.count("\n") + 1

    return number


@pytest.fixture
def edit(toy: Path, line_of: Callable[..., int]) -> Callable[..., int]:
    """`edit(old, new, name="models.yaml")` replaces the one place where a toy file says `old` and
    returns its line.
    """

    def replace(old: str, new: str, name: str = "models.yaml") -> int:
        line = line_of(old, name)
        (toy / name).write_text((toy / name).read_text().replace(old, new))
        return line

    return replace


@pytest.fixture
def run(
    toy: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., CompletedProcess[str]]:
    """`run(*arguments)` runs the command on the toy registry, in this process."""

    def command(*arguments: str) -> CompletedProcess[str]:
        capsys.readouterr()
        code = cli.main(["--schema", str(toy), "--out", str(out), *arguments])
        printed = capsys.readouterr()
        return CompletedProcess(arguments, code, printed.out, printed.err)

    return command


@pytest.fixture
def toy_messages(toy: Path) -> Messages:
    return messages.read(toy / "messages.yaml")


@pytest.fixture
def registry(toy: Path, toy_messages: Messages) -> Registry:
    """The unedited toy registry, checked."""
    found = parse.read(toy / "models.yaml")
    check.check(found, toy_messages)
    return found


@pytest.fixture
def expanded(registry: Registry, toy_messages: Messages) -> History:
    """The layouts of the unedited toy registry."""
    return history.expand(registry, messages=toy_messages)


@pytest.fixture
def rendered(registry: Registry, expanded: History, toy_messages: Messages) -> dict[str, str]:
    """The generated files of the unedited toy registry."""
    return render.render(registry, expanded, toy_messages)


@pytest.fixture
def schema(repo_root: Path, tmp_path: Path) -> ProjectSchema:
    shutil.copytree(repo_root / "schema", tmp_path / "schema")
    return ProjectSchema(tmp_path / "schema")
