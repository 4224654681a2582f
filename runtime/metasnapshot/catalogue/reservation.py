"""Ids of a backup directory: which are in use, and `{id}.reserved`, which keeps one for a backup at
work.

A reservation is a small object that is only ever created, with the name of its holder in it; of two
that want an id one gets it, on every store. RisingWave ignores these objects.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable
from contextlib import contextmanager

import msgspec

from metasnapshot.catalogue.ids import id_in
from metasnapshot.errors import ConflictError, DamageError, NoObject, ObjectMissing
from metasnapshot.store.deletes import delete_if_allowed, deletes_nothing
from metasnapshot.store.document import read_document
from metasnapshot.store.lock import Holder, parse_holder, this_holder
from metasnapshot.store.port import Names, Store, join
from metasnapshot.store.tidying import tidied

RESERVED = "reserved"
LOOKED_AT_MAX = 16
"""So many of what backups left are looked at by each later one, newest first; gc takes the rest."""


def named_ids(store: Store, directory: str, suffix: str) -> list[int]:
    """Ids of the objects `{id}.{suffix}` right in a directory, ascending."""
    return ids_among(store.names(directory), suffix)


def ids_among(found: Names, suffix: str) -> list[int]:
    """Ids of the objects `{id}.{suffix}` among those of a directory, ascending."""
    names = (head.path.rpartition("/")[2] for head in found.objects)
    return sorted(number for name in names if (number := id_in(name, suffix)) is not None)


def reserved_ids(store: Store, directory: str) -> list[int]:
    """Ids of backups that are at work, or died, ascending."""
    return named_ids(store, directory, RESERVED)


@contextmanager
def reservation(store: Store, directory: str, number: int) -> Generator[bool]:
    """Reserve an id for the block; gives False if somebody else has it."""
    path = _path(directory, number)
    try:
        store.put_if_absent(path, msgspec.json.encode(this_holder()))
    except ConflictError:
        yield False
        return
    with tidied(lambda: delete_if_allowed(store, path)):
        yield True


@contextmanager
def sole_writer(store: Store, directory: str, number: int) -> Generator[None]:
    """Reserve this very id for the block.

    Raises:
        ConflictError: somebody else has it.
    """
    with reservation(store, directory, number) as got_it:
        if not got_it:
            raise ConflictError(
                f"snapshot {number} is being written by another process",
                hint=f"if none does: {_path(directory, number)} is what a dead process left, "
                "which `metasnapshot gc --commit` takes away",
            )
        yield


def is_reserved(store: Store, directory: str, number: int) -> bool:
    """Whether somebody holds an id."""
    return store.head(_path(directory, number)) is not None


def drop_stale(store: Store, directory: str, reserved: Iterable[int]) -> bool:
    """Delete reservations whose holder was a process of this host and is no more; whether one of
    them went. Some are looked at, the newest, and none with a key that may delete nothing.
    """
    has_gone = False
    for number in newest(reserved):
        if deletes_nothing(store):
            break
        holder = _holder(store, directory, number)
        if holder is not None and holder.is_gone:
            path = _path(directory, number)
            has_gone = delete_if_allowed(store, path, logging.INFO) or has_gone
    return has_gone


def newest(ids: Iterable[int]) -> list[int]:
    """The ids of what is looked at before a backup: keys that may not delete leave one each."""
    return sorted(ids, reverse=True)[:LOOKED_AT_MAX]


def is_held(store: Store, directory: str, number: int) -> bool:
    """Whether a process of this host holds an id and lives. Of other hosts nobody knows."""
    holder = _holder(store, directory, number)
    return holder is not None and holder.is_here and not holder.is_gone


def _holder(store: Store, directory: str, number: int) -> Holder | None:
    """Who holds an id; None if nobody does, or the reservation does not say."""
    try:
        return parse_holder(read_document(store, _path(directory, number)).data)
    except (ObjectMissing, DamageError, NoObject):
        return None


def _path(directory: str, number: int) -> str:
    return join(directory, f"{number}.{RESERVED}")
