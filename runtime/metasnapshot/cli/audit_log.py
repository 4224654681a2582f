"""`--audit-log`: who did what, a line of JSON at the begin of a run and one at its end.

Each line is written by one write to a file that is opened for appending: lines of two processes do
not mix, and nothing in the file is ever changed. It must be a regular file: through a link a line
might go elsewhere, and a pipe or a device keeps none. A run that changes something begins only once
its first line is on the disk.
"""

from __future__ import annotations

import errno
import os
import pwd
import stat
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from metasnapshot.cli.event import event_of, line_of, spelt_time
from metasnapshot.cli.outcome import SHOWS, Outcome
from metasnapshot.cli.text import Document
from metasnapshot.cli.words import shown_words
from metasnapshot.errors import StorageError, UsageError
from metasnapshot.version import VERSION

MODE = 0o600
CHANGING = frozenset(
    {
        "backup",
        "copy",
        "create-schema",
        "delete",
        "expire",
        "gc",
        "keep",
        "rebuild-manifest",
        "restore",
        "storage",
        "watch",
    }
)
"""Verbs that change snapshots, a meta store or a state store. What others note beside the manifest,
as a verification, is no change of what somebody could restore."""
COMMITS = frozenset({"expire", "gc", "rebuild-manifest"})
"""Of these, verbs that change nothing without --commit."""
FLAGS = os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""With O_NONBLOCK a pipe that nobody reads is refused at once."""
PAUSE_S = 0.05
UNFIT = (errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.ENOENT, errno.ENOTDIR)
"""Why a path cannot be opened that is no place for a log."""
EVENT_ONLY = ("text", "time")


class AuditLog:
    """The log of one run."""

    def __init__(self, path: Path, run_id: str, settings: Mapping[str, str]) -> None:
        """Take the place; nothing is opened yet.

        Args:
            path: the file.
            run_id: what the lines of this run have in common.
            settings: what was set and not typed, by option, without secrets.
        """
        self.path = path
        self._run_id = run_id
        self._settings = dict(settings)

    def begin(self, outcome: Outcome) -> None:
        """Write that a run, or a round, begins.

        Raises:
            UsageError: the path is of something that can be no log.
            StorageError: the line cannot be written.
        """
        self._write(self._line("begin", outcome))

    def end(self, outcome: Outcome) -> None:
        """Write how it ended. Raises as `begin`."""
        event = event_of(outcome, self._run_id)
        more = {key: value for key, value in event.items() if key not in EVENT_ONLY}
        self._write(self._line("end", outcome) | more)

    def _line(self, phase: str, outcome: Outcome) -> Document:
        return {
            "at": spelt_time(),
            "phase": phase,
            "run": self._run_id,
            "round": outcome.round,
            **_who(),
            "version": VERSION,
            "verb": outcome.verb,
            "arguments": shown_words(outcome.words),
            "settings": self._settings,
            "cluster_name": outcome.cluster_name,
            "dry_run": outcome.is_dry,
        }

    def _write(self, document: Mapping[str, Any]) -> None:
        line = line_of(document)
        try:
            descriptor = self._open()
            try:
                line = _gap(descriptor) + line
                written = os.write(descriptor, line)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise self._unwritten(error.strerror or str(error)) from error
        if written < len(line):
            raise self._unwritten(f"{written} of {len(line)} bytes went into it")

    def _open(self) -> int:
        try:
            try:
                descriptor = os.open(self.path, FLAGS | os.O_RDWR, MODE)
            except PermissionError:  # we may write and not read, perhaps
                descriptor = os.open(self.path, FLAGS | os.O_WRONLY, MODE)
        except OSError as error:
            if error.errno in UNFIT:
                raise self._unfit(error) from error
            raise
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise self._unfit(None)
        return descriptor

    def _unfit(self, error: OSError | None) -> UsageError:
        if error is not None and error.errno in (errno.ENOENT, errno.ENOTDIR):
            return UsageError(
                f"--audit-log {self.path}: its directory is not there", hint="make it first"
            )
        return UsageError(
            f"--audit-log {self.path} is no regular file",
            hint="a link, a directory, a pipe or a device keeps no lines: name a file",
        )

    def _unwritten(self, why: str) -> StorageError:
        return StorageError(
            f"cannot write the audit log {self.path}: {why}",
            hint="a verb that changes something does not run without its line there",
        )


def _gap(descriptor: int) -> bytes:
    """What has to stand before a line: its end, if the line before it was cut by a full disk."""
    for wait_s in (PAUSE_S, 0):
        size = os.fstat(descriptor).st_size
        try:
            if not size or os.pread(descriptor, 1, size - 1) == b"\n":
                return b""
        except OSError:  # we may write and not read
            return b""
        time.sleep(wait_s)  # another process may be at it just now
    return b"\n"


def changes(words: Sequence[str]) -> bool:
    """Whether a command line may change a snapshot, a meta store or a state store. Any word counts
    as the verb that could be one: what stands before it may be a value of an option.
    """
    verbs = CHANGING.intersection(words)
    if not verbs or not SHOWS.isdisjoint(words):
        return False
    is_asked = any(word.partition("=")[0] == "--commit" for word in words)
    return is_asked or not verbs <= COMMITS


def _who() -> Document:
    """Who runs this process, and where."""
    uid = os.getuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:  # as in a container
        user = None
    return {
        "uid": uid,
        "user": user,
        "sudo_user": os.environ.get("SUDO_USER"),
        "host": os.uname().nodename,
        "pid": os.getpid(),
    }
