"""The long proofs: every source file has its group, and a change runs the groups that judge it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import exhaustive
import pytest
import yaml
from exhaustive import LAST, ROOT, SOURCES, Group, due, groups

GROUPS = groups()
SLICED = (
    *("from exhaustive import", "from deaths import", "import stress"),
    *("bucket_suite", "mark.long"),
)
"""What stands in a test module whose ordinary run is a slice."""
TOY = (
    Group("stores", ("store/*",), ("python", "tests/stores.py")),
    Group("verbs", ("cli/*", "*/verbs.py"), ("python", "-m", "pytest", "tests/verbs/")),
    Group("formats", ("format/*",), ("python", "tests/formats.py")),
)


def files(*folders: str) -> list[str]:
    """Files of the checkout below some folders, without what Python leaves there."""
    return sorted(
        str(path.relative_to(ROOT))
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )


def test_every_source_file_is_judged() -> None:
    """A module, template or table that no group looks at would be proved by none."""
    found = files(*SOURCES)
    assert len(found) > 150
    assert [path for path in found if not any(group.is_about(path) for group in GROUPS)] == []


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_what_a_group_names_is_there(group: Group) -> None:
    """No pattern is left behind by a file that was moved, and no test by one that was renamed."""
    found = files(*SOURCES, "tests", "integration_tests", "docs")
    found += [path.name for path in ROOT.iterdir() if path.is_file()]
    for pattern in group.patterns:
        alone = Group("", (pattern,), ())
        assert any(alone.is_about(path) for path in found), pattern


def test_every_thin_slice_has_its_whole() -> None:
    """A test that is shorter in an ordinary run is run at its full length by a group."""
    modules = [path for path in files("tests", "integration_tests") if "/test_" in path]
    modules.remove("tests/test_exhaustive.py")
    sliced = [
        path
        for path in modules
        if path.endswith(".py") and any(word in (ROOT / path).read_text() for word in SLICED)
    ]
    named = Group("", (), tuple(word for group in GROUPS for word in group.command))
    assert len(sliced) >= 12
    assert [path for path in sliced if not named.is_about(path)] == []


class Toy:
    """A repository with a file of each room, and git in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for name in ("store/local.py", "cli/backup.py", "format/rows.py", "a/verbs.py", "README"):
            self.write(name, "as it was")
        (path / "tests" / "verbs").mkdir(parents=True)
        self.git("init", "--quiet")

    def write(self, name: str, text: str) -> None:
        (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        (self.path / name).write_text(text)

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.path), "-c", "user.name=x", "-c", "user.email=x@x"]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self, message: str) -> str:
        self.git("add", ".")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def due(self) -> list[str]:
        return [group.name for group in due(TOY, self.path)]


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    """A repository whose whole run was of its first commit."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    made = Toy(tmp_path)
    exhaustive_note(made.path, made.commit("first"))
    return made


def exhaustive_note(path: Path, commit: str) -> None:
    (path / "tests").mkdir(exist_ok=True)
    exhaustive.note(exhaustive.Noted(commit, {}, {"stores": 1.4, "verbs": 2.0}), path)


def of_the_lot(toy: Toy) -> str:
    return TOY[int(toy.git("rev-parse", "HEAD"), 16) % len(TOY)].name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("store/local.py", {"stores"}),
        ("store/deep/in/it.py", {"stores"}),
        ("cli/backup.py", {"verbs"}),
        ("a/verbs.py", {"verbs"}),
        ("tests/verbs/test_new.py", {"verbs"}),
        ("tests/stores.py", {"stores"}),
        ("format/rows.py", {"formats"}),
        ("README", set[str]()),
        ("storeroom.py", set[str]()),
    ],
)
@pytest.mark.parametrize("is_committed", [True, False])
def test_a_change_runs_the_groups_that_judge_it(
    toy: Toy, name: str, expected: set[str], *, is_committed: bool
) -> None:
    """Whether it is committed, edited or new; and the one of the commit's lot besides."""
    toy.write(name, "as it is")
    if is_committed:
        toy.commit("later")
    assert set(toy.due()) == expected | {of_the_lot(toy)}


def test_what_went_or_moved_is_a_change(toy: Toy) -> None:
    """Of the room that it left and of the one that it came into."""
    toy.git("mv", "store/local.py", "format/local.py")
    (toy.path / "cli" / "backup.py").unlink()
    toy.commit("later")
    assert toy.due() == ["stores", "verbs", "formats"]


def test_a_renewed_group_is_due_for_what_changed_after_it(toy: Toy) -> None:
    """It has a commit of its own; the others have that of the whole run."""
    last = exhaustive.noted(toy.path)
    toy.write("store/local.py", "mended")
    toy.write("cli/backup.py", "changed")
    renewed = {"stores": toy.commit("mended")}
    exhaustive.note(exhaustive.Noted(last.commit, renewed, last.seconds), toy.path)
    toy.commit("noted")
    assert set(toy.due()) == {"verbs", of_the_lot(toy)}
    toy.write("store/local.py", "again")
    assert set(toy.due()) == {"stores", "verbs", of_the_lot(toy)}


def test_what_was_never_run_is_due(toy: Toy) -> None:
    """Where no whole run was, a renewed group is the only one that is known."""
    forget(toy)
    exhaustive.note(exhaustive.Noted(None, {"stores": toy.commit("a part")}, {}), toy.path)
    toy.commit("noted")
    assert set(toy.due()) - {of_the_lot(toy)} == {"verbs", "formats"} - {of_the_lot(toy)}


def test_every_group_has_its_turn(toy: Toy) -> None:
    """Nothing changes, and the lot falls on each of them, sooner or later."""
    seen: set[str] = set()
    for number in range(200):
        toy.commit(f"commit {number}")
        (name,) = toy.due()
        seen.add(name)
        if len(seen) == len(TOY):
            break
    assert seen == {group.name for group in TOY}


def forget(toy: Toy) -> None:
    (toy.path / LAST).unlink()


def rewrite(toy: Toy) -> None:
    exhaustive_note(toy.path, "0123456789" * 4)


def spoil(toy: Toy) -> None:
    (toy.path / LAST).write_text("- no\n- note\n")


def tear(toy: Toy) -> None:
    (toy.path / LAST).write_text("commit: [")


def inject(toy: Toy) -> None:
    exhaustive_note(toy.path, "--help")


def without_git(toy: Toy) -> None:
    (toy.path / ".git").rename(toy.path / "git")


@pytest.mark.parametrize("lose", [forget, rewrite, spoil, tear, inject, without_git])
def test_where_nobody_knows_all_groups_run(toy: Toy, lose: Callable[[Toy], None]) -> None:
    """No note, a commit that git does not have, a note that is none, no repository."""
    lose(toy)
    assert toy.due() == ["stores", "verbs", "formats"]


def test_a_shallow_clone_runs_all(toy: Toy, tmp_path: Path) -> None:
    """It does not have the commit of the last whole run."""
    toy.commit("second")
    toy.commit("third")
    shallow = tmp_path / "shallow"
    toy.git("clone", "--quiet", "--depth", "1", f"file://{toy.path}", str(shallow))
    assert due(TOY, shallow) == TOY


def test_a_machine_without_git_runs_all(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot say what changed."""
    monkeypatch.setenv("PATH", str(toy.path / "nothing"))
    assert due(TOY, toy.path) == TOY


@pytest.fixture
def run_toy(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, Any]]:
    """Run a list of groups in the toy repository; returns the exit code and what was noted."""
    monkeypatch.setattr(exhaustive, "ROOT", toy.path)
    forget(toy)
    toy.commit("without a note")

    def run(
        commands: dict[str, str], *arguments: str, is_committed: bool = True
    ) -> tuple[int, Any]:
        listed = {name: {"judges": ["*"], "command": it} for name, it in commands.items()}
        toy.write(exhaustive.LIST, yaml.safe_dump(listed))
        if is_committed:
            toy.commit("with a list")
        monkeypatch.setattr(exhaustive, "groups", lambda: groups(toy.path))
        code = exhaustive.main(arguments)
        last = toy.path / LAST
        return code, yaml.safe_load(last.read_text()) if last.exists() else None

    return run


WELL = 'python -c \'import os; assert os.environ["TEST_EVERY_STEP"] == os.environ["CI"] == "1"\''
BADLY = "python -c 'raise SystemExit(3)'"


def test_a_whole_run_is_noted(toy: Toy, run_toy: Callable[..., tuple[int, Any]]) -> None:
    """The commit that it proved and what each group took."""
    code, last = run_toy({"one": WELL, "two": WELL})
    assert (code, last["commit"], last["ok"]) == (0, toy.git("rev-parse", "HEAD"), True)
    assert list(last["seconds"]) == ["one", "two"]


def test_each_that_goes_well_is_renewed(toy: Toy, run_toy: Callable[..., tuple[int, Any]]) -> None:
    """Beside one that fails too, and again where nothing but the note has changed."""
    code, last = run_toy({"one": WELL, "two": BADLY}, "--renew")
    head = toy.git("rev-parse", "HEAD")
    assert (code, last["renewed"], list(last["seconds"])) == (1, {"one": head}, ["one"])
    assert exhaustive.main(["--renew", "one"]) == 0
    toy.write("README", "edited")
    assert exhaustive.main(["--renew", "one"]) == 2


@pytest.mark.parametrize(
    ("commands", "arguments", "is_committed", "expected"),
    [
        ({"one": BADLY, "two": WELL}, (), True, 1),
        ({"one": WELL, "two": BADLY}, (), True, 1),
        ({"one": WELL}, (), False, 2),
        ({"one": WELL, "two": BADLY}, ("one",), True, 0),
        ({"one": WELL, "two": BADLY}, ("two",), True, 1),
        ({"one": WELL, "two": BADLY}, ("--due",), True, 1),
        ({"one": WELL}, ("--due",), True, 0),
        ({"one": BADLY}, ("--list",), True, 0),
    ],
)
def test_nothing_else_is_noted(
    run_toy: Callable[..., tuple[int, Any]],
    commands: dict[str, str],
    arguments: tuple[str, ...],
    *,
    is_committed: bool,
    expected: int,
) -> None:
    """Not a run that failed, nor one of a part, nor one of a tree that is no commit's."""
    assert run_toy(commands, *arguments, is_committed=is_committed) == (expected, None)


def test_a_group_that_hangs_is_ended(
    run_toy: Callable[..., tuple[int, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With what it started, and the next one has its turn."""
    started = tmp_path / "started"
    hangs = f"sh -c 'sleep 600 & echo $! > {started}; wait'"
    monkeypatch.setattr(exhaustive, "GROUP_MAX_S", 1)
    assert run_toy({"one": hangs, "two": WELL}) == (1, None)
    with pytest.raises(ProcessLookupError):
        wait_for_the_end_of(int(started.read_text()))


def wait_for_the_end_of(process: int) -> None:
    for _ in range(600):
        os.kill(process, 0)
        time.sleep(0.1)


def test_a_group_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """By its name."""
    with pytest.raises(SystemExit):
        exhaustive.main(["killls"])
    assert "no such group: killls" in capsys.readouterr().err


def test_it_runs_as_a_program() -> None:
    """As make and CI call it: from anywhere, it knows its list."""
    command = [sys.executable, str(ROOT / "tests" / "exhaustive.py"), "--list"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/")
    assert shown.stdout.split() == [group.name for group in GROUPS]
