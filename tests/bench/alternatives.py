"""`make bench-alternatives`: what an operator would take instead, in the same run.

Each engine's own dump of a store that was restored into it, and our backup of it: seconds of the
clock, seconds of the clients' processors (a server's own are not seen), and bytes. Then what a dump
does not have, the objects in the bucket: `rclone copy` of a directory, and the copy that a full
backup makes, both in memory.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import objects
import restores
import sqlalchemy as sa

DIVISOR = 4
"""Of the rows that bench-servers restores."""
ROUNDS = 3
OBJECTS, OBJECT_SIZE = 500, 256 * objects.KIB
LOST = {
    "pg_dump, zstd": "the Hummock version with the deltas replayed, the objects it needs",
    "mariadb-dump, zstd": "the same; one moment only with --single-transaction",
    "sqlite3 .backup": "the same",
    "rclone copy": "the moment: a compaction between dump and copy deletes what the dump needs",
    "backup --with-objects": "nothing: what the version needs, each byte checked",
    "metasnapshot backup": "nothing: every row checked, the file read back",
}


class Figures(NamedTuple):
    """What a job came to."""

    seconds: float
    cpu_seconds: float
    size: int


def timed(job: Callable[[], object], made: Path) -> Figures:
    """Run a job of other processes, which makes a file."""
    used, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    job()
    seconds, now = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    return Figures(seconds, cpu, made.stat().st_size)


def dump(url: str, target: Path) -> tuple[str, str]:
    """What an engine's own tool is called, and the shell's words for it."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return "sqlite3 .backup", f"sqlite3 '{parsed.database}' '.backup {target}'"
    packed = f"zstd -q -f -o '{target}'"
    if parsed.get_backend_name() == "postgresql":
        return "pg_dump, zstd", f"pg_dump '{url}' | {packed}"
    words = f"-h {parsed.host} -P {parsed.port} -u {parsed.username} {parsed.database}"
    tool = f"MYSQL_PWD='{parsed.password or ''}' mariadb-dump --single-transaction --hex-blob"
    return "mariadb-dump, zstd", f"{tool} {words} | {packed}"


def best(rounds: list[Figures]) -> Figures:
    return Figures(*map(min, zip(*rounds, strict=True)))


def report(folder: Path) -> None:
    """Two lines for each engine."""
    whole = folder / "backup" / "2.snapshot"
    restores.write_snapshot(whole, DIVISOR)
    size = whole.stat().st_size / (1 << 20)
    print(f"snapshot of {size:.0f} MiB, {sum(restores.COUNTS.values()) // DIVISOR} rows\n")
    print("| | by | seconds | of the clients' processors | MiB | lost by it |")
    print("|---|---|---|---|---|---|")
    with restores.engines(folder) as found:
        for engine, make in found.items():
            url, target = make("alternative"), folder / f"dump.{engine}"
            restores.run("restore", url)
            name, words = dump(url, target)
            script = f"set -o pipefail; {words}"
            theirs, ours = list[Figures](), list[Figures]()
            for _ in range(ROUNDS):
                command = ["bash", "-c", script]
                theirs.append(timed(lambda c=command: subprocess.run(c, check=True), target))
                ours.append(timed(lambda u=url: restores.run("backup", u), whole))
            show(restores.NAMES[engine], {name: theirs, "metasnapshot backup": ours})
    show(f"{OBJECTS} objects", copies())


def show(of: str, found: dict[str, list[Figures]]) -> None:
    """A line for each of those who did it."""
    for by, rounds in found.items():
        each = best(rounds)
        print(
            f"| {of} | {by} | {each.seconds:.2f} | {each.cpu_seconds:.2f} "
            f"| {each.size / (1 << 20):.1f} | {LOST[by]} |",
            flush=True,
        )


def copies() -> dict[str, list[Figures]]:
    """What is in the bucket, copied in turns."""
    made, meta_offset = objects.sst_of(OBJECT_SIZE)
    found: dict[str, list[Figures]] = {"rclone copy": [], "backup --with-objects": []}
    shared = objects.SHM if objects.SHM.is_dir() else None
    with tempfile.TemporaryDirectory(dir=shared) as name:
        source = Path(name, "source")
        objects.fill_folder(source, OBJECTS, made)
        for number in range(ROUNDS):
            target, size = Path(name, f"target{number}"), OBJECTS * len(made)
            jobs = {
                "rclone copy": lambda to=target: objects.rclone(str(source), f"{to}/r", 8),
                "backup --with-objects": lambda to=target: objects.ours(
                    f"fs://{source}", f"fs://{to}/o", OBJECTS, len(made), meta_offset, 8
                ),
            }
            for by, job in jobs.items():
                if (figures := job()) is not None:
                    found[by].append(Figures(figures.seconds, figures.cpu_seconds, size))
            shutil.rmtree(target)
    return {by: rounds for by, rounds in found.items() if rounds}


def main() -> int:
    return restores.in_scratch(report)


if __name__ == "__main__":
    sys.exit(main())
