"""Durations and words for ids, at the ends of what they can be."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from ran import Ran

from metasnapshot.cli.app import main
from metasnapshot.cli.options import duration
from metasnapshot.errors import UsageError

STORE = ("--meta-store", "sqlite:///meta.db")
BACKUPS = ("--backup-storage-url", "fs://backups")
WATCH = ("watch", *STORE, "--rounds", "1", "--every")
TAKING = {
    "gc": ("gc", "--commit", "--grace"),
    "check": ("check", "--max-age"),
    "expire": ("expire", "--commit", "--keep-within"),
    "verify": ("verify", "--all", "--if-older-than"),
    "watch --every": WATCH,
    "watch --keep-within": (*WATCH, "1s", "--keep-within"),
    "--retry-lock": ("list", "--retry-lock"),
    "--storage-timeout": ("list", "--storage-timeout"),
    "--storage-list-timeout": ("list", "--storage-list-timeout"),
}
"""Every option that takes a duration, last."""
TOO_LONG = (
    "9999999w",
    "99999999w",
    "52286w",
    "366001d",
    "31622400001s",
    "9" * 18 + "s",
    "9" * 20000 + "ms",
)
LONGEST = ("52285w", "366000d", "31622400000s", "31622400000000ms")


@pytest.fixture
def run(cluster: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["backup", *STORE, *BACKUPS]) == 0
    capsys.readouterr()
    return cluster


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> Ran:
    code = main(list(arguments))
    found = capsys.readouterr()
    return Ran(code, found.out, found.err)


@pytest.mark.parametrize("verb", TAKING)
def test_more_than_a_thousand_years_is_refused(
    run: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    """By every verb that takes a duration, before it does anything; no calendar goes on so far."""
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    for text in TOO_LONG:
        found = ran(capsys, *TAKING[verb], text, *BACKUPS)
        assert (found.code, found.out) == (2, "")
        assert "is more than a thousand years\n" in found.err
        assert len(found.err) < 120
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("verb", TAKING)
def test_what_is_less_is_heard(run: Path, capsys: pytest.CaptureFixture[str], verb: str) -> None:
    """However long before today it reaches."""
    text = LONGEST[0]
    assert run.exists()
    found = ran(capsys, *TAKING[verb], text, *BACKUPS)
    assert (found.code, "error" in found.err) == (0, False)


@pytest.mark.parametrize("text", LONGEST)
def test_the_longest_durations(text: str) -> None:
    """Are what they say."""
    number, unit = text.rstrip("dmsw"), text.lstrip("0123456789")
    names = {"ms": "milliseconds", "s": "seconds", "d": "days", "w": "weeks"}
    assert duration(text) == timedelta(**{names[unit]: int(number)})


@pytest.mark.parametrize("text", ["", "7", "d", "-1d", "1.5h", "1 d", "1D", "٣d", "1d1h"])
def test_what_is_no_duration(text: str) -> None:
    """A number and a unit, nothing else."""
    with pytest.raises(UsageError, match="not a duration"):
        duration(text)


@pytest.mark.parametrize("word", ["latest", "oldest"])
@pytest.mark.parametrize("verb", ["show", "cat", "verify", "diff", "restore", "export"])
def test_latest_of_none(
    cluster: Path, capsys: pytest.CaptureFixture[str], verb: str, word: str
) -> None:
    """An empty directory has neither latest nor oldest: 12, in words, not by a number."""
    more = {
        "cat": ["workers"],
        "diff": [word],
        "restore": ["--meta-store", "sqlite:///empty.db", "--hummock-storage-url", "fs://state"],
        "export": ["--format", "jsonl"],
    }
    found = ran(capsys, verb, word, *more.get(verb, []), *BACKUPS)
    assert (found.code, found.out) == (12, "")
    text = f"error: no {word} snapshot: there is none\nhint: the manifest is empty\n"
    assert found.err == text
    assert not (cluster / "backups" / "backup" / "manifest.json").exists()


def test_an_id_of_none_is_named(cluster: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0 was what latest of none was called; a number that is asked for still is."""
    assert cluster.exists()
    found = ran(capsys, "show", "0", *BACKUPS)
    assert (found.code, found.err.splitlines()[0]) == (12, "error: snapshot id 0 not found")
