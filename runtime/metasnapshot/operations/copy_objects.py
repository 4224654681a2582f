"""Objects of a snapshot from one place to another, by threads or by other machines: those of a
backup from the state store into the area, those of a restore back.

What vanished and what is damaged ends nothing by itself: all of it is found first, and named.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from metasnapshot.catalogue.full import HASH_SIZE
from metasnapshot.contents.findings import ERROR, Finding, Findings
from metasnapshot.hummock.objects import NeededObjects
from metasnapshot.operations.crew import Pace
from metasnapshot.operations.spread.batch import Batch, BatchResult, Claims, cut, pack
from metasnapshot.operations.spread.by import spread_by
from metasnapshot.operations.spread.sides import Side
from metasnapshot.operations.spread.spec import Spec
from metasnapshot.store.context import PLAIN, Context
from metasnapshot.store.watched import told

VANISHED_HINT = (
    "the cluster collected it meanwhile: stop the meta node (--meta-node-stopped), and back up "
    "again; what was copied stays and is not copied twice"
)
NAMED_MAX = 10
"""Objects that one message names."""


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
        context: how stores are reached, and who is told how far the work is.
        hashes: XXH3-128 of each, by its place; zeros where it is not known.
        findings: what vanished, and what is damaged.
        missing: ids of objects that were not there.
        done: how many objects were copied or read.
        bytes: of those.
    """

    needed: NeededObjects
    pace: Pace
    missing_hint: str = ""
    context: Context = PLAIN
    hashes: bytearray = field(default_factory=bytearray)
    findings: Findings = field(default_factory=Findings)
    missing: set[int] = field(default_factory=set[int])
    done: int = 0
    bytes: int = 0

    def __post_init__(self) -> None:
        self.hashes = self.hashes or bytearray(HASH_SIZE * len(self.needed))

    def hash_of(self, place: int) -> bytes | None:
        """The hash of the object at a place, None if nobody knows it."""
        found = bytes(self.hashes[place * HASH_SIZE : (place + 1) * HASH_SIZE])
        return found if any(found) else None

    def copy(self, places: Sequence[int], source: Side, target: Side) -> None:
        """Copy objects, and note their hashes; what is known of a hash is compared. All are
        durable when this ends.
        """
        self._spread(places, source, target)

    def read(
        self,
        places: Sequence[int],
        side: Side,
        *,
        compare: bool = True,
        claims: Claims | None = None,
    ) -> None:
        """Read objects where they are, check them, and note their hashes.

        Args:
            places: of the objects.
            side: where they are.
            compare: whether a hash that is known is compared, or the object checked by itself.
            claims: what the version says of each SST, whose data is then looked at too.
        """
        self._spread(places, side, compare=compare, claims=claims)

    def _spread(
        self,
        places: Sequence[int],
        source: Side,
        target: Side | None = None,
        *,
        compare: bool = True,
        claims: Claims | None = None,
    ) -> None:
        content = "hashes" if claims is None else "data"
        spec = Spec(source.place, None if target is None else target.place, content)
        pending: dict[int, array[int]] = {}

        def batches() -> Iterator[Batch]:
            for number, piece in enumerate(cut(self.needed, places)):
                pending[number] = piece
                yield pack(number, self.needed, piece, self.hashes if compare else None, claims)

        spread = spread_by(self.pace, self.context, source, target)
        if not places:
            return
        done, title = 0, f"{'reading' if target is None else 'copying'} objects"
        with told(self.context.on_progress, title, len(places), "objects") as move:
            for result in spread.run(spec, batches()):
                piece = pending.pop(result.number)
                self._take(piece, result, source)
                done += len(piece)
                move(done)

    def _take(self, places: array[int], result: BatchResult, source: Side) -> None:
        """Note what became of a batch."""
        for at in result.vanished:
            item = self.needed[places[at]]
            self.missing.add(item.id)
            what = f"object {item.id} is missing"
            self._find(source.path_of(item), what, self.missing_hint, missing=True)
        for found in result.damaged:
            path = source.path_of(self.needed[places[found.at]])
            self._find(path, found.what, found.hint, missing=False)
        bad = {*result.vanished, *(found.at for found in result.damaged)}
        for at, place in enumerate(places):
            if at not in bad:
                there = slice(place * HASH_SIZE, (place + 1) * HASH_SIZE)
                self.hashes[there] = result.hashes[at * HASH_SIZE : (at + 1) * HASH_SIZE]
                self.done += 1
                self.bytes += self.needed.sizes[place]

    def _find(self, path: str, what: str, hint: str, *, missing: bool) -> None:
        """Note something that is not as it should be."""
        self.findings.add([Finding(ERROR, "", path, what, hint, missing=missing)])
