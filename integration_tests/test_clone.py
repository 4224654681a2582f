"""restore --clone on servers, and beside a simulated cluster that lives: neither of the two sees,
deletes or changes anything of the other.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import worlds
from cluster import Cluster
from cluster.control import sqlite_place
from cluster.release import RELEASE
from cluster.tpch import NAMES, ROWS, TABLES
from s3 import S3Server
from servers import Server

from metasnapshot.errors import ConflictError
from metasnapshot.metastore.connect import open_meta_store
from metasnapshot.operations.restore.plan import RestoreOptions
from metasnapshot.operations.restore.restoration import RestoreResult, restore

pytest_plugins = ["cluster.fixtures"]
TAG = worlds.TAGS[-1]
CHANGED = {"clusters", "workers", "worker_properties", "system_parameters"}


def clone(found: worlds.Backups, url: str, path: Path, *, clean: bool = False) -> RestoreResult:
    options = RestoreOptions(
        f"fs://{path}/new",
        "data_2",
        clone=True,
        clean=clean,
        no_object_check=True,
        cut_timestamps=True,
    )
    with open_meta_store(url) as store:
        return restore(found.repository, store, 2, options)


def test_a_clone_on_a_server(server: Server, tmp_path: Path) -> None:
    """PostgreSQL and MariaDB: every other table has the snapshot's rows, workers have none; into
    the first cluster's own database it is refused, with --clean too.
    """
    found = worlds.Backups(TAG, tmp_path)
    url = server.create("first", worlds.schema(TAG, server))
    own = server.create("clone", worlds.schema(TAG, server))
    found.restore(url, 2, cut_timestamps=True)
    layout = worlds.layout_of(found.repository, 2)
    before = worlds.digests_of_store(url, layout)
    for clean in (False, True):
        with pytest.raises(ConflictError, match="which is cloned"):
            clone(found, url, tmp_path, clean=clean)
    assert worlds.digests_of_store(url, layout) == before
    clone(found, own, tmp_path)
    after = worlds.digests_of_store(own, layout)
    assert {name for name in before if after[name] != before[name]} == CHANGED
    assert after["workers"].count == after["worker_properties"].count == 0
    with open_meta_store(url) as store, store.read_transaction() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM worker").scalar()
    assert clone(found, own, tmp_path).plan.done


def rows_of(cluster: Cluster) -> dict[str, list[tuple[object, ...]]]:
    return {name: sorted(cluster.sql(f"SELECT * FROM {name};"), key=repr) for name in NAMES}


@pytest.mark.parametrize("bucket", ["the same bucket", "another bucket"])
def test_two_clusters_beside_each_other(
    small_cluster: Cluster, s3: S3Server, tmp_path: Path, bucket: str
) -> None:
    """Both write, compact and collect everything that they may: each keeps its own rows, and the
    clone starts with those of the snapshot.
    """
    first = small_cluster
    for statement in (*TABLES, *ROWS):
        first.sql(f"SET RW_IMPLICIT_FLUSH TO true; {statement};")
    before = rows_of(first)
    there = ("--backup-storage-url", f"fs://{tmp_path}/backups")
    first.node.housekeep()
    done = first.run(
        *("backup", "--meta-store", first.store.url, *there, "--rw-version", RELEASE),
        *("--with-objects", "--json"),
    )
    first.sql("SET RW_IMPLICIT_FLUSH TO true; INSERT INTO region VALUES (7, 'LATER');")
    url = first.url if bucket == "the same bucket" else s3.minio(s3.bucket())
    second = first.beside(sqlite_place(tmp_path / "clone.db"), url)
    command = (
        *("restore", str(done.json["snapshot"]["id"]), "--clone", "--with-objects"),
        *("--create-schema", "--meta-store", second.store.url, *there),
        *("--hummock-storage-url", url, "--hummock-storage-directory"),
    )
    if url == first.url:
        assert second.attempt(*command, "hummock_001").code == 2
    second.run(*command, "clone_1")
    second.start()
    try:
        assert rows_of(second) == before
        second.sql("SET RW_IMPLICIT_FLUSH TO true; INSERT INTO region VALUES (9, 'CLONE');")
        first.sql("SET RW_IMPLICIT_FLUSH TO true; DELETE FROM region WHERE r_regionkey = 3;")
        for cluster in (first, second):
            cluster.node.compact()
            cluster.node.housekeep()
            cluster.full_gc_sst()
            cluster.full_gc_sst()
        assert [key for key, _ in sorted(first.sql("SELECT * FROM region;"))] == [4, 7]
        assert [key for key, _ in sorted(second.sql("SELECT * FROM region;"))] == [3, 4, 9]
        others = [name for name in NAMES if name != "region"]
        for cluster in (first, second):
            assert {name: rows_of(cluster)[name] for name in others} == {
                name: before[name] for name in others
            }
    finally:
        second.stop()
