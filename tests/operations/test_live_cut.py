"""A backup of a meta store at work is one of its instants: whatever the interleaving with a writer
that commits deltas, writes checkpoints and trims, the version is one that the writer had, and every
table is of the same commit.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import chains
import goldens
import live_writer
import pytest
from exhaustive import WHOLE, thin
from live_writer import Writer, read_journal

from metasnapshot.catalogue.repository import Repository
from metasnapshot.errors import InconsistentStore
from metasnapshot.hummock.checkpoint import CHECKPOINT_NAME
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations.backup import CUT_ATTEMPTS_MAX, NOT_PINNED, BackupOptions, backup
from metasnapshot.store.local import LocalStore
from metasnapshot.store.memory import MemoryStore
from metasnapshot.store.port import READ_MAX, Store, StoredObject

ROUNDS = 600 if WHOLE else 10
COMMITS_BETWEEN = 4
WRITER_SECONDS_MAX = 3600
"""A writer that is forgotten ends by itself."""


def cut(folder: Path, store: Store | None = None) -> tuple[int, str]:
    """Back up; id and hash of the version, with which all the marks must agree."""
    backups = Repository(MemoryStore(), "backup")
    options = BackupOptions(meta_node_stopped=False, rw_version=live_writer.RELEASE)
    with open_meta_store(f"sqlite:///{folder / 'meta.db'}") as meta_store:
        result = backup(meta_store, backups, options, store)
    assert (result.warnings, result.pinned) == ((NOT_PINNED,), False)
    snapshot = backups.get(result.entry.id)
    version: Any = snapshot.hummock_version.message
    assert live_writer.marks(snapshot.sections) == [version.id] * len(live_writer.MARKS)
    assert result.entry.hummock_version_id == version.id
    return version.id, chains.digest(version)


@contextmanager
def writing(folder: Path, seed: int) -> Generator[dict[str, int]]:
    """A writer at work in a process of its own; it ends with the block, and says what it did."""
    command = [sys.executable, live_writer.__file__, str(folder), str(seed)]
    done: dict[str, int] = {}
    with subprocess.Popen(
        [*command, str(WRITER_SECONDS_MAX)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(live_writer.__file__).parent)},
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield done
            said, _ = process.communicate()  # this ends its standard input
            done.update(json.loads(said))
        finally:
            process.kill()


def wait_for_commits(folder: Path, count: int) -> None:
    """Until the writer has begun so many more commits, however slow it is."""
    wanted = len(read_journal(folder)) + count
    while len(read_journal(folder)) < wanted:
        time.sleep(0.001)


def test_a_backup_beside_a_writer_is_one_instant(tmp_path: Path) -> None:
    """With a writer in another process, in full flight."""
    with writing(tmp_path, seed=5) as done:
        found: list[tuple[int, str]] = []
        for _ in range(ROUNDS):
            wait_for_commits(tmp_path, COMMITS_BETWEEN)
            found.append(cut(tmp_path))
    journal = read_journal(tmp_path)
    assert [digest for _, digest in found] == [journal[number] for number, _ in found]
    numbers = [number for number, _ in found]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == ROUNDS
    assert min(done["commits"], done["checkpoints"], done["trims"]) > ROUNDS // 10


class Interrupted(LocalStore):
    """Something happens between a read of the checkpoint and what the reader does next."""

    def __init__(self, folder: Path, happen: Callable[[int], object]) -> None:
        super().__init__(folder / "state")
        self.reads = 0
        self._happen = happen

    def read(self, path: str, size_max: int = READ_MAX) -> StoredObject:
        found = super().read(path, size_max)
        if path == f"{goldens.DATA_DIRECTORY}/{CHECKPOINT_NAME}":
            self.reads += 1
            self._happen(self.reads)
        return found


@pytest.fixture
def writer(tmp_path: Path) -> Generator[Writer]:
    """A cluster after a while: version 31, checkpoint 21, deltas 22 to 31."""
    made = Writer(tmp_path, seed=7)
    made.go_on(20)
    made.checkpoint()
    made.trim()
    made.go_on(10)
    yield made
    made.close()


def nothing(_: Writer) -> None:
    pass


def commits(writer: Writer) -> None:
    writer.go_on(3)


def checkpoint(writer: Writer) -> None:
    writer.go_on(3)
    writer.checkpoint()
    writer.go_on(2)


def checkpoint_of_all(writer: Writer) -> None:
    writer.go_on(3)
    writer.checkpoint()


def checkpoint_and_trim(writer: Writer) -> None:
    checkpoint(writer)
    writer.trim()


def checkpoint_and_trim_all(writer: Writer) -> None:
    checkpoint_of_all(writer)
    writer.trim()


def only_trim_all(writer: Writer) -> None:
    writer.checkpoint()
    writer.trim()


CASES = (
    (nothing, 1),
    (commits, 1),
    (checkpoint, 1),
    (checkpoint_of_all, 1),
    (checkpoint_and_trim, 3),
    (checkpoint_and_trim_all, 4),
    (only_trim_all, 4),
)
"""What happens, and how often the checkpoint is read: twice in an attempt that leaves a doubt."""


@pytest.mark.parametrize(("happen", "reads"), CASES, ids=lambda item: getattr(item, "__name__", ""))
def test_after_the_checkpoint_was_read(
    writer: Writer, happen: Callable[[Writer], None], reads: int
) -> None:
    """What happens before the transaction begins is in the backup, with the checkpoint read again
    if its deltas are gone.
    """
    store = Interrupted(writer.folder, lambda count: happen(writer) if count == 1 else None)
    number, digest = cut(writer.folder, store)
    assert (number, digest) == (writer.version.id, chains.digest(writer.version))
    assert store.reads == reads


@pytest.mark.parametrize("happen", [case[0] for case in CASES])
@pytest.mark.parametrize("at", thin([1, 2, 3, 4]))
def test_without_deltas_after_the_checkpoint(
    writer: Writer, happen: Callable[[Writer], None], at: int
) -> None:
    """The rarest: nothing to replay at first, and something happens at one of the first reads,
    also at the second look, when the transaction is under way.
    """
    writer.checkpoint()
    writer.trim()
    store = Interrupted(writer.folder, lambda count: happen(writer) if count == at else None)
    before = writer.version.id
    number, digest = cut(writer.folder, store)
    assert read_journal(writer.folder)[number] == digest
    assert before <= number <= writer.version.id
    if at == 1:
        assert number == writer.version.id


@pytest.mark.parametrize("happen", [checkpoint_and_trim, checkpoint_and_trim_all])
def test_a_checkpoint_that_never_rests(writer: Writer, happen: Callable[[Writer], None]) -> None:
    """Ten vain attempts are an error that says so, and no backup."""
    store = Interrupted(writer.folder, lambda _: happen(writer))
    with pytest.raises(InconsistentStore, match=f"changed {CUT_ATTEMPTS_MAX} times"):
        cut(writer.folder, store)
    assert store.reads == 2 * CUT_ATTEMPTS_MAX


def test_deltas_of_another_time(writer: Writer) -> None:
    """The last below the checkpoint: both ids are named."""
    last = writer.version.id
    writer.go_on(40)
    writer.checkpoint()
    with sqlite3.connect(writer.folder / "meta.db") as connection:
        connection.execute("DELETE FROM hummock_version_delta WHERE id > ?", (last,))
    connection.close()
    with pytest.raises(InconsistentStore, match=f"expected {last}, actual {writer.version.id}"):
        cut(writer.folder)
