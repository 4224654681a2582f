"""Any sequence of operations of two repositories on one store, against a model of a few dicts.

Each repository knows the manifest as it last saw it, which may be long ago. The model says what is
there, what each one sees of it, and which id comes next.
"""

from __future__ import annotations

import goldens
import pytest
from exhaustive import WHOLE
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from metasnapshot.catalogue import changes
from metasnapshot.catalogue.ledger import read_ledger
from metasnapshot.catalogue.manifest import Manifest, parse
from metasnapshot.catalogue.manifest_file import PREVIOUS_NAME
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import ObjectMissing, RetentionLocked, SnapshotNotFound
from metasnapshot.format.snapshot import MetaSnapshot, dumps, loads
from metasnapshot.operations.delete import delete, keep
from metasnapshot.store.memory import MemoryStore

EXAMPLES, STEPS = (1_100, 60) if WHOLE else (120, 40)
ID_MAX = 12
"""Ids up to here are asked for; most sequences create no more."""

one_of_two = st.integers(0, 1)
some_id = st.integers(1, ID_MAX)


def smallest_snapshot() -> MetaSnapshot:
    """A snapshot of few rows."""
    path = goldens.SHIPPED / "v3.0.3" / "backup" / "1.snapshot"
    snapshot = loads(path.read_bytes())
    for section in list(snapshot.sections)[1:]:  # the first one says which layout it is
        snapshot.sections[section] = []
    return snapshot


SNAPSHOT = smallest_snapshot()


class TwoRepositories(RuleBasedStateMachine):
    """What the model knows: `files`, the bytes by id, in the manifest's order; `seen`, the ids that
    each repository knows of; the largest id that ever was; keep marks; the manifest's changes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        self.repositories = [Repository(self.store, "backup") for _ in range(2)]
        self.files: dict[int, bytes] = {}
        self.seen: list[list[int]] = [[], []]
        self.largest = 0
        self.kept: set[int] = set()
        self.changes = 0

    @rule(who=one_of_two, sequence=some_id)
    def create(self, who: int, sequence: int) -> None:
        """A new id is the sequence's, or one more than the largest that ever was."""
        with changes.reserve(self.repositories[who], sequence) as number:
            assert number == max(sequence, self.largest + 1)
            SNAPSHOT.id, SNAPSHOT.opaque = number, self.changes.to_bytes(8)
            changes.create(self.repositories[who], SNAPSHOT)
        self.files[number] = dumps(SNAPSHOT)
        self.largest = number
        self.changed(who)

    @rule(who=one_of_two, ids=st.sets(some_id, max_size=4))
    def delete_ids(self, who: int, ids: set[int]) -> None:
        """Ids that are unknown, or gone, are no error; one that is kept stops all."""
        if self.kept.intersection(ids, self.files):
            with pytest.raises(RetentionLocked):
                changes.delete(self.repositories[who], ids)
            self.seen[who] = list(self.repositories[who].manifest().ids)
            return
        changes.delete(self.repositories[who], ids)
        self.deleted(who, ids)

    @rule(who=one_of_two, number=some_id)
    def delete_with_respect(self, who: int, number: int) -> None:
        """The verb refuses what it does not know, and what is kept."""
        if number not in self.seen[who]:
            with pytest.raises(SnapshotNotFound):
                delete(self.repositories[who], [number])
        elif number in self.kept:
            with pytest.raises(RetentionLocked):
                delete(self.repositories[who], [number])
        else:
            delete(self.repositories[who], [number])
            self.deleted(who, {number})

    @rule(who=one_of_two, number=some_id, release=st.booleans())
    def keep(self, who: int, number: int, *, release: bool) -> None:
        """A mark is everybody's."""
        if number not in self.seen[who]:
            with pytest.raises(SnapshotNotFound):
                keep(self.repositories[who], [number], release=release)
            return
        self.kept = self.kept - {number} if release else self.kept | {number}
        assert keep(self.repositories[who], [number], release=release) == sorted(self.kept)

    @rule(who=one_of_two, number=some_id)
    def read(self, who: int, number: int) -> None:
        """What is not seen is not found, what is gone is missing, and the rest is as it was."""
        repository = self.repositories[who]
        if number not in self.seen[who]:
            with pytest.raises(SnapshotNotFound), repository.open(number):
                pass
        elif number not in self.files:
            with pytest.raises(ObjectMissing), repository.open(number):
                pass
        else:
            with repository.open(number) as reader, repository.get_stream(number) as file:
                assert (reader.id, file.read()) == (number, self.files[number])

    @rule(who=one_of_two)
    def refresh(self, who: int) -> None:
        """A repository sees what the other one did."""
        self.seen[who] = list(self.files)
        assert self.repositories[who].refresh_manifest().ids == tuple(self.files)

    @rule(who=one_of_two)
    def lose_cache(self, who: int) -> None:
        """One that starts anew sees it too."""
        self.repositories[who] = Repository(self.store, "backup")
        self.seen[who] = list(self.files)

    @invariant()
    def all_is_well(self) -> None:
        """Manifest, files, notes and what each repository knows are what the model says."""
        assert self.manifest("manifest.json", self.changes).ids == tuple(self.files)
        self.manifest(PREVIOUS_NAME, self.changes - 1)
        for repository, ids in zip(self.repositories, self.seen, strict=True):
            assert repository.manifest().ids == tuple(ids)
        assert self.repositories[0].file_ids() == sorted(self.files)
        assert self.repositories[0].reserved_ids() == []
        for number, data in self.files.items():
            assert self.store.read(f"backup/{number}.snapshot").data == data
        ledger = read_ledger(self.store, "backup")
        assert (ledger.kept, ledger.made) == (sorted(self.kept), sorted(self.files))

    def manifest(self, name: str, changes: int) -> Manifest:
        """A manifest in the store, as old as that many changes; the empty one if there is none."""
        found = self.store.head(f"backup/{name}") is not None
        data = self.store.read(f"backup/{name}").data if found else b""
        manifest = parse(data) if found else Manifest()
        assert manifest.manifest_id == max(0, changes)
        return manifest

    def changed(self, who: int) -> None:
        self.changes += 1
        self.seen[who] = list(self.files)

    def deleted(self, who: int, ids: set[int]) -> None:
        self.kept -= ids & set(self.seen[who])
        for number in ids:
            self.files.pop(number, None)
        self.changed(who)


TestTwoRepositories = TwoRepositories.TestCase
TestTwoRepositories.settings = settings(max_examples=EXAMPLES, stateful_step_count=STEPS)
