"""drill: prove that a snapshot restores, without touching anything of the cluster's.

It is restored into a scratch database with the schema of its release, and a state store in memory;
that is backed up again, and every row of the two snapshots is compared. The scratch database is a
SQLite file, or one that the user lends (lent.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace

from metasnapshot.catalogue.repository import Repository
from metasnapshot.contents.cluster import catalog_of
from metasnapshot.contents.sequences import SEQUENCES_SECTION
from metasnapshot.errors import UsageError
from metasnapshot.format.layout import HUMMOCK_VERSION, model_of
from metasnapshot.format.reader import SnapshotReader
from metasnapshot.metastore.connect import MetaStore, open_meta_store
from metasnapshot.metastore.lent import Lent, lent
from metasnapshot.metastore.load import Target, digest_rows, target_of
from metasnapshot.operations.backup import BackupOptions, backup
from metasnapshot.operations.create_schema import release_of
from metasnapshot.operations.restore.plan import RestoreOptions
from metasnapshot.operations.restore.restoration import restore
from metasnapshot.store.location import HUMMOCK_PREFIX
from metasnapshot.store.memory import MemoryStore
from metasnapshot.store.scratch import scratch_directory

Told = Callable[[str], None]
"""Hears the engine of the scratch database once the drill has begun."""


@dataclass(frozen=True)
class DrillResult:
    """What a drill proved.

    Attributes:
        snapshot_id: of the snapshot.
        layout: of its file.
        rows: how many were compared.
        hummock_version_id: of its Hummock version.
        differences: sections that differ.
        seconds: from the start of the restore to the end of the comparison.
        engine: of the scratch database.
    """

    snapshot_id: int
    layout: str
    rows: int
    hummock_version_id: int
    differences: tuple[str, ...]
    seconds: float = 0.0
    engine: str = ""


def drill(
    repository: Repository,
    snapshot_id: int,
    against: AbstractContextManager[MetaStore] | None = None,
    began: Told = lambda _: None,
    *,
    cut_timestamps: bool = False,
) -> DrillResult:
    """Restore a snapshot into a scratch store, back that up, and compare.

    Args:
        repository: where the snapshot is.
        snapshot_id: which one.
        against: an empty database to do it in; by default a SQLite file in TMPDIR.
        began: hears when the database is there and empty: what fails from then on is the drill.
        cut_timestamps: cut them to what the database holds, as a restore does, and compare what
            is left of them.

    Raises:
        SnapshotNotFound: there is no such snapshot.
        DamageError: it is damaged.
        UnknownFormat: it is a V1 snapshot.
        TargetNotEmpty: the database has tables.
        ConflictError: another drill is at work on it.
    """
    repository.entry(snapshot_id)
    with _scratch() if against is None else against as store, lent(store) as place:
        start = time.monotonic()
        began(place.engine)
        result = _rehearse(repository, snapshot_id, place, cut_timestamps=cut_timestamps)
        seconds = time.monotonic() - start
    return replace(result, seconds=seconds, engine=place.engine)


@contextmanager
def _scratch() -> Generator[MetaStore]:
    with scratch_directory("drill") as scratch:
        target = f"sqlite:///{scratch / 'meta.db'}"
        with open_meta_store(target, may_create=True) as store:
            yield store


def _rehearse(
    repository: Repository, snapshot_id: int, place: Lent, *, cut_timestamps: bool
) -> DrillResult:
    with repository.open(snapshot_id) as reader:
        values, release = _parameters(reader), reader.definition.releases[0]
        tables_of = release_of(reader)
    url = values.get("state_store", "").removeprefix(HUMMOCK_PREFIX)
    directory = values.get("data_directory", "")
    if not url or not directory:
        raise UsageError(f"snapshot {snapshot_id} has no state_store and data_directory")
    place.mark(tables_of)
    state, again = MemoryStore(), Repository(MemoryStore(), "drill")
    options = RestoreOptions(
        url,
        directory,
        create_schema=True,
        no_object_check=True,
        cut_timestamps=cut_timestamps,
    )
    restore(repository, place.store, snapshot_id, options, store=state)
    as_before = BackupOptions(url, directory, rw_version=release, allow_unknown_tables=True)
    made = backup(place.store, again, as_before, store=state)
    with repository.open(snapshot_id) as reader, again.open(made.entry.id) as copy:
        target = Target(reader.definition)
        if cut_timestamps:
            with place.store.read_transaction(is_brief=True) as connection:
                target = target_of(connection, reader.definition, cut_timestamps=True)
        return _compare(reader, copy, target)


def _parameters(reader: SnapshotReader) -> dict[str, str]:
    _ = reader.definition  # a V1 snapshot has none
    return catalog_of(reader).parameters()


def _compare(reader: SnapshotReader, copy: SnapshotReader, target: Target) -> DrillResult:
    """Compare rows as a database holds them, in any order, and the Hummock version."""
    layout, rows, differences = reader.definition, 0, list[str]()
    for place in reader.places:
        if place.name in (HUMMOCK_VERSION, SEQUENCES_SECTION):
            continue  # a restore takes sequences from the newest snapshot, a backup counts them on
        model = model_of(layout, place.name)
        before = digest_rows(target, model, reader.rows(place.name))
        after = digest_rows(target, model, copy.rows(place.name))
        rows += before.count
        if before != after:
            differences.append(f"{place.name}: {before.count} rows before, {after.count} after")
    if reader.hummock_version.message != copy.hummock_version.message:
        differences.append(HUMMOCK_VERSION)
    version_id = reader.hummock_version.id
    return DrillResult(reader.id, reader.layout, rows, version_id, tuple(differences))
