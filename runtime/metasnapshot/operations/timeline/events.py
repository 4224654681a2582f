"""What changed from what one snapshot names to what the next one does. Objects are told apart by
their ids: what has another name is renamed, and what was dropped and made again is both.
"""

from __future__ import annotations

from collections.abc import Iterator

from metasnapshot.contents.cluster import KINDS
from metasnapshot.operations.diff.compare import ADDED, CHANGED, PARAMETERS, REMOVED, differing
from metasnapshot.operations.timeline.model import Event
from metasnapshot.operations.timeline.names import Key, Names, Parameter, Thing

NAME, OWNER = "name", "owner"
ORDER = {REMOVED: 0, ADDED: 1, CHANGED: 2}


def events_between(before: Names, after: Names) -> tuple[Event, ...]:
    """What changed, by kind and name, then of the parameters. Of a V1 and a V2 snapshot, whose ids
    and columns have nothing in common, names alone are compared.
    """
    if before.is_v1 != after.is_v1:
        return tuple(_by_name(before, after))
    found = [*_of_things(before, after)]
    found.sort(key=lambda event: (KINDS.index(event.kind), event.name, ORDER[event.change]))
    return (*found, *_of_parameters(before, after))


def _of_things(before: Names, after: Names) -> Iterator[Event]:
    same_places = before.places is after.places
    for section in after.things:
        old, new = before.things[section], after.things[section]
        if old is new and same_places:
            continue
        for key in {**old, **new}:
            one, other = old.get(key), new.get(key)
            if one == other and (same_places or before.place(key) == after.place(key)):
                continue
            yield from _of_thing(before, after, key, one, other)


def _of_thing(
    before: Names, after: Names, key: Key, old: Thing | None, new: Thing | None
) -> Iterator[Event]:
    """What became of one object."""
    if old is not None and (new is None or new.kind != old.kind):
        name, owner = before.name(key, old), before.owner(key)
        yield Event(old.kind, REMOVED, name, key[1], owner=owner)
    if new is None:
        return
    name, owner = after.name(key, new), after.owner(key)
    if old is None or new.kind != old.kind:
        yield Event(new.kind, ADDED, name, key[1], owner=owner)
        return
    columns = list(differing(old.print, new.print) if before.form == after.form else ())
    was: tuple[str | None, str | None] = (None, None)
    if before.place(key).owner_id != after.place(key).owner_id:
        columns.append(OWNER)
        was = before.owner(key), owner
    is_moved = before.place(key)[:2] != after.place(key)[:2]
    if old.name != new.name or is_moved:
        columns = [NAME, *(column for column in columns if column != NAME)]
        was = before.name(key, old), name
    if columns:
        yield Event(new.kind, CHANGED, name, key[1], tuple(columns), owner, *was)


def _of_parameters(before: Names, after: Names) -> Iterator[Event]:
    for section, kind in PARAMETERS.items():
        old, new = before.parameters[section], after.parameters[section]
        for name in sorted({**old, **new} if old is not new else ()):
            one, other = old.get(name), new.get(name)
            if one != other and (found := _of_parameter(kind, name, one, other)) is not None:
                yield found


def _of_parameter(
    kind: str, name: str, old: Parameter | None, new: Parameter | None
) -> Event | None:
    """What became of one parameter; None if nothing that both have."""
    if old is None or new is None:
        change = ADDED if old is None else REMOVED
        values = (None if one is None else one.value for one in (old, new))
        return Event(kind, change, name, None, (), None, *values)
    columns = differing(old.print, new.print)
    if "value" in columns:
        return Event(kind, CHANGED, name, None, columns, None, old.value, new.value)
    return Event(kind, CHANGED, name, None, columns) if columns else None


def _by_name(before: Names, after: Names) -> Iterator[Event]:
    old, new = _named(before), _named(after)
    keys = sorted({*old} ^ {*new}, key=lambda key: (KINDS.index(key[0]), *key[1:]))
    for kind, name in keys:
        side, change = (old, REMOVED) if (kind, name) in old else (new, ADDED)
        number, owner = side[kind, name]
        yield Event(kind, change, name, number, owner=owner)


def _named(names: Names) -> dict[tuple[str, str], tuple[int, str | None]]:
    return {
        (thing.kind, names.name(key, thing)): (key[1], names.owner(key))
        for things in names.things.values()
        for key, thing in things.items()
    }
