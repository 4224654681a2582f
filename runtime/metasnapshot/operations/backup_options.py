"""How to back up, and what an operator is told of a backup."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from metasnapshot.errors import UsageError
from metasnapshot.hummock.replay.stream import Replayed
from metasnapshot.metastore.read import count_rows
from metasnapshot.operations.coverage import Coverage
from metasnapshot_models.definitions import Layout

NOT_PINNED = (
    "not pinned: a running cluster's garbage collection does not know this snapshot and may delete "
    "objects that it needs; back up through the meta node, or stop it (--meta-node-stopped)"
)


@dataclass(frozen=True)
class BackupOptions:
    """How to back up.

    Attributes:
        hummock_storage_url: the state store; by default system parameter state_store.
        hummock_storage_directory: the data directory; by default system parameter data_directory.
        remarks: a note for the manifest.
        rw_version: the cluster's release, which decides between layouts that share migrations; by
            default set only where these leave no doubt.
        dry_run: read and encode everything, write nothing.
        allow_unknown_tables: go on without tables and columns that the registry does not have.
        into_cluster_directory: go on although the directory is the cluster's own.
        meta_node_stopped: no meta node runs, so nothing collects garbage.
        as_delta: keep the snapshot as what differs from the newest plain one, if that is small.
        full_every: with deltas, every so many-th snapshot is a plain one.

    Raises:
        UsageError: a text has what no UTF-8 has, or a number is too small.
    """

    hummock_storage_url: str | None = None
    hummock_storage_directory: str | None = None
    remarks: str | None = None
    rw_version: str | None = None
    dry_run: bool = False
    allow_unknown_tables: bool = False
    into_cluster_directory: bool = False
    meta_node_stopped: bool = False
    as_delta: bool = False
    full_every: int = 60

    def __post_init__(self) -> None:
        for text in (self.remarks or "", self.rw_version or ""):
            if any("\ud800" <= char <= "\udfff" for char in text):
                raise UsageError("remarks and release must be valid UTF-8")
        if self.full_every < 1:
            raise UsageError("--full-every is below 1", hint="such as 60: every 60th is plain")


def warnings(
    connection: sa.Connection,
    options: BackupOptions,
    coverage: Coverage,
    layout: Layout,
    replayed: Replayed,
) -> Iterator[str]:
    """What the operator should know of a backup.

    Args:
        connection: to the meta store.
        options: how it was made.
        coverage: what of the meta store a snapshot holds.
        layout: the one that was chosen.
        replayed: its version.
    """
    found = coverage.candidates
    if not options.meta_node_stopped:
        yield NOT_PINNED
    if replayed.doubt:
        yield replayed.doubt
    named = options.rw_version
    if named is not None and named.removeprefix("v") not in found.releases:
        names = ", ".join(found.releases)
        yield f"the meta store's migrations are those of {names}, not of {named}"
    if doubt := found.doubt(named):
        yield doubt
    for item in coverage.unknown:
        yield f"{item.name} is unknown and left out: a restore loses it"
    if not found.exact:
        yield (
            f"migrations beyond layout {layout.name}, without effect on its tables: "
            f"{', '.join(found.unknown)}"
        )
    for item in coverage.excluded:
        if item.reason == "missed" and (count := count_rows(connection, item.table)):
            yield (
                f"table {item.table} has {count} rows that snapshots of "
                f"{found.releases_of(layout)[0]} leave out: a restore loses them"
            )
