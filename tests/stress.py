"""Processes that create, delete, read and mark snapshots in one backup directory, and collect its
garbage; and what must be true then.

As a program: `stress.py URL SEED OPERATIONS` prints the ids that it created and deleted, as JSON.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import goldens
from exhaustive import WHOLE

from metasnapshot.catalogue import changes
from metasnapshot.catalogue.manifest import parse
from metasnapshot.catalogue.manifest_file import PREVIOUS_NAME
from metasnapshot.catalogue.repository import Repository
from metasnapshot.format.snapshot import MetaSnapshot, loads
from metasnapshot.operations import gc
from metasnapshot.operations.delete import keep
from metasnapshot.store.port import join
from metasnapshot.store.url import open_store

KEPT_MAX = 5
"""How many snapshots a process leaves before it deletes one for each that it creates."""
READS = 0.3
"""Of all operations, those that leave the snapshots as they are."""
DIRECTORY = "backup"
PROCESSES = 8
OPERATIONS = "STRESS_OPERATIONS"
"""The variable that says how many operations each process does; `make stress` sets it."""
TIMEOUT_S = 3600.0


def operations(few: int, many: int) -> int:
    """How many operations each process does: few, many to test every step, or as asked for."""
    return int(os.environ.get(OPERATIONS) or (many if WHOLE else few))


def smallest_snapshot() -> MetaSnapshot:
    """A golden snapshot without the rows that make it large."""
    return loads(goldens.SMALL.read_bytes())


def work(url: str, seed: int, operations: int) -> tuple[list[int], list[int]]:
    """Create, delete, read, mark and collect garbage at random; returns the ids of what it created
    and deleted.
    """
    repository = Repository(open_store(url), DIRECTORY)
    snapshot, dice = smallest_snapshot(), random.Random(seed)  # noqa: S311 - dice
    created, deleted, alive = list[int](), list[int](), list[int]()
    for _ in range(operations):
        if alive and dice.random() < READS:
            _read(repository, dice.choice(alive), dice)
        elif alive and (len(alive) > KEPT_MAX or dice.random() < 0.4):
            gone = alive.pop(dice.randrange(len(alive)))
            changes.delete(repository, [gone])
            deleted.append(gone)
        else:
            with changes.reserve(repository, 1) as number:
                snapshot.id = number
                changes.create(repository, snapshot)
            created.append(number)
            alive.append(number)
    return created, deleted


def _read(repository: Repository, number: int, dice: random.Random) -> None:
    """One of what leaves the snapshots as they are. The collector takes orphans of any age: what
    another process has just written is none, for that holds its id.
    """
    what = dice.randrange(10)
    if what == 0:
        strays = gc.look(repository, timedelta())
        orphans = tuple(item for item in strays.found if item.kind == gc.ORPHAN)
        gc.collect(repository, replace(strays, found=orphans))
    elif what < 4:
        keep(repository, [number])
        keep(repository, [number], release=True)
    else:
        repository.refresh_manifest()
        with repository.open(number) as reader:
            assert reader.id == number


def run(url: str, processes: int, operations: int, timeout_s: float) -> list[dict[str, list[int]]]:
    """Let processes loose on a directory; returns what each did."""
    children = [
        subprocess.Popen(
            [sys.executable, __file__, url, str(seed), str(operations)],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
        )
        for seed in range(processes)
    ]
    try:
        said = [child.communicate(timeout=timeout_s)[0] for child in children]
    finally:
        for child in children:
            child.kill()
    assert [child.returncode for child in children] == [0] * processes
    return [json.loads(text) for text in said]


def expect(url: str, done: list[dict[str, list[int]]]) -> None:
    """The manifest names what was created and not deleted, each once, and so do the files."""
    created = [number for item in done for number in item["created"]]
    deleted = [number for item in done for number in item["deleted"]]
    assert len(created) == len(set(created))
    expected = sorted(set(created) - set(deleted))
    repository = Repository(open_store(url), DIRECTORY)
    assert sorted(repository.manifest().ids) == expected
    assert repository.file_ids() == expected
    assert repository.reserved_ids() == []
    assert repository.manifest().manifest_id == len(created) + len(deleted)
    previous = parse(repository.store.read(join(DIRECTORY, PREVIOUS_NAME)).data)
    assert previous.manifest_id == repository.manifest().manifest_id - 1


if __name__ == "__main__":
    made, gone = work(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    print(json.dumps({"created": made, "deleted": gone}))
