"""Time and memory of a job."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

REPEATS = 3


def best_times(*jobs: Callable[[], object]) -> list[float]:
    """Seconds of each job, the best of a few; they take turns: all meet the same machine."""
    times: list[list[float]] = [[] for _ in jobs]
    for _ in range(REPEATS):
        for job, found in zip(jobs, times, strict=True):
            start = time.perf_counter()
            job()
            found.append(time.perf_counter() - start)
    return [min(found) for found in times]


def peak_rss(script: Path, *arguments: str) -> int:
    """Peak RSS in MiB of a script in a process of its own, which prints it as peak_kib."""
    command = [sys.executable, str(script), *arguments]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(json.loads(shown.stdout)["peak_kib"]) // 1024


def own_peak_kib() -> int:
    """Peak RSS of this process; not ru_maxrss, which survives exec, so that a child would show what
    its parent held when it forked.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
