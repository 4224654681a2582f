"""`--help` as people read it, at the widths of a terminal and of a wide one."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from exhaustive import thin

from metasnapshot.cli.app import main
from metasnapshot.cli.parameters import duration, typed
from metasnapshot.cli.verbs import HEADINGS, find_verbs

ROOT = Path(__file__).parents[2]
COMMANDS = [
    [],
    *([name] for name in find_verbs()),
    ["config", "show"],
    ["storage", "test"],
]
WIDTHS = (80, 120)


def shown(
    command: list[str], width: int, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch
) -> str:
    patch.setenv("COLUMNS", str(width))
    assert main([*command, "--help"]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("command", thin(COMMANDS), ids=" ".join)
def test_help_is_whole_at_any_width(
    command: list[str],
    width: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No line is too long, no backslash stands alone, and no option name is broken."""
    text = shown(command, width, capsys, monkeypatch)
    assert [line for line in text.splitlines() if len(line) > width] == []
    assert [line for line in text.splitlines() if line.strip() == "\\"] == []
    wide = shown(command, 1000, capsys, monkeypatch)
    assert re.findall(r"--[\w-]+", text) == re.findall(r"--[\w-]+", wide)
    assert re.findall(r"--[\w-]*-(?:\n|$)", text) == []


@pytest.mark.parametrize("command", [item for item in COMMANDS if item], ids=" ".join)
def test_a_verb_shows_how_it_is_typed(
    command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The example is one command of that verb, which a shell reads as it stands, and its options
    are the verb's own."""
    text = shown(command, 80, capsys, monkeypatch)
    if command in (["config"], ["storage"]):
        assert "show" in text or "test" in text
        return
    example = re.search(r"^  \$ ((?:.*\\\n)*.*)$", text, re.MULTILINE)
    assert example is not None
    words = shlex.split(example[1])
    assert words[: len(command) + 1] == ["metasnapshot", *command]
    options = re.findall(r"^  (--.*)$", text, re.MULTILINE)
    for word in words:
        if word.startswith("--"):
            assert any(word in line.replace(",", " ").split() for line in options)


def test_the_verbs_stand_under_headings(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is needed every day comes first, the options of all verbs last."""
    text = shown([], 80, capsys, monkeypatch)
    places = [text.index(f"\n{heading}:\n") for heading in (*HEADINGS, "Global options")]
    assert places == sorted(places)
    assert all(f"\n  {name} " in text for name in find_verbs())


@pytest.mark.parametrize("verb", ["backup", "restore", "gc"])
def test_global_options_come_last(
    verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A verb's own options are read before those of all verbs."""
    text = shown([verb], 80, capsys, monkeypatch)
    assert text.index("Global options:") > text.index("--backup-storage-url")
    assert text.index("--storage-retries") > text.index("Global options:")


TEXT_ONLY = ("completion", "watch")
"""Verbs that have no JSON."""


@pytest.mark.parametrize("name", list(find_verbs()))
def test_every_verb_is_documented(name: str) -> None:
    """README names it, and the contract has a section on its JSON, or text where it has none."""
    assert f"`{name}" in (ROOT / "README.md").read_text(encoding="utf-8")
    contract = (ROOT / "docs" / "contract.md").read_text(encoding="utf-8")
    assert (f"`{name}`" if name in TEXT_ONLY else f"\n### {name}") in contract


def test_settings_show_where_they_come_from(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An option that can be set names its variable, and its default."""
    text = " ".join(shown(["backup"], 80, capsys, monkeypatch).split())
    assert "[METASNAPSHOT_META_STORE]" in text
    assert "[default: backup] [METASNAPSHOT_BACKUP_STORAGE_DIRECTORY]" in text
    assert "[default: 60s] [METASNAPSHOT_STORAGE_TIMEOUT]" in text


def test_durations_are_shown_as_they_are_typed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A default can be copied to the command line, and no type of Python is named."""
    text = " ".join(shown(["gc"], 80, capsys, monkeypatch).split())
    assert "--grace DURATION How old a file or object must be to go. [default: 24h]" in text
    spans = ["0s", "90s", "5m", "24h", "7d"]
    assert [typed(duration(span)) for span in spans] == ["0h", "90s", "5m", "24h", "168h"]
    assert typed(None) == ""
    for name in find_verbs():
        assert "TIMEDELTA" not in shown([name], 80, capsys, monkeypatch)
