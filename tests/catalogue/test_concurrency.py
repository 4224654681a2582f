"""Many processes create and delete snapshots in one directory: none is lost, none is a phantom."""

from __future__ import annotations

import json
import os
import random
import tempfile
import traceback
from collections.abc import Generator
from pathlib import Path

import goldens
import pytest

from metasnapshot.catalogue.manifest import parse
from metasnapshot.catalogue.repository import PREVIOUS_NAME, Repository
from metasnapshot.format.snapshot import MetaSnapshot, loads
from metasnapshot.store.local import LocalStore

PROCESSES = 8
OPERATIONS = 2_000 if os.environ.get("TEST_EVERY_STEP") else 60
KEPT_MAX = 5
"""How many snapshots a process leaves before it deletes one for each that it creates."""


def smallest_snapshot() -> MetaSnapshot:
    """A golden snapshot without the rows that make it large."""
    path = goldens.SHIPPED / "v3.0.3" / "backup" / "1.snapshot"
    return loads(path.read_bytes())


def work(root: Path, seed: int, report: Path) -> None:
    """Create and delete at random; report what was done."""
    repository = Repository(LocalStore(root), "backup")
    snapshot, dice = smallest_snapshot(), random.Random(seed)  # noqa: S311 - dice
    created, deleted = list[int](), list[int]()
    alive = list[int]()
    for _ in range(OPERATIONS):
        if alive and (len(alive) > KEPT_MAX or dice.random() < 0.4):
            gone = alive.pop(dice.randrange(len(alive)))
            repository.delete([gone])
            deleted.append(gone)
        else:
            with repository.reserve(1) as number:
                snapshot.id = number
                repository.create(snapshot)
            created.append(number)
            alive.append(number)
    report.write_text(json.dumps({"created": created, "deleted": deleted}))


def in_process(root: Path, seed: int, report: Path) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work(root, seed, report)
            code = 0
        except BaseException:  # noqa: BLE001 - a forked process must not go on as pytest
            traceback.print_exc()
        finally:
            os._exit(code)
    return child


@pytest.fixture
def shared_memory(tmp_path: Path) -> Generator[Path]:
    """A directory whose fsync costs nothing, where there is one: order is tested, not the disk."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        yield Path(name)


def test_no_snapshot_is_lost_and_none_is_a_phantom(shared_memory: Path) -> None:
    """The manifest names what was created and not deleted, each once, and so do the files."""
    root = shared_memory / "store"
    reports = [shared_memory / f"{seed}.json" for seed in range(PROCESSES)]
    children = [in_process(root, seed, report) for seed, report in enumerate(reports)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert codes == [0] * PROCESSES
    done = [json.loads(report.read_text()) for report in reports]
    created = [number for item in done for number in item["created"]]
    deleted = [number for item in done for number in item["deleted"]]
    assert len(created) == len(set(created))
    expected = sorted(set(created) - set(deleted))
    repository = Repository(LocalStore(root), "backup")
    assert sorted(repository.manifest().ids) == expected
    assert repository.file_ids() == expected
    assert repository.reserved_ids() == []
    assert repository.manifest().manifest_id == len(created) + len(deleted)
    previous = parse((root / "backup" / PREVIOUS_NAME).read_bytes())
    assert previous.manifest_id == repository.manifest().manifest_id - 1
