"""What a report says of the state of things, in sentences, the worst first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from metasnapshot.operations.report.model import (
    BAD,
    DOUBTFUL,
    GOOD,
    Directory,
    Inside,
    Point,
    Sentence,
)
from metasnapshot.spans import counted, spelt

OLD = timedelta(days=30)
"""A snapshot that is older holds little of today; a verification or a drill proves little of it."""
PROBLEMS_MAX = 10
"""Problems of the directory that are told one by one."""
_ORDER = (BAD, DOUBTFUL, GOOD)


def worst_of(sentences: Sequence[Sentence]) -> str:
    """The level of the worst."""
    return next((level for level in _ORDER if any(s.level == level for s in sentences)), GOOD)


def judged(
    inside: Inside | None,
    error: str,
    point: Point | None,
    directory: Directory,
    problems: Sequence[str],
    now: datetime,
) -> list[Sentence]:
    """All sentences, the worst first.

    Args:
        inside: what is in the snapshot; None if it cannot be read.
        error: why not.
        point: the snapshot among the others; None of an empty directory.
        directory: all snapshots.
        problems: what check complains about.
        now: this host's clock.
    """
    found = [Sentence(BAD, _sentence(text)) for text in problems[:PROBLEMS_MAX]]
    if len(problems) > PROBLEMS_MAX:
        more = counted(len(problems) - PROBLEMS_MAX, "problem")
        found.append(Sentence(BAD, f"{more} more: metasnapshot check tells all."))
    if point is None:
        found.append(Sentence(BAD, "There is no snapshot in this directory."))
    elif inside is None:
        found.append(Sentence(BAD, f"Snapshot {point.id} cannot be read: {error}."))
    else:
        found += _of_snapshot(inside, point, now)
    found += _of_directory(directory, now)
    return sorted(found, key=lambda sentence: _ORDER.index(sentence.level))


def _of_snapshot(inside: Inside, point: Point, now: datetime) -> Iterator[Sentence]:
    name, summary = f"Snapshot {point.id}", inside.summary
    yield Sentence(GOOD, f"{name} was read for this page, and its checksum is right.")
    if summary.unknown_migrations:
        yield Sentence(DOUBTFUL, f"{name} is of a release that this one of ours does not know.")
    if point.taken is not None:
        age, word = now - point.taken, "at most " if point.is_least else ""
        yield Sentence(DOUBTFUL if age > OLD else GOOD, f"{name} is {word}{spelt(age)} old.")
    yield _verified(name, point, now)
    if point.full is None:
        text = "is partial: its rows are in the state store of the cluster alone"
        yield Sentence(DOUBTFUL, f"{name} {text}.")
    else:
        yield Sentence(GOOD, f"{name} is full: its objects are in the backup too.")
        content = point.verified.content if point.verified else None
        if content is None:
            yield Sentence(DOUBTFUL, f"The objects of snapshot {point.id} were never read again.")
        else:
            place = "the backup" if content.where == "area" else "the state store"
            text = f"{content.share:.0%} of the objects were read in {place} and found sound"
            yield Sentence(GOOD, f"{text} {_ago(content.at, now)}.")


def _verified(name: str, point: Point, now: datetime) -> Sentence:
    if point.verified is None:
        return Sentence(DOUBTFUL, f"{name} was never verified.")
    at, level = point.verified.at, point.verified.level
    is_old = now - _time(at) > OLD
    return Sentence(
        DOUBTFUL if is_old else GOOD,
        f"{name} was verified at level {level} {_ago(at, now)}.",
    )


def _of_directory(directory: Directory, now: datetime) -> Iterator[Sentence]:
    drills = [(point.id, point.drill) for point in directory.points if point.drill]
    if not drills and directory.points:
        yield Sentence(DOUBTFUL, "No restore was ever rehearsed: metasnapshot drill does it.")
    if drills:
        number, drill = max(drills, key=lambda pair: _time(pair[1].at))
        text = f"A restore of snapshot {number} was rehearsed {_ago(drill.at, now)}"
        if not drill.ok:
            why = "rows were missing or different" if drill.error is None else drill.error
            yield Sentence(BAD, f"{text} and failed: {why}.")
        else:
            level = DOUBTFUL if now - _time(drill.at) > OLD else GOOD
            took = spelt(timedelta(seconds=max(1, round(drill.seconds))))
            yield Sentence(level, f"{text}; every row came back, in {took}.")
    lost = [point.id for point in directory.points if point.size is None]
    if lost:
        text = f"{counted(len(lost), 'snapshot')} of the manifest without a file"
        yield Sentence(BAD, f"{text}: {', '.join(map(str, lost[:10]))}.")
    if directory.gap_count and directory.usual:
        usual = spelt(directory.usual)
        text = f"{counted(directory.gap_count, 'gap')} in the schedule"
        yield Sentence(DOUBTFUL, f"{text}: usually a snapshot comes {usual} after the last.")


def _ago(at: str, now: datetime) -> str:
    """How long ago it was that something was noted."""
    return f"{spelt(now - _time(at))} ago"


def _time(at: str) -> datetime:
    """A time of the notes; one that is none is very old."""
    try:
        found = datetime.fromisoformat(at)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"
