"""Memory of a read, by RSS: of a process of its own, for that is what one looks at."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from exhaustive import WHOLE

TESTS = Path(__file__).parents[1]
GROWTH_MAX = 32 << 20
BESIDE = 128 << 20
"""Of pyarrow, and of rows that wait for their row group."""
SIZES = (500, 1000, 4000) if WHOLE else (50, 66, 200)


def peaks(*arguments: int) -> list[dict[str, int]]:
    done = subprocess.run(
        [sys.executable, TESTS / "endless.py", *map(str, arguments)],
        env={"PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_memory_does_not_grow_with_the_table() -> None:
    """Three times the rows and more, in as many SSTs that all overlap, take no more memory: 4 GB
    beside 1 GB in 500 SSTs where there is time, else 200 MB beside 66 MB in 50. And no more than
    what a range is said to cost, by which reads are refused, and what the libraries take."""
    ssts, small, large = SIZES
    first, _, one, other = peaks(ssts, small, small, large)
    assert other["size"] > 3 * one["size"] > 10 << 20
    assert one["peak"] > first["peak"] + (1 << 20)
    assert other["peak"] - one["peak"] <= GROWTH_MAX
    assert other["peak"] - first["peak"] <= other["cost"] + BESIDE
