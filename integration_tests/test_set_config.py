"""Upstream's test_set_config.sh (src/storage/backup/integration_tests/), step by step: the place of
the backups changes while the cluster runs. Snapshots of another place are not seen, and pin
nothing; they are there again when the place is.
"""

from __future__ import annotations

from uuid import uuid4

from cluster import Cluster
from cluster.garbage import MIN_SST_RETENTION_TIME_SEC

pytest_plugins = ["cluster.fixtures"]
SNAPSHOTS = "SELECT meta_snapshot_id FROM rw_catalog.rw_meta_snapshot;"


def snapshots(cluster: Cluster) -> list[int]:
    return [row[0] for row in cluster.sql(SNAPSHOTS)]


def alter(cluster: Cluster, name: str, value: str) -> None:
    """ALTER SYSTEM SET, whose answer is its tag."""
    assert cluster.sql(f'alter system set {name} to "{value}";') == [("ALTER_SYSTEM",)]


def test_set_config(quick_cluster: Cluster) -> None:
    """Each place has its own snapshots, in memory too; ids go on over all of them."""
    shown = dict(quick_cluster.sql("SHOW parameters;"))
    assert ("backup", quick_cluster.url) == (
        shown["backup_storage_directory"],
        shown["backup_storage_url"],
    )
    made = [quick_cluster.backup()]
    assert made == snapshots(quick_cluster)

    alter(quick_cluster, "backup_storage_directory", "backup_1")
    assert snapshots(quick_cluster) == []
    others = [quick_cluster.backup() for _ in range(3)]
    assert others == snapshots(quick_cluster)

    alter(quick_cluster, "backup_storage_directory", "backup")
    assert made == snapshots(quick_cluster)

    directory = f"backup-{uuid4()}"  # memory is the process's, and other tests use it too
    alter(quick_cluster, "backup_storage_directory", directory)
    alter(quick_cluster, "backup_storage_url", "memory")
    assert snapshots(quick_cluster) == []
    in_memory = [quick_cluster.backup() for _ in range(2)]
    assert in_memory == snapshots(quick_cluster)

    alter(quick_cluster, "backup_storage_directory", "backup")
    alter(quick_cluster, "backup_storage_url", quick_cluster.url)
    assert made == snapshots(quick_cluster)
    made.append(quick_cluster.backup())
    assert made == snapshots(quick_cluster)
    assert list(range(1, 8)) == sorted([*made, *others, *in_memory])
    assert made == [item["id"] for item in quick_cluster.listed()]


def test_snapshots_of_another_place_pin_nothing(small_cluster: Cluster) -> None:
    """While the place is another, a full collection takes what only they need; `verify` at level
    objects then says so of them, and of no other.
    """
    small_cluster.sql("SET RW_IMPLICIT_FLUSH TO true; CREATE TABLE t (c INT)")
    small_cluster.sql("SET RW_IMPLICIT_FLUSH TO true; INSERT INTO t VALUES (1), (2)")
    first = small_cluster.backup()
    verify = ["verify", "--level", "objects", *small_cluster.places(), "--json"]
    assert [item["ok"] for item in small_cluster.run(*verify).json["snapshots"]] == [True]

    small_cluster.sql("SET RW_IMPLICIT_FLUSH TO true; DELETE FROM t WHERE c = 1")
    small_cluster.node.compact()
    second = small_cluster.backup()
    small_cluster.node.housekeep()
    small_cluster.sql("FLUSH")
    small_cluster.clock.let_pass(MIN_SST_RETENTION_TIME_SEC + 1)
    assert set() == small_cluster.full_gc_sst() & small_cluster.node.backups.pinned_object_ids()
    alter(small_cluster, "backup_storage_directory", "backup_1")
    assert set() != small_cluster.full_gc_sst()

    alter(small_cluster, "backup_storage_directory", "backup")
    assert [first, second] == snapshots(small_cluster)
    done = small_cluster.attempt(*verify)
    assert done.code == 3
    found = {item["id"]: item["ok"] for item in done.json["snapshots"]}
    assert {first: False, second: True} == found
