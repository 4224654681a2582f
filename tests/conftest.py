from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import goldens
import pytest
from background import take_interrupts
from exhaustive import WHOLE
from hypothesis import HealthCheck, settings
from shell import Shell

take_interrupts()

# A loaded machine is slow, not wrong.
settings.register_profile(
    "project",
    deadline=None,
    max_examples=500 if WHOLE else 25,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("project")

TAG = goldens.SHIPPED / "v3.0.3"
MEMORY = Path("/dev/shm")
"""Files in memory, where the system has them."""
ROOM = 4 << 30
"""Bytes that must be free there for all files of a run; what passed is deleted at once."""


def pytest_configure() -> None:
    """Lay the files of an ordinary run in memory: what is synced there costs no wait for a disk."""
    if not WHOLE and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave what is marked as long to `make exhaustive`."""
    long = [] if WHOLE else [item for item in items if item.get_closest_marker("long")]
    items[:] = [item for item in items if item not in long]
    config.hook.pytest_deselected(items=long)


@pytest.fixture
def memory_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory: a process that dies loses there what it would lose on a disk, and nobody
    waits for the disk.
    """
    if not os.access(MEMORY, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="metasnapshot-test-", dir=MEMORY) as name:
        yield Path(name)


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: meta.db, its state store, and empty.db to restore into."""
    monkeypatch.chdir(tmp_path)
    return goldens.lay_out(TAG, tmp_path)


@pytest.fixture
def shell(cluster: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """The command in the directory of `cluster`, where there is no backup yet."""
    return Shell(cluster, capsys)
