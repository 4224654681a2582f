"""`make bench-objects`: objects of a full backup from one directory or bucket into another, each
byte checked, beside `rclone copy` of the same objects, unchecked.

Files and server are in memory, so that neither disk nor line is measured. A process of its own does
each job; its wall time is that of the copy, its processor time and its peak of memory are its own.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import measure
from s3_memory import KEYS, memory_server
from sst_writer import Sst, put

from metasnapshot.hummock.objects import NeededObject, NeededObjects
from metasnapshot.hummock.paths import DATA, object_path
from metasnapshot.operations.copy_objects import ObjectWork, area_side, state_side
from metasnapshot.operations.crew import Pace
from metasnapshot.store.port import Store
from metasnapshot.store.url import open_store

KIB, MIB = 1 << 10, 1 << 20
WAIT_MAX_S = 120.0
"""For rclone, which tries for long what a server refuses."""
LOCAL = ((20_000, 16 * KIB), (150, 4 * MIB))
REMOTE = ((2_000, 16 * KIB), (100, 4 * MIB))
SHM = Path("/dev/shm")


class Figures(NamedTuple):
    """What a job came to; a peak of 0 was not measured."""

    seconds: float
    cpu_seconds: float
    peak_mib: int


def sst_of(size: int) -> tuple[bytes, int]:
    """An SST of about so many bytes, in blocks of 64 KiB; and where its meta starts."""
    sst = Sst()
    blocks = max(1, size // (64 * KIB))
    for block in range(blocks):
        value = os.urandom(min(size, 64 * KIB) // 4 - 100)
        key = block.to_bytes(4, "big")
        sst.add(7, [put(key + bytes([n]), 1 << 16, value) for n in range(4)])
    made = sst.data()
    return made, sum(len(block.stored) for block in sst.blocks)


def needed(count: int, size: int, meta_offset: int) -> NeededObjects:
    """So many objects of a size."""
    ids = range(1, count + 1)
    return NeededObjects(NeededObject(number, DATA, size, number, meta_offset) for number in ids)


def copy(source: Store, target: Store, objects: NeededObjects, jobs: int) -> None:
    """All of them, as a backup does."""
    work = ObjectWork(objects, Pace(jobs))
    prefixed = state_side(source, "data", prefixed=True)
    work.copy(range(len(objects)), prefixed, area_side(target, "backup"))
    assert not work.findings.kept
    assert work.done == len(objects)


def job(source: str, target: str, *numbers: str) -> None:
    """What a process of its own does."""
    count, size, meta_offset, jobs = map(int, numbers)
    objects = needed(count, size, meta_offset)
    stores = open_store(source), open_store(target)
    start, used = time.perf_counter(), time.process_time()
    copy(*stores, objects, jobs)
    seconds, cpu = time.perf_counter() - start, time.process_time() - used
    print(json.dumps(Figures(seconds, cpu, measure.own_peak_kib() // 1024)))


def ours(source: str, target: str, *numbers: int) -> Figures:
    """The job, measured."""
    command = [sys.executable, __file__, "job", source, target, *map(str, numbers)]
    return Figures(*json.loads(subprocess.check_output(command)))


def rclone(source: str, target: str, jobs: int) -> Figures | None:
    """`rclone copy` of the same objects; None where there is none."""
    program = shutil.which("rclone")
    if program is None:
        return None
    command = [program, "copy", "--disable", "copy", "--transfers", str(jobs), source, target]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    hidden = ("AWS_CA_BUNDLE", "AWS_PROFILE")
    environment = {name: text for name, text in os.environ.items() if name not in hidden}
    subprocess.run(
        command, check=True, env=environment | {"RCLONE_CONFIG": "/dev/null"}, timeout=WAIT_MAX_S
    )
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Figures(seconds, cpu, 0)


def fill(store: Store, count: int, made: bytes) -> None:
    """Put the objects there."""
    for number in range(1, count + 1):
        store.put_if_absent(object_path("data", number, DATA, prefixed=True), made)


def fill_folder(root: Path, count: int, made: bytes) -> None:
    """The same without syncing."""
    for number in range(1, count + 1):
        path = root / object_path("data", number, DATA, prefixed=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made)


def spelt(found: Figures) -> str:
    """Figures in words."""
    peak = f" {found.peak_mib:4} MiB" if found.peak_mib else ""
    return f"{found.seconds:6.1f} s {found.cpu_seconds:6.1f} cpu-s{peak}"


def show(name: str, count: int, size: int, found: Figures, other: Figures | None) -> None:
    """A line."""
    line = f"{name:6} {count:6} x {size // KIB:5} KiB: {spelt(found)}"
    print(f"{line}; {'no rclone' if other is None else f'rclone {spelt(other)}'}", flush=True)


def local(place: Path) -> None:
    """Directory to directory, both in memory."""
    for count, size in LOCAL:
        made, meta_offset = sst_of(size)
        fill_folder(place / "source", count, made)
        found = ours(f"fs://{place}/source", f"fs://{place}/ours", count, len(made), meta_offset, 8)
        other = rclone(f"{place}/source", f"{place}/rclone", 8)
        show("tmpfs", count, size, found, other)
        for name in ("source", "ours", "rclone"):
            shutil.rmtree(place / name, ignore_errors=True)


def remote() -> None:
    """Bucket to bucket, on a server in memory."""
    key, _, secret = KEYS.partition(":")
    for count, size in REMOTE:
        made, meta_offset = sst_of(size)
        with memory_server() as server:
            urls = [server.minio(server.bucket()) for _ in range(2)]
            fill(open_store(urls[0]), count, made)
            found = ours(urls[0], urls[1], count, len(made), meta_offset, 8)
            place = f":s3,provider=Minio,access_key_id='{key}',secret_access_key='{secret}'"
            place += f",endpoint='http://127.0.0.1:{server.port}',no_check_bucket=true:"
            source = urls[0].rpartition("/")[2]
            other = rclone(f"{place}{source}", f"{place}{server.bucket()}", 8)
            show("s3", count, size, found, other)


def main() -> None:
    """Everything."""
    if sys.argv[1:2] == ["job"]:
        job(*sys.argv[2:])
        return
    folder = SHM if SHM.is_dir() else None
    with tempfile.TemporaryDirectory(dir=folder) as name:
        local(Path(name))
    remote()


if __name__ == "__main__":
    main()
