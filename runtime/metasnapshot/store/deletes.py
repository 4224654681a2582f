"""Deletes that a service refuses: by a key that may not delete, or because it retains the object.

A key that may delete nothing is told by a name that is not there. It is warned of once; what should
go stays then, for another key. What is retained stays as well, and its reader is told
until when.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from uuid import uuid4

from metasnapshot.store.codes import Denied, Retained
from metasnapshot.store.port import join
from metasnapshot.store.through import ReadableStore

logger = logging.getLogger(__name__)
TRIAL_PREFIX = "metasnapshot.trial-"
NAMED_MAX = 3
"""How many objects that stay are named; then they are counted."""
told = set[str]()
"""Stores whose key may delete nothing, which was warned of."""


class Stays(NamedTuple):
    """An object that stays: its path, and what the service says of it in words and as a time (""
    where it says none).
    """

    path: str
    why: str
    until: str


def require_deletes(store: ReadableStore, directory: str) -> None:
    """See that objects of a directory may be deleted at all: a name that is not there is.

    Raises:
        Denied: they may not.
    """
    store.delete(join(directory, f"{TRIAL_PREFIX}{uuid4().hex}"))


def warn_of_key(url: str, why: object) -> None:
    """Say once of a store that its key may delete nothing, and why."""
    level = logging.INFO if url in told else logging.WARNING
    told.add(url)
    logger.log(
        level,
        "%s; reservations stay, and nothing can expire, until somebody else deletes it",
        why,
    )


def deletes_nothing(store: ReadableStore) -> bool:
    """Whether that is known of a store's key, so that there is no use in asking."""
    return store.url in told


def delete_if_allowed(store: ReadableStore, path: str, level: int = logging.WARNING) -> bool:
    """Take an object of ours away; where that is refused it stays, and the log says so.

    Returns:
        Whether it is gone.
    """
    try:
        store.delete(path)
    except Retained as error:
        logger.log(level, "%s stays: %s", path, error)
        return False
    except Denied as error:
        try:
            require_deletes(store, path.rpartition("/")[0])
        except Denied as denied:
            warn_of_key(store.url, denied)
        else:
            logger.log(level, "%s stays: %s", path, error)
        return False
    return True


def delete_unless_retained(store: ReadableStore, path: str, stays: list[Stays]) -> bool:
    """Delete an object; one that the service retains stays, and is noted.

    Returns:
        Whether it is gone.
    """
    try:
        store.delete(path)
    except Retained as error:
        stays.append(Stays(path, error.why, error.until))
        return False
    return True


def say_what_stays(stays: Iterable[Stays]) -> Iterator[str]:
    """Objects that stay, in words: some by name, and how many more."""
    found = list(stays)
    for item in found[:NAMED_MAX]:
        yield f"{item.path} stays: {item.why}"
    if more := found[NAMED_MAX:]:
        times = sorted(item.until for item in more if item.until)
        until = f": the last one until {times[-1]}" if times else ""
        yield f"{len(more)} more objects stay, which the service retains{until}"
