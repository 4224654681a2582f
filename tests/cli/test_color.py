"""Who gets colours: terminals, unless the environment or --color says something else."""

from __future__ import annotations

import io
import logging
import sys
from threading import Thread

import pytest
from shell import BACKUPS, Shell
from terminal import Terminal, say_nothing

from metasnapshot import Backups, Listing
from metasnapshot.cli.app import main
from metasnapshot.cli.screen import color_of, drawn, good

LIST = ("list", *BACKUPS)


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that says nothing of colours."""
    say_nothing(monkeypatch)


@pytest.mark.parametrize(
    ("variables", "is_terminal", "is_coloured"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"NO_COLOR": "0"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": ""}, False, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, True, True),
    ],
)
def test_who_gets_colours(
    variables: dict[str, str],
    is_terminal: bool,  # noqa: FBT001 - a column of the table
    is_coloured: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A terminal, unless NO_COLOR or a dumb terminal is against it; others with FORCE_COLOR."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    stream = Terminal() if is_terminal else io.StringIO()
    assert (drawn([good("ok")], stream) != "ok") == is_coloured


@pytest.mark.parametrize(
    ("words", "variables", "is_terminal", "is_coloured"),
    [
        (("--color", "auto"), {}, True, True),
        (("--color", "auto"), {}, False, False),
        (("--color", "auto"), {"NO_COLOR": "1"}, True, False),
        (("--color", "always"), {}, False, True),
        (("--color=always",), {"NO_COLOR": "1"}, False, True),
        (("--color=always",), {"TERM": "dumb"}, True, True),
        (("--color", "never"), {}, True, False),
        (("--color=never",), {"FORCE_COLOR": "1"}, True, False),
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_the_command_line_says_who_gets_colours(
    words: tuple[str, ...],
    variables: dict[str, str],
    is_terminal: bool,  # noqa: FBT001 - a column of the table
    is_coloured: bool,  # noqa: FBT001
    is_first: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
    backed_up: Shell,
) -> None:
    """--color wins over the environment, before the verb and behind it: for results, warnings of
    threads, errors of a run and of the command line, and help.
    """
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    def warns(number: int) -> Listing:
        thread = Thread(target=logging.getLogger("metasnapshot.x").warning, args=[str(number)])
        thread.start()
        thread.join()
        return found

    found = Backups(f"fs://{backed_up.path}/backups").list()
    monkeypatch.setattr(Backups, "list", lambda _: warns(7))
    for verb in (LIST, ("show", "77", *BACKUPS), ("list", "--nope"), ("--help",)):
        out, err = (Terminal() if is_terminal else io.StringIO() for _ in range(2))
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            main((*words, *verb) if is_first else (*verb, *words))
        said = [stream.getvalue() for stream in (out, err) if stream.getvalue()]
        assert len(said) == (2 if verb[:2] == LIST[:2] else 1)
        if verb == ("--help",) and words[-1].endswith("auto"):
            continue  # what rich makes of the environment
        assert {"\x1b[" in each for each in said} == {is_coloured}, verb


@pytest.mark.parametrize(
    "words", [("--color", "sometimes"), ("--color=ALWAYS",), ("--color=",), ("--color",)]
)
def test_another_word_for_colours_is_refused(words: tuple[str, ...], backed_up: Shell) -> None:
    """Exit 2, which names the option; behind `--` it is no option at all."""
    code, out, err = backed_up.run("list", *BACKUPS, *words)
    assert (code, out, "--color" in err) == (2, "", True)
    assert color_of(["--", "--color=always", "--color", "always"]) == "auto"
    assert color_of(["--color=always", "--color", "never"]) == "never"


def test_a_run_leaves_no_colour_behind(backed_up: Shell) -> None:
    """The next run in the same process is as if there had been none."""
    assert "\x1b" in backed_up.run("--color=always", "list", *BACKUPS).out
    assert "\x1b" not in backed_up.run("list", *BACKUPS).out
