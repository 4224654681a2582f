"""`--on-failure` and `--on-success`: a command of the operator that gets the event of a run.

It is started without a shell, in a process group and session of its own, and ended when its time is
up. What this command reads for itself out of the environment, places and secrets, it does not get:
a script that sends a mail has no business with the keys of a bucket. What becomes of it changes
nothing of the run: the run is over.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from metasnapshot.cli.event import PREFIX
from metasnapshot.cli.settings import is_our_own
from metasnapshot.cli.text import note
from metasnapshot.errors import UsageError

GRACE_S = 5
"""Between SIGTERM and SIGKILL."""
STDERR = 2


@dataclass(frozen=True)
class Hook:
    """A command to be run.

    Attributes:
        option: which gave it.
        words: its name and its arguments.
        path: its file.
        timeout_s: how long it may take.
    """

    option: str
    words: tuple[str, ...]
    path: str
    timeout_s: float

    def run(self, event: bytes, variables: Mapping[str, str]) -> None:
        """Run it and wait for its end; a failure is a warning.

        Args:
            event: for its stdin.
            variables: for its environment.
        """
        try:
            process = subprocess.Popen(  # noqa: S603 - the operator's own words
                self.words,
                executable=self.path,
                stdin=subprocess.PIPE,
                stdout=STDERR,
                env=_environment() | dict(variables),
                start_new_session=True,
            )
        except OSError as error:
            return self._warn(f"cannot be started: {error.strerror}")
        try:
            process.communicate(event, self.timeout_s)
        except subprocess.TimeoutExpired:
            _end(process)
            return self._warn(f"did not end within {self.timeout_s:g} s and was ended")
        except BaseException:
            _end(process)
            raise
        code = process.returncode
        if code:
            self._warn(f"ended with {code}" if code > 0 else f"was ended by signal {-code}")
        return None

    def _warn(self, what: str) -> None:
        note(f"{self.option}: {self.words[0]} {what}")


def hook_of(option: str, text: str, timeout_s: float) -> Hook:
    """The command that an option means.

    Raises:
        UsageError: it has no words, its quotes do not close, or there is no such command.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}", hint="quote as for a shell") from error
    if not words or not words[0]:
        raise UsageError(f"{option} names no command")
    path = shutil.which(words[0])
    if path is None:
        raise UsageError(
            f"{option}: there is no command {words[0]}",
            hint="it runs without a shell: a path, or a program in PATH that may be executed",
        )
    return Hook(option, tuple(words), path, timeout_s)


def _environment() -> dict[str, str]:
    """Ours, without what we read for ourselves, and without events of others."""
    return {
        name: value
        for name, value in os.environ.items()
        if not (is_our_own(name) or name.startswith(PREFIX))
    }


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command with all that it started and that did not leave its process group."""
    try:
        _signal(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
    finally:
        _signal(process, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):  # of another user, whom we cannot kill
            process.wait(GRACE_S)
        if process.stdin is not None:
            with suppress(BrokenPipeError):
                process.stdin.close()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
