"""Memory of a read, by RSS: of a process of its own, for that is what one looks at."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from exhaustive import WHOLE

TESTS = Path(__file__).parents[1]
PLACES = [place for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]
GROWTH_MAX = 32 << 20
BESIDE = 128 << 20
"""Of pyarrow, and of rows that wait for their row group."""
REPEATED = (300, 60, 60)
REPEATED_MAX = 6 << 20
SIZES = (500, 1000, 4000) if WHOLE else (50, 66, 200)


def peaks(*arguments: int) -> list[dict[str, int]]:
    done = subprocess.run(
        [sys.executable, TESTS / "endless.py", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(TESTS), *PLACES))},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_memory_does_not_grow_with_the_table() -> None:
    """Three times the rows and more, in as many SSTs that all overlap, take no more memory, each in
    a process that has done nothing else: 4 GB beside 1 GB in 500 SSTs where there is time, else 200
    MB beside 66 MB in 50. And no more than what a range is said to cost, by which reads are
    refused, and what the libraries take."""
    ssts, small, large = SIZES
    first, one = peaks(ssts, small)
    _, other = peaks(ssts, large)
    assert other["size"] > 3 * one["size"] > 10 << 20
    assert one["peak"] > first["peak"] + (1 << 20)
    assert other["peak"] - one["peak"] <= GROWTH_MAX
    assert other["peak"] - first["peak"] <= other["cost"] + BESIDE


def test_memory_does_not_grow_with_the_reads() -> None:
    """A process that reads one table after the other, as `read --all` does, holds nothing of those
    before."""
    _, one, other = peaks(*REPEATED)
    assert other["peak"] - one["peak"] <= REPEATED_MAX
