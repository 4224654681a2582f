"""The options of verbs that copy or read objects."""

from __future__ import annotations

from dataclasses import dataclass, fields

from metasnapshot.errors import UsageError
from metasnapshot.operations.crew import Pace


@dataclass(frozen=True)
class WithObjects(Pace):
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


WITHOUT = WithObjects()
"""Objects stay where they are."""
