"""`make bench-servers`: a snapshot of 1 GiB to and from an S3 server over loopback, beside rclone.

Files and server are in memory, so that neither disk nor line is measured. Each job runs in a
process of its own, which says how long its transfer took and how much memory it had; rclone counts
from start to end. The figures are the best of a few rounds, in which all take turns.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import data
import measure
from s3_memory import KEYS, MemoryServer, memory_server

from metasnapshot.catalogue.repository import Repository
from metasnapshot.operations.copy import CHUNK_SIZE, copy
from metasnapshot.operations.verify import Level, verify
from metasnapshot.store.local import LocalStore
from metasnapshot.store.url import open_store

MIB = 1 << 20
SIZE = 1 << 30
RATIO_MIN = 0.7
"""What is wanted of rclone's rate."""
RSS_MAX = 128
"""MiB that a process may have."""
OBJECT = "object"


class Figures(NamedTuple):
    """What a job came to; the seconds of its processor are not disturbed by other processes."""

    seconds: float
    cpu_seconds: float
    peak_mib: int


def upload(url: str, folder: Path) -> None:
    """Through the store alone: a file becomes an object."""
    with (
        (folder / "backup" / "2.snapshot").open("rb") as file,
        open_store(url).open_writer(OBJECT) as target,
    ):
        shutil.copyfileobj(file, target, CHUNK_SIZE)


def download(url: str, folder: Path) -> None:
    """And back."""
    with open_store(url).open_reader(OBJECT) as file, (folder / "downloaded").open("wb") as target:
        shutil.copyfileobj(file, target, CHUNK_SIZE)


def copy_up(url: str, folder: Path) -> None:
    """The operation: verified here, sent, read back, and verified on arrival."""
    copy(Repository(LocalStore(folder), "backup"), Repository(open_store(url), "backup"), [2])


def copy_down(url: str, folder: Path) -> None:
    """The same from there to here."""
    target = LocalStore(folder / "copied")
    copy(Repository(open_store(url), "backup"), Repository(target, "backup"), [2])


def verify_file(url: str, _: Path) -> None:
    """The bytes alone."""
    _verify(url, "file")


def verify_rows(url: str, _: Path) -> None:
    """Every row, too."""
    _verify(url, "rows")


def _verify(url: str, level: Level) -> None:
    result = verify(Repository(open_store(url), "backup"), 2, level)
    assert result.error is None, result.error


JOBS: dict[str, Callable[[str, Path], None]] = {
    job.__name__: job for job in (upload, download, copy_up, copy_down, verify_file, verify_rows)
}


def run(job: str, url: str, folder: Path) -> Figures:
    """Run one in a process of its own."""
    command = [sys.executable, __file__, job, url, str(folder)]
    shown = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Figures(*json.loads(shown.stdout))


def rclone(server: MemoryServer, *arguments: str) -> Figures:
    """Seconds of a command of rclone's; `mem:` is the server."""
    key, _, secret = KEYS.partition(":")
    settings = {
        "TYPE": "s3",
        "PROVIDER": "Other",
        "ACCESS_KEY_ID": key,
        "SECRET_ACCESS_KEY": secret,
        "ENDPOINT": f"http://127.0.0.1:{server.port}",
        "FORCE_PATH_STYLE": "true",
        "NO_CHECK_BUCKET": "true",
    }
    environment = {f"RCLONE_CONFIG_MEM_{name}": value for name, value in settings.items()}
    start = time.perf_counter()
    child = subprocess.Popen(
        ["rclone", "--config", os.devnull, *arguments],  # noqa: S607
        env=environment | {"PATH": os.environ["PATH"], "HOME": os.devnull},
    )
    _, status, used = os.wait4(child.pid, 0)
    assert status == 0
    seconds = time.perf_counter() - start
    return Figures(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss // 1024)


def one_round(server: MemoryServer, folder: Path) -> dict[str, Figures]:
    """Every job once, in a new bucket, which is emptied again."""
    bucket, copies = server.bucket(), server.bucket()
    url, copy_url = server.minio(bucket), server.minio(copies)
    source, back = folder / "backup" / "2.snapshot", folder / "downloaded"
    done = dict[str, Figures]()
    if shutil.which("rclone"):
        done["rclone up"] = rclone(server, "copyto", str(source), f"mem:{bucket}/rclone")
        done["rclone down"] = rclone(server, "copyto", f"mem:{bucket}/rclone", str(back))
        _expect_same(source, back)
        open_store(url).delete("rclone")
    for name in ("upload", "download"):
        done[name] = run(name, url, folder)
    _expect_same(source, back)
    open_store(url).delete(OBJECT)
    for name in ("copy_up", "verify_file", "verify_rows", "copy_down"):
        done[name] = run(name, copy_url, folder)
    shutil.rmtree(folder / "copied")
    open_store(copy_url).delete("backup/2.snapshot")
    return done


def _expect_same(source: Path, back: Path) -> None:
    assert subprocess.run(["cmp", source, back], check=False).returncode == 0  # noqa: S607
    back.unlink()


def report(server: MemoryServer, folder: Path) -> bool:
    """Print the best of a few rounds; returns whether both directions are as fast as is wanted."""
    rounds = [one_round(server, folder) for _ in range(measure.REPEATS)]
    size = (folder / "backup" / "2.snapshot").stat().st_size
    print(f"snapshot of {size / MIB:.0f} MiB, S3 over loopback, all in memory\n")
    print("| | MB/s | of rclone's | seconds of each round | of the processor | RSS, MiB |")
    print("|---|---|---|---|---|---|")
    baselines = {"upload": "rclone up", "download": "rclone down"}
    is_good = True
    for name in rounds[0]:
        seconds = [item[name].seconds for item in rounds]
        peak = max(item[name].peak_mib for item in rounds)
        base = baselines.get(name)
        ratio = ""
        if base in rounds[0]:
            found = min(item[base].seconds for item in rounds) / min(seconds)
            ratio = f"{found:.2f}"
            is_good = is_good and found >= RATIO_MIN
        is_good = is_good and (name.startswith("rclone") or peak <= RSS_MAX)
        shown = ", ".join(f"{item:.1f}" for item in seconds)
        rate, cpu = size / min(seconds) / 1e6, min(item[name].cpu_seconds for item in rounds)
        print(f"| {name} | {rate:.0f} | {ratio} | {shown} | {cpu:.1f} | {peak} |", flush=True)
    return is_good


def main() -> int:
    if len(sys.argv) > 1:
        start = time.perf_counter()
        JOBS[sys.argv[1]](sys.argv[2], Path(sys.argv[3]))
        seconds = time.perf_counter() - start
        figures = Figures(seconds, time.process_time(), measure.own_peak_kib() // 1024)
        print(json.dumps(figures))
        return 0
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="metasnapshot-bench-", dir=memory) as scratch:
        folder = Path(scratch)
        (folder / "backup").mkdir()
        data.write_snapshot(folder / "backup" / "2.snapshot", SIZE)
        data.write_manifest(folder / "backup" / "2.snapshot")
        with memory_server() as server:
            is_good = report(server, folder)
    if shutil.which("rclone") is None:
        print("\nrclone is not installed, so there is nothing to compare with")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
