"""Objects of a snapshot from one place to another, by threads: those of a backup from the state
store into the area, those of a restore back.

What vanished and what is damaged ends nothing by itself: all of it is found first, and named.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from metasnapshot.catalogue import area
from metasnapshot.catalogue.full import HASH_SIZE
from metasnapshot.catalogue.full_header import AREA
from metasnapshot.contents.findings import ERROR, Finding, Findings
from metasnapshot.errors import DamageError, ObjectMissing
from metasnapshot.hummock.objects import NeededObject, NeededObjects
from metasnapshot.hummock.paths import object_path
from metasnapshot.hummock.transfer import Original, check_object, copy_object, cost_of
from metasnapshot.operations.crew import Crew, Pace
from metasnapshot.store.bulk import in_bulk
from metasnapshot.store.port import Store, join
from metasnapshot.store.within import copier

VANISHED_HINT = (
    "the cluster collected it meanwhile: stop the meta node (--meta-node-stopped), and back up "
    "again; what was copied stays and is not copied twice"
)
NAMED_MAX = 10
"""Objects that one message names."""


class Side(NamedTuple):
    """Where objects are: a store, and the path of each in it."""

    store: Store
    path_of: Callable[[NeededObject], str]


def state_side(store: Store, directory: str, *, prefixed: bool) -> Side:
    """A data directory.

    Args:
        store: the state store.
        directory: the data directory.
        prefixed: whether objects lie in directories named after a hash of their id.
    """

    def path_of(item: NeededObject) -> str:
        return object_path(directory, item.id, item.suffix, prefixed=prefixed)

    return Side(store, path_of)


def area_side(store: Store, directory: str) -> Side:
    """The area of a backup directory."""
    place = join(directory, AREA)

    def path_of(item: NeededObject) -> str:
        return f"{place}/{area.object_name(item)}"

    return Side(store, path_of)


def some(names: Iterable[str]) -> str:
    """The first of many names, and how many more there are."""
    found = list(names)
    more = f" and {len(found) - NAMED_MAX} more" if len(found) > NAMED_MAX else ""
    return f"{', '.join(found[:NAMED_MAX])}{more}"


@dataclass
class ObjectWork:
    """Work on the objects of a snapshot, and what came of it.

    Attributes:
        needed: the objects.
        pace: how fast they are read.
        missing_hint: what to do about an object that is not there.
        hashes: XXH3-128 of each, by its place; zeros where it is not known.
        findings: what vanished, and what is damaged.
        missing: ids of objects that were not there.
        done: how many objects were copied or read.
        bytes: of those.
    """

    needed: NeededObjects
    pace: Pace
    missing_hint: str = ""
    hashes: bytearray = field(default_factory=bytearray)
    findings: Findings = field(default_factory=Findings)
    missing: set[int] = field(default_factory=set[int])
    done: int = 0
    bytes: int = 0

    def __post_init__(self) -> None:
        self.hashes = self.hashes or bytearray(HASH_SIZE * len(self.needed))
        self._lock = threading.Lock()
        self._crew = Crew(self.pace)

    def hash_of(self, place: int) -> bytes | None:
        """The hash of the object at a place, None if nobody knows it."""
        found = bytes(self.hashes[place * HASH_SIZE : (place + 1) * HASH_SIZE])
        return found if any(found) else None

    def copy(self, places: Iterable[int], source: Side, target: Side) -> None:
        """Copy objects, and note their hashes; what is known of a hash is compared. All are
        durable when this ends.
        """
        within = copier(source.store, target.store)
        with in_bulk(target.store) as store:

            def work(place: int, original: Original) -> None:
                path = target.path_of(original.item)
                self._note(place, copy_object(original, store, path, within))

            self._work_through(places, source, work)

    def read(
        self,
        places: Iterable[int],
        side: Side,
        *,
        compare: bool = True,
        look: Callable[[NeededObject, Side], None] | None = None,
    ) -> None:
        """Read objects where they are, check them, and note their hashes.

        Args:
            places: of the objects.
            side: where they are.
            compare: whether a hash that is known is compared, or the object checked by itself.
            look: looks at each object whose bytes are sound; may raise DamageError.
        """

        def work(place: int, original: Original) -> None:
            found = check_object(original)
            if look is not None:
                look(original.item, side)
            self._note(place, found)

        self._work_through(places, side, work, compare=compare)

    def find(self, severity: str, path: str, what: str, hint: str, *, missing: bool) -> None:
        """Note something that is not as it should be."""
        with self._lock:
            self.findings.add([Finding(severity, "", path, what, hint, missing=missing)])

    def _work_through(
        self,
        places: Iterable[int],
        source: Side,
        work: Callable[[int, Original], None],
        *,
        compare: bool = True,
    ) -> None:
        def guarded(place: int) -> None:
            item = self.needed[place]
            path = source.path_of(item)
            expected = self.hash_of(place) if compare else None
            try:
                work(place, Original(source.store, path, item, expected, self._crew.take))
            except ObjectMissing:
                self.missing.add(item.id)
                what = f"object {item.id} is missing"
                self.find(ERROR, path, what, self.missing_hint, missing=True)
            except DamageError as error:
                self.find(ERROR, path, str(error), error.hint, missing=False)

        sizes = self.needed.sizes
        self._crew.work_through(places, lambda place: cost_of(sizes[place]), guarded)

    def _note(self, place: int, found: bytes) -> None:
        with self._lock:
            self.hashes[place * HASH_SIZE : (place + 1) * HASH_SIZE] = found
            self.done += 1
            self.bytes += self.needed.sizes[place]
