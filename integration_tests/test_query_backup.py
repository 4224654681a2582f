"""Upstream's test_query_backup.sh (src/storage/backup/integration_tests/), step by step: rows that
were deleted are still read at the epoch of a backup, and at no other. Then the same where it is
hard: when the running cluster has let go of every object that the backup needs.
"""

from __future__ import annotations

import pytest
from cluster import Cluster, SqlError
from cluster.garbage import MIN_SST_RETENTION_TIME_SEC

pytest_plugins = ["cluster.fixtures"]
FUTURE_EPOCH = 18446744073709486080
EPOCH_STEP, SPILL_BITS = 1 << 16, (1 << 16) - 1
"""The low bits of an epoch are a key's spill offset; a query's epoch has none."""
CREATE = """SET RW_IMPLICIT_FLUSH TO true;
create table t1(v1 int, v2 int);
insert into t1 values (2,1),(1,2),(1,1);"""
DELETE = "SET RW_IMPLICIT_FLUSH TO true; delete from t1 where v1=1;"
BEFORE, AFTER = [(1, 1), (1, 2), (2, 1)], [(2, 1)]


def rows(cluster: Cluster, epoch: int = 0) -> list[tuple[int, int]]:
    """`select * from t1` with QUERY_EPOCH set; 0 turns it off."""
    return sorted(cluster.sql(f"SET QUERY_EPOCH TO {epoch}; select * from t1;"))


def committed_epoch(cluster: Cluster) -> tuple[int, int]:
    """get_table_committed_epoch_in_meta_snapshot: table id and epoch."""
    ((table_id,),) = cluster.sql("select id from rw_tables;")
    query = f"select state_table_info->'{table_id}'->>'committedEpoch' from rw_meta_snapshot;"
    ((epoch,),) = cluster.sql(query)
    return table_id, int(epoch)


def test_query_backup(cluster: Cluster) -> None:
    """QUERY_EPOCH 0 reads now; the backup's committed epoch of the table reads the backup; no
    other epoch is found, be it before, after, or in the far future.
    """
    cluster.sql(CREATE)
    assert sorted(cluster.sql("select * from t1;")) == BEFORE
    number = cluster.backup()
    cluster.sql(DELETE)
    assert cluster.sql("select * from t1;") == AFTER
    assert rows(cluster, 0) == AFTER
    table_id, epoch = committed_epoch(cluster)
    assert rows(cluster, epoch) == BEFORE
    assert rows(cluster, epoch | SPILL_BITS) == BEFORE
    for other in (epoch - EPOCH_STEP, epoch + EPOCH_STEP, FUTURE_EPOCH):
        with pytest.raises(SqlError, match=f"backup include epoch {other} not found"):
            rows(cluster, other)

    served = cluster.run("epoch", str(table_id), str(epoch), *cluster.places(), "--json").json
    assert number == served["snapshot"]["id"]
    missed = cluster.attempt("epoch", str(table_id), str(FUTURE_EPOCH), *cluster.places())
    assert (missed.code, f"epoch {FUTURE_EPOCH} not found" in missed.err) == (12, True)


def test_a_backup_is_read_when_the_cluster_has_nothing_of_it_left(small_cluster: Cluster) -> None:
    """Compacted, checkpointed and collected, a cluster has only the rows of now; the backup keeps
    its own objects until it is deleted, and then its epoch is not found.
    """
    small_cluster.sql(CREATE)
    before = set(small_cluster.bucket.sst_paths())
    number = small_cluster.backup()
    _, epoch = committed_epoch(small_cluster)
    small_cluster.sql(DELETE)
    small_cluster.node.compact()
    small_cluster.node.housekeep()
    small_cluster.clock.let_pass(MIN_SST_RETENTION_TIME_SEC + 1)
    small_cluster.sql("FLUSH")
    small_cluster.node.housekeep()
    small_cluster.full_gc_sst()
    assert before < set(small_cluster.bucket.sst_paths())
    assert (rows(small_cluster), rows(small_cluster, epoch)) == (AFTER, BEFORE)

    small_cluster.delete_snapshot(number)
    with pytest.raises(SqlError, match=f"backup include epoch {epoch} not found"):
        rows(small_cluster, epoch)
    small_cluster.full_gc_sst()
    assert set() == before & set(small_cluster.bucket.sst_paths())
    assert rows(small_cluster) == AFTER
