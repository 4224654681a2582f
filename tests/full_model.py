"""A cluster, two directories of full backups, and processes that work on them, die at any call of a
store, stand still, and meet each other: all in memory, by one random walk.

At a call that the walk has chosen a process dies; or it stands still while another one runs to its
end. Whether its marker beats meanwhile is the walk's choice too. What a complete snapshot names is
compared with the bytes that the cluster had, after every step.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import goldens
import pytest
from clock import Clock
from full_processes import Killed, Made, Process, Timed, object_of

import metasnapshot
from metasnapshot.catalogue import area, changes, marker, reservation
from metasnapshot.catalogue.full import VOID, FullBackup, decode_full
from metasnapshot.catalogue.full_header import FULL, full_path
from metasnapshot.catalogue.repository import SNAPSHOT, Repository
from metasnapshot.catalogue.reservation import ids_among
from metasnapshot.errors import ConflictError, DamageError, MetasnapshotError
from metasnapshot.format.snapshot import dumps
from metasnapshot.hummock.objects import NeededObject, NeededObjects
from metasnapshot.operations import gc_objects
from metasnapshot.operations.completion import complete
from metasnapshot.operations.copy_full import copy_full
from metasnapshot.operations.crew import Pace
from metasnapshot.operations.delete import delete
from metasnapshot.operations.gc_objects import collect_objects
from metasnapshot.operations.spread.sides import state_side
from metasnapshot.store.lock import Holder
from metasnapshot.store.memory import MemoryStore

DATA = "hummock_001"
CLUSTER = "the cluster"
GRACE = timedelta(hours=24)
ONE = Pace(jobs=1)
CALLS_MAX = 60
"""A process has about so many calls of its store."""
OBJECTS_MAX = 10
SNAPSHOTS_MAX = 5
WRITES, COMPACTIONS, LIVES, TIDIES = 0.2, 0.3, 0.31, 0.36
"""Up to which the dice mean each; the rest are processes."""
SKEWS = [timedelta(minutes=sign * minutes) for sign in (-1, 1) for minutes in (0, 0, 0, 3, 1440)]
"""How far the clock of a gc is off: not at all, three minutes or a day."""


@dataclass
class Model:
    """The walk.

    Attributes:
        seed: of the dice.
        done: how often what was done.
    """

    seed: int
    done: Counter[str] = field(default_factory=Counter[str])

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)  # noqa: S311 - dice
        self.stores = {"a": Timed(), "b": Timed()}
        self.state = MemoryStore()
        self.objects: dict[int, tuple[NeededObject, bytes]] = {}
        self.next_id, self.life, self.epoch, self.now = 1, 0, 0, 0
        self.epochs: dict[tuple[str, int], int] = {}
        self.truth: dict[tuple[str, int], dict[str, bytes]] = {}
        self.dead = set[int]()
        self.pid = 1
        self.running = list[int]()
        self.clock = Clock()
        self._decoded: dict[bytes, FullBackup] = {}
        self._snapshot = metasnapshot.loads(goldens.SMALL.read_bytes())
        for _ in range(3):
            self.write()

    def patch(self, patch: pytest.MonkeyPatch) -> None:
        """Let processes be those of the model, and time its own."""
        for module in (marker, reservation):
            patch.setattr(module, "this_holder", self._holder)
        patch.setattr(Holder, "is_gone", property(lambda holder: holder.pid in self.dead))
        patch.setattr(gc_objects, "time", self.clock)

    def _holder(self) -> Holder:
        return Holder(self.running[-1] if self.running else 1, "here", "")

    def write(self) -> None:
        """A new object."""
        number = self.next_id
        self.next_id += 1
        self.objects[number] = object_of(number, self.life)
        self.state.put_if_absent(self._place(number), self.objects[number][1])
        self.now += 1
        self.epoch = self.now
        self.done["write"] += 1

    def compact(self) -> None:
        """Some objects are rewritten, and collected at once."""
        count = min(len(self.objects), self.dice.randrange(1, 4))
        for number in self.dice.sample(sorted(self.objects), count):
            self.state.delete(self._place(number))
            del self.objects[number]
        self.write()
        self.done["compact"] += 1

    def relive(self) -> None:
        """The cluster is restored from any complete snapshot, without a look at the others, and
        goes on to back up into the same directories: ids are given again.
        """
        complete_ones = [place for place in self.truth if self.full(*place) is not None]
        if not complete_ones:
            return
        where, number = self.dice.choice(complete_ones)
        full = self.full(where, number)
        assert full is not None
        truth = self.truth[where, number]
        for old in list(self.objects):
            self.state.delete(self._place(old))
        self.objects.clear()
        for item in full.objects:
            data = truth[area.object_path(where, item)]
            self.objects[item.id] = item, data
            self.state.put_if_absent(self._place(item.id), data)
        self.life += 1
        self.epoch = self.epochs[where, number]
        self.next_id = max(self.objects, default=0) + 1
        self.done["relive"] += 1

    def _place(self, number: int) -> str:
        return f"{DATA}/{number}.{self.objects[number][0].suffix}"

    def run(self, where: str, work: Callable[[Repository], object], *, depth: int = 0) -> str:
        """Let a process work on a directory; gives how it ended."""
        self.pid += 1
        process = Process(self.stores[where], self.pid)
        self._disturb(process, where, depth)
        self.running.append(process.pid)
        try:
            work(Repository(process, where))
        except Killed:
            if self.dice.random() < 0.7:
                self.dead.add(process.pid)
            return "killed"
        except MetasnapshotError as error:
            return type(error).__name__
        finally:
            self.running.pop()
        return "ended"

    def _disturb(self, process: Process, where: str, depth: int) -> None:
        """What happens to it, and at which of its calls: often right before the side file."""
        process.at = self.dice.randrange(1, CALLS_MAX)
        process.waits_for_writer = self.dice.random() < 0.3
        roll = self.dice.random()
        if roll < 0.2:
            process.event = process.die
        elif roll < 0.3:

            def die_later() -> None:
                process.dies_after = True

            process.event = die_later
        elif roll < 0.6 and not depth:
            process.event = lambda: self._meanwhile(process, where)

    def _meanwhile(self, process: Process, where: str) -> None:
        """Another process runs while one stands still, or goes on."""
        beats = self.dice.random() < 0.5
        self.clock.meanwhile = lambda: beats and process.beat(where)
        is_marked = beats and process.markers(where) != []
        works = [self.gc, self.gc, self.expire, self.backup]
        try:
            if self.dice.random() < 0.2:
                self.compact()
            else:
                before, work = self.done["collected"], self.dice.choice(works)
                end = self.run(where, work, depth=1)
                took = work == self.gc and self.done["collected"] > before
                assert not (is_marked and took), "gc took objects beside a backup that lives"
                self.done[f"meanwhile {'beating' if beats else 'still'} {end}"] += 1
        finally:
            self.clock.meanwhile = lambda: None
        self.check()

    def backup(self, found: Repository) -> None:
        """A snapshot, and its objects."""
        with changes.reserve(found, 1) as number:
            self._snapshot.id = number
            self._snapshot.sections["hummock_sequences"][0].seq = 1000 + self.pid
            version = self._snapshot.hummock_version.message
            version.state_table_info[1].committed_epoch = self.epoch
            data = dumps(self._snapshot)
            self.epochs[found.directory, number] = self.epoch
            kept = dict(self.objects)
            needed = NeededObjects([item for item, _ in kept.values()])
            entry = changes.create(found, self._snapshot)
            self.truth[found.directory, number] = {
                area.object_path(found.directory, item): data for item, data in kept.values()
            }
        made = Made(entry, len(data), int.from_bytes(data[-8:], "little"), needed)
        source = state_side(self.state, DATA, prefixed=False)
        done = complete(found, made, source, CLUSTER, ONE)
        self.done["complete" if done.complete else "vanished"] += 1

    def expire(self, found: Repository) -> None:
        """Old snapshots go, until few are left."""
        ids = sorted(found.manifest().ids)
        count = max(1, len(ids) - SNAPSHOTS_MAX + 1)
        delete(found, self.dice.sample(ids, min(count, len(ids))))
        self.done["expire"] += 1

    def gc(self, found: Repository) -> None:
        """By a clock that may be wrong."""
        now = self.stores[found.directory].now + self.dice.choice(SKEWS)
        self.done["collected"] += collect_objects(found, GRACE, now).deleted

    def copy(self, found: Repository) -> None:
        """The objects of a snapshot of the other directory."""
        other = "b" if found.directory == "a" else "a"
        source = Repository(self.stores[other], other)
        ids = [number for number in source.manifest().ids if self.full(other, number) is not None]
        taken = {*found.manifest().ids, *found.file_ids()}
        for number in [number for number in ids if number not in taken][-1:]:
            snapshot = source.get(number)
            truth = self.truth[other, number]
            changes.create(found, snapshot)
            self.epochs[found.directory, number] = self.epochs[other, number]
            self.truth[found.directory, number] = {
                found.directory + path.removeprefix(other): data for path, data in truth.items()
            }
            copy_full(source, found, number, ONE)
            self.done["copied"] += 1

    def lose(self, found: Repository) -> None:
        """Somebody who knows no side files deletes a snapshot's file."""
        for number in ids_among(found.store.names(found.directory), SNAPSHOT)[:1]:
            found.store.delete(found.path(number))
            self.done["lost"] += 1

    def tidy(self, where: str) -> None:
        """The operator deletes gc.copying, whose host is gone."""
        self.stores[where].delete(f"{where}/{marker.GC_NAME}")

    def step(self) -> None:
        """One of all that may happen."""
        where = self.dice.choice("ab")
        roll = self.dice.random()
        if roll < 0.35:
            self.write()
        elif roll < 0.5 or len(self.objects) > OBJECTS_MAX:
            self.compact()
        elif roll < 0.505:
            self.relive()
        elif roll < 0.56:
            self.tidy(where)
        else:
            works = [self.backup] * 4 + [self.gc] * 3 + [self.expire] * 2 + [self.copy, self.lose]
            work = self.dice.choice(works)
            self.done[self.run(where, work)] += 1
        for store in self.stores.values():
            store.now += timedelta(minutes=self.dice.choice([0, 1, 30, 600]))
        self.check()

    def full(self, where: str, number: int) -> FullBackup | None:
        """The side file of a snapshot that is complete."""
        store = self.stores[where]
        with suppress(MetasnapshotError):
            data = store.read(full_path(where, number)).data
            file = store.read(f"{where}/{number}.{SNAPSHOT}").data
            if data == VOID:
                return None
            if data not in self._decoded:
                self._decoded[data] = decode_full(full_path(where, number), data)
            full = self._decoded[data]
            said = full.header.size, full.header.checksum
            if said == (len(file), f"{int.from_bytes(file[-8:], 'little'):016x}"):
                return full
        return None

    def check(self) -> None:
        """No complete snapshot misses an object, or has another's bytes."""
        for where, store in self.stores.items():
            for number in ids_among(store.names(where), FULL):
                full = self.full(where, number)
                if full is None:
                    continue
                truth = self.truth[where, number]
                paths = [area.object_path(where, item) for item in full.objects]
                assert sorted(paths) == sorted(truth), f"{where} {number} names others"
                for path in paths:
                    head = store.head(path)
                    assert head is not None, f"{where} {number} is complete and misses {path}"
                    assert store.read(path).data == truth[path], f"{path} is another's"

    def end(self) -> None:
        """After all that: a backup ends complete again, and gc leaves what is named alone."""
        for where, store in self.stores.items():
            self.dead.update(range(self.pid + 1))
            self.tidy(where)
            store.now += timedelta(days=30)
            self.pid += 1
            self.running.append(self.pid)
            found = Repository(store, where)
            collect_objects(found, GRACE, store.now)
            before = self.done["complete"]
            with suppress(ConflictError, DamageError):  # of another life, which is refused
                self.backup(found)
                assert self.done["complete"] == before + 1, "the last backup is not complete"
            store.now += timedelta(days=30)
            collect_objects(Repository(store, where), GRACE, store.now)
            ids = ids_among(store.names(where), FULL)
            fulls = [full for number in ids if (full := self.full(where, number)) is not None]
            named = {area.object_path(where, item) for full in fulls for item in full.objects}
            there = {head.path for head in store.list(f"{where}/objects/")}
            assert there - {f"{where}/objects/area.json"} == named, "gc left what nobody names"
            self.running.pop()
            self.check()
