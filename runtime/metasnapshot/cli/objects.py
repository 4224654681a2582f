"""The options of verbs that copy objects."""

from __future__ import annotations

from dataclasses import dataclass

from metasnapshot import ROUNDS, Pace
from metasnapshot.cli.pace import require_default
from metasnapshot.errors import UsageError


@dataclass(frozen=True)
class CopyObjects(Pace):
    """Whether objects are copied, and how fast.

    Attributes:
        with_objects: copy the objects too, those that are not there yet.
        jobs: with --with-objects: objects at a time.
        memory: with --with-objects: bytes of objects in memory at a time, as 64M.
        bwlimit: with --with-objects: bytes to read a second at most, as 200M; by all together.
        scheduler: with --with-objects: Dask scheduler whose workers do it, as tls://host:8786; each
            of them has so many jobs, and so much memory.
        scheduler_ca_file: who signed its certificate; by default as Dask's configuration says.
        scheduler_cert_file: certificate to show it; by default the same.
        scheduler_key_file: key of that certificate; by default the same.
        insecure_scheduler: speak to it without TLS, also on another machine.

    Raises:
        UsageError: another one is given without the first.
    """

    with_objects: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.with_objects:
            require_default(self, "--with-objects")


@dataclass(frozen=True)
class WithObjects(CopyObjects):
    """The same for a backup.

    Attributes:
        with_objects: copy the objects too, those that are not there yet.
        rounds: with --with-objects: how often it is done with a newer snapshot when the running
            cluster deletes objects meanwhile.
        jobs: with --with-objects: objects at a time.
        memory: with --with-objects: bytes of objects in memory at a time, as 64M.
        bwlimit: with --with-objects: bytes to read a second at most, as 200M; by all together.
        scheduler: with --with-objects: Dask scheduler whose workers do it, as tls://host:8786; each
            of them has so many jobs, and so much memory.
        scheduler_ca_file: who signed its certificate; by default as Dask's configuration says.
        scheduler_cert_file: certificate to show it; by default the same.
        scheduler_key_file: key of that certificate; by default the same.
        insecure_scheduler: speak to it without TLS, also on another machine.

    Raises:
        UsageError: another one is given without the first.
    """

    rounds: int = ROUNDS

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rounds < 1:
            raise UsageError("--rounds is at least 1")
        if not self.with_objects and self.rounds != ROUNDS:
            raise UsageError("--rounds means nothing without --with-objects")


WITHOUT = WithObjects()
"""Objects stay where they are."""
UNCOPIED = CopyObjects()
"""The same of a copy."""
