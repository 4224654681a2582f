"""A cluster and its backups, some of them deltas; for tests that change one or kill the other."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import goldens

from metasnapshot.catalogue.repository import Repository
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations.backup import BackupOptions, BackupResult, backup
from metasnapshot.store.local import LocalStore

TAG = goldens.SHIPPED / "v3.0.3"


class DeltaWorld:
    """A meta store that changes, its state store, and a backup directory."""

    def __init__(self, path: Path) -> None:
        path.mkdir(exist_ok=True)
        self.path = path
        self.store = goldens.copy_store(TAG, path / "meta.db")
        goldens.write_state(TAG, path / "state")

    @property
    def backups(self) -> Repository:
        """The directory, read anew."""
        return Repository(LocalStore(self.path), "backup")

    def change(self, name: str) -> None:
        """What a minute may bring: a parameter gets another value."""
        with closing(sqlite3.connect(self.store)) as connection, connection:
            connection.execute(
                "UPDATE system_parameter SET value = ? WHERE name = 'barrier_interval_ms'", [name]
            )

    def back_up(self, full_every: int = 60, *, as_delta: bool = True) -> BackupResult:
        """One more snapshot."""
        with open_meta_store(f"sqlite:///{self.store}") as store:
            options = BackupOptions(
                f"fs://{self.path}/state",
                goldens.DATA_DIRECTORY,
                as_delta=as_delta,
                full_every=full_every,
            )
            return backup(store, self.backups, options)

    def fill(self, count: int, full_every: int = 60) -> list[int]:
        """Several snapshots, each with a change; returns their ids."""
        made: list[int] = []
        for number in range(count):
            self.change(str(1000 + number))
            made.append(self.back_up(full_every).entry.id)
        return made

    def plain_bytes(self) -> dict[int, bytes]:
        """Every snapshot's own file, rebuilt or not."""
        found: dict[int, bytes] = {}
        for number in (backups := self.backups).ids:
            with backups.open(number) as reader, backups.get_stream(number) as file:
                assert reader.id == number
                found[number] = file.read()
        return found

    def names(self) -> set[str]:
        """Names of snapshots and deltas."""
        found = (self.path / "backup").iterdir()
        return {file.name for file in found if file.suffix in (".snapshot", ".delta")}
