"""Progress: bars on a terminal, not a byte of them elsewhere."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest
from shell import BACKUPS, STORE

COMMAND = [sys.executable, "-m", "metasnapshot.cli.app"]


def on_terminal(*arguments: str) -> tuple[int, str, bytes]:
    """Run a command whose stderr is a terminal; returns code, stdout and what the terminal got."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            data = os.read(ours, 1 << 16)
        except OSError:  # what Linux says when the other side is closed
            break
        if not data:
            break
        shown += data
    out, _ = child.communicate()
    os.close(ours)
    return child.returncode, out.decode(), shown


@pytest.mark.usefixtures("cluster")
def test_a_terminal_sees_bars() -> None:
    """Of the file that is written and read; results on stdout are what they always are."""
    code, out, shown = on_terminal("backup", *STORE, *BACKUPS)
    assert code == 0
    assert out.startswith("backup 9: ")
    assert b"writing backup/9.snapshot" in shown
    code, out, shown = on_terminal("verify", *BACKUPS)
    assert (code, out.startswith("snapshot 9: ok")) == (0, True)
    assert b"reading backup/9.snapshot" in shown


@pytest.mark.usefixtures("cluster")
def test_no_terminal_no_bars() -> None:
    """A log or a pipe gets no control character."""
    arguments = ["backup", *STORE, *BACKUPS]
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, check=True)
    assert b"\x1b" not in done.stdout + done.stderr
    assert b"writing" not in done.stderr
