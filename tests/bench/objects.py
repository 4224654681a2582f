"""`make bench-objects`: objects of a full backup from one directory or bucket into another, each
byte checked, beside `rclone copy` of the same objects, unchecked.

Files and server are in memory, so that neither disk nor line is measured; on a disk a copy is over
when all of it is there. A process of its own does each job; its wall time is that of the copy, its
processor time and its peak of memory are its own. The two take turns; figures are medians.
`rclone` is looked for on PATH; without it ours stand alone.
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
from statistics import median
from typing import NamedTuple

import measure
from s3_memory import KEYS, memory_server
from sst_writer import Sst, put

from metasnapshot.hummock.objects import NeededObject, NeededObjects
from metasnapshot.hummock.paths import DATA, object_path
from metasnapshot.operations.copy_objects import ObjectWork
from metasnapshot.operations.crew import Pace
from metasnapshot.operations.spread.sides import area_side, state_side
from metasnapshot.store.port import Store
from metasnapshot.store.url import open_store

KIB, MIB = 1 << 10, 1 << 20
WAIT_MAX_S = 120.0
"""For rclone, which tries for long what a server refuses."""
LOCAL = ((20_000, 16 * KIB), (150, 4 * MIB))
REMOTE = ((2_000, 16 * KIB), (100, 4 * MIB))
SHM = Path("/dev/shm")
JOBS = 8
ROUNDS = 3


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


def rclone(source: str, target: str, jobs: int, synced: Path | None = None) -> Figures | None:
    """`rclone copy` of the same objects, until what is there is on the disk; None where there is
    no rclone.
    """
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
    if synced is not None:
        subprocess.run(["/usr/bin/env", "sync", "--file-system", synced], check=True)
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


class Job(NamedTuple):
    """What both do: where, how many objects, and of which size."""

    where: str
    objects: int
    size: int


class Limits(NamedTuple):
    """What ours may take of what rclone takes: of its time, and of its processor time."""

    seconds: float
    cpu_seconds: float


LIMITS = {"tmpfs": Limits(1.0, 0.5), "S3": Limits(1.0, 0.5), "disk": Limits(1.2, 1.0)}


def medians(found: list[Figures]) -> Figures:
    """Of each figure by itself."""
    seconds, cpu, peaks = zip(*found, strict=True)
    return Figures(median(seconds), median(cpu), int(median(peaks)))


def show(job: Job, mine: list[Figures], others: list[Figures]) -> list[str]:
    """A row of the table; returns what is missed."""
    found = medians(mine)
    row = f"| {job.where} | {job.objects} x {job.size // KIB} KiB "
    row += f"| {found.seconds:.2f} | {found.cpu_seconds:.2f} | {found.peak_mib} "
    if not others:
        print(f"{row}| no rclone | | | |", flush=True)
        return []
    other = medians(others)
    wall, cpu = found.seconds / other.seconds, found.cpu_seconds / other.cpu_seconds
    print(
        f"{row}| {other.seconds:.2f} | {other.cpu_seconds:.2f} | {wall:.2f} | {cpu:.2f} |",
        flush=True,
    )
    limits = LIMITS[job.where]
    return [
        f"{job.where}, {job.objects} objects: {ratio:.2f} of rclone's {what}, {limit} at most"
        for what, ratio, limit in (
            ("time", wall, limits.seconds),
            ("processor time", cpu, limits.cpu_seconds),
        )
        if ratio > limit
    ]


def local(place: Path, job: Job, *, is_synced: bool) -> list[str]:
    """Directory to directory, in turns; on a disk until all is on it."""
    made, meta_offset = sst_of(job.size)
    fill_folder(place / "source", job.objects, made)
    mine, others = list[Figures](), list[Figures]()
    for _ in range(ROUNDS):
        source = f"fs://{place}/source"
        mine.append(ours(source, f"fs://{place}/ours", job.objects, len(made), meta_offset, JOBS))
        other = rclone(f"{place}/source", f"{place}/rclone", JOBS, place if is_synced else None)
        others += [other] if other else []
        for name in ("ours", "rclone"):
            shutil.rmtree(place / name, ignore_errors=True)
    shutil.rmtree(place / "source")
    return show(job, mine, others)


def remote(job: Job) -> list[str]:
    """Bucket to bucket, on a server in memory."""
    key, _, secret = KEYS.partition(":")
    made, meta_offset = sst_of(job.size)
    mine, others = list[Figures](), list[Figures]()
    for _ in range(ROUNDS):
        with memory_server() as server:
            urls = [server.minio(server.bucket()) for _ in range(2)]
            fill(open_store(urls[0]), job.objects, made)
            mine.append(ours(urls[0], urls[1], job.objects, len(made), meta_offset, JOBS))
            place = f":s3,provider=Minio,access_key_id='{key}',secret_access_key='{secret}'"
            place += f",endpoint='http://127.0.0.1:{server.port}',no_check_bucket=true:"
            source = urls[0].rpartition("/")[2]
            other = rclone(f"{place}{source}", f"{place}{server.bucket()}", JOBS)
            others += [other] if other else []
    return show(job, mine, others)


def main() -> int:
    """Everything."""
    if sys.argv[1:2] == ["job"]:
        job(*sys.argv[2:])
        return 0
    print("| | objects | seconds | cpu-s | MiB | rclone's seconds | its cpu-s | ratio | cpu |")
    print("|---|---|---|---|---|---|---|---|---|")
    missed = list[str]()
    for size in REMOTE:
        missed += remote(Job("S3", *size))
    with tempfile.TemporaryDirectory(dir=SHM if SHM.is_dir() else None) as name:
        for size in LOCAL:
            missed += local(Path(name), Job("tmpfs", *size), is_synced=False)
    with tempfile.TemporaryDirectory() as name:
        for size in LOCAL:
            missed += local(Path(name), Job("disk", *size), is_synced=True)
    print("\n".join(missed))
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
