"""Look inside: show to what can be restored, and what changed when."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

import metasnapshot
from metasnapshot import Event, Step, Stop, Timeline, exact
from metasnapshot.cli.moments import TIME
from metasnapshot.cli.options import Directory, Json
from metasnapshot.cli.parameters import DURATION, FLAT
from metasnapshot.cli.progress import counted
from metasnapshot.cli.run import current
from metasnapshot.cli.screen import Part, bad, doubtful, good
from metasnapshot.cli.text import (
    Document,
    complain,
    error_document,
    note,
    say,
    say_json,
    spelt_size,
)
from metasnapshot.errors import UsageError
from metasnapshot.spans import counted as counted_things
from metasnapshot.spans import spelt

SIGNS = {"added": ("+", good), "removed": ("-", bad), "changed": ("~", doubtful)}
Since = Annotated[
    datetime | None,
    TIME,
    Parameter("--from", help="From this time on, as 2026-11-30T03:00Z, or 2h for two hours ago."),
]
Until = Annotated[datetime | None, TIME, Parameter("--to", help="Up to this time; by default now.")]


def timeline(
    *,
    directory: Annotated[Directory, FLAT],
    since: Since = None,
    until: Until = None,
    expect: Annotated[
        timedelta | None,
        DURATION,
        Parameter(
            help="The longest time without a snapshot that is no gap, as 90s; by default twice "
            "the usual one and five minutes."
        ),
    ] = None,
    html: Annotated[
        Path | None, Parameter(help="Write a page for people: a new file of HTML.")
    ] = None,
    json: Json = False,
) -> int:
    r"""Show to what can be restored, where there are gaps, and which objects and parameters were
    added, removed or changed between which two snapshots. Exit 3 if some cannot be read.

    $ metasnapshot timeline --from 24h --expect 90s \
        --backup-storage-url fs:///srv/backups
    """
    if expect is not None and not expect:
        raise UsageError("--expect is zero", hint="such as 90s")
    if html is not None:
        if json:
            raise UsageError("--html and --json", hint="give one of them")
        metasnapshot.require_pages()
    backups = directory.open()
    with counted("comparing snapshots") as step:
        found = metasnapshot.timeline(backups, since, until, expected=expect, step=step)
    for text in found.warnings:
        note(text)
    for item in found.unread:
        current().outcome.fail(item.error)
        if not json:
            complain(f"snapshot {item.stop.id} cannot be read: {item.error}", item.error.hint)
    if json:
        say_json(document(found))
    elif html is not None:
        size = metasnapshot.write_timeline(found, html)
        say(f"{html}: {counted_things(found.event_count, 'change')}, {spelt_size(size)}")
    else:
        _print(found)
    return found.code


def _print(found: Timeline) -> None:
    points = found.points
    say(
        f"{counted_things(len(points), 'snapshot')} can be read: {found.full_count} full, "
        f"{len(points) - found.full_count} partial, {found.verified_count} verified"
    )
    if points:
        say(f"first: snapshot {points[0].id}, {_taken(points[0])}")
        say(f"last:  snapshot {points[-1].id}, {_taken(points[-1])}")
    if found.expected is not None:
        say(f"{counted_things(len(found.gaps), 'gap')} of more than {spelt(found.expected)}")
    for gap in found.gaps:
        end = "now" if gap.before_id is None else f"snapshot {gap.before_id}"
        words = f"  {exact(gap.start)}, snapshot {gap.after_id} to {end}: "
        say(words, doubtful(spelt(gap.length)))
    say(f"{counted_things(found.event_count, 'change')} by name")
    for step in found.steps:
        one, other = step.earlier, step.later
        say(f"{_taken(one)} to {_taken(other)}, snapshots {one.id} and {other.id}:")
        for event in step.events:
            say("  ", *_line(event))


def _line(event: Event) -> tuple[Part, ...]:
    sign, paint = SIGNS[event.change]
    number = "" if event.id is None else f" #{event.id}"
    owner = "" if event.owner is None else f", owner {event.owner}"
    what = ""
    if event.before is not None and event.after is not None:
        what = f": {event.before} -> {event.after}"
    elif event.columns:
        what = f" ({', '.join(event.columns)})"
    return paint(sign), f" {event.kind} {event.name}{number}{owner}{what}"


def _taken(stop: Stop) -> str:
    if stop.taken is None:
        return "not known when"
    return f"{'at or after ' if stop.taken.is_least else ''}{exact(stop.taken.time)}"


def _stop(stop: Stop) -> Document:
    taken = stop.taken
    return {
        "snapshot_id": stop.id,
        "taken_at": None if taken is None else taken.time.isoformat(),
        "taken_by": None if taken is None else taken.by,
    }


def _change(step: Step, event: Event) -> Document:
    return {
        "earlier": _stop(step.earlier),
        "later": _stop(step.later),
        "kind": event.kind,
        "change": event.change,
        "name": event.name,
        "id": event.id,
        "owner": event.owner,
        "columns": list(event.columns),
        "before": event.before,
        "after": event.after,
    }


def document(found: Timeline) -> Document:
    """What --json prints."""
    points = found.points
    return {
        "from": None if found.since is None else found.since.isoformat(),
        "to": None if found.until is None else found.until.isoformat(),
        "count": len(points),
        "full": found.full_count,
        "verified": found.verified_count,
        "first": _stop(points[0]) if points else None,
        "last": _stop(points[-1]) if points else None,
        "expected_seconds": None if found.expected is None else found.expected.total_seconds(),
        "gaps": [
            {
                "after_id": gap.after_id,
                "before_id": gap.before_id,
                "start": gap.start.isoformat(),
                "seconds": gap.length.total_seconds(),
            }
            for gap in found.gaps
        ],
        "changes": [_change(step, event) for step in found.steps for event in step.events],
        "unread": [_stop(item.stop) | error_document(item.error) for item in found.unread],
        "untimed": list(found.untimed),
    }
