"""Durations and words for ids, at the ends of what they can be."""

from __future__ import annotations

from datetime import timedelta

import pytest
from shell import BACKUPS, STATE, STORE, TARGET, Shell

from metasnapshot.cli.parameters import duration
from metasnapshot.errors import UsageError

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


@pytest.mark.parametrize("verb", TAKING)
def test_more_than_a_thousand_years_is_refused(backed_up: Shell, verb: str) -> None:
    """By every verb that takes a duration, before it does anything; no calendar goes on so far."""
    before = backed_up.files()
    for text in TOO_LONG:
        found = backed_up.run(*TAKING[verb], text, *BACKUPS)
        assert (found.code, found.out) == (2, "")
        assert "is more than a thousand years\n" in found.err
        assert len(found.err) < 120
    assert backed_up.files() == before


@pytest.mark.parametrize("verb", TAKING)
def test_what_is_less_is_heard(backed_up: Shell, verb: str) -> None:
    """However long before today it reaches."""
    text = LONGEST[0]
    found = backed_up.run(*TAKING[verb], text, *BACKUPS)
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
def test_latest_of_none(shell: Shell, verb: str, word: str) -> None:
    """An empty directory has neither latest nor oldest: 12, in words, not by a number."""
    more = {
        "cat": ["workers"],
        "diff": [word],
        "restore": [*TARGET, *STATE],
        "export": ["--format", "jsonl"],
    }
    found = shell.run(verb, word, *more.get(verb, []), *BACKUPS)
    assert (found.code, found.out) == (12, "")
    text = (
        f"error: no {word} snapshot: there is none\n"
        "hint: there is no manifest.json in fs://backups, directory 'backup': check "
        "--backup-storage-url and --backup-storage-directory\n"
    )
    assert found.err == text
    assert not (shell.path / "backups" / "backup" / "manifest.json").exists()


def test_an_id_of_none_is_named(shell: Shell) -> None:
    """0 was what latest of none was called; a number that is asked for still is."""
    found = shell.run("show", "0", *BACKUPS)
    assert (found.code, found.err.splitlines()[0]) == (12, "error: snapshot id 0 not found")
