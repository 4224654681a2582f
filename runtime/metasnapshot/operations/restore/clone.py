"""restore --clone: a second cluster out of a snapshot, beside the first, which goes on living.

It has an id of its own, a data directory and a backup directory of its own, and no rows of workers:
those are the first cluster's nodes, which a meta node would call, and whose actors it would reset.
Where places lie is compared by how they are spelt, and then by what lies there: two spellings of
one place have the same cluster_id/0, and the same meta store the same row of `cluster`.

The id is worked out of the first one's, the snapshot and the place, so that a restore that is run
again finds its own rows; another snapshot, or another place, gives another one.
"""

from __future__ import annotations

from uuid import uuid5

import msgspec
import sqlalchemy as sa

from metasnapshot.catalogue.manifest import MANIFEST_NAME
from metasnapshot.catalogue.repository import Repository
from metasnapshot.contents.area_place import owned_above
from metasnapshot.contents.cluster import catalog_of
from metasnapshot.contents.outside import things_outside
from metasnapshot.contents.ownership import (
    CLUSTER_ID_NAME,
    DATA_DIRECTORY,
    STATE_STORE,
    own_directory,
)
from metasnapshot.errors import ConflictError, MetasnapshotError, UsageError
from metasnapshot.format.layout import CLUSTERS_SECTION
from metasnapshot.metastore.load import known_tables
from metasnapshot.metastore.read import read_rows
from metasnapshot.operations.restore.plan import ClonePlan, Overwrite, StatePlace, Warned
from metasnapshot.operations.restore.source import PARAMETERS_SECTION, Source
from metasnapshot.store.context import Context
from metasnapshot.store.location import is_below, same_place, spelt_once
from metasnapshot.store.port import Store, join, normalise
from metasnapshot.store.shown_url import shown_url
from metasnapshot.store.url import open_store

WORKERS = ("workers", "worker_properties")
CLUSTER_TABLE = "cluster"
ICEBERG_SECTION, SECRETS_SECTION = "iceberg_tables", "secrets"
UNSHOWN = "no real meta node has shown yet that a cluster without rows of workers starts"
OWN_PLACE = "give a data directory of its own to the clone"


def check_places(
    repository: Repository, store: Store, place: StatePlace, own: Overwrite, source: Source
) -> str:
    """Nothing of the clone lies in what is another cluster's, and nothing of it in the clone's.

    Args:
        repository: where the snapshot is.
        store: the clone's state store.
        place: the clone's data directory.
        own: where the clone backs up.
        source: the snapshot.

    Raises:
        UsageError: a place is the first cluster's by its name.
        ConflictError: one is somebody's by what lies there.
    """
    said = {row.name: row.value for row in source.keep(PARAMETERS_SECTION)}
    mine = place.url, place.directory
    first = said.get(STATE_STORE, ""), said.get(DATA_DIRECTORY, "")
    if all(first) and (is_below(*mine, *first) or is_below(*first, *mine)):
        raise UsageError(
            f"{shown_url(place.url)}, {place.directory} is in the data directory of the cluster "
            f"that is cloned, {first[1]}, or around it",
            hint=f"{OWN_PLACE}; two clusters on one directory destroy its data",
        )
    theirs = own_directory(said)
    backups = [(repository.store.url, repository.directory), *([theirs] if theirs else [])]
    _check_backups(mine, own, backups, first)
    _check_owners(store, place.directory, source)
    return (
        f"{shown_url(place.url)}, {place.directory} is the clone's alone; backups in "
        f"{shown_url(own.backup_storage_url)}, {own.backup_storage_directory}, "
        f"{_without_snapshots(own, repository.context)}"
    )


def turned(source: Source, place: StatePlace) -> ClonePlan:
    """Let a source give the rows of a clone: another cluster id, no workers.

    Args:
        source: of the snapshot; its rows are replaced.
        place: the clone's data directory.
    """
    reader = source.reader
    first = source.keep(CLUSTERS_SECTION)
    name = f"{reader.id} {reader.checksum:016x} {spelt_once(place.url, place.directory)}"
    rows = [msgspec.structs.replace(row, cluster_id=uuid5(row.cluster_id, name)) for row in first]
    left_out = {source.table(section): reader.place(section).count for section in WORKERS}
    source.replace(CLUSTERS_SECTION, rows)
    for section in WORKERS:
        source.replace(section, [])
    names = reader.section_names
    iceberg = reader.rows(ICEBERG_SECTION) if ICEBERG_SECTION in names else ()
    return ClonePlan(
        cluster_ids=tuple(str(row.cluster_id) for row in rows),
        of=tuple(str(row.cluster_id) for row in first),
        left_out=left_out,
        outside=tuple(things_outside(catalog_of(reader).connectors(), iceberg)),
        secrets=reader.place(SECRETS_SECTION).count if SECRETS_SECTION in names else 0,
    )


def said_of(clone: ClonePlan) -> Warned:
    """What is other than in the snapshot, in words."""
    left = " and ".join(f"{count} of {table}" for table, count in clone.left_out.items())
    return Warned(
        f"cluster id {', '.join(clone.cluster_ids) or 'none'} instead of "
        f"{', '.join(clone.of) or 'none'}; rows left out: {left}; {UNSHOWN}"
    )


def said_outside(clone: ClonePlan) -> str | Warned:
    """What both clusters use, in words."""
    if not clone.outside:
        return "no source, sink or iceberg table is used by both clusters"
    return Warned(f"both clusters use {'; '.join(map(str, clone.outside))}")


def check_database(connection: sa.Connection, source: Source, clone: ClonePlan) -> str:
    """The meta store is not that of the cluster that is cloned, whatever its URL.

    Raises:
        ConflictError: it is.
    """
    if CLUSTER_TABLE not in known_tables(connection):
        return "no cluster has it"
    there = [str(row.cluster_id) for row in read_rows(connection, source.layout, CLUSTER_TABLE)]
    own = [number for number in there if number in clone.of]
    if own:
        raise ConflictError(
            f"the target is the meta store of cluster {own[0]}, which is cloned",
            hint="give an empty database of its own to the clone; nothing was changed",
        )
    return f"it is that of {', '.join(there)}" if there else "no cluster has it"


def checklist(clone: ClonePlan) -> tuple[str, ...]:
    """What the operator of a clone does next."""
    steps = [
        f"{UNSHOWN}: try it first where nothing can be lost",
        "give every node of the clone disk caches, addresses and a licence of its own",
    ]
    if clone.outside:
        steps.append("start it paused, and drop what it must not use: the guide says how")
        steps += [f"both clusters use {item}" for item in clone.outside]
    if clone.secrets:
        steps.append(
            f"{clone.secrets} secrets need the first cluster's RW_SECRET_STORE_PRIVATE_KEY_HEX, "
            "which is in no backup"
        )
    return (*steps, "the clone has no backups yet: those of the first cluster are not its own")


def _check_backups(
    mine: tuple[str, str],
    own: Overwrite,
    backups: list[tuple[str, str]],
    first: tuple[str, str],
) -> None:
    """The backups of the two are apart, and not in each other's data.

    Raises:
        UsageError: they are not.
    """
    wanted = own.backup_storage_url, own.backup_storage_directory
    if any(is_below(*other, *mine) for other in backups):
        raise UsageError(
            f"backups of the cluster that is cloned lie in {mine[1]}, the clone's data directory",
            hint=OWN_PLACE,
        )
    if any(same_place(*wanted, *other) for other in backups) or (
        all(first) and is_below(*wanted, *first)
    ):
        raise UsageError(
            f"the clone would back up into {shown_url(wanted[0])}, {wanted[1]}, a place of the "
            "cluster that is cloned",
            hint="give --overwrite-backup-storage-url and --overwrite-backup-storage-directory, "
            "or neither: then it is {data directory}/backup",
        )


def _without_snapshots(own: Overwrite, context: Context) -> str:
    """That no cluster has backups there yet, as far as they can be looked for from here.

    Raises:
        ConflictError: one has.
    """
    url, directory = own.backup_storage_url, own.backup_storage_directory
    try:
        found = open_store(url, context).head(join(directory, MANIFEST_NAME))
    except MetasnapshotError as error:  # perhaps the clone's nodes alone reach it
        return f"which could not be looked at: {error}"
    if found is not None:
        raise ConflictError(
            f"{shown_url(url)}, {directory}, where the clone would back up, has snapshots",
            hint="a directory for each cluster: give another --overwrite-backup-storage-directory",
        )
    return "where there are none yet"


def _check_owners(store: Store, directory: str, source: Source) -> None:
    """No cluster has put its id above the data directory, or below it; in it neither, unless it is
    another clone's, which a later check looks at.
    """
    parent = normalise(directory).rpartition("/")[0]
    above = next(owned_above(store, parent), None)
    own = join(directory, CLUSTER_ID_NAME)
    below = (head.path for head in store.list(f"{normalise(directory)}/") if head.path != own)
    found = above or next((path for path in below if path.endswith(f"/{CLUSTER_ID_NAME}")), None)
    if found is not None:
        raise ConflictError(
            f"a cluster's data directory lies around {directory}, or in it: {found}",
            hint=OWN_PLACE,
        )
    if store.head(own) is None:
        return
    owner = store.read(own).data.decode("utf-8", "replace").strip()
    if owner in [str(row.cluster_id) for row in source.keep(CLUSTERS_SECTION)]:
        raise ConflictError(
            f"{own} says that {directory} is the data directory of the cluster that is cloned, "
            f"{owner}",
            hint=f"{OWN_PLACE}; two clusters on one directory destroy its data",
        )
