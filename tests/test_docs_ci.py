"""docs/ci.md and CONTRIBUTING.md: what they tell people to type, and to rely on, is there."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import goldens
import pytest
import yaml

from metasnapshot.cli.app import main

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
PAGES = [PAGE, (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")]
FENCE = re.compile(r"^ *```\w*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(metasnapshot[^`\n]*)`")
COMMAND = re.compile(r"(?:- )?(?:run: )?(metasnapshot(?:-codegen)?) (.+)")


def commands(page: str) -> Iterator[tuple[str, list[str]]]:
    """Program and words of each command line, in blocks and in sentences, up to a pipe."""
    for block in FENCE.findall(page):
        for line in re.sub(r" \\\n +", " ", block).splitlines():
            match = COMMAND.fullmatch(line.strip())
            if match:
                yield match[1], re.split(r" [|>]", match[2])[0].split()
    for text in INLINE.findall(FENCE.sub("", page)):
        program, _, rest = text.partition(" ")
        if rest:
            yield program, rest.split()


COMMANDS = [item for page in PAGES for item in commands(page)]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a meta.db."""
    goldens.copy_store(goldens.SHIPPED / "v3.0.3", tmp_path / "meta.db")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def helped(program: str, verb: str) -> str:
    """What a command's --help says, on a terminal so wide that no flag is broken."""
    script = str(Path(sys.executable).parent / program)
    command = [script, *([verb] if program == "metasnapshot" else []), "--help"]
    shown = subprocess.run(
        command, capture_output=True, text=True, check=True, env={"COLUMNS": "300"}
    )
    return shown.stdout


def test_the_pages_have_commands() -> None:
    """The search for commands finds them, where the lines are broken too."""
    programs = [program for program, _ in COMMANDS]
    assert programs.count("metasnapshot-codegen") >= 6
    assert programs.count("metasnapshot") >= 8
    assert any("--base" in words and "--schema" in words for _, words in COMMANDS)


def test_every_flag_exists() -> None:
    """A renamed flag or verb fails here, not in somebody's pipeline."""
    verbs = {
        (program, words[0] if program == "metasnapshot" else "") for program, words in COMMANDS
    }
    known = {item: set(re.findall(r"--[a-z][a-z-]*", helped(*item))) for item in verbs}
    for program, words in COMMANDS:
        flags = {word.partition("=")[0] for word in words if word.startswith("--")}
        verb = words[0] if program == "metasnapshot" else ""
        assert flags <= known[program, verb], f"{program} {' '.join(words)}"


@pytest.mark.parametrize(
    ("change", "arguments", "code"),
    [
        ("", (), 0),
        ("", ("--scaffold", "9.9.0"), 0),
        ("", ("--scaffold", "3.0.3"), 2),
        ("CREATE TABLE widget (id integer)", (), 14),
        ("CREATE TABLE widget (id integer)", ("--scaffold", "9.9.0"), 0),
        ("DELETE FROM seaql_migrations", (), 14),
    ],
)
def test_the_gates_exit_codes(
    store: Path, change: str, arguments: tuple[str, ...], code: int
) -> None:
    """Each code that the gate has is the page's, and is in its table."""
    with sqlite3.connect(store / "meta.db") as connection:
        connection.execute(change)
    connection.close()
    assert main(["coverage", "--meta-store", "sqlite:///meta.db", *arguments]) == code
    assert f"\n| {code} |" in PAGE


def test_a_database_that_is_not_there_is_18(store: Path) -> None:
    """As the table says."""
    assert main(["coverage", "--meta-store", f"sqlite:///{store}/none.db"]) == 18
    assert "\n| 18 |" in PAGE


def test_the_workflow_is_one() -> None:
    """The example is YAML with the steps that the page speaks of, and every step does something."""
    (text,) = [block for block in FENCE.findall(PAGE) if block.startswith("name:")]
    steps = yaml.safe_load(text)["jobs"]["coverage"]["steps"]
    assert all(("run" in step) != ("uses" in step) for step in steps)
    assert len(steps) == 9
    assert len(list(commands(f"```\n{text}```"))) == 3


@pytest.mark.parametrize("page", PAGES, ids=["ci", "contributing"])
def test_what_a_page_names_is_there(page: str) -> None:
    """Tests that hold a rule, files to edit, links."""
    named = re.findall(r"(?:generated/|integration_)?tests/[\w/]+\.py", page)
    named += [target for target in re.findall(r"\]\(([^)#]+)\)", page) if "://" not in target]
    folder = ROOT / "docs" if page is PAGE else ROOT
    missing = [name for name in named if not any((at / name).exists() for at in (ROOT, folder))]
    assert missing == []
    assert named != []


def test_the_track_record_names_tests_that_are_there() -> None:
    """Each line ends with a file of tests."""
    record = (ROOT / "docs" / "track-record.md").read_text(encoding="utf-8")
    lines = [
        line for line in record.splitlines() if line.startswith("| ") and "held by" not in line
    ]
    files = [line.split("|")[-2].strip() for line in lines]
    assert len(files) >= 25
    assert [name for name in files if not (ROOT / name).is_file()] == []
