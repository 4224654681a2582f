"""Upstream's test_basic.sh (src/storage/backup/integration_tests/), step by step: an empty cluster,
one with tables, a view and a secret, one without them again; each of the three comes back.
"""

from __future__ import annotations

from cluster import Cluster
from cluster.hummock import object_ids
from cluster.tpch import CREATE_MVS, DROP_MVS, QUERY_MVS, VIEW_ROWS

pytest_plugins = ["cluster.fixtures"]


def views_and_secrets(cluster: Cluster) -> tuple[list[str], list[str]]:
    """What `show materialized views` and `show secrets` tell."""
    views = [row[0] for row in cluster.sql("SHOW MATERIALIZED VIEWS")]
    return views, [row[0] for row in cluster.sql("SHOW SECRETS")]


def test_basic(cluster: Cluster) -> None:
    """Restored, a cluster has the tables, views and secrets of the snapshot, their rows, and the
    ids that come after the newest snapshot's; it goes on from there.
    """
    first = cluster.backup()
    cluster.sql(CREATE_MVS)
    assert cluster.sql(QUERY_MVS) == VIEW_ROWS
    second = cluster.backup()
    cluster.sql(DROP_MVS)
    third = cluster.backup()
    assert [first, second, third] == [1, 2, 3]
    newest = cluster.node.store.sequences()

    cluster.prepare_restore()
    refused = cluster.attempt(*cluster.restore_command(third + 1))
    assert (refused.code, f"snapshot id {third + 1} not found" in refused.err) == (12, True)

    cluster.restore(first)
    cluster.start()
    assert views_and_secrets(cluster) == ([], [])
    assert newest == cluster.node.store.sequences()

    cluster.prepare_restore()
    dummy = ("--hummock-storage-directory", "dummy_dir", "--dry-run")
    invalid = cluster.attempt(*cluster.restore_command(second), *dummy)
    assert (invalid.code, "Fail integrity validation." in invalid.out) == (17, True)

    cluster.restore(second)
    cluster.start()
    assert views_and_secrets(cluster) == (["tpch_q7"], ["secret1"])
    assert cluster.sql(QUERY_MVS) == VIEW_ROWS
    used = set(cluster.bucket.sst_paths())
    cluster.sql(DROP_MVS)
    cluster.sql(CREATE_MVS)
    assert cluster.sql(QUERY_MVS) == VIEW_ROWS
    assert used < set(cluster.bucket.sst_paths())  # no id came twice

    cluster.restore(third)
    cluster.start()
    assert views_and_secrets(cluster) == ([], [])


def test_basic_with_the_meta_node_stopped(small_cluster: Cluster) -> None:
    """A backup out of the meta store and the checkpoint, which is behind it, is as good as the meta
    node's own: ids go on, objects are pinned, rows come back.
    """
    first = small_cluster.backup()
    small_cluster.sql(CREATE_MVS)
    small_cluster.node.housekeep()
    small_cluster.sql("DELETE FROM part WHERE p_partkey = 155; FLUSH")
    assert small_cluster.node.hummock.checkpoint_id < small_cluster.node.hummock.version.id
    second = small_cluster.backup_stopped()
    pinned = small_cluster.node.backups.pinned_object_ids()
    assert set(object_ids(small_cluster.node.hummock.version)) == pinned
    small_cluster.sql(DROP_MVS)
    third = small_cluster.backup()
    assert [first, second, third] == [1, 2, 3]

    small_cluster.restore(second)
    small_cluster.start()
    assert views_and_secrets(small_cluster) == (["tpch_q7"], ["secret1"])
    assert small_cluster.sql(QUERY_MVS) == VIEW_ROWS
    assert small_cluster.sql("SELECT p_partkey FROM part") == [(156,)]
    verify = ("verify", "--all", "--level", "objects", *small_cluster.places(), "--json")
    found = small_cluster.run(*verify).json["snapshots"]
    assert [(item["id"], item["ok"]) for item in found] == [(1, True), (2, True), (3, True)]
