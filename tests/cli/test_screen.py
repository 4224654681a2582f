"""Lines on a terminal: colours that mean something, and whole words; nothing of it elsewhere."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import sqlite3
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shell import BACKUPS, STATE, STORE, TARGET, UNLOOKED, Shell
from terminal import Terminal, say_nothing

from metasnapshot.cli import screen, text
from metasnapshot.cli.app import main
from metasnapshot.cli.screen import Part, bad, columns_of, doubtful, drawn, good
from metasnapshot.cli.table import laid

COLOUR = re.compile("\x1b\\[(\\d+)m(.*?)\x1b\\[0m", re.DOTALL)
GREEN, RED, YELLOW, BOLD = "32", "31", "33", "1"
WIDTHS = (80, 120)


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that says nothing of colours, with a terminal of 80 columns."""
    say_nothing(monkeypatch)


def uncoloured(shown: str) -> str:
    return COLOUR.sub(r"\2", shown)


def on_terminal(
    monkeypatch: pytest.MonkeyPatch, width: int, *words: str, err: io.StringIO | None = None
) -> tuple[str, str]:
    """What a command sends to a terminal of a width, and to stderr, which is none unless given."""
    out, err = Terminal(), err or io.StringIO()
    with monkeypatch.context() as patch:
        patch.setenv("COLUMNS", str(width))
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        main(words)
    return out.getvalue(), err.getvalue()


def test_a_list_says_what_was_verified(backed_up: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never verified is yellow, sound is green, a lost file red; heads are bold."""
    out, _ = on_terminal(monkeypatch, 160, "list", *BACKUPS)
    assert (YELLOW, "never") in COLOUR.findall(out)
    assert (BOLD, "taken") in COLOUR.findall(out)
    out, _ = on_terminal(monkeypatch, 160, "verify", *BACKUPS)
    assert COLOUR.findall(out) == [(GREEN, "ok")]
    out, _ = on_terminal(monkeypatch, 160, "list", *BACKUPS)
    assert [code for code, said in COLOUR.findall(out) if said.startswith("rows ")] == [GREEN]
    Path("backups/backup/9.snapshot").rename("away")
    out, _ = on_terminal(monkeypatch, 160, "list", *BACKUPS)
    assert (RED, "lost") in COLOUR.findall(out)
    _, err = on_terminal(monkeypatch, 160, "show", "77", *BACKUPS, err=Terminal())
    assert (RED, "error:") in COLOUR.findall(err)
    assert backed_up.run("list", *BACKUPS).out.count("\x1b") == 0


@pytest.mark.usefixtures("backed_up")
def test_a_plan_says_what_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each check has the colour of its result."""
    restore = ("restore", "9", *BACKUPS, *STATE, UNLOOKED, "--plan")
    out, _ = on_terminal(monkeypatch, 120, *restore, *STORE)
    found = {(code, said.strip()) for code, said in COLOUR.findall(out)}
    assert found == {(GREEN, "ok"), (RED, "failed"), (YELLOW, "not checked")}
    out, _ = on_terminal(monkeypatch, 120, *restore, *TARGET)
    found = {(code, said.strip()) for code, said in COLOUR.findall(out)}
    assert found == {(GREEN, "ok"), (YELLOW, "not checked")}


def test_diff_and_show(backed_up: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """What came is green, what went red, what changed yellow; so are risks after a restore."""
    backed_up.run("backup", *STORE, *BACKUPS)
    with closing(sqlite3.connect("meta.db")) as connection, connection:
        connection.execute("DELETE FROM sink")
        connection.execute("UPDATE system_parameter SET value = '7' WHERE name = 'sstable_size_mb'")
    out, _ = on_terminal(monkeypatch, 120, "diff", "9", *BACKUPS, *STORE)
    assert {(RED, "-"), (YELLOW, "~")} <= set(COLOUR.findall(out))
    out, _ = on_terminal(monkeypatch, 120, "show", "9", *BACKUPS)
    risks = [said for code, said in COLOUR.findall(out) if code == YELLOW]
    assert len(risks) == 2
    assert all("writes again what it wrote" in said for said in risks)


COMMANDS: list[tuple[str, ...]] = [
    ("list", *BACKUPS),
    ("show", "9", *BACKUPS),
    ("verify", "9", *BACKUPS),
    ("restore", "9", *STORE, *BACKUPS, *STATE, "--plan"),
    ("restore", "9", *TARGET, *BACKUPS, *STATE, UNLOOKED),
    ("diff", "9", *BACKUPS, *STORE),
    ("expire", *BACKUPS, "--keep-last", "1"),
    ("gc", *BACKUPS),
    ("storage", "test", *BACKUPS),
    ("coverage", *STORE),
    ("backup", *STORE, *BACKUPS, "--remarks", "before the upgrade of Tuesday"),
    ("config", "show"),
]


@pytest.mark.parametrize("width", WIDTHS)
def test_words_are_whole(width: int, backed_up: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is wider than the terminal, and the words are those that a pipe gets."""
    backed_up.run("verify", "9", *BACKUPS)
    for command in COMMANDS:
        out, _ = on_terminal(monkeypatch, width, *command)
        lines = uncoloured(out).splitlines()
        assert [line for line in lines if columns_of(line) > width] == [], command
        if command[0] not in ("backup", "list", "restore"):
            ran = backed_up.run(*command)
            assert sorted(uncoloured(out).split()) == sorted(ran.out.split()), command


def test_the_columns_of_a_list_are_kept_as_far_as_they_go(
    backed_up: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not fit beside stands below its row, by the name of its column."""
    backed_up.run("verify", "9", *BACKUPS)
    out, _ = on_terminal(monkeypatch, 80, "list", *BACKUPS)
    head, row, below, *rest = uncoloured(out).splitlines()
    assert head.split()[:4] == ["id", "format", "taken", "age"]
    assert row.startswith("9   V2")
    assert "objects: partial, verified: rows" in " ".join((below, *rest))
    assert below.startswith("    ")
    out, _ = on_terminal(monkeypatch, 160, "list", *BACKUPS)
    assert len(uncoloured(out).splitlines()) == 3


def test_what_programs_read_is_never_broken(
    backed_up: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JSON, SQL, completion and the line of Nagios are sent as they are, to a terminal too."""
    always = ("--color", "always")
    create = ("create-schema", "--meta-store", "sqlite:///x.db", "--release", "3.0.3", "--print")
    for command in (
        ("show", "9", *BACKUPS, "--json"),
        create,
        ("completion", "bash"),
        ("check", *BACKUPS, "--nagios"),
        ("cat", "9", "tables", *BACKUPS),
    ):
        out, _ = on_terminal(monkeypatch, 40, *command, *always)
        age = re.compile(r"age=\d+s")
        assert age.sub("", out) == age.sub("", backed_up.run(*command).out), command
        assert "\x1b" not in out


def test_a_real_terminal(cluster: Path) -> None:
    """Colours and width come from the terminal itself; into a file goes neither."""
    main_side, process_side = pty.openpty()
    fcntl.ioctl(process_side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    variables = {
        "PATH": os.environ["PATH"],
        "TERM": "xterm",
        "TMPDIR": os.environ.get("TMPDIR", "/tmp"),
    }
    with closing(sqlite3.connect(cluster / "meta.db")) as connection, connection:
        connection.execute("CREATE TABLE brand_new (id integer)")
    command = [sys.executable, "-m", "metasnapshot", "coverage", *STORE]
    ran = subprocess.run(
        command,
        env=variables,
        check=False,
        stdin=process_side,
        stdout=process_side,
        stderr=process_side,
    )
    assert ran.returncode == 14
    os.close(process_side)
    shown = b""
    try:
        while piece := os.read(main_side, 65536):
            shown += piece
    except OSError:  # Linux says so when the other side is closed
        pass
    os.close(main_side)
    said = shown.decode().replace("\r", "")
    assert "\x1b[31merror:\x1b[0m unknown: brand_new" in said
    assert max(map(len, uncoloured(said).splitlines())) in range(50, 61)


PIPED = [
    ("cat", "9", "tables", *BACKUPS),
    ("diff", "9", *BACKUPS, *STORE),
    ("export", "9", *BACKUPS, "--format", "jsonl"),
    ("restore", "9", *STORE, *BACKUPS, *STATE, "--plan"),
    ("verify", "9", *BACKUPS),
    ("show", "9", *BACKUPS),
    ("coverage", *STORE),
    ("list", *BACKUPS, "--json"),
]


@pytest.mark.parametrize("command", PIPED, ids=lambda command: command[0])
def test_results_go_into_the_file_whatever_the_terminal_shows(
    command: tuple[str, ...], backed_up: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bars on stderr take nothing of what is written to a file or a pipe meanwhile."""
    expected = backed_up.run(*command).out
    out, err = io.StringIO(), Terminal()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        main(command)
    assert out.getvalue() == expected


TEXTS = st.text(st.sampled_from("ab \x1b[31m\n\x07,é表\u0301"), max_size=60)
PAINTS = st.sampled_from([str, good, bad, doubtful])


@given(st.lists(st.tuples(PAINTS, TEXTS), max_size=6), st.integers(40, 100))
def test_a_line_keeps_its_words(
    pieces: list[tuple[Callable[[str], Part], str]], width: int
) -> None:
    """However parts and colours fall: same words in the same order, only our colours, and lines
    that are too wide have one word alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(width))
        shown = drawn([paint(said) for paint, said in pieces], Terminal())
    plain = "".join(screen.printable(said) for _, said in pieces)
    found = uncoloured(shown)
    assert "\x1b" not in found.replace("\x1b[0m", "")
    assert found.split() == plain.split()
    for line in found.split("\n"):
        assert columns_of(line) <= width or len(line.split()) == 1
    assert all(line.startswith("    ") for line in found.split("\n")[1:])


CELLS = st.lists(
    st.lists(st.text(st.sampled_from("abc é表:"), max_size=30), min_size=3, max_size=3),
    min_size=1,
    max_size=4,
)


@given(CELLS, st.integers(40, 90))
def test_a_table_keeps_its_cells(rows: list[list[str]], width: int) -> None:
    """At any width every word of every row is there, in its order."""
    lines = laid([["one", "two", "three"], *rows], width)
    said = "\n".join("".join(map(str, parts)) for parts, _ in lines)
    for row in rows:
        for cell in row:
            assert all(word in said for word in cell.split())
    wide = laid([["one", "two", "three"], *rows], None)
    assert len(wide) == len(rows) + 1


@pytest.mark.parametrize(
    ("said", "width"),
    [("abc", 3), ("表", 2), ("e\u0301", 1), ("a表b", 4), ("", 0), ("Ünï", 3), ("🚀", 2)],
)
def test_the_columns_of_a_text(said: str, width: int) -> None:
    """Letters of East Asia take two, a mark above a letter none."""
    assert columns_of(said) == width


def test_names_send_no_colours(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    """Colours in names and remarks are shown as text, where ours are sent too."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    evil = "\x1b[31mred\x1b]0;title\x07"
    text.say(good(evil), evil)
    text.table([["a", "b"], [bad(evil), evil]])
    text.note(evil)
    text.complain(evil, evil)
    out, err = capsys.readouterr()
    assert "\x1b" not in COLOUR.sub(r"\2", out + err)
    assert "\x07" not in out + err


def test_times_and_empty_tables(backed_up: Shell) -> None:
    """Times look the same in every table, without zone; a table without rows is not shown."""
    backed_up.run("verify", "9", *BACKUPS)
    time = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{3})?"
    for command, count in (("list", 2), ("expire", 1), ("show", 1)):
        words = {"expire": ("--keep-last", "1"), "show": ("9",)}.get(command, ())
        out = backed_up.run(command, *words, *BACKUPS).out
        assert len(re.findall(time, out)) == count, out
        assert "+00:00" not in out
    assert backed_up.run("gc", *BACKUPS).out.startswith("0 would go")
