"""What a caller says of all stores that its operations open: tries and times, whose certificates
are trusted, the mode of new files, and who is told how far the work is.

It goes from call to call, so that two threads of one program work under two contexts. Nothing in
the process holds one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from metasnapshot.errors import UsageError
from metasnapshot.store.retry import DEFAULTS, RetryPolicy

OURS = 0o600
"""Mode of a new file that nobody else may read."""
FILE_MODE_MAX = 0o666
Unit = Literal["bytes", "objects"]


@dataclass(frozen=True)
class Progress:
    """How far a piece of work is.

    Attributes:
        task: number of the piece of work; no other one of the process has it.
        title: what is done, such as `reading backup/7.snapshot`.
        done: bytes or objects so far.
        total: how many there will be; None where nobody knows.
        unit: what is counted.
        is_over: this piece of work has ended, well or not; nothing more is told of it.
    """

    task: int
    title: str
    done: int
    total: int | None
    unit: Unit
    is_over: bool = False


@dataclass(frozen=True)
class Context:
    """How operations reach object stores.

    Attributes:
        retry: tries and times of requests, and how long to wait for a lock.
        ca_file: file of authorities (PEM) to trust besides the system's; "" for none.
        file_mode: mode of manifest and snapshots in a local directory that has no manifest yet.
        on_progress: is told how far reads, writes and listings are. It may be called by several
            threads; what it raises ends the operation.

    Raises:
        UsageError: we could not read files of this mode, or somebody could execute them.
    """

    retry: RetryPolicy = DEFAULTS
    ca_file: str = ""
    file_mode: int = OURS
    on_progress: Callable[[Progress], None] | None = None

    def __post_init__(self) -> None:
        if self.file_mode & OURS != OURS or self.file_mode & ~FILE_MODE_MAX:
            raise UsageError(
                f"not a mode for files: {self.file_mode:#o}", hint="from 0o600 to 0o666"
            )

    @property
    def quiet(self) -> Context:
        """The same without a listener, for another process."""
        return replace(self, on_progress=None)


PLAIN = Context()
"""What holds where nobody says otherwise."""
