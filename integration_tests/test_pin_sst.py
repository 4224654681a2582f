"""Upstream's test_pin_sst.sh (src/storage/backup/integration_tests/), step by step: what a snapshot
needs outlives the restore of an older one and a full collection, and goes with the snapshot. Then
what that rests on: the rules of the collector, one by one.
"""

from __future__ import annotations

import pytest
from cluster import Cluster
from cluster.garbage import MIN_SST_RETENTION_TIME_SEC
from cluster.hummock import Inconsistent, object_ids
from cluster.sst import Entry
from cluster.storage import ObjectLost
from cluster.tpch import CREATE_MVS, QUERY_MVS, VIEW_ROWS
from meta_node import SUCCEEDED, message

pytest_plugins = ["cluster.fixtures"]
TABLE = "SET RW_IMPLICIT_FLUSH TO true; CREATE TABLE t (c INT); INSERT INTO t VALUES (1), (2)"


def wait(cluster: Cluster) -> None:
    """Until objects are old enough to be collected."""
    cluster.clock.let_pass(MIN_SST_RETENTION_TIME_SEC + 1)


def churn(cluster: Cluster) -> None:
    """Leave the objects of table t behind: new rows, compacted, checkpointed, no older pin."""
    cluster.sql("SET RW_IMPLICIT_FLUSH TO true; DELETE FROM t WHERE c = 1")
    cluster.node.compact()
    cluster.node.hummock.create_version_checkpoint()
    cluster.sql("FLUSH")
    cluster.node.hummock.create_version_checkpoint()


def test_pin_sst(cluster: Cluster) -> None:
    """SSTs that a snapshot needs stay through a restore of another and a full collection; when the
    snapshot is deleted they stay until the next collection, which takes them all.
    """
    first = cluster.backup()
    cluster.sql(CREATE_MVS)
    assert cluster.sql(QUERY_MVS) == VIEW_ROWS
    needed = cluster.bucket.sst_paths()
    second = cluster.backup()
    wait(cluster)

    cluster.restore(first)
    cluster.start()
    assert len(cluster.bucket.sst_paths()) > 0
    cluster.full_gc_sst()
    assert set() == set(needed) - set(cluster.bucket.sst_paths())
    pins = cluster.run("pins", str(second), *cluster.places(), "--missing", "--json").json
    assert (len(needed), len(needed)) == (pins["objects"], pins["own_objects"])

    cluster.delete_snapshot(second)
    cluster.restore(first)
    cluster.start()
    assert set() == set(needed) - set(cluster.bucket.sst_paths())
    cluster.full_gc_sst()
    assert cluster.bucket.sst_paths() == []


def test_a_young_object_stays(small_cluster: Cluster) -> None:
    """What nobody knows goes when it is older than the time asked for and the configured one, both
    (gc.rs, start_full_gc).
    """
    node = small_cluster.node
    lost = node.storage.upload([Entry((9).to_bytes(4, "big"), 1, b"")]).object_id
    node.storage.uncommitted.clear()  # its writer died
    assert set() == node.collector.full(0)
    wait(small_cluster)
    assert set() == node.collector.full(60)
    assert {lost} == node.collector.full(0)
    assert small_cluster.bucket.sst_paths() == []


def test_what_may_still_be_committed_stays(small_cluster: Cluster) -> None:
    """No object from the smallest id on that a compute node has not committed yet goes (gc.rs,
    collect_min_uncommitted_object_id).
    """
    node = small_cluster.node
    ids = [node.storage.upload([Entry(bytes(4), 1, b"")]).object_id for _ in range(3)]
    node.storage.uncommitted.discard(ids[0])
    node.storage.uncommitted.discard(ids[2])
    wait(small_cluster)
    assert {ids[0]} == node.collector.full(0)
    node.storage.uncommitted.clear()
    assert set(ids[1:]) == node.collector.full(0)


def test_what_was_collected_is_never_committed(small_cluster: Cluster) -> None:
    """An object that was handed to deletion comes into no version (hummock_gc_history)."""
    node = small_cluster.node
    late = node.storage.upload([Entry(bytes(4), 1, b"")])
    node.storage.uncommitted.clear()
    wait(small_cluster)
    assert {late.object_id} == node.collector.full(0)
    with pytest.raises(Inconsistent, match="rejected from being committed"):
        node.hummock.commit(node.next_epoch(), [late])


def test_the_minor_collection_leaves_pinned_objects(small_cluster: Cluster) -> None:
    """It takes what checkpoints dropped, if there is enough of it, but for the objects of backups;
    when the backup is deleted, those are left to a full collection.
    """
    node = small_cluster.node
    small_cluster.sql(TABLE)
    (pinned,) = object_ids(node.hummock.version)
    number = small_cluster.backup()
    churn(small_cluster)
    assert set() == node.collector.minor()
    dropped = set(node.hummock.may_delete)
    assert {pinned} < dropped
    assert dropped - {pinned} == node.collector.minor(1)

    small_cluster.delete_snapshot(number)
    assert set() == node.collector.minor(1)
    wait(small_cluster)
    assert {pinned} == node.collector.full(0)


def test_an_old_reader_keeps_what_it_reads(small_cluster: Cluster) -> None:
    """Objects that are stale since a version that somebody pins stay tracked (versioning.rs)."""
    node = small_cluster.node
    small_cluster.sql(TABLE)
    old = node.hummock.version
    needed = set(object_ids(old))
    node.hummock.pins["slow"] = old.id
    churn(small_cluster)
    wait(small_cluster)
    assert set() == node.collector.full(0) & needed
    (relation,) = node.catalogue.relations()
    epoch = old.state_table_info[relation.id].committed_epoch
    assert {row[0] for row in node.storage.rows(old, relation, epoch)} == {1, 2}

    del node.hummock.pins["slow"]
    assert needed < node.collector.full(0)
    with pytest.raises(ObjectLost):
        node.storage.rows(old, relation, epoch)


def test_a_job_holds_the_version_deltas(small_cluster: Cluster) -> None:
    """While a backup is at work no delta is trimmed and no object that became stale since goes
    (backup_manager.rs, register_safe_point); afterwards both go on, and the snapshot is whole.
    """
    node = small_cluster.node
    small_cluster.sql(TABLE)
    stale = set(object_ids(node.hummock.version))
    job = node.backups.backup_meta(message("BackupMetaRequest"), None).job_id
    churn(small_cluster)
    wait(small_cluster)
    assert node.hummock.delete_version_deltas() == 0
    assert set() == node.collector.full(0) & stale

    status = node.backups.job_status(message("GetBackupJobStatusRequest", job_id=job), None)
    assert (job, SUCCEEDED) == (status.job_id, status.job_status)
    assert node.hummock.delete_version_deltas() > 0
    assert stale < node.collector.full(0)
    verify = ("verify", str(job), "--level", "objects")
    (found,) = small_cluster.run(*verify, *small_cluster.places(), "--json").json["snapshots"]
    assert (found["ok"], found["counts"]) == (True, {})


def test_a_backup_beside_the_cluster_is_not_pinned(small_cluster: Cluster) -> None:
    """One that another process puts into another directory says that nothing pins it; a collection
    then takes what it needs, and `verify` at level objects finds that out.
    """
    small_cluster.sql(TABLE)
    beside = ("--backup-storage-url", small_cluster.url, "--backup-storage-directory", "beside")
    source = ("--meta-store", small_cluster.store.url)
    made = small_cluster.run("backup", *source, *beside, "--json").json
    assert (made["pinned"], "not pinned: " in made["warnings"][0]) == (False, True)
    verify = ("verify", "--level", "objects", *beside)
    small_cluster.run(*verify)
    churn(small_cluster)
    wait(small_cluster)
    assert set() != small_cluster.full_gc_sst()
    done = small_cluster.attempt(*verify)
    assert (done.code, "is missing" in done.out + done.err) == (17, True)
