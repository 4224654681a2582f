"""A Dask scheduler and workers on loopback, each a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

START_MAX_S = 120.0
ROOT = Path(__file__).parents[1]
QUIET = {
    "DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__DISK": "false",
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "false",
    "PYTHONPATH": str(ROOT / "runtime"),
}


class Process:
    """A scheduler or a worker."""

    def __init__(self, path: Path, *words: str, environment: dict[str, str] | None = None) -> None:
        self.log = path
        clean = {k: v for k, v in os.environ.items() if not k.startswith("METASNAPSHOT_")}
        with path.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "dask", *words],
                stdout=log,
                stderr=log,
                cwd=path.parent,
                env=clean | QUIET | (environment or {}),
            )

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """As a machine that loses its power."""
        self._process.kill()
        self._process.wait()

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    @property
    def cpu_seconds(self) -> float:
        """What it has used."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        if self.is_alive:
            self._process.kill()
        self._process.wait()


class DaskCluster:
    """A scheduler, and workers as they are added.

    Attributes:
        address: of the scheduler.
        scheduler: its process.
        workers: theirs.
    """

    def __init__(self, path: Path, *words: str, protocol: str = "tcp") -> None:
        path.mkdir(parents=True, exist_ok=True)
        self._path, self._words = path, words
        self.workers: list[Process] = []
        file = path / "scheduler.json"
        self.scheduler = Process(
            path / "scheduler.log",
            *("scheduler", "--host", f"{protocol}://127.0.0.1", "--port", "0", "--no-dashboard"),
            *("--scheduler-file", str(file), *words),
        )
        self._wait(self.scheduler, lambda: file.exists() and bool(file.read_text()))
        self.address: str = json.loads(file.read_text())["address"]

    def add(
        self, environment: dict[str, str] | None = None, *words: str, threads: int = 1
    ) -> Process:
        """One more worker, as soon as the scheduler knows it."""
        log = self._path / f"worker-{len(self.workers)}.log"
        local = self._path / f"scratch-{len(self.workers)}"
        worker = Process(
            log,
            *("worker", self.address, "--no-nanny", "--no-dashboard", "--nthreads", str(threads)),
            *("--local-directory", str(local), *self._words, *words),
            environment=environment,
        )
        self.workers.append(worker)
        self._wait(worker, lambda: "Registered to" in log.read_text())
        return worker

    def end(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.end()

    @staticmethod
    def _wait(process: Process, is_ready: object) -> None:
        assert callable(is_ready)
        until = time.monotonic() + START_MAX_S
        while not is_ready():
            if not process.is_alive or time.monotonic() > until:
                raise RuntimeError(process.log.read_text())
            time.sleep(0.05)


@contextmanager
def dask_cluster(path: Path, *words: str, protocol: str = "tcp") -> Generator[DaskCluster]:
    """A scheduler for the block, without workers yet."""
    cluster = DaskCluster(path, *words, protocol=protocol)
    try:
        yield cluster
    finally:
        cluster.end()
