"""Many processes create and delete snapshots in one directory: none is lost, none is a phantom."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
import stress


@pytest.fixture
def shared_memory(tmp_path: Path) -> Generator[Path]:
    """A directory whose fsync costs nothing, where there is one: order is tested, not the disk."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        yield Path(name)


def test_no_snapshot_is_lost_and_none_is_a_phantom(shared_memory: Path) -> None:
    """On a local directory, under its lock."""
    url = f"fs://{shared_memory / 'store'}"
    count = stress.operations(20, 2_000)
    stress.expect(url, stress.run(url, stress.PROCESSES, count, stress.TIMEOUT_S))
