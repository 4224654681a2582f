"""A simulated meta node of 3.0.3, which can run in a process of its own: commits version deltas,
writes checkpoints, trims. Before each commit it notes in a journal which version comes of it; every
commit also writes the version's id into three other tables.
"""

from __future__ import annotations

import json
import select
import signal
import sqlite3
import sys
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import chains
import goldens
from hummock_chains import Cluster
from hummock_ssts import all_ssts

from metasnapshot.hummock.checkpoint import encode_checkpoint
from metasnapshot.hummock.replay.apply import apply_delta
from metasnapshot.hummock.replay.version import Working
from metasnapshot_models.layouts import LAYOUTS

RELEASE, LAYOUT = "3.0.3", LAYOUTS["3.0.1"]
STEPS = (
    *("commit",) * 8,
    *("compact l0", "compact to base", "compact down", "expired compaction"),
    *("split by key", "merge", "truncate", "drop", "destroy", "nothing"),
)
SSTS_MAX = 40
CHECKPOINT_EVERY = 25
MARKS = (
    "UPDATE catalog_version SET version = ? WHERE name = 'TABLE_REVISION'",
    "UPDATE hummock_sequence SET seq = ? WHERE name = 'compaction_task'",
    "UPDATE session_parameter SET value = ? WHERE name = 'timezone'",
)
"""Rows near the begin, the middle and the end of a snapshot; they say the version's id."""


def marks(sections: dict[str, list[Any]]) -> list[int]:
    """What the marks say in a snapshot."""
    return [
        *(row.version for row in sections["catalog_versions"] if row.name.name == "TABLE_REVISION"),
        *(row.seq for row in sections["hummock_sequences"] if row.name == "compaction_task"),
        *(int(row.value) for row in sections["session_parameters"] if row.name == "timezone"),
    ]


class Writer:
    """The meta node of a folder: meta.db, state, journal. It starts at version 1."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.done = Counter[str]()
        self._random = Random(seed)  # noqa: S311 - not for secrets
        self._cluster = Cluster(RELEASE, tables_max=6)
        self.version = self._cluster.first_version()
        self.checkpoint_id = 0
        self._journal = (folder / "journal").open("a", encoding="ascii")
        path = goldens.copy_store(goldens.SHIPPED / "v3.0.3", folder / "meta.db")
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=30)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=OFF")
        self._connection.execute("DELETE FROM hummock_version_delta")
        self._connection.execute(
            "UPDATE system_parameter SET value = ? WHERE name = 'state_store'",
            (f"hummock+fs://{folder / 'state'}",),
        )
        self._note()
        self._mark()
        self.checkpoint()

    def commit(self) -> None:
        """One delta and the marks, in one transaction."""
        count = len(all_ssts(self._levels()))
        step = self._random.choice(STEPS) if count < SSTS_MAX else "compact to base"
        delta = self._cluster.delta(self.version, step, self._random)
        working = Working(self.version, self._cluster.rules)
        apply_delta(working, delta)
        self.version = working.message()
        self._note()
        row = (delta.id, delta.prev_id, delta.max_committed_epoch, 0, delta.trivial_move)
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute(
            "INSERT INTO hummock_version_delta VALUES (?, ?, ?, ?, ?, ?)",
            (*row, delta.SerializeToString()),
        )
        self._mark()
        self._connection.execute("COMMIT")
        self.done["commits"] += 1

    def checkpoint(self) -> None:
        """Write the checkpoint of the version that it has, as a whole or not at all."""
        path = self.folder / "state" / goldens.DATA_DIRECTORY / "checkpoint" / "0"
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name("0.tmp")
        temporary.write_bytes(encode_checkpoint(self.version, LAYOUT))
        temporary.replace(path)
        self.checkpoint_id = self.version.id
        self.done["checkpoints"] += 1

    def trim(self) -> None:
        """Delete the deltas that the checkpoint has."""
        statement = "DELETE FROM hummock_version_delta WHERE id <= ?"
        self._connection.execute(statement, (self.checkpoint_id,))
        self.done["trims"] += 1

    def go_on(self, count: int = 1) -> None:
        for _ in range(count):
            self.commit()

    def work(self) -> None:
        """Some commits, a checkpoint, perhaps more commits, and trim."""
        self.go_on(self._random.randrange(CHECKPOINT_EVERY))
        self.checkpoint()
        self.go_on(self._random.choice([0, 0, 1, 5]))
        self.trim()

    def close(self) -> None:
        self._connection.close()
        self._journal.close()

    def _levels(self) -> list[Any]:
        groups = self.version.levels.values()
        return [level for group in groups for level in (*group.l0.sub_levels, *group.levels)]

    def _note(self) -> None:
        self._journal.write(f"{self.version.id} {chains.digest(self.version)}\n")
        self._journal.flush()

    def _mark(self) -> None:
        for statement in MARKS:
            self._connection.execute(statement, (self.version.id,))


def read_journal(folder: Path) -> dict[int, str]:
    """Hash by version id."""
    lines = (folder / "journal").read_text(encoding="ascii").splitlines()
    return {int(number): digest for number, digest in (line.split() for line in lines)}


def main() -> int:
    """Work until standard input ends, at most so many seconds; then say what was done."""
    folder, seed, seconds_max = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    signal.alarm(seconds_max)
    writer = Writer(folder, seed)
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        writer.work()
    writer.close()
    print(json.dumps(writer.done))
    return 0


if __name__ == "__main__":
    sys.exit(main())
