"""No verb walks a backup directory: what lies below it (a million objects) costs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import goldens
import pytest

from metasnapshot.catalogue import changes
from metasnapshot.catalogue.rebuilder import Rebuilder
from metasnapshot.catalogue.records import Records
from metasnapshot.catalogue.repository import Repository
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations import gc
from metasnapshot.operations.backup import BackupOptions, backup
from metasnapshot.operations.check import check
from metasnapshot.operations.copy import copy
from metasnapshot.operations.rebuild import rebuild
from metasnapshot.store.memory import MemoryStore
from metasnapshot.store.port import Names, ObjectHead

TAG = goldens.SHIPPED / "v3.0.3"
OBJECTS = 10_000
PAGE = 1000
REQUESTS_MAX = 3


class CountingStore(MemoryStore):
    """Objects in memory, and how many pages lists of them had: a thousand names each, as S3's."""

    def __init__(self) -> None:
        super().__init__()
        self.pages = 0

    def list(self, prefix: str) -> Iterator[ObjectHead]:
        found = list(super().list(prefix))
        self.pages += 1 + len(found) // PAGE
        return iter(found)

    def names(self, directory: str) -> Names:
        found = super().names(directory)
        self.pages += 1 + (len(found.objects) + len(found.directories)) // PAGE
        return found


@pytest.fixture
def store() -> CountingStore:
    """A backup directory with the objects of full backups below it."""
    made = CountingStore()
    for number in range(OBJECTS):
        made.put_if_absent(f"backup/objects/{number % 256}/{number}-0.sst", b"1")
    return made


def run(store: CountingStore, root: Path) -> None:
    """Back up."""
    goldens.write_state(TAG, root / "state")
    with open_meta_store(f"sqlite:///{goldens.copy_store(TAG, root / 'meta.db')}") as meta_store:
        options = BackupOptions(f"fs://{root}/state", goldens.DATA_DIRECTORY)
        backup(meta_store, Repository(store, "backup"), options)


def test_a_backup_asks_for_few_lists(store: CountingStore, tmp_path: Path) -> None:
    """The first one, and one beside others."""
    for _ in range(2):
        store.pages = 0
        run(store, tmp_path)
        assert store.pages <= REQUESTS_MAX


def test_other_verbs_ask_for_few_lists(store: CountingStore, tmp_path: Path) -> None:
    """Whatever looks through the directory: gc, check, rebuild-manifest, copy, and what is known of
    each snapshot."""
    run(store, tmp_path)
    repository = Repository(store, "backup")
    target = CountingStore()
    verbs = {
        "gc": lambda: gc.collect(repository, gc.look(repository, timedelta(0))),
        "records": lambda: Records(repository).heads,
        "check": lambda: check(repository, None, 0),
        "rebuild": lambda: rebuild(Rebuilder(store, "backup")),
        "copy": lambda: copy(repository, Repository(target, "backup"), repository.manifest().ids),
        "next id": lambda: changes.next_id(repository, 1),
    }
    asked = dict[str, int]()
    for name, verb in verbs.items():
        store.pages = 0
        verb()
        asked[name] = store.pages
    assert {name: pages for name, pages in asked.items() if pages > REQUESTS_MAX} == {}
