"""What a machine is sent with each batch: what to do, and what the sender sees of the places. The
machine opens them by its own environment, and works only if it sees the same.

Nothing here is a credential: what opens a store is taken from the environment of the machine.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Lock
from typing import NamedTuple
from uuid import uuid4

from metasnapshot import version
from metasnapshot.errors import MetasnapshotError, ObjectMissing, UsageError
from metasnapshot.operations.spread.sides import Place, Side
from metasnapshot.store.context import Context
from metasnapshot.store.document import read_document
from metasnapshot.store.port import Store, join
from metasnapshot.store.retry import RetryPolicy
from metasnapshot.store.shown_url import shown_text
from metasnapshot.store.url import open_store

CA_VARIABLE = "METASNAPSHOT_STORAGE_CA_FILE"
KEPT_MAX = 4
"""Errands whose stores a machine keeps open."""


class Witness(NamedTuple):
    """A file that a place has, where no document says which place it is: its path and size."""

    path: str = ""
    size: int = 0


class Seen(NamedTuple):
    """What a machine sees of a place.

    Attributes:
        document: area.json, or cluster_id/0; None if it is not there.
        witness: size of a file that is there, None if it is not.
        error: why nothing is seen.
    """

    document: bytes | None = None
    witness: int | None = None
    error: str = ""


class Sighting(NamedTuple):
    """What a machine says of itself: its version of metasnapshot, and what it sees."""

    version: str
    seen: tuple[Seen, ...]


class Here(NamedTuple):
    """Where work is done: the worker, how many threads it has, and how many bytes a second this
    piece of work may read, 0 for any number.
    """

    worker: str
    threads: int
    rate: int


@dataclass(frozen=True)
class Errand:
    """What goes with each batch.

    Attributes:
        token: of the run.
        places: that are looked into.
        retry: tries and times of requests.
        ca_file: authorities to trust, if the machine has no others.
        file_mode: of new files.
        witnesses: of each place.
        sighting: what the sender says of itself.
    """

    token: str
    places: tuple[Place, ...]
    retry: RetryPolicy
    ca_file: str
    file_mode: int
    witnesses: tuple[Witness, ...]
    sighting: Sighting


_opened: dict[str, tuple[Side, ...]] = {}
_lock = Lock()


def look(sides: Sequence[Side], witnesses: Sequence[Witness]) -> Sighting:
    """What this machine sees."""
    return Sighting(version.VERSION, tuple(map(_seen, sides, witnesses)))


def sight(errand: Errand) -> Sighting:
    """What this machine sees by its own environment; what it cannot open is in the sighting."""
    seen = list[Seen]()
    for place, witness in zip(errand.places, errand.witnesses, strict=True):
        try:
            seen.append(_seen(_side(errand, place), witness))
        except MetasnapshotError as error:
            seen.append(Seen(error=_said(error)))
    return Sighting(version.VERSION, tuple(seen))


def require_same(errand: Errand, found: Sighting, worker: str) -> None:
    """Refuse a machine that sees something else than the sender.

    Raises:
        UsageError: it does.
    """
    mine = errand.sighting
    if found.version != mine.version:
        raise UsageError(
            f"worker {worker} has metasnapshot {found.version}, and this is {mine.version}",
            hint="install one version everywhere",
        )
    for place, its, ours in zip(errand.places, found.seen, mine.seen, strict=True):
        what = _difference(place, its, ours)
        if what:
            raise UsageError(
                f"worker {worker} {what}",
                hint=place.hint,
            )


def open_sides(errand: Errand, worker: str) -> tuple[Side, ...]:
    """The places of an errand, opened once, after this machine was found to see the same. So a
    machine that comes later is looked at too before it works.

    Raises:
        UsageError: it does not.
    """
    with _lock:
        found = _opened.get(errand.token)
        if found is None:
            require_same(errand, sight(errand), worker)
            found = tuple(_side(errand, place) for place in errand.places)
            while len(_opened) >= KEPT_MAX:
                del _opened[next(iter(_opened))]
            _opened[errand.token] = found
        return found


def open_place(place: Place, context: Context) -> Store:
    """The store of a place, as the environment of this machine says.

    Raises:
        UsageError: it cannot be reached so.
    """
    ca_file = os.environ.get(CA_VARIABLE) or context.ca_file
    url = os.environ.get(place.variable) or place.url
    return open_store(url, replace(context, ca_file=ca_file))


def forget() -> None:
    """Look at all places anew."""
    with _lock:
        _opened.clear()


@contextmanager
def errand_over(
    sides: Sequence[Side], files: Sequence[Witness | None], context: Context
) -> Generator[Errand]:
    """The errand of a run, for the block. Where no document says which place it is, a file does.

    Args:
        sides: the places, open here.
        files: one that is in each; None for a target, which gets one of ours meanwhile.
        context: how they are reached.
    """
    token, witnesses, made = uuid4().hex, list[Witness](), list[tuple[Store, str]]()
    seen = look(sides, [Witness()] * len(sides)).seen
    try:
        for side, file, found in zip(sides, files, seen, strict=True):
            if found.document is not None:
                witnesses.append(Witness())
            elif file is not None:
                witnesses.append(file)
            else:
                path = join(side.place.directory, f"metasnapshot-{token}.probe")
                side.store.put_if_absent(path, token.encode())
                made.append((side.store, path))
                witnesses.append(Witness(path, len(token)))
        places = tuple(side.place for side in sides)
        sighting = look(sides, witnesses)
        sent = (context.retry, context.ca_file, context.file_mode)
        yield Errand(token, places, *sent, tuple(witnesses), sighting)
    finally:
        for store, path in made:
            store.delete(path)


def _side(errand: Errand, place: Place) -> Side:
    context = Context(errand.retry, errand.ca_file, errand.file_mode)
    return Side(open_place(place, context), place)


def _seen(side: Side, witness: Witness) -> Seen:
    try:
        try:
            document = read_document(side.store, side.place.identity_path).data
        except ObjectMissing:
            document = None
        head = side.store.head(witness.path) if witness.path else None
    except MetasnapshotError as error:
        return Seen(error=_said(error))
    return Seen(document, None if head is None else head.size)


def _said(error: MetasnapshotError) -> str:
    return shown_text(str(error))


def _difference(place: Place, its: Seen, ours: Seen) -> str:
    """What a machine sees otherwise; "" for nothing."""
    where = f"{place.url}, {place.identity_path}"
    if its.error:
        return f"cannot read {where}: {its.error}"
    if its.document != ours.document:
        if its.document is None or ours.document is None:
            return f"sees {'no' if its.document is None else 'a'} {where}"
        return f"sees another {where}: it has another store under this name"
    if its.witness != ours.witness:
        return f"sees another {place.url}, {place.directory}: a file of it is not there"
    return ""
