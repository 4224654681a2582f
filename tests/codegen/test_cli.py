from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from metasnapshot_codegen import cli
from metasnapshot_codegen.cli import FROZEN_HEAD

Run = Callable[..., CompletedProcess[str]]

LAYOUT = "- {layout: 2.0.0, era: v2, releases: [2.0.0]}\n"
NEXT_LAYOUT = f"{LAYOUT}- {{layout: 3.0.0, era: v2, releases: [3.0.0, 3.0.1]}}\n"
ENABLED = "    - {name: enabled, type: bool, until: 1.1.0}\n"
LATER_COLUMN = f"{ENABLED}    - {{name: later, type: String, nullable: true, since: 3.0.0}}\n"
HEALING = "error: generated files are stale\nhint: run metasnapshot-codegen\n"


@pytest.fixture
def next_layout(edit: Callable[..., int]) -> None:
    """The toy registry with one layout more, which has a column more."""
    edit(LAYOUT, NEXT_LAYOUT)
    edit(ENABLED, LATER_COLUMN)


def stamps(out: Path) -> dict[str, int]:
    """Times of the generated files, by name."""
    return {str(path.relative_to(out)): path.stat().st_mtime_ns for path in out.rglob("*.py")}


def backdate(out: Path) -> None:
    """Set the times back to zero, so that a file that is written shows."""
    for path in out.rglob("*.py"):
        os.utime(path, ns=(0, 0))


def test_every_file_is_written_and_named(run: Run, out: Path, rendered: dict[str, str]) -> None:
    """The first run writes every file and says so."""
    outcome = run()
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert [f"wrote {out / name}" for name in rendered] == outcome.stdout.splitlines()
    assert rendered == {name: (out / name).read_text() for name in rendered}


def test_a_second_run_writes_nothing(run: Run, out: Path) -> None:
    """What is up to date is left alone, time stamps included."""
    run()
    backdate(out)
    outcome = run()
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "", "")
    assert set(stamps(out).values()) == {0}


def test_only_what_differs_is_written(run: Run, out: Path, edit: Callable[..., int]) -> None:
    """A change of the registry touches the files that show it and no other."""
    run()
    backdate(out)
    edit("load_order:\n- refresh_jobs\n- sinks", "load_order:\n- sinks\n- refresh_jobs")
    outcome = run()
    assert outcome.stdout == f"wrote {out / 'toy_models/layouts.py'}\n"
    assert [name for name, stamp in stamps(out).items() if stamp] == ["toy_models/layouts.py"]


def test_check_of_fresh_files_is_silent(run: Run) -> None:
    """With everything generated and frozen, --check is exit code 0 and says nothing."""
    run()
    outcome = run("--check")
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "", "")


def test_check_shows_what_an_edit_changed(run: Run, out: Path) -> None:
    """A generated file that was edited is a diff that leads back, and exit code 1."""
    run()
    path = out / "toy_models" / "enums.py"
    path.write_text(path.read_text().replace('"Upsert"', '"Uppsert"'))
    outcome = run("--check")
    lines = outcome.stdout.splitlines()
    assert lines[:2] == ["--- a/toy_models/enums.py", "+++ b/toy_models/enums.py"]
    assert [line for line in lines[2:] if line[0] in "+-"] == [
        '-    UPSERT = "Uppsert"',
        '+    UPSERT = "Upsert"',
    ]
    assert (outcome.returncode, outcome.stderr) == (1, HEALING)
    assert '"Uppsert"' in path.read_text()


def test_check_shows_a_file_that_is_gone(run: Run, out: Path, rendered: dict[str, str]) -> None:
    """A generated file that was deleted is shown in full, is exit code 1 and stays deleted."""
    run()
    path = out / "toy_models" / "enums.py"
    path.unlink()
    outcome = run("--check")
    lines = outcome.stdout.splitlines()
    assert lines[:2] == ["--- /dev/null", "+++ b/toy_models/enums.py"]
    assert [f"+{line}" for line in rendered["toy_models/enums.py"].splitlines()] == lines[3:]
    assert (outcome.returncode, outcome.stderr) == (1, HEALING)
    assert not path.exists()


def test_check_shows_a_stale_file(run: Run, out: Path, edit: Callable[..., int]) -> None:
    """A registry that says more than the generated files do is a diff, and nothing is written."""
    run()
    backdate(out)
    edit("load_order:\n- refresh_jobs\n- sinks", "load_order:\n- sinks\n- refresh_jobs")
    outcome = run("--check")
    assert outcome.stdout.startswith("--- a/toy_models/layouts.py\n+++ b/toy_models/layouts.py\n")
    assert (outcome.returncode, outcome.stderr) == (1, HEALING)
    assert set(stamps(out).values()) == {0}


def test_check_creates_nothing(run: Run, out: Path) -> None:
    """Before the first run --check shows every file and makes not even the directory."""
    outcome = run("--check")
    assert outcome.returncode == 1
    assert outcome.stdout.count("--- /dev/null\n") == 10
    assert not out.exists()


@pytest.mark.usefixtures("next_layout")
def test_a_new_layout_is_generated_before_it_is_frozen(run: Run, out: Path) -> None:
    """The generator takes what is new; --check says what of it is not frozen yet."""
    assert run().returncode == 0
    assert '("3.0.0", "v2", ("3.0.0", "3.0.1")),' in (out / "toy_models" / "layouts.py").read_text()
    outcome = run("--check")
    assert (outcome.returncode, outcome.stdout) == (1, "")
    assert outcome.stderr.splitlines() == [
        "error: not frozen yet: shape refresh_job@3.0.0",
        "error: not frozen yet: layout 3.0.0",
        "error: not frozen yet: release 3.0.0",
        "error: not frozen yet: release 3.0.1",
        "hint: run metasnapshot-codegen --freeze",
    ]


@pytest.mark.usefixtures("next_layout")
def test_check_says_stale_and_not_frozen_at_once(run: Run) -> None:
    """One run of --check names everything that is left to do."""
    outcome = run("--check")
    assert outcome.returncode == 1
    assert outcome.stderr.startswith(f"{HEALING}error: not frozen yet: shape refresh_job@3.0.0\n")


@pytest.mark.usefixtures("next_layout")
def test_freeze_appends(toy: Path, run: Run, out: Path) -> None:
    """--freeze adds new lines below the old ones, which stay as they are; then --check passes."""
    before = (toy / "frozen.txt").read_bytes()
    outcome = run("--freeze")
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "froze 4 lines\n", "")
    assert not out.exists()
    after = (toy / "frozen.txt").read_bytes()
    assert after[: len(before)] == before
    assert [line.split()[:2] for line in after[len(before) :].decode().splitlines()] == [
        ["shape", "refresh_job@3.0.0"],
        ["layout", "3.0.0"],
        ["release", "3.0.0"],
        ["release", "3.0.1"],
    ]
    run()
    assert run("--check").returncode == 0


def test_freeze_of_nothing_new_changes_nothing(toy: Path, run: Run) -> None:
    """When all is frozen --freeze adds no line and leaves the file alone."""
    before = (toy / "frozen.txt").read_bytes()
    os.utime(toy / "frozen.txt", ns=(0, 0))
    outcome = run("--freeze")
    assert (outcome.returncode, outcome.stdout) == (0, "froze 0 lines\n")
    assert before == (toy / "frozen.txt").read_bytes()
    assert (toy / "frozen.txt").stat().st_mtime_ns == 0


def test_the_first_freeze_makes_the_file(toy: Path, run: Run) -> None:
    """Without frozen.txt nothing is refused, and --freeze writes it with its head."""
    before = (toy / "frozen.txt").read_text()
    (toy / "frozen.txt").unlink()
    run()
    outcome = run("--check")
    assert outcome.returncode == 1
    assert outcome.stderr.startswith("error: not frozen yet: type SinkId@1.0.0\n")
    assert run("--freeze").returncode == 0
    assert before.startswith(FROZEN_HEAD)
    assert before == (toy / "frozen.txt").read_text()


@pytest.mark.parametrize("arguments", [["--base", "HEAD"], ["--freeze", "--base", "HEAD"]])
def test_base_needs_check(run: Run, toy: Path, out: Path, arguments: list[str]) -> None:
    """--base alone is a mistake of usage, exit code 2, and nothing is done."""
    before = (toy / "frozen.txt").read_text()
    outcome = run(*arguments)
    expected = (2, "", "error: --base needs --check\n")
    assert expected == (outcome.returncode, outcome.stdout, outcome.stderr)
    assert not out.exists()
    assert before == (toy / "frozen.txt").read_text()


@pytest.mark.parametrize("arguments", [["--check", "--freeze"], ["--bogus"], ["somewhere"]])
def test_wrong_usage_is_exit_code_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """What the command does not know or cannot do together is said with the usage."""
    with pytest.raises(SystemExit) as error:
        cli.main(arguments)
    assert error.value.code == 2
    assert capsys.readouterr().err.startswith("usage: metasnapshot-codegen ")
