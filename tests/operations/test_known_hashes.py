"""What side files know of vector files and graphs, whose names do not tell one life of a cluster
from another.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import xxhash
from hypothesis import example, given
from hypothesis import strategies as st

from metasnapshot.catalogue.area import Area
from metasnapshot.catalogue.full import HASH_SIZE, FullBackup, write_full
from metasnapshot.catalogue.full_header import Header
from metasnapshot.hummock.objects import NeededObject, NeededObjects
from metasnapshot.hummock.paths import DATA, GRAPH, VECTOR
from metasnapshot.operations.known_hashes import Known, known_hashes
from metasnapshot.store.memory import MemoryStore

COMPACT, BACK_UP, RESTORE = "compact", "back up", "restore"
Objects = dict[int, tuple[str, int]]
"""Suffix of each object by id, and the moment when it was written, which is its content."""


@dataclass
class Lives:
    """A cluster that is backed up and restored."""

    now: int = 0
    next_id: int = 1
    has: Objects = field(default_factory=dict[int, tuple[str, int]])
    epoch: int = 0
    backups: list[tuple[Objects, int, int]] = field(default_factory=list[tuple[Objects, int, int]])
    store: MemoryStore = field(default_factory=MemoryStore)

    def do(self, what: str, choice: int) -> None:
        """One thing; a restore takes the sequence of its snapshot, not that of the newest."""
        self.now += 1
        if what == COMPACT and self.has:
            del self.has[sorted(self.has)[choice % len(self.has)]]
        elif what == BACK_UP:
            self.backups.append((dict(self.has), self.next_id, self.epoch))
            self._write(len(self.backups))
        elif what == RESTORE and self.backups:
            objects, self.next_id, self.epoch = self.backups[choice % len(self.backups)]
            self.has = dict(objects)
        elif what in (DATA, VECTOR, GRAPH):
            self.has[self.next_id], self.epoch = (what, self.now), self.now
            self.next_id += 1

    @property
    def needed(self) -> NeededObjects:
        """Of SSTs the epochs tell the moment, of others nothing does."""
        return NeededObjects(
            NeededObject(number, suffix, 1, tag_of(number, moment if suffix == DATA else 0))
            for number, (suffix, moment) in self.has.items()
        )

    def hashes(self) -> list[bytes]:
        return [hash_of(self.has[item.id][1]) for item in self.needed]

    def _write(self, number: int) -> None:
        needed = self.needed
        header = Header(
            snapshot_id=number,
            checksum="0" * 16,
            size=1,
            hummock_version_id=1,
            cluster_id="c",
            area_id="area",
            objects=len(needed),
            bytes=needed.size,
            objects_new=0,
            bytes_new=0,
            taken="2026-01-01T00:00:00+00:00",
        )
        write_full(self.store, "b", FullBackup(header, needed, b"".join(self.hashes())))

    def known(self) -> Known:
        """What side files say of what the cluster has."""
        needed, ids = self.needed, range(1, len(self.backups) + 1)
        seen = bytearray(b"\1" * len(needed))

        def is_same_moment(header: Header) -> bool:
            return self.backups[header.snapshot_id - 1][2] == self.epoch

        area = Area(1, "area")
        return known_hashes(self.store, "b", area, ids, needed, seen, is_same_moment)


def tag_of(*facts: int) -> int:
    return xxhash.xxh64_intdigest(repr(facts).encode())


def hash_of(moment: int) -> bytes:
    return xxhash.xxh3_128_digest(b"%d" % moment)


THINGS = st.sampled_from([DATA, VECTOR, GRAPH, VECTOR, COMPACT, BACK_UP, BACK_UP, RESTORE])
OTHER_LIFE = [(BACK_UP, 0), (VECTOR, 0), (BACK_UP, 0), (RESTORE, 0), (VECTOR, 0)]


@given(st.lists(st.tuples(THINGS, st.integers(0, 30)), max_size=40))
@example(OTHER_LIFE)
@example([(DATA, 0), *OTHER_LIFE, (DATA, 0)])
@example([(BACK_UP, 0), (VECTOR, 0), (DATA, 0), (BACK_UP, 0), (RESTORE, 0), (VECTOR, 0), (DATA, 0)])
def test_no_side_file_speaks_for_another_life(things: list[tuple[str, int]]) -> None:
    """Whatever was written, compacted, backed up and restored: what is said to be of this life has
    the very bytes that the side file has the hash of.
    """
    lives = Lives()
    for what, choice in things:
        lives.do(what, choice)
    known, wanted = lives.known(), lives.hashes()
    for place, item in enumerate(lives.needed):
        found = bytes(known.hashes[place * HASH_SIZE : (place + 1) * HASH_SIZE])
        if known.of_this_life[place] and any(found):
            assert found == wanted[place], item
        assert known.of_this_life[place] or item.suffix != DATA


@given(st.lists(st.sampled_from([DATA, VECTOR, GRAPH]), max_size=30), st.integers(0, 9))
def test_what_is_older_is_not_looked_at(kinds: list[str], more: int) -> None:
    """Nothing is left to compare where nothing was written; else of what the last backup had before
    its last SST; all that is younger is compared.
    """
    lives = Lives()
    for kind in [*kinds, BACK_UP, *[VECTOR, DATA] * more]:
        lives.do(kind, 0)
    last = max((at for at, kind in enumerate(kinds) if kind == DATA), default=-1)
    told = lives.known().of_this_life
    for place, item in enumerate(lives.needed):
        assert told[place] == (item.suffix == DATA or place < last or not more)
