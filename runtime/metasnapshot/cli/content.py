"""The options of verbs that read objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from metasnapshot import Pace
from metasnapshot.cli.pace import require_default
from metasnapshot.errors import UsageError

if TYPE_CHECKING:
    from metasnapshot import ContentCheck


@dataclass(frozen=True)
class ReadContent(Pace):
    """Whether the bytes of objects are read, where, and how many of them.

    Attributes:
        content: read the objects too: compare their hashes, or unpack and walk their data too.
        where: where to read them: in the backup (area), or in the state store (state); by default
            in the backup, if the snapshot is full.
        sample: read only a part of them, such as 1%.
        jobs: with --content: objects at a time.
        memory: with --content: bytes of objects in memory at a time, as 64M.
        bwlimit: with --content: bytes to read a second at most, as 200M; by all together.
        scheduler: with --content: Dask scheduler whose workers do it, as tls://host:8786; each
            of them has so many jobs, and so much memory.
        scheduler_ca_file: who signed its certificate; by default as Dask's configuration says.
        scheduler_cert_file: certificate to show it; by default the same.
        scheduler_key_file: key of that certificate; by default the same.
        insecure_scheduler: speak to it without TLS, also on another machine.

    Raises:
        UsageError: another one is given without the first.
    """

    content: Literal["hashes", "data"] | None = None
    where: Annotated[Literal["area", "state"] | None, Parameter("--in")] = None
    sample: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.content is None:
            require_default(self, "--content")
            for option, value in (("--in", self.where), ("--sample", self.sample)):
                if value is not None:
                    raise UsageError(f"{option} means nothing without --content")

    def check(self, state: tuple[str, str | None] | None) -> ContentCheck | None:
        """What to look at; None if objects are not to be read.

        Args:
            state: URL and data directory of the state store, if they are given.

        Raises:
            UsageError: the sample is not valid.
        """
        if self.content is None:
            return None
        from metasnapshot import ContentCheck, parse_share  # noqa: PLC0415 - loads numpy

        share = 1.0 if self.sample is None else parse_share(self.sample)
        return ContentCheck(self.where, share, self, state, kind=self.content)


UNREAD = ReadContent()
"""Objects are not read."""
