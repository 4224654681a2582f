"""`make bench-plan`: what a full backup of very many objects needs besides reading them, measured
on plans of 10^5 to 10^7 objects, and carried on to 10^9; by hand, it takes ten minutes.

Each step runs in a process of its own: seconds of its processor, MiB of its peak over what it held
before, bytes of the document that it makes. A power is fitted to the last two sizes, and says where
the step meets its limit: of a format, of a service, or of a machine. The lowest breaks first.
"""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
import time
from array import array
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import measure
import msgspec

from metasnapshot.catalogue.area import look_for, object_path
from metasnapshot.catalogue.full import FULL_SIZE_MAX, FullBackup, decode_full, encode_full
from metasnapshot.catalogue.full_header import Header
from metasnapshot.format import messages
from metasnapshot.hummock.objects import NeededObject, NeededObjects
from metasnapshot.hummock.paths import DATA
from metasnapshot.operations.rounds import in_haste
from metasnapshot.operations.spread.batch import cut, pack
from metasnapshot.store.document import MANIFEST_SIZE_MAX
from metasnapshot.store.memory import MemoryStore
from metasnapshot.store.port import ObjectHead

SIZES = (100_000, 1_000_000, 10_000_000)
GOAL = 1_000_000_000
MIB, GIB = 1 << 20, 1 << 30
MACHINE_GIB = 64
"""Of memory, that the machine of the client has."""
MEMORY_SEEN_MIB = 64
"""Less is what Python itself takes."""
PAGE = 1000
"""Objects that a request of a listing tells of."""
PAGES_S = 10
"""Pages of a listing that a service gives in a second, one after the other."""
DAY_S = 86_400
SIZED = "Hummock version"
"""It is not made whole: the size of some SSTs says that of all."""
MESSAGE_MAX = (2 << 30) - 1
"""Bytes that a message of protobuf may have: the Hummock version is one."""
SST_FIELDS = {"sst_id": 1, "file_size": 64 << 20, "meta_offset": (64 << 20) - 65_536}


class Cost(NamedTuple):
    """What a step took: seconds of the processor, MiB of memory, bytes of its document."""

    seconds: float
    mib: float
    bytes: int = 0


def needed(count: int) -> NeededObjects:
    """So many objects, without the cost of asking a version for them."""
    dice = random.Random(1)  # noqa: S311 - dice
    tags, ids = array("Q"), array("Q", range(1, count + 1))
    tags.frombytes(dice.randbytes(8 * count))
    sizes = array("Q", bytes(8 * count))
    for place in range(count):
        sizes[place] = (16 << 20) + place % 9973
    return NeededObjects.from_columns(ids, sizes, bytearray(count), tags)


class Listed(MemoryStore):
    """A store whose area has every object."""

    def __init__(self, objects: NeededObjects) -> None:
        super().__init__()
        self._listed = objects

    def list(self, prefix: str) -> Iterator[ObjectHead]:
        del prefix
        for item in self._listed:
            yield ObjectHead(object_path("backup", item), item.size)


def version(count: int) -> int:
    """The Hummock version: bytes of its SSTs, as a meta node writes them."""
    info = messages.message_class("hummock.SstableInfo", "v3.0.3")
    size = 0
    for number in range(1, count + 1):
        sst = info(object_id=number, table_ids=[7], min_epoch=1 << 52, max_epoch=(1 << 52) + number)
        for name, value in SST_FIELDS.items():
            setattr(sst, name, value)
        sst.key_range.left = sst.key_range.right = bytes(24)
        sst.total_key_count = sst.uncompressed_file_size = 1 << 20
        size += len(sst.SerializeToString()) + 3
        if number == 20_000:  # they are alike
            return size * count // number
    return size


def objects(count: int) -> int:
    """What is needed, as it comes out of a version."""
    found = NeededObjects(NeededObject(n, DATA, 16 << 20, n, 9) for n in range(count))
    assert len(found) == count
    return 0


def manifest(count: int) -> int:
    """The ids of an entry in manifest.json: of one snapshot."""
    return len(msgspec.json.encode(list(range(10_000_000, 10_000_000 + count))))


def listing(count: int) -> int:
    """A look at the area, page by page."""
    found = needed(count)
    assert all(look_for(Listed(found), "backup", found).seen)
    return 0


def batches(count: int) -> int:
    """Every object in a batch, in the order in which they are collected; one batch at a time."""
    found = needed(count)
    hashes, size = bytearray(16 * count), 0
    for number, piece in enumerate(cut(found, array("Q", in_haste(range(count), found, set())))):
        size += len(pack(number, found, piece, hashes, None))
    assert size == count
    return 0


def side_file(count: int) -> int:
    """`{id}.full`, written and read."""
    found = needed(count)
    header = Header(
        snapshot_id=1,
        checksum="0" * 16,
        size=1,
        hummock_version_id=1,
        cluster_id=None,
        area_id="a",
        objects=count,
        bytes=found.size,
        objects_new=count,
        bytes_new=found.size,
        taken="2026-01-01T00:00:00+00:00",
    )
    hashes = random.Random(2).randbytes(16 * count)  # noqa: S311 - dice
    data = encode_full(FullBackup(header, found, hashes))
    assert decode_full("x", data).hashes == hashes
    return len(data)


STEPS: dict[str, Callable[[int], int]] = {
    SIZED: version,
    "needed objects": objects,
    "entry in manifest.json": manifest,
    "listing of the area": listing,
    "batches": batches,
    "side file": side_file,
}
DOCUMENTS = {
    SIZED: (MESSAGE_MAX, "a message as protobuf's library for Python reads it"),
    "entry in manifest.json": (MANIFEST_SIZE_MAX, "a manifest, of one such snapshot"),
    "side file": (FULL_SIZE_MAX, "a side file"),
}


def job(step: str, count: int) -> None:
    """What a process of its own does."""
    before, used = measure.own_peak_kib(), time.process_time()
    size = STEPS[step](count)
    seconds = time.process_time() - used
    print(json.dumps(Cost(seconds, (measure.own_peak_kib() - before) / 1024, size)))


def measured(step: str, count: int) -> Cost:
    """The job, in its process."""
    command = [sys.executable, __file__, "job", step, str(count)]
    return Cost(*json.loads(subprocess.check_output(command)))


def power(small: float, large: float, ratio: float) -> float:
    """By which power of the size a cost grows."""
    return math.log(large / small) / math.log(ratio) if small > 0 and large > 0 else 1.0


def carried_on(small: float, large: float, sizes: tuple[int, int], goal: float) -> float:
    """What a cost comes to at another size."""
    return large * (goal / sizes[1]) ** power(small, large, sizes[1] / sizes[0])


def breaks_at(small: float, large: float, sizes: tuple[int, int], limit: float) -> float:
    """The size at which a cost meets its limit."""
    exponent = power(small, large, sizes[1] / sizes[0])
    return sizes[1] * (limit / large) ** (1 / exponent)


def show(found: dict[str, dict[int, Cost]]) -> None:
    """The tables."""
    small, large = SIZES[-2:]
    print("| step | seconds, 10^5 | 10^6 | 10^7 | power | MiB, 10^5 | 10^6 | 10^7 | power | 10^9 |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    limits: list[tuple[float, str]] = []
    for step, costs in found.items():
        one, two = costs[small], costs[large]
        pair = (small, large)
        seconds = power(one.seconds, two.seconds, large / small)
        memory = power(one.mib, two.mib, large / small)
        goal = carried_on(one.seconds, two.seconds, pair, GOAL)
        goal_mib = carried_on(one.mib, two.mib, pair, GOAL)
        times = " | ".join(f"{costs[size].seconds:.2f}" for size in SIZES)
        sizes = " | ".join(f"{costs[size].mib:.0f}" for size in SIZES)
        if step != SIZED:
            print(
                f"| {step} | {times} | {seconds:.2f} | {sizes} | {memory:.2f} | "
                f"{goal / 3600:.1f} h, {goal_mib / 1024:,.0f} GiB |"
            )
        if two.mib > MEMORY_SEEN_MIB:
            limit = breaks_at(one.mib, two.mib, pair, MACHINE_GIB * 1024)
            limits.append((limit, f"{step}: {MACHINE_GIB} GiB of memory"))
        if step in DOCUMENTS:
            limit, what = DOCUMENTS[step]
            at = breaks_at(one.bytes, two.bytes, pair, limit)
            limits.append((at, f"{step}: {two.bytes / large:.0f} bytes an object, {what}"))
    limits.append((PAGE * PAGES_S * DAY_S, f"listing: a day, at {PAGES_S} pages a second"))
    print()
    print("| breaks at | what, and what it meets |")
    print("|---|---|")
    for at, what in sorted(limits):
        print(f"| {at / 1e6:,.0f} million | {what} |")


def main() -> int:
    """Everything."""
    if sys.argv[1:2] == ["job"]:
        job(sys.argv[2], int(sys.argv[3]))
        return 0
    found: dict[str, dict[int, Any]] = {
        step: {size: measured(step, size) for size in SIZES} for step in STEPS
    }
    show(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
