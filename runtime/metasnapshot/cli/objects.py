"""The options of verbs that copy or read objects."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from metasnapshot import ROUNDS, Pace
from metasnapshot.errors import UsageError

if TYPE_CHECKING:
    from metasnapshot import ContentCheck


@dataclass(frozen=True)
class CopyObjects(Pace):
    """Whether objects are copied, and how fast.

    Attributes:
        with_objects: copy the objects too, those that are not there yet.
        jobs: with --with-objects: objects at a time.
        memory: with --with-objects: bytes of objects in memory at a time, as 64M.
        bwlimit: with --with-objects: bytes to read a second at most, as 200M.

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
        bwlimit: with --with-objects: bytes to read a second at most, as 200M.

    Raises:
        UsageError: another one is given without the first.
    """

    rounds: int = ROUNDS

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rounds < 1:
            raise UsageError("--rounds: one at least")
        if not self.with_objects and self.rounds != ROUNDS:
            raise UsageError("--rounds means nothing without --with-objects")


def require_default(pace: Pace, option: str) -> None:
    """Refuse a pace of nothing.

    Args:
        pace: how fast.
        option: what would make it the pace of something.

    Raises:
        UsageError: one of its options is given.
    """
    for item in fields(Pace):
        if getattr(pace, item.name) != item.default:
            raise UsageError(f"--{item.name} means nothing without {option}")


def require_none(objects: WithObjects, option: str) -> None:
    """Refuse to copy objects where somebody else does the work.

    Raises:
        UsageError: they are to be copied.
    """
    if objects.with_objects:
        raise UsageError(
            f"--with-objects: not with {option}",
            hint="stop the meta node and back up its meta store (--meta-node-stopped)",
        )


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
        bwlimit: with --content: bytes to read a second at most, as 200M.

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
            UsageError: the sample is none.
        """
        if self.content is None:
            return None
        from metasnapshot import ContentCheck, parse_share  # noqa: PLC0415 - loads numpy

        share = 1.0 if self.sample is None else parse_share(self.sample)
        return ContentCheck(self.where, share, self, state, kind=self.content)


WITHOUT = WithObjects()
"""Objects stay where they are."""
UNCOPIED = CopyObjects()
"""The same of a copy."""
UNREAD = ReadContent()
"""Objects are not read."""
