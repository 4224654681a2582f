"""A small cluster whose meta node makes snapshots, pins what they need, and collects the rest when
it is told to: for full backups by way of it, without a network.

Every question to the node, and every call of the backup's store, is a step, before and after which
a test may act, or let the process die: then nothing that it still tries has any effect.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import goldens
from faults import FaultyStore
from object_world import ObjectWorld

from metasnapshot.catalogue.completeness import header_of
from metasnapshot.catalogue.facts import FACTS_NAME
from metasnapshot.catalogue.ledger import LEDGER_NAME
from metasnapshot.catalogue.pin import tokens_among
from metasnapshot.catalogue.records import Records
from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import ConflictError
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations.backup import backup
from metasnapshot.operations.backup_options import BackupOptions
from metasnapshot.operations.backup_pinned import PinnedResult, PinOptions, backup_pinned
from metasnapshot.operations.crew import Pace
from metasnapshot.operations.pins import pinned_ids
from metasnapshot.store.local import LocalStore
from metasnapshot.store.memory import MemoryStore

ONE = Pace(jobs=1)
JOB_WAIT_S = 3600.0


class Died(BaseException):
    """The process was killed: no handler of it runs."""


class Noted(NamedTuple):
    """A snapshot as the node tells of it."""

    id: int
    remarks: str | None


class LocalNode:
    """The meta node of a small cluster.

    Attributes:
        own: its backup directory.
        step: called before and after each question.
        cluster: what it says of itself.
        refuses: deletes are refused, in these words.
        is_slow: a job ends when the next one is asked for, not sooner.
        asked: every question.
        keeps_remarks: whether it writes down what is remarked.
        sequence: the next id.
    """

    def __init__(self, world: ObjectWorld) -> None:
        self._world = world
        self.own = Repository(MemoryStore(), "backup")
        self.step: Callable[[], object] = lambda: None
        self.cluster: str | None = goldens_cluster()
        self.refuses: Exception | None = None
        self.is_slow = False
        self.asked: list[str] = []
        self.keeps_remarks = True
        self.sequence = 8
        self._job: tuple[int, str | None] | None = None

    def cluster_id(self) -> str | None:
        self._ask("cluster_id")
        return self.cluster

    def parameters(self) -> dict[str, str]:
        self._ask("parameters")
        return {
            "state_store": f"hummock+fs://{self._world.state}",
            "data_directory": goldens.DATA_DIRECTORY,
            "backup_storage_url": "memory-own",
            "backup_storage_directory": "backup",
        }

    def start(self, remarks: str | None) -> int:
        self._ask("start")
        self.end_job()
        self._job = self.sequence, remarks
        self.sequence += 1
        self.step()
        return self._job[0]

    def wait(self, job: int, wait_s: float) -> None:
        self._ask("wait")
        assert wait_s > 0
        assert self._job is None or self._job[0] == job
        self.end_job()
        self.step()

    def runs(self, job: int) -> bool:
        self._ask("runs")
        if not self.is_slow:
            self.end_job()
        return self._job is not None and self._job[0] == job

    def manifest(self) -> tuple[int, Sequence[Noted]]:
        self._ask("manifest")
        found = self.own.manifest()
        return found.manifest_id, [Noted(item.id, item.remarks) for item in found.entries]

    def delete(self, ids: Sequence[int]) -> None:
        self._ask("delete")
        if self.refuses is not None:
            raise self.refuses
        self.drop(ids)
        self.step()

    def end_job(self) -> None:
        """What it was asked to make is there."""
        if self._job is None:
            return
        number, remarks = self._job
        self._job = None
        options = BackupOptions(
            remarks=remarks if self.keeps_remarks else None,
            meta_node_stopped=True,
            into_cluster_directory=True,
        )
        state = LocalStore(self._world.state)
        with closing(sqlite3.connect(self._world.meta)) as connection, connection:
            connection.execute(
                "UPDATE hummock_sequence SET seq = ? WHERE name = 'meta_backup'", (number,)
            )
        with open_meta_store(f"sqlite:///{self._world.meta}") as store:
            made = backup(store, self.own, options, state).entry.id
        assert made == number
        for name in (LEDGER_NAME, FACTS_NAME):  # a meta node has none
            self.own.store.delete(f"{self.own.directory}/{name}")

    def drop(self, ids: Iterable[int]) -> None:
        """Snapshots are no more."""
        gone = set(ids)
        self.own.change_manifest(lambda manifest: manifest.without(gone))
        for number in gone:
            self.own.store.delete(self.own.path(number))

    @property
    def ids(self) -> list[int]:
        """What it has."""
        return list(self.own.manifest().ids)

    def collect(self) -> set[int]:
        """Delete objects that neither the newest version nor any snapshot needs."""
        kept = {item.id for item in self._world.needed} | set(pinned_ids(self.own).tolist())
        gone = self._world.objects.keys() - kept
        for number in gone:
            self._world.place(number).unlink()
            del self._world.objects[number]
        return gone

    def _ask(self, what: str) -> None:
        self.step()
        self.asked.append(what)


class PinnedWorld(ObjectWorld):
    """The cluster, its node, and a directory for full backups.

    Attributes:
        node: the meta node.
        target: the directory's store.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.node = LocalNode(self)
        self.target = FaultyStore(MemoryStore())

    def backup(self, *, keep_pin: bool = False, remarks: str | None = None) -> PinnedResult:
        return backup_pinned(
            self.node,
            Repository(self.target, "full"),
            lambda _url, _directory: self.node.own,
            PinOptions(remarks, keep_pin=keep_pin),
            ONE,
            store=LocalStore(self.state),
        )

    def compact(self, object_id: int) -> None:
        """The newest version needs an SST no more; whether its file goes the collector says."""
        data = self.place(object_id).read_bytes()
        self.remove_sst(object_id)
        (self.state / goldens.DATA_DIRECTORY / f"{object_id}.data").write_bytes(data)

    @property
    def repository(self) -> Repository:
        return Repository(self.target.inner, "full")

    @property
    def full_ids(self) -> list[int]:
        found = self.repository
        heads = Records(found).heads
        return [n for n in found.manifest().ids if header_of(found, heads, n) is not None]

    @property
    def pins(self) -> list[str]:
        """Tokens of the notes that lie in the directory."""
        return tokens_among(self.target.inner.names("full"))

    def copies(self) -> set[int]:
        """Ids of the objects in the area."""
        paths = [head.path for head in self.target.inner.list("full/objects/")]
        return {int(p.rpartition("/")[2].partition("-")[0]) for p in paths if "-" in p}

    def kill_at(self, number: int | None) -> Callable[[], int]:
        """Let the process die at a step; None counts them. Gives how many there were."""
        count = 0

        def step() -> None:
            nonlocal count
            if number is not None and count >= number:
                raise Died
            count += 1

        self.node.step = self.target.meanwhile = step
        return lambda: count

    def live_on(self) -> None:
        """Another process: nothing dies any more."""
        self.node.step = lambda: None
        self.target.meanwhile = None


def goldens_cluster() -> str:
    """The cluster of the world."""
    import metasnapshot  # noqa: PLC0415

    data = (goldens.SHIPPED / "v3.0.3" / "backup" / "7.snapshot").read_bytes()
    return str(metasnapshot.loads(data).sections["clusters"][0].cluster_id)


__all__ = ["ConflictError", "Died", "LocalNode", "Noted", "PinnedWorld"]
