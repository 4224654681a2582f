"""The option --at: a time instead of a snapshot's id, and what is said of the snapshot that it
came to, before anything is done with it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, get_origin

from cyclopts import Parameter

from metasnapshot import Backups, PickedSnapshot
from metasnapshot.cli.parameters import duration
from metasnapshot.cli.text import Document, note, remark
from metasnapshot.errors import StorageError, UsageError

if TYPE_CHECKING:
    from cyclopts.argument import Token

NOW = "now"
FORMS = (
    "such as 2026-11-30T03:00Z or 2026-11-30T04:00+01:00; now; or a duration as 90m: so long ago"
)
_SPAN = re.compile(r"\d+(ms|[smhdw])", re.ASCII)


def moment(text: str, now: datetime | None = None) -> datetime:
    """A time of ISO 8601 with its zone, `now`, or a duration, which is so long ago.

    Args:
        text: what was typed.
        now: by default this host's clock.

    Raises:
        UsageError: it is something else.
    """
    here = now or datetime.now(UTC)
    if text == NOW:
        return here
    if _SPAN.fullmatch(text):
        return here - duration(text)
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is not None:
            return time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"not a time: {text!r:.60}", hint=FORMS) from None
    shown = time.isoformat(timespec="auto" if time.second or time.microsecond else "minutes")
    raise UsageError(
        f"a time without its zone: {text!r:.60}",
        hint=f"{shown}Z is UTC, as `list` shows times; or give an offset, as in {shown}+01:00",
    )


def _moment(type_: Any, tokens: Sequence[Token]) -> Any:
    times = tuple(moment(token.value) for token in tokens)
    return times if get_origin(type_) is tuple else times[0]


TIME = Parameter(converter=_moment, metavar="TIME")
"""An option that is a time."""
AT = Parameter(
    "--at",
    converter=_moment,
    metavar="TIME",
    help="Instead of an id: the newest snapshot not after this time, as 2026-11-30T03:00Z, or 2h "
    "for two hours ago.",
)
At = Annotated[datetime | None, AT]
Ats = Annotated[tuple[datetime, ...], AT]
"""Of a verb that takes several snapshots."""


@dataclass(frozen=True)
class Chosen:
    """The snapshot that a command line means; `picked` if a time means it."""

    id: int
    picked: PickedSnapshot | None = None

    @property
    def document(self) -> Document:
        """What --json prints besides."""
        return {} if self.picked is None else {"at": at_document(self.picked)}


def choose(
    found: Backups,
    verb: str,
    id: str | None,  # noqa: A002 - the word in --help
    at: datetime | None,
    *,
    is_full: bool = False,
) -> Chosen:
    """The snapshot of an id or of a time; of the latter it is said which.

    Args:
        found: where it is.
        verb: what is to be done with it.
        id: what was typed.
        at: the time, if one was.
        is_full: what a time means must be full.

    Raises:
        UsageError: both are given, or none; or it is no id.
        StorageError: it is partial; which one is full is said.
        SnapshotNotFound: there is no such snapshot, or none so old.
        ConflictError: they are of more than one cluster, and nobody said which.
    """
    if at is None:
        if id is None:
            raise UsageError(f"{verb} needs ID", hint="a snapshot's id, latest, oldest; or --at")
        return Chosen(found.id_of(id))
    if id is not None:
        raise UsageError(f"snapshot {id!r:.60} and --at", hint="give one of them")
    chosen = _chosen(found, at)
    if is_full and chosen.picked is not None:
        _require_full(chosen.picked)
    return chosen


def choose_several(
    found: Backups, ids: tuple[str, ...], at: tuple[datetime, ...]
) -> tuple[tuple[str, ...], Document]:
    """The snapshots of times, then those of ids; and what --json prints besides.

    Raises:
        SnapshotNotFound, ConflictError: as choose.
    """
    chosen = [_chosen(found, time) for time in at]
    words = (*(str(item.id) for item in chosen), *ids)
    documents = [at_document(item.picked) for item in chosen if item.picked is not None]
    return words, {"at": documents} if documents else {}


def _chosen(found: Backups, at: datetime) -> Chosen:
    picked = found.at(at)
    for text in picked.warnings:
        note(text)
    remark(picked.said)
    return Chosen(picked.id, picked)


def _require_full(found: PickedSnapshot) -> None:
    """Take no earlier snapshot than the one that is meant, without a word.

    Raises:
        StorageError: that one is partial; which one is full is said.
    """
    full = found.newest_full
    if full is not None and full.id == found.id:
        return
    raise StorageError(
        f"snapshot {found.id} is partial: its objects are not in the backup",
        hint="none is full that was taken by then; without --with-objects the state store must "
        "still have the objects"
        if full is None
        else f"the newest full one by then is {full.id}, {full.said}: restore {full.id}",
    )


def without_id(
    first: str | None, second: str | None, at: datetime | None
) -> tuple[str | None, str | None]:
    """An id and another word: with --at there is no id, and the word stands alone.

    Raises:
        UsageError: both words and a time.
    """
    if at is None:
        return first, second
    if second is not None:
        raise UsageError(f"snapshot {first!r:.60} and --at", hint="give one of them")
    return None, first


def at_document(found: PickedSnapshot) -> Document:
    """What --json prints of a time and its snapshot."""
    after = found.following
    return {
        "asked": found.at.isoformat(),
        "snapshot_id": found.id,
        "taken_at": found.picked.taken.time.isoformat(),
        "taken_by": found.picked.taken.by,
        "seconds_before": found.distance.total_seconds(),
        "next": None
        if after is None
        else {"snapshot_id": after.id, "taken_at": after.taken.time.isoformat()},
        "untimed": list(found.untimed),
    }
