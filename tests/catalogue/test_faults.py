"""Repositories on a store that fails, at every call once and by the dice thousands of times.

Several of them work at once: before any call to the store another one may do a whole operation of
its own. What succeeded holds; what failed says so with an error of ours and leaves entries that
have their files; nothing is ever read wrong without an error.
"""

from __future__ import annotations

import random
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import BinaryIO

import goldens
import msgspec
import pytest
import xxhash
from exhaustive import WHOLE
from faults import FAULTS, Fault, FaultyStore

from metasnapshot.catalogue import changes
from metasnapshot.catalogue.entry import new_entry
from metasnapshot.catalogue.ledger import Ledger, Verified, change_ledger
from metasnapshot.catalogue.manifest import ManifestEntry, parse
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import MetasnapshotError, ObjectMissing, SnapshotNotFound
from metasnapshot.format.framing import CHECKSUM_SIZE
from metasnapshot.format.snapshot import dumps, loads
from metasnapshot.store.lock import Holder
from metasnapshot.store.memory import MemoryStore
from metasnapshot_models.layouts import LAYOUTS

SEEDS = range(20 if WHOLE else 3)
OPERATIONS = 10_000 if WHOLE else 500
INTERRUPTION_CHANCE = 0.03
DEATH_CHANCE = 0.01
UNKNOWN_ID = 10**9
NONCE_SIZE = 8
DEAD = msgspec.json.encode(Holder(2**22 + 1, socket.gethostname(), "2026-01-01T00:00:00+00:00"))
"""The holder of a reservation that died: no process has so large a number."""


def smallest_snapshot() -> tuple[bytes, ManifestEntry]:
    """The body of a snapshot of few rows, without its checksum, and an entry for it."""
    path = goldens.SHIPPED / "v3.0.3" / "backup" / "1.snapshot"
    snapshot = loads(path.read_bytes())
    for section in list(snapshot.sections)[1:]:  # the first one says which layout it is
        snapshot.sections[section] = []
    version = snapshot.hummock_version.message
    return dumps(snapshot)[:-CHECKSUM_SIZE], new_entry(1, version, [], LAYOUTS[snapshot.layout])


BODY, ENTRY = smallest_snapshot()


def snapshot_bytes(number: int, nonce: int) -> bytes:
    """A snapshot that no other one equals: what follows its sections is the nonce."""
    body = BODY[:4] + number.to_bytes(8, "little") + BODY[12:] + nonce.to_bytes(NONCE_SIZE)
    return body + xxhash.xxh64_intdigest(body).to_bytes(CHECKSUM_SIZE, "little")


def entry_of(number: int, nonce: int) -> ManifestEntry:
    """Its entry, which has the nonce too."""
    fields = msgspec.json.decode(ENTRY.raw) | {"id": number, "remarks": str(nonce)}
    return replace(ENTRY, id=number, remarks=str(nonce), text=msgspec.json.encode(fields))


@dataclass
class Model:
    """What must hold, looked at behind the faults.

    Attributes:
        written: bytes by id and nonce of what was ever begun.
        named: the nonce of every id that the manifest ever had.
        alive: ids whose creation succeeded and whose deletion was not tried.
        doomed: ids whose deletion was tried.
        gone: ids whose deletion succeeded.
        erased: those of them that were in the manifest, and whose makers had ended: the file of one
            that is being written may stay, if another deletion has taken its entry.
    """

    inner: MemoryStore = field(default_factory=MemoryStore)
    written: dict[tuple[int, int], bytes] = field(default_factory=dict)
    named: dict[int, int] = field(default_factory=dict)
    alive: set[int] = field(default_factory=set)
    doomed: set[int] = field(default_factory=set)
    gone: set[int] = field(default_factory=set)
    erased: set[int] = field(default_factory=set)

    def create(self, repository: Repository) -> None:
        nonce = len(self.written)
        with changes.reserve(repository, 1) as number:
            assert number not in self.named
            data = self.written[number, nonce] = snapshot_bytes(number, nonce)

            def write(file: BinaryIO) -> ManifestEntry:
                file.write(data)
                return entry_of(number, nonce)

            changes.create_stream(repository, number, write)
            self.alive |= {number} - self.doomed  # the manifest names it before this returns

    def delete(self, repository: Repository, ids: set[int]) -> None:
        self.doomed |= ids
        self.alive -= ids
        found = Repository(self.inner, "backup")
        named = set(found.manifest().ids) - set(found.reserved_ids())
        changes.delete(repository, ids)
        self.gone |= ids
        self.erased |= ids & named

    def read(self, repository: Repository, number: int) -> None:
        with repository.open(number) as reader:
            assert (reader.id, reader.opaque) == (number, self.named[number].to_bytes(NONCE_SIZE))
            expected = self.written[number, self.named[number]][-CHECKSUM_SIZE:]
            assert reader.checksum.to_bytes(CHECKSUM_SIZE, "little") == expected

    def check(self) -> None:
        """Each entry is unique, as it always was, and has its file; none is lost or came back."""
        if self.inner.head("backup/manifest.json") is None:
            assert not self.named
            return
        entries = parse(self.inner.read("backup/manifest.json").data).entries
        for entry in entries:
            nonce = int(entry.remarks or "-1")
            assert self.named.setdefault(entry.id, nonce) == nonce
            data = self.inner.read(f"backup/{entry.id}.snapshot").data
            assert data == self.written[entry.id, nonce]
        ids = [entry.id for entry in entries]
        assert len(ids) == len(set(ids))
        self.check_seen(ids)

    def check_seen(self, ids: list[int] | tuple[int, ...]) -> None:
        assert self.alive <= set(ids)
        assert self.gone.isdisjoint(ids)


def error_of(operation: Callable[[], None]) -> MetasnapshotError | None:
    """The error of ours that an operation raises, if it does; any other is a failed test."""
    try:
        operation()
    except MetasnapshotError as error:
        return error
    return None


class World:
    """Some repositories that work at once on a faulty store, by the dice of a seed."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)  # noqa: S311 - dice
        self.model = Model()
        self.store = FaultyStore(self.model.inner)
        self.repositories = [Repository(self.store, "backup") for _ in range(2 + seed % 3)]
        self.idle = list(range(len(self.repositories)))
        self.store.throw_dice(seed)
        self.store.meanwhile = self.interrupt
        self.tally = Counter[tuple[str, bool]]()

    def interrupt(self) -> None:
        """What happens before each call to the store: mostly nothing, or another's operation."""
        if self.idle and self.dice.random() < INTERRUPTION_CHANCE:
            self.act()

    def act(self) -> None:
        """Let an idle repository do something; all must be well then, whatever came of it."""
        index = self.idle.pop(self.dice.randrange(len(self.idle)))
        self.attempt(index)
        self.idle.append(index)
        self.model.check()

    def attempt(self, index: int) -> None:
        repository = self.repositories[index]
        known = repository.manifest().ids
        number = self.dice.choice([*known, UNKNOWN_ID])
        gone = {number, self.dice.choice([*known, UNKNOWN_ID])}
        operations: dict[str, tuple[int, Callable[[], None]]] = {
            "create": (4, lambda: self.model.create(repository)),
            "delete": (2 * max(1, len(known) - 3), lambda: self.model.delete(repository, gone)),
            "read": (4, lambda: self.model.read(repository, number)),
            "refresh": (2, lambda: self.refresh(repository)),
            "list": (1, lambda: self.list_files(repository)),
            "open": (1, lambda: self.open_anew(index)),
        }
        (name,) = self.dice.choices([*operations], [weight for weight, _ in operations.values()])
        injected = self.store.injected
        error = error_of(operations[name][1])
        if error is not None and self.store.injected == injected:
            assert (name, number in self.model.alive) == ("read", False)
            assert isinstance(error, (SnapshotNotFound, ObjectMissing))
        self.tally[name, error is None] += 1

    def refresh(self, repository: Repository) -> None:
        self.model.check_seen(repository.refresh_manifest().ids)

    def list_files(self, repository: Repository) -> None:
        stale = self.store.counts["names", Fault.STALE]
        files = repository.file_ids()
        assert self.store.counts["names", Fault.STALE] > stale or self.model.alive <= set(files)

    def open_anew(self, index: int) -> None:
        """Start as another process does, without what the manifest was known to be."""
        self.repositories[index] = Repository(self.store, "backup")
        self.model.check_seen(self.repositories[index].manifest().ids)

    def bury(self) -> None:
        """Let the holders of all reservations be dead; called while nobody is at work."""
        for number in Repository(self.model.inner, "backup").reserved_ids():
            path = f"backup/{number}.reserved"
            self.model.inner.put_if_match(path, DEAD, self.model.inner.read(path).etag)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_succeeded_holds_and_what_failed_is_whole(seed: int) -> None:
    """Whatever fails, and whoever acts meanwhile: after each operation the manifest is right."""
    world = World(seed)
    while world.tally.total() < OPERATIONS:
        if world.dice.random() < DEATH_CHANCE:
            world.bury()
        world.act()
    done = {name for name, succeeded in world.tally if succeeded}
    assert done == {"create", "delete", "read", "refresh", "list", "open"}
    assert world.tally["create", False] > 0
    assert world.store.counts.total() > OPERATIONS // 20
    assert world.model.erased.isdisjoint(Repository(world.model.inner, "backup").file_ids())


Operation = Callable[[Model, Repository], None]


def create(model: Model, repository: Repository) -> None:
    model.create(repository)


def delete_two(model: Model, repository: Repository) -> None:
    model.delete(repository, {1, 3, UNKNOWN_ID})


def prepare(*, empty: bool) -> Model:
    """A directory that is empty, or has three snapshots with notes and a dead reservation."""
    model = Model()
    if empty:
        return model
    repository = Repository(model.inner, "backup")
    for _ in range(3):
        model.create(repository)
    model.inner.put_if_absent("backup/4.reserved", DEAD)

    def note(ledger: Ledger) -> None:
        seen = Verified("2026-01-01T00:00:00Z", "rows", "0")
        ledger.verified = {2: seen, 3: seen, 5: seen}

    change_ledger(model.inner, "backup", note)
    return model


OPERATIONS_AND_EMPTY = {
    "create the first": (create, True),
    "create another": (create, False),
    "delete": (delete_two, False),
}
CASES = [
    pytest.param(*case, fault, id=f"{name}, {fault.name}")
    for name, case in OPERATIONS_AND_EMPTY.items()
    for fault in Fault
    if name != "delete" or fault not in {Fault.CUT, Fault.STALE}  # it opens and lists nothing
]
HARMLESS = {Fault.SLOW, Fault.STALE}
CALLS_OF_A_NOTE = {"exclusive", "head", "read", "put_if_absent", "put_if_match"}
"""A snapshot is created even if the notes of it, the last that is written, fail."""
LOUD = {Fault.BEFORE, Fault.AFTER, Fault.STORM, Fault.CUT}


@pytest.mark.parametrize(("operation", "empty", "fault"), CASES)
def test_one_fault_at_every_call(operation: Operation, *, empty: bool, fault: Fault) -> None:
    """Each fault at each call: told, unless it does no harm, and the next try goes well."""
    model = prepare(empty=empty)
    store = FaultyStore(model.inner)
    operation(model, Repository(store, "backup"))
    model.check()
    methods = [method for method in FAULTS if fault in FAULTS[method]]
    calls = [(name, number + 1) for name in methods for number in range(store.calls[name])]
    assert calls
    for call in calls:
        check_one_fault(operation, prepare(empty=empty), fault, call)


def check_one_fault(
    operation: Operation, model: Model, fault: Fault, call: tuple[str, int]
) -> None:
    store = FaultyStore(model.inner)
    store.plan(*call, fault)
    error = error_of(lambda: operation(model, Repository(store, "backup")))
    assert store.counts[call[0], fault] > 0
    model.check()
    swapped = fault is Fault.CONFLICT and call[0].startswith("put")
    if fault in HARMLESS or swapped:
        assert error is None
    noted = operation is create and call[0] in CALLS_OF_A_NOTE
    if fault in LOUD and not noted:
        assert error is not None
    fresh = Repository(model.inner, "backup")
    operation(model, fresh)
    model.check()
    model.delete(fresh, set(fresh.manifest().ids))
    model.create(fresh)
    model.check()
    assert fresh.manifest().ids == (max(model.named),)
