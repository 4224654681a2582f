"""The command in a forked copy of this process: as a process it has its own limits, signals, output
and exit code, and does not pay two seconds for its imports again.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

from ran import Ran

from metasnapshot.cli.app import main

HANGS_S = 600
"""A command that takes as long hangs, however busy the machine is; SIGALRM ends it."""


def run(*arguments: str, prepare: Callable[[], object] = lambda: None) -> Ran:
    """Run the command in a child that does `prepare` first; returns what it ended with."""
    pipes = [os.pipe(), os.pipe()]
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        code = 70
        try:
            _become_a_command([writer for _, writer in pipes])
            prepare()
            code = main(list(arguments))
            sys.stdout.flush()
        except BaseException:  # noqa: BLE001 - no exception of the child gets into pytest's frames
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    for _, writer in pipes:
        os.close(writer)
    shown: list[str] = []
    for reader, _ in pipes:
        with os.fdopen(reader, encoding="utf-8") as file:
            shown.append(file.read())
    _, status = os.waitpid(child, 0)
    return Ran(os.waitstatus_to_exitcode(status), *shown)


def _become_a_command(writers: list[int]) -> None:
    signal.alarm(HANGS_S)
    sys.dont_write_bytecode = True
    for descriptor, writer in zip((1, 2), writers, strict=True):
        os.dup2(writer, descriptor)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
    sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115
    tempfile.tempdir = None  # look at TMPDIR again
