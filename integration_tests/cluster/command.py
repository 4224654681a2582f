"""The command under test, `metasnapshot`: as a process, as operators and their scripts run it, or
in this one, which is the same but for the start of an interpreter.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from metasnapshot.cli.app import main

PROGRAM = Path(sys.executable).parent / "metasnapshot"
TIMEOUT_S = 600.0


class Done(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Command = Callable[..., Done]


def as_process(*arguments: str) -> Done:
    done = subprocess.run(
        [PROGRAM, *arguments],
        capture_output=True,
        check=False,
        text=True,
        timeout=TIMEOUT_S,
        stdin=subprocess.DEVNULL,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def in_this_process(*arguments: str) -> Done:
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(arguments)
    return Done(code, out.getvalue(), err.getvalue())
