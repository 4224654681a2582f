"""README.md: what it shows of the demo, and of the library, is what comes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import demo
import pytest

from metasnapshot.cli.app import main

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
VARYING = (
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME"),
    (r"TIME (less than )?\d+ seconds?", "TIME AGE"),
    (r"checkpoint\.[0-9a-f]{16}", "checkpoint.HASH"),
    (r"xxh64 [0-9a-f]{16}", "xxh64 HASH"),
)


def words(text: str) -> list[str]:
    """The words of a transcript, however it is wrapped, without what no two runs share."""
    joined = " ".join(text.replace("\\\n", " ").split())
    for pattern, name in VARYING:
        joined = re.sub(pattern, name, joined)
    return joined.split()


def test_the_transcript_is_what_the_demo_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Word for word: warnings, results and what is said between."""

    def run(arguments: str) -> None:
        print(f"$ metasnapshot {arguments}")
        with monkeypatch.context() as patch:
            patch.chdir(demo.DEMO)
            assert main(shlex.split(arguments)) == 0
        shown = capsys.readouterr()
        printed.append(shown.out.partition("\n$ ")[0])
        head, _, results = shown.out.rpartition(f"$ metasnapshot {arguments}\n")
        printed[-1:] = [head, f"$ metasnapshot {arguments}\n", shown.err, results]

    printed: list[str] = []
    monkeypatch.setattr(demo, "DEMO", tmp_path / "demo")
    monkeypatch.setattr(demo, "run", run)
    assert demo.main() == 0
    printed.append(capsys.readouterr().out)
    (transcript,) = re.findall(r"```\n(\n?== .*?)```", README, re.DOTALL)
    assert words(transcript) == words("".join(printed))


def test_the_objects_of_the_demo_are_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever goes on from the demo can read every block: none is a hole of the right size."""
    monkeypatch.setattr(demo, "DEMO", tmp_path / "demo")
    demo.prepare()
    monkeypatch.chdir(demo.DEMO)
    place = ["--backup-storage-url", "fs://backups"]
    assert main(["backup", "--meta-store", "sqlite:///meta.db", *place]) == 0
    capsys.readouterr()
    assert main(["verify", "9", "--level", "objects", "--content", "data", *place]) == 0
    assert "18 objects in the state store (19.2 kB) read" in capsys.readouterr().out


def test_the_first_screen(capsys: pytest.CaptureFixture[str]) -> None:
    """What it is and is not, how to install it, and three commands whose options are real."""
    first = "\n".join(README.splitlines()[:45])
    for text in ("**What it is.**", "**What it is not.**", "pip install", "--with-objects"):
        assert text in first
    block = re.findall(r"```\n(metasnapshot .*?)```", first, re.DOTALL)[0]
    commands = [shlex.split(line) for line in block.replace("\\\n", " ").splitlines()]
    assert [command[1] for command in commands] == ["backup", "verify", "restore"]
    for command in commands:
        main([command[1], "--help"])
        shown = capsys.readouterr().out
        assert [word for word in command if word.startswith("--") and word not in shown] == []


def test_ten_words_are_explained() -> None:
    """The glossary has a line for each word that a newcomer meets first."""
    table = README.partition("## Words\n")[2].partition("\n## ")[0]
    found = re.findall(r"^\| (\w+) \| \S", table, re.MULTILINE)[1:]
    expected = "snapshot manifest layout section epoch version delta object pinned drill"
    assert found == expected.split()
