"""What full backups cost: requests where nothing is new, memory for many bytes, and CPU for many
objects.
"""

from __future__ import annotations

import math
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from exhaustive import WHOLE
from faults import FaultyStore
from object_world import ObjectWorld

from metasnapshot.catalogue.area import Area, look_for, object_path
from metasnapshot.catalogue.full import FullBackup, decode_full, encode_full, write_full
from metasnapshot.catalogue.full_header import Header
from metasnapshot.catalogue.repository import Repository
from metasnapshot.hummock.objects import NeededObject, NeededObjects
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations.backup_full import FullResult, backup_full
from metasnapshot.operations.backup_options import BackupOptions
from metasnapshot.operations.crew import Pace
from metasnapshot.operations.known_hashes import known_hashes
from metasnapshot.operations.rounds import in_haste
from metasnapshot.store.local import LocalStore
from metasnapshot.store.memory import MemoryStore
from metasnapshot.store.port import ObjectHead

PAGE = 1000
NONE = ("list", "exclusive")
"""A list counts by its pages; a lock is none of a bucket's."""
PER_THOUSAND, FIXED = 2.2, 40
MIB = 1 << 20
PEAK = """
import re, sys
from metasnapshot.cli.app import main
code = main(sys.argv[1:])
found = re.search("VmHWM:\\\\s*([0-9]+)", open("/proc/self/status").read())
print(found[1], file=sys.stderr)
sys.exit(code)
"""
"""The command, and the most memory that its process ever had: what a parent is told counts what
the parent had itself.
"""
PLAN = """
import random, re, sys
from array import array
from test_full_costs import Listed, header
from metasnapshot.catalogue.area import Area, look_for, object_path
from metasnapshot.catalogue.full import FullBackup, write_full
from metasnapshot.hummock.objects import NeededObject, NeededObjects
from metasnapshot.operations.known_hashes import known_hashes
from metasnapshot.operations.rounds import in_haste
from metasnapshot.store.port import ObjectHead
count = int(sys.argv[1])
needed = NeededObjects(
    NeededObject(n, "data", 16_384, n * 11400714819323198485 % (1 << 64)) for n in range(count)
)
store = Listed(ObjectHead(object_path("b", needed[n]), 16_384) for n in range(0, count, 2))
write_full(store, "b", FullBackup(header(needed), needed, random.randbytes(16 * count)))
seen = look_for(store, "b", needed).seen
known_hashes(store, "b", Area(1, "area"), [7], needed, seen)
todo = array("Q", in_haste((at for at, there in enumerate(seen) if not there), needed, {1, 2}))
assert len(todo) == count // 2
print(re.search("VmHWM:\\s*([0-9]+)", open("/proc/self/status").read())[1])
"""
"""What a backup holds of its objects, without any of their bytes."""
RSS_MAX, RSS_PER_OBJECT = 160 * MIB, 200
COUNT = 1_000_000 if WHOLE else 50_000
IDS = range(1, COUNT + 1)
ODD = 11400714819323198485
"""Makes numbers of all bits out of small ones."""
CPU_S_PER_MILLION = 30.0
"""On a machine of its own; a busy one takes up to twice as much CPU for the same."""
BUSY = 2.0


class Counted(FaultyStore):
    """A store that counts the requests that a bucket would answer: a list has pages."""

    def __init__(self, inner: LocalStore) -> None:
        super().__init__(inner)
        self.listed = 0

    def list(self, prefix: str) -> Iterator[ObjectHead]:
        self.listed += 1  # a last page that is empty
        for number, head in enumerate(super().list(prefix)):
            self.listed += number % PAGE == 0
            yield head

    @property
    def requests(self) -> int:
        return self.listed + sum(n for name, n in self.calls.items() if name not in NONE)


@pytest.mark.parametrize(
    ("ssts", "vectors"), [(0, 0), pytest.param(2500, 0, marks=pytest.mark.long), (30, 300)]
)
def test_requests_where_nothing_is_new(memory_path: Path, ssts: int, vectors: int) -> None:
    """At most 2.2 requests for 1,000 objects of any kind and 40 more, of both stores together."""
    world = ObjectWorld(memory_path)
    world.add_vectors(range(80_001, 80_001 + vectors))
    world.add_ssts(range(90_001, 90_001 + ssts))
    stores = [Counted(LocalStore(memory_path / name)) for name in ("backups", "state")]
    assert back_up(world, stores).complete
    before = sum(store.requests for store in stores)
    done = back_up(world, stores)
    asked = sum(store.requests for store in stores) - before
    objects = len(world.needed)
    assert (done.complete, done.reused) == (True, objects)
    assert asked <= math.ceil(PER_THOUSAND * objects / 1000) + FIXED


def test_requests_do_not_grow_with_snapshots(memory_path: Path) -> None:
    """A backup asks as often beside twelve snapshots as beside two: what was recorded of the newest
    says whose the directory is.
    """
    world = ObjectWorld(memory_path)
    stores = [Counted(LocalStore(memory_path / name)) for name in ("backups", "state")]
    asked = list[int]()
    for _ in range(13):
        before = sum(store.requests for store in stores)
        assert back_up(world, stores).complete
        asked.append(sum(store.requests for store in stores) - before)
    assert asked[2] == asked[-1]
    assert asked[-1] <= math.ceil(PER_THOUSAND * len(world.needed) / 1000) + FIXED


def back_up(world: ObjectWorld, stores: list[Counted]) -> FullResult:
    target, source = stores
    with open_meta_store(f"sqlite:///{world.meta}") as meta_store:
        found, options = Repository(target, "backup"), BackupOptions(meta_node_stopped=True)
        return backup_full(meta_store, found, options, Pace(), source)


@pytest.mark.long
@pytest.mark.parametrize("sizes", [[128 * MIB], [7 * MIB] * 12], ids=["one large", "many"])
def test_memory(memory_path: Path, sizes: list[int]) -> None:
    """A process that backs up takes at most 160 MiB, and 200 bytes an object."""
    world = ObjectWorld(memory_path)
    for number, size in enumerate(sizes):
        world.add_sst(90_001 + number, size)
    command = (
        *(sys.executable, "-c", PEAK, "backup", "--with-objects", "--meta-node-stopped"),
        *("--meta-store", f"sqlite:///{world.meta}"),
        *("--backup-storage-url", f"fs://{memory_path}/backups"),
    )
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    rss = int(said.split()[-1]) * 1024
    assert rss <= RSS_MAX + RSS_PER_OBJECT * len(world.needed)


@pytest.mark.long
def test_memory_of_many_objects() -> None:
    """What is known of many objects takes 200 bytes of each, and a process 160 MiB besides."""
    paths = os.pathsep.join([*sys.path, str(Path(__file__).parent)])
    said = subprocess.run(
        [sys.executable, "-c", PLAN, str(COUNT)],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert int(said) * 1024 <= RSS_MAX + RSS_PER_OBJECT * COUNT


class Listed(MemoryStore):
    """A store whose list is long."""

    def __init__(self, heads: Iterable[ObjectHead]) -> None:
        super().__init__()
        self._heads = heads

    def list(self, prefix: str) -> Iterator[ObjectHead]:
        yield from self._heads if "objects" in prefix else super().list(prefix)


def test_the_plan_of_many_objects(capsys: pytest.CaptureFixture[str]) -> None:
    """A million objects: what is there, what its hash is, what comes first, and the side file, in
    30 s of CPU; every other one is there.
    """
    items = [
        NeededObject(n, "data", 16_384 + n % 7, n * 11400714819323198485 % (1 << 64))
        for n in range(1, COUNT + 1)
    ]
    needed = NeededObjects(items)
    heads = [ObjectHead(object_path("b", item), item.size) for item in items[::2]]
    hashes = random.Random(1).randbytes(16 * COUNT)  # noqa: S311 - dice
    store, full = Listed(heads), FullBackup(header(needed), needed, hashes)
    write_full(store, "b", full)
    started = time.process_time()
    seen = look_for(store, "b", needed).seen
    known_hashes(store, "b", Area(1, "area"), [7], needed, seen)
    encoded = encode_full(full)
    todo = in_haste((at for at, there in enumerate(seen) if not there), needed, {1, 2})
    again = decode_full("x", encoded)
    took = time.process_time() - started
    with capsys.disabled():
        print(f" {took:.1f} s of CPU for {COUNT} objects ", end="")
    assert (sum(seen), len(todo), len(again.objects)) == (COUNT // 2, COUNT // 2, COUNT)
    assert took <= BUSY * CPU_S_PER_MILLION * COUNT / 1_000_000


def header(needed: NeededObjects) -> Header:
    return Header(
        snapshot_id=7,
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
